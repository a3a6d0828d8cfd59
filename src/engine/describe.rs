//! What statements may name: tables, their columns, and functions.

mod notes;

use std::collections::BTreeMap;

use datafusion::arrow::datatypes::DataType;
use datafusion::logical_expr::Documentation;

use super::Engine;

use super::catalog::{CATALOG, SCHEMA, TableKey};
use super::functions::spelled;
use super::tables::{ESTIMATED_COST, has_estimates};
pub use notes::column_note;
use spanql_filter::dialect::HIGHER_ORDER;

/// What the statements of an engine may name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Description {
    /// The tables that are named without a schema, by name.
    pub tables: Vec<TableDescription>,
    /// The functions, by name; one that is of two kinds is there twice.
    pub functions: Vec<FunctionDescription>,
}

/// One table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableDescription {
    /// Its name.
    pub name: String,
    /// What a row of it is, in one line without a full stop; empty for a table that was registered by somebody else.
    pub description: &'static str,
    /// Its columns in order.
    pub columns: Vec<(String, DataType)>,
    /// Whether it is a table of spans: any name of an open family is a column of it.
    pub spans: bool,
}

/// One function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionDescription {
    /// Its name.
    pub name: String,
    /// Where it may stand.
    pub kind: FunctionKind,
    /// How it is called; empty where that is not known.
    pub signature: String,
    /// What it gives, in one line; empty where that is not known.
    pub description: String,
}

/// Where a function may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FunctionKind {
    /// Anywhere, from the values of a row.
    Scalar,
    /// Over the rows of a group.
    Aggregate,
    /// With OVER.
    Window,
    /// In FROM.
    Table,
}

impl FunctionKind {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Aggregate => "aggregate",
            Self::Window => "window",
            Self::Table => "table",
        }
    }
}

/// What a row of each table of a store is.
const TABLES: [(&str, &str); 13] = [
    ("annotations", "what people said of spans, one row for each annotation"),
    ("columns", "the columns that have values in each project: type, share of spans, an example"),
    ("documents", "retrieved and reranked documents, one row each"),
    ("evals", "evaluations of spans, traces and sessions, one row each"),
    ("events", "events of spans, such as exceptions, one row each"),
    ("messages", "input and output messages of LLM spans, one row each, with tool calls"),
    ("pulls", "what was pulled or imported into the store: asked for, announced, received"),
    ("quality", "for each project and source, whether the spans are all there and fit together"),
    ("repeats", "spans of a trace that did the same again"),
    ("sessions", "sessions, one row each, rolled up over their traces"),
    ("spans", "spans, one row each, with all their columns"),
    ("traces", "traces, one row each: the root's name, input and output, and totals over all spans"),
    ("turns", "the traces of each session in order, and how the context grows"),
];

/// How the functions in FROM are called, and what they give.
const TABLE_FUNCTIONS: [(&str, &str, &str); 9] = [
    (
        "critical_path",
        "critical_path('<trace id>' [, 'steps'])",
        "what the end of a trace waited for, stretch by stretch; with 'steps' through spans without a kind",
    ),
    ("generate_series", "generate_series(<first>, <last> [, <step>])", "numbers or times, the last one included"),
    (
        "oql",
        "oql('<filter>' [, 'spans'|'traces'|'threads'] [, '<table of spans>'])",
        "the spans, traces or sessions that an Opik filter selects",
    ),
    ("range", "range(<first>, <end> [, <step>])", "numbers or times, the end left out"),
    ("session", "session('<session id>')", "the spans of a session in tree order"),
    ("spans_where", "spans_where('<filter>' [, '<table of spans>'])", "the spans that an Arize filter selects"),
    (
        "structure",
        "structure('<pattern>' [, 'left'|'right'|'both'] [, '<table of spans>'])",
        "the spans that stand to others as a pattern says, e.g. {kind = 'AGENT'} >> {status_code = 'ERROR'}",
    ),
    ("trace", "trace('<trace id>')", "the spans of a trace in tree order"),
    (
        "traces_where",
        "traces_where('<filter>' [, '<table of spans>'])",
        "all spans of every trace in which a span matches an Arize filter",
    ),
];

impl Engine {
    /// Says what statements may name. No query is run, and nothing is asked of a remote: its tables are left out.
    pub async fn describe(&self) -> Description {
        let mut tables = vec![];
        if let Some(schema) = self.context().catalog(CATALOG).and_then(|catalog| catalog.schema(SCHEMA)) {
            let mut names = schema.table_names();
            names.sort();
            for name in names {
                // Somebody else may have taken it away meanwhile.
                let Ok(Some(table)) = schema.table(&name).await else { continue };
                let fields = table.schema();
                let columns = fields.fields().iter().map(|field| (field.name().clone(), field.data_type().clone()));
                // There when it is named.
                let estimated = has_estimates(&name).then(|| (ESTIMATED_COST.to_owned(), DataType::Float64));
                let known = TABLES.iter().find(|(known, _)| *known == name);
                tables.push(TableDescription {
                    description: known.map_or("", |(_, description)| description),
                    columns: columns.chain(estimated).collect(),
                    spans: self.is_of_spans(&TableKey::public(name.as_str())),
                    name,
                });
            }
        }
        Description { tables, functions: self.functions() }
    }

    fn functions(&self) -> Vec<FunctionDescription> {
        let state = self.context().state();
        let mut functions = BTreeMap::new();
        let mut add = |name: &String, kind: FunctionKind, documentation: Option<&Documentation>| {
            let text = |text: fn(&Documentation) -> &str| documentation.map(text).map(one_line).unwrap_or_default();
            let signature = text(|documentation| &documentation.syntax_example);
            let described = FunctionDescription {
                name: name.clone(),
                kind,
                // An alias has the text of the function that it stands for.
                signature: if signature.starts_with(name.as_str()) { signature } else { String::new() },
                description: text(|documentation| first_sentence(&documentation.description)),
            };
            functions.insert((name.clone(), kind), described);
        };
        for (name, function) in state.scalar_functions() {
            add(name, FunctionKind::Scalar, function.documentation());
        }
        for (name, function) in state.aggregate_functions() {
            add(name, FunctionKind::Aggregate, function.documentation());
        }
        for (name, function) in state.window_functions() {
            add(name, FunctionKind::Window, function.documentation());
        }
        for name in spelled::scalar_names().chain(HIGHER_ORDER) {
            add(&name.to_owned(), FunctionKind::Scalar, None);
        }
        for name in spelled::aggregate_names() {
            add(&name.to_owned(), FunctionKind::Aggregate, None);
        }
        for name in self.table_functions() {
            let known = TABLE_FUNCTIONS.iter().find(|(known, ..)| *known == name);
            let (signature, description) =
                known.map_or(("", ""), |(_, signature, description)| (*signature, *description));
            let described = FunctionDescription {
                name: name.clone(),
                kind: FunctionKind::Table,
                signature: signature.to_owned(),
                description: description.to_owned(),
            };
            functions.insert((name, FunctionKind::Table), described);
        }
        functions.into_values().collect()
    }
}

/// Text that may be of several lines, as one.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn first_sentence(text: &str) -> &str {
    let text = text.trim();
    // A blank line ends it too: what follows may be a list.
    let end = [". ", ".\n", "\n\n"].iter().filter_map(|end| text.find(end)).min();
    text[..end.unwrap_or(text.len())].trim_end_matches('.')
}

#[cfg(test)]
mod tests {
    use super::{FunctionKind, TABLE_FUNCTIONS, TABLES, first_sentence, notes};
    use crate::StoreEngine;
    use spanql_model::columns::REST;
    use spanql_store::Store;

    #[tokio::test]
    async fn every_table_and_table_function_of_a_store_is_described() {
        let snapshot = Store::open("memory://").unwrap().snapshot().await.unwrap();
        let engine = StoreEngine::default().open(snapshot).await.unwrap();
        let described = engine.describe().await;
        let tables: Vec<(&str, &str)> =
            described.tables.iter().map(|table| (table.name.as_str(), table.description)).collect();
        assert_eq!(tables, TABLES);
        let of_spans = described.tables.iter().filter(|table| table.spans).map(|table| table.name.as_str());
        assert_eq!(of_spans.collect::<Vec<_>>(), ["spans"]);
        let has = |name: &str| {
            let (table, column) = name.split_once('.').unwrap();
            // It is a column once a span has it.
            let found = described.tables.iter().find(|known| known.name == table);
            column == REST || found.is_some_and(|found| found.columns.iter().any(|(known, _)| known == column))
        };
        let unknown: Vec<&str> = notes::NOTES.iter().map(|(name, _)| *name).filter(|name| !has(name)).collect();
        assert_eq!(unknown, [""; 0]);
        let functions = described.functions.iter().filter(|function| function.kind == FunctionKind::Table);
        let functions: Vec<(&str, &str, &str)> = functions
            .map(|function| (function.name.as_str(), function.signature.as_str(), function.description.as_str()))
            .collect();
        assert_eq!(functions, TABLE_FUNCTIONS);
    }

    #[tokio::test]
    async fn functions_are_told_apart_by_kind() {
        let engine = crate::Engine::new(crate::EngineConfig::default()).unwrap();
        let described = engine.describe().await;
        let of = |name: &str| -> Vec<(FunctionKind, &str)> {
            let found = described.functions.iter().filter(|function| function.name == name);
            found.map(|function| (function.kind, function.signature.as_str())).collect()
        };
        assert_eq!(of("lag"), [(FunctionKind::Window, "lag(expression, offset, default)")]);
        assert_eq!(of("count")[0].0, FunctionKind::Aggregate);
        assert_eq!(of("first_value").len(), 2, "over a group, and with OVER");
        assert_eq!(of("ltrim"), [(FunctionKind::Scalar, "ltrim(str[, trim_str])")]);
        let mut names: Vec<_> = described.functions.iter().map(|function| &function.name).collect();
        assert!(names.is_sorted());
        names.dedup();
        assert!(names.len() > 300, "{}", names.len());
    }

    #[test]
    fn a_description_is_one_sentence() {
        for (text, sentence) in [
            ("Returns e.g.this. And more.", "Returns e.g.this"),
            ("Returns it.\nMore", "Returns it"),
            ("One of:\n\n- a\n- b", "One of:"),
            ("", ""),
            ("Only.", "Only"),
        ] {
            assert_eq!(first_sentence(text), sentence);
        }
    }
}
