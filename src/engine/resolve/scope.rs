//! What names can mean at a place of a statement.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use datafusion::sql::sqlparser::ast::{Expr, Ident};
use datafusion::sql::sqlparser::tokenizer::Span;

use super::super::catalog::TableKey;
use super::ast::quoted;
use spanql_model::names::expand_alias;

/// The columns of a relation.
#[derive(Debug, Default)]
pub(super) struct Columns {
    /// What `*` shows, in order.
    pub(super) shown: Vec<String>,
    /// Columns that exist for this statement only; `*` never shows them in a result.
    pub(super) hidden: Vec<String>,
    /// The table whose open names can be read through this relation.
    pub(super) open: Option<TableKey>,
    /// The table that has the column of estimated costs when a statement names it.
    pub(super) estimates: Option<TableKey>,
    /// Whether there may be columns that are not known here.
    pub(super) opaque: bool,
    exact: HashSet<String>,
    lower: HashMap<String, Vec<String>>,
}

/// What a name means among some columns.
#[derive(Debug, PartialEq)]
pub(super) enum Match {
    One(String),
    Several(Vec<String>),
    None,
}

impl Columns {
    pub(super) fn new(shown: Vec<String>, hidden: Vec<String>, open: Option<TableKey>) -> Self {
        let all = || shown.iter().chain(&hidden);
        let exact = all().cloned().collect();
        let mut lower: HashMap<String, Vec<String>> = HashMap::new();
        // Case counts in dotted names only.
        for name in all().filter(|name| !name.contains('.')) {
            lower.entry(name.to_lowercase()).or_default().push(name.clone());
        }
        Self { shown, hidden, open, estimates: None, opaque: false, exact, lower }
    }

    /// Columns of which nothing is known.
    pub(super) fn unknown() -> Self {
        Self { opaque: true, ..Self::default() }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.exact.contains(name)
    }

    /// Finds a column: the exact case wins, other case counts for names without dots.
    pub(super) fn find(&self, name: &str) -> Match {
        if self.has(name) {
            return Match::One(name.to_owned());
        }
        match self.lower.get(&name.to_lowercase()).map(Vec::as_slice) {
            Some([one]) => Match::One(one.clone()),
            Some(several) => Match::Several(several.to_vec()),
            None => Match::None,
        }
    }
}

/// A relation in FROM.
#[derive(Debug, Clone)]
pub(super) struct Rel {
    /// Its alias, or its table's name with schema and catalog.
    pub(super) qualifier: Vec<String>,
    pub(super) columns: Rc<Columns>,
    /// Columns that a USING has merged into those of an earlier relation.
    pub(super) omitted: HashSet<String>,
    /// Whether the qualifier was made up for a subquery without an alias.
    pub(super) unnamed: bool,
}

impl Rel {
    pub(super) fn new(qualifier: Vec<String>, columns: Rc<Columns>) -> Self {
        Self { qualifier, columns, omitted: HashSet::new(), unnamed: false }
    }

    /// How well a qualifier names this relation: 2 exactly, 1 but for its case, 0 not at all.
    pub(super) fn answers_to(&self, qualifier: &[String]) -> usize {
        let Some(skip) = self.qualifier.len().checked_sub(qualifier.len()) else { return 0 };
        let own = &self.qualifier[skip..];
        if own == qualifier {
            2
        } else {
            usize::from(own.iter().zip(qualifier).all(|(own, typed)| own.to_lowercase() == typed.to_lowercase()))
        }
    }

    /// The name a person would use for this relation; empty if it has none.
    pub(super) fn title(&self) -> String {
        if self.unnamed { String::new() } else { self.qualifier.join(".") }
    }

    /// The expression that reads a column of this relation.
    pub(super) fn column(&self, name: &str, span: Span) -> Expr {
        let idents: Vec<Ident> =
            self.qualifier.iter().map(String::as_str).chain([name]).map(|part| quoted(part, span)).collect();
        match <[Ident; 1]>::try_from(idents) {
            Ok([only]) => Expr::Identifier(only),
            Err(idents) => Expr::CompoundIdentifier(idents),
        }
    }
}

/// A column that a USING or NATURAL join made one of two.
#[derive(Debug, Clone)]
pub(super) struct Merged {
    /// The names that mean it: as typed, and the column it stands for.
    pub(super) names: Vec<String>,
    /// The place of its left column among the relations.
    pub(super) relation: usize,
    pub(super) column: String,
    pub(super) expr: Expr,
}

/// The relations of one FROM.
#[derive(Debug, Clone, Default)]
pub(super) struct Level {
    pub(super) relations: Vec<Rel>,
    pub(super) merged: Vec<Merged>,
}

impl Level {
    pub(super) fn of(relation: Rel) -> Self {
        Self { relations: vec![relation], merged: vec![] }
    }

    pub(super) fn append(&mut self, other: Self) {
        let offset = self.relations.len();
        self.relations.extend(other.relations);
        self.merged
            .extend(other.merged.into_iter().map(|merged| Merged { relation: merged.relation + offset, ..merged }));
    }

    /// Whether a name is that of a column here, or an alias of one.
    pub(super) fn names_a_column(&self, name: &str) -> bool {
        let target = expand_alias(name);
        let merged = |name: &str| self.merged.iter().any(|merged| merged.names.iter().any(|known| known == name));
        merged(name)
            || target.as_deref().is_some_and(merged)
            || self.relations.iter().any(|relation| {
                relation.columns.find(name) != Match::None
                    || target.as_deref().is_some_and(|target| relation.columns.has(target))
            })
    }

    pub(super) fn is_opaque(&self) -> bool {
        self.relations.iter().any(|relation| relation.columns.opaque)
    }
}

/// The levels in scope, outermost first.
pub(super) type Scopes = Vec<Rc<Level>>;

/// The scopes with one more level inside.
pub(super) fn within(scopes: &Scopes, level: &Level) -> Scopes {
    let mut inner = scopes.clone();
    inner.push(Rc::new(level.clone()));
    inner
}
