//! `SUMMARIZE`: what a query or a table holds, a row for each of its columns, as DuckDB shows it.

use datafusion::arrow::datatypes::{DataType, Schema};
use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast::{
    Ident, Query, SetExpr, Statement as SqlStatement, TableAlias, TableAliasColumnDef, TableFactor,
};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Span, Token, TokenWithSpan, Word};
use spanql_filter::dialect::{Lexeme, SpanqlDialect};

use super::error::EngineError;
use super::tables::type_name;

/// Characters of the smallest and the largest value that are shown.
const SHOWN: usize = 100;

/// The tokens of the query behind SUMMARIZE; none if the statement is another one.
pub(crate) fn summarized(lexemes: &[Lexeme]) -> Option<Vec<Lexeme>> {
    let (first, rest) = lexemes.split_first()?;
    let says_so = matches!(&first.token.token, Token::Word(word) if word.quote_style.is_none() && word.value.eq_ignore_ascii_case("summarize"));
    if !says_so {
        return None;
    }
    let begins = rest.first()?;
    let is_query = begins.token.token == Token::LParen
        || matches!(
            begins.keyword(),
            Keyword::SELECT | Keyword::WITH | Keyword::FROM | Keyword::VALUES | Keyword::TABLE
        );
    let word = |keyword: Keyword, text: &str| {
        let token = Token::Word(Word { value: text.to_owned(), quote_style: None, keyword });
        let span = Span::new(first.start(), first.token.span.end);
        Lexeme { token: TokenWithSpan::new(token, span), bytes: first.bytes.clone() }
    };
    // A table alone is all of it.
    let from = (!is_query).then(|| word(Keyword::FROM, "FROM"));
    Some(from.into_iter().chain(rest.iter().cloned()).collect())
}

/// The statement that sums up a query whose result has this schema.
///
/// # Errors
///
/// When the statement is no query.
pub(crate) fn summary(statement: &Statement, schema: &Schema) -> Result<Statement, EngineError> {
    let Statement::Statement(inner) = statement else { return Err(no_query()) };
    let SqlStatement::Query(inner) = inner.as_ref() else { return Err(no_query()) };
    let dialect = SpanqlDialect::default();
    let text = text(schema);
    let mut parser = DFParserBuilder::new(text.as_str()).with_dialect(&dialect).build();
    let parser = parser.as_mut().map_err(|error| EngineError::from_datafusion(error))?;
    let mut made = parser.parse_statement().map_err(|error| EngineError::from_datafusion(&error))?;
    let columns = (0..schema.fields().len())
        .map(|index| TableAliasColumnDef { name: Ident::new(column(index)), data_type: None });
    let alias = TableAlias { explicit: true, name: Ident::new("summarized"), columns: columns.collect(), at: None };
    if let Some(place) = innermost(&mut made) {
        *place = TableFactor::Derived { lateral: false, subquery: inner.clone(), alias: Some(alias), sample: None };
    }
    Ok(made)
}

fn no_query() -> EngineError {
    EngineError::new("not-supported", "SUMMARIZE is for queries and tables").help("write SUMMARIZE SELECT …")
}

/// The table that the inner one of the two queries of [`text`] reads.
fn innermost(statement: &mut Statement) -> Option<&mut TableFactor> {
    fn table(query: &mut Query) -> Option<&mut TableFactor> {
        match query.body.as_mut() {
            SetExpr::Select(select) => Some(&mut select.from.first_mut()?.relation),
            _ => None,
        }
    }
    let Statement::Statement(statement) = statement else { return None };
    let SqlStatement::Query(query) = statement.as_mut() else { return None };
    match table(query)? {
        TableFactor::Derived { subquery, .. } => table(subquery),
        _ => None,
    }
}

fn column(index: usize) -> String {
    format!("c{index}")
}

/// One row of aggregates over all columns, and its values column by column.
fn text(schema: &Schema) -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let mut aggregates = vec!["count(*) AS n".to_owned()];
    let mut lists: [Vec<String>; 12] = Default::default();
    for (index, field) in schema.fields().iter().enumerate() {
        let (of, name) = (field.data_type(), column(index));
        let mut take = |list: usize, aggregate: Option<String>, null: &str| {
            lists[list].push(match aggregate {
                Some(aggregate) => {
                    aggregates.push(format!("{aggregate} AS a{list}_{index}"));
                    format!("a{list}_{index}")
                }
                None => null.to_owned(),
            });
        };
        let plain = !of.is_nested()
            && !matches!(of, DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::Null);
        let number = of.is_numeric();
        take(2, plain.then(|| format!("left(min({name})::varchar, {SHOWN})")), "NULL::varchar");
        take(3, plain.then(|| format!("left(max({name})::varchar, {SHOWN})")), "NULL::varchar");
        take(4, plain.then(|| format!("approx_distinct({name}::varchar)::bigint")), "NULL::bigint");
        take(5, number.then(|| format!("avg({name}::double)")), "NULL::double");
        take(6, number.then(|| format!("stddev({name}::double)")), "NULL::double");
        for (list, rank) in [(7, "0.25"), (8, "0.5"), (9, "0.75")] {
            take(list, number.then(|| format!("approx_percentile_cont({name}::double, {rank})")), "NULL::double");
        }
        take(11, Some(format!("round(100.0 * (count(*) - count({name})) / nullif(count(*), 0), 2)")), "NULL::double");
        lists[0].push(quoted(field.name()));
        lists[1].push(quoted(&type_name(of)));
        lists[10].push("n".to_owned());
    }
    let names = [
        "column_name",
        "column_type",
        "min",
        "max",
        "approx_unique",
        "avg",
        "std",
        "q25",
        "q50",
        "q75",
        "count",
        "null_percentage",
    ];
    let items = names.iter().zip(&lists).map(|(name, list)| format!("unnest([{}]) AS \"{name}\"", list.join(", ")));
    let items: Vec<String> = items.collect();
    format!("SELECT {} FROM (SELECT {} FROM summarized) AS s", items.join(", "), aggregates.join(", "))
}
