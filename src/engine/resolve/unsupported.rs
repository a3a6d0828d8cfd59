//! Clauses that the grammar knows and planning would pass over in silence: each is an error instead.
//!
//! The grammar is that of many databases. What planning itself refuses with a clear word is left to it, except where
//! the place in the text can be added here.

use datafusion::sql::parser::{CopyToSource, Statement};
use datafusion::sql::sqlparser::ast::{
    ConnectByKind, Expr, ForClause, GroupByExpr, GroupByWithModifier, Join, LimitClause, LockType, OrderBy,
    OrderByKind, PipeOperator, Query, Select, Spanned, TableAlias, TableFactor, TableSampleKind, TableSampleModifier,
    TableVersion, TableWithJoins,
};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::Location;

use super::super::error::EngineError;
use super::super::parse::Words;
use super::super::walk::{Flow, Walk, walk};

/// Refuses a statement that has such a clause anywhere.
pub(super) fn check(statement: &Statement, words: &Words) -> Result<(), EngineError> {
    let mut finder = Finder { words };
    match statement {
        Statement::Statement(statement) => walk(statement, &mut finder),
        Statement::Explain(explain) => check(&explain.statement, words),
        Statement::CopyTo(copy) => match &copy.source {
            CopyToSource::Query(query) => walk(query, &mut finder),
            CopyToSource::Relation(_) => Ok(()),
        },
        Statement::CreateExternalTable(_) | Statement::Reset(_) => Ok(()),
    }
}

struct Finder<'a> {
    words: &'a Words,
}

impl Finder<'_> {
    /// Refuses the clause if it is there. It stands where its `words` do, if they stand together only once.
    fn refuse(&self, there: bool, what: &str, words: &[Keyword]) -> Flow {
        if !there {
            return Flow::Continue(());
        }
        let error = EngineError::new("not-supported", format!("{what} is not supported"));
        Flow::Break(match self.place(words) {
            Some(place) => error.at(place),
            None => error,
        })
    }

    fn place(&self, words: &[Keyword]) -> Option<Location> {
        if words.is_empty() {
            return None;
        }
        let mut places = self.words.windows(words.len()).filter(|window| {
            let keywords = window.iter().map(|(keyword, _)| keyword);
            keywords.eq(words)
        });
        let first = places.next()?;
        places.next().is_none().then(|| first[0].1)
    }

    fn order_by(&self, order_by: &OrderBy) -> Flow {
        self.refuse(order_by.interpolate.is_some(), "INTERPOLATE", &[Keyword::INTERPOLATE])?;
        let OrderByKind::Expressions(exprs) = &order_by.kind else { return Flow::Continue(()) };
        self.refuse(exprs.iter().any(|by| by.with_fill.is_some()), "WITH FILL", &[Keyword::WITH, Keyword::FILL])
    }

    fn group_by(&self, group_by: &GroupByExpr) -> Flow {
        let (GroupByExpr::All(modifiers) | GroupByExpr::Expressions(_, modifiers)) = group_by;
        for modifier in modifiers {
            match modifier {
                GroupByWithModifier::Rollup => {
                    self.refuse(true, "WITH ROLLUP", &[Keyword::WITH, Keyword::ROLLUP])?;
                }
                GroupByWithModifier::Cube => self.refuse(true, "WITH CUBE", &[Keyword::WITH, Keyword::CUBE])?,
                GroupByWithModifier::Totals => self.refuse(true, "WITH TOTALS", &[Keyword::WITH, Keyword::TOTALS])?,
                GroupByWithModifier::GroupingSets(_) => {
                    self.refuse(true, "GROUPING SETS behind GROUP BY", &[Keyword::GROUPING, Keyword::SETS])?;
                }
            }
        }
        Flow::Continue(())
    }

    fn joins(&self, from: &[TableWithJoins]) -> Flow {
        from.iter().flat_map(|table| &table.joins).try_for_each(|join| self.join(join))
    }

    fn join(&self, join: &Join) -> Flow {
        self.refuse(join.global, "GLOBAL JOIN", &[Keyword::GLOBAL])
    }

    fn sample(&self, sample: Option<&TableSampleKind>) -> Flow {
        let Some(TableSampleKind::BeforeTableAlias(sample) | TableSampleKind::AfterTableAlias(sample)) = sample else {
            return Flow::Continue(());
        };
        match sample.modifier {
            TableSampleModifier::Sample => self.refuse(true, "SAMPLE", &[Keyword::SAMPLE]),
            TableSampleModifier::TableSample => self.refuse(true, "TABLESAMPLE", &[Keyword::TABLESAMPLE]),
        }
    }

    fn alias(&self, alias: Option<&TableAlias>) -> Flow {
        let Some(alias) = alias else { return Flow::Continue(()) };
        // The grammar takes it for a name of the table.
        let is_final = !alias.explicit
            && alias.name.quote_style.is_none()
            && alias.name.value.eq_ignore_ascii_case("final")
            && alias.columns.is_empty();
        self.refuse(is_final, "FINAL", &[Keyword::FINAL])?;
        self.refuse(alias.at.is_some(), "AT behind the name of a table", &[Keyword::AT])?;
        let typed = alias.columns.iter().any(|column| column.data_type.is_some());
        self.refuse(typed, "a type in the list of columns of a table", &[])
    }

    fn version(&self, version: Option<&TableVersion>) -> Flow {
        match version {
            None => Flow::Continue(()),
            Some(TableVersion::ForSystemTimeAsOf(_)) => {
                self.refuse(true, "FOR SYSTEM_TIME", &[Keyword::FOR, Keyword::SYSTEM_TIME])
            }
            Some(TableVersion::TimestampAsOf(_)) => {
                self.refuse(true, "TIMESTAMP AS OF", &[Keyword::TIMESTAMP, Keyword::AS, Keyword::OF])
            }
            Some(TableVersion::VersionAsOf(_)) => {
                self.refuse(true, "VERSION AS OF", &[Keyword::VERSION, Keyword::AS, Keyword::OF])
            }
            Some(_) => self.refuse(true, "the version of a table", &[]),
        }
    }

    fn pipe(&self, operator: &PipeOperator) -> Flow {
        match operator {
            PipeOperator::Aggregate { full_table_exprs, group_by_expr } => {
                let ordered = full_table_exprs
                    .iter()
                    .chain(group_by_expr)
                    .any(|item| item.order_by.asc.is_some() || item.order_by.nulls_first.is_some());
                self.refuse(ordered, "an order inside AGGREGATE", &[])
            }
            PipeOperator::Join(join) => self.join(join),
            _ => Flow::Continue(()),
        }
    }
}

impl Walk for Finder<'_> {
    fn pre_visit_query(&mut self, query: &Query) -> Flow {
        for cte in query.with.iter().flat_map(|with| &with.cte_tables) {
            self.refuse(cte.from.is_some(), "FROM behind a query of WITH", &[])?;
        }
        if let Some(order_by) = &query.order_by {
            self.order_by(order_by)?;
        }
        if let Some(LimitClause::LimitOffset { limit_by, .. }) = &query.limit_clause {
            self.refuse(!limit_by.is_empty(), "LIMIT … BY", &[Keyword::LIMIT])?;
        }
        if let Some(fetch) = &query.fetch {
            self.refuse(fetch.with_ties, "FETCH … WITH TIES", &[Keyword::FETCH])?;
            self.refuse(fetch.percent, "FETCH … PERCENT", &[Keyword::FETCH])?;
            let limited = matches!(
                &query.limit_clause,
                Some(LimitClause::OffsetCommaLimit { .. } | LimitClause::LimitOffset { limit: Some(_), .. })
            );
            self.refuse(limited, "FETCH beside LIMIT", &[Keyword::FETCH])?;
        }
        if let Some(lock) = query.locks.first() {
            match lock.lock_type {
                LockType::Share => self.refuse(true, "FOR SHARE", &[Keyword::FOR, Keyword::SHARE])?,
                LockType::Update => self.refuse(true, "FOR UPDATE", &[Keyword::FOR, Keyword::UPDATE])?,
            }
        }
        match &query.for_clause {
            None => {}
            Some(ForClause::Browse) => self.refuse(true, "FOR BROWSE", &[Keyword::FOR, Keyword::BROWSE])?,
            Some(ForClause::Json { .. }) => self.refuse(true, "FOR JSON", &[Keyword::FOR, Keyword::JSON])?,
            Some(ForClause::Xml { .. }) => self.refuse(true, "FOR XML", &[Keyword::FOR, Keyword::XML])?,
        }
        self.refuse(query.settings.is_some(), "SETTINGS", &[Keyword::SETTINGS])?;
        self.refuse(query.format_clause.is_some(), "FORMAT", &[Keyword::FORMAT])?;
        query.pipe_operators.iter().try_for_each(|operator| self.pipe(operator))
    }

    fn pre_visit_select(&mut self, select: &Select) -> Flow {
        self.refuse(select.select_modifiers.as_ref().is_some_and(|set| set.is_any_set()), "a modifier of SELECT", &[])?;
        self.refuse(select.top.is_some(), "TOP", &[Keyword::TOP])?;
        // Behind a `*` it belongs to the `*`; here it stands behind the last item.
        self.refuse(select.exclude.is_some(), "EXCLUDE behind the items of SELECT", &[Keyword::EXCLUDE])?;
        self.refuse(select.into.is_some(), "SELECT … INTO", &[Keyword::INTO])?;
        self.refuse(!select.lateral_views.is_empty(), "LATERAL VIEW", &[Keyword::LATERAL, Keyword::VIEW])?;
        self.refuse(select.prewhere.is_some(), "PREWHERE", &[Keyword::PREWHERE])?;
        for kind in &select.connect_by {
            match kind {
                ConnectByKind::ConnectBy { .. } => {
                    self.refuse(true, "CONNECT BY", &[Keyword::CONNECT, Keyword::BY])?;
                }
                ConnectByKind::StartWith { .. } => {
                    self.refuse(true, "START WITH", &[Keyword::START, Keyword::WITH])?;
                }
            }
        }
        self.group_by(&select.group_by)?;
        self.refuse(!select.cluster_by.is_empty(), "CLUSTER BY", &[Keyword::CLUSTER, Keyword::BY])?;
        self.refuse(!select.distribute_by.is_empty(), "DISTRIBUTE BY", &[Keyword::DISTRIBUTE, Keyword::BY])?;
        self.refuse(!select.sort_by.is_empty(), "SORT BY", &[Keyword::SORT, Keyword::BY])?;
        self.refuse(select.value_table_mode.is_some(), "SELECT AS STRUCT or VALUE", &[])?;
        self.joins(&select.from)
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> Flow {
        match factor {
            TableFactor::Table {
                name: _,
                alias,
                args,
                with_hints,
                version,
                with_ordinality,
                partitions,
                json_path,
                sample,
                index_hints,
            } => {
                self.alias(alias.as_ref())?;
                let settings = args.as_ref().is_some_and(|args| args.settings.is_some());
                self.refuse(settings, "SETTINGS", &[Keyword::SETTINGS])?;
                if let Some(hint) = with_hints.first() {
                    let error = EngineError::new("not-supported", "a hint WITH (…) behind a table is not supported");
                    return Flow::Break(error.at_span(hint.span()));
                }
                self.version(version.as_ref())?;
                self.refuse(*with_ordinality, "WITH ORDINALITY", &[Keyword::WITH, Keyword::ORDINALITY])?;
                self.refuse(!partitions.is_empty(), "PARTITION (…) behind a table", &[Keyword::PARTITION])?;
                self.refuse(json_path.is_some(), "a path behind the name of a table", &[])?;
                self.sample(sample.as_ref())?;
                self.refuse(!index_hints.is_empty(), "an index hint", &[Keyword::INDEX])
            }
            TableFactor::Derived { alias, sample, .. } => {
                self.alias(alias.as_ref())?;
                self.sample(sample.as_ref())
            }
            TableFactor::Function { with_ordinality, alias, .. } => {
                self.alias(alias.as_ref())?;
                self.refuse(*with_ordinality, "WITH ORDINALITY", &[Keyword::WITH, Keyword::ORDINALITY])
            }
            TableFactor::UNNEST { alias, with_ordinality, .. } => {
                self.alias(alias.as_ref())?;
                self.refuse(*with_ordinality, "WITH ORDINALITY", &[Keyword::WITH, Keyword::ORDINALITY])
            }
            TableFactor::NestedJoin { table_with_joins, alias } => {
                self.alias(alias.as_ref())?;
                table_with_joins.joins.iter().try_for_each(|join| self.join(join))
            }
            _ => Flow::Continue(()),
        }
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> Flow {
        let range = matches!(expr, Expr::Interval(interval) if interval.last_field.is_some());
        self.refuse(range, "INTERVAL … TO …", &[Keyword::INTERVAL])?;
        self.refuse(matches!(expr, Expr::Collate { .. }), "COLLATE", &[Keyword::COLLATE])
    }
}
