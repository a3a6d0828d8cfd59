//! `spanql schema`: what there is to ask about.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{IsTerminal as _, Write};
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use glob::{MatchOptions, Pattern};
use serde::Serialize;

use super::args::SchemaArguments;
use super::context::Context;
use super::failure::Failure;
use super::query;
use spanql_engine::{
    ColumnFact, Description, Engine, EngineError, FunctionDescription, FunctionKind, column_facts, column_note,
    type_name,
};
use spanql_model::names::ALIASES;
use spanql_model::nearest::nearest;
use spanql_output::{
    ColumnListing, Format, ListingOptions, Options, ResultWriter, TableListing, WriteSummary, escape_controls,
    escape_terminal, write_tables,
};
use spanql_sources::config::{Environment, Redaction};
use spanql_store::Snapshot;

/// The name of the form that only this command has.
const TEXT: &str = "text";
/// Columns of a description that no terminal shows.
const DESCRIBED_WIDTH: usize = 160;
/// The table whose columns the store knows the fill of.
const SPANS: &str = "spans";

/// What is shown.
struct Schema {
    tables: Vec<TableListing>,
    functions: Vec<FunctionDescription>,
    aliases: Vec<(&'static str, &'static str)>,
    /// Whether a pattern named them.
    narrowed: bool,
}

/// The same as one object.
#[derive(Serialize)]
struct SchemaJson<'a> {
    store: StoreJson<'a>,
    tables: Vec<TableJson<'a>>,
    table_functions: Vec<FunctionJson<'a>>,
    aliases: BTreeMap<&'a str, &'a str>,
    functions: Vec<FunctionJson<'a>>,
}

#[derive(Serialize)]
struct StoreJson<'a> {
    place: &'a str,
    version: u64,
    spans: u64,
    projects: BTreeSet<&'a str>,
}

#[derive(Serialize)]
struct TableJson<'a> {
    name: &'a str,
    description: &'a str,
    columns: Vec<ColumnJson<'a>>,
}

/// `filled` and `example` are there where the store knows them of the table, and null where it holds no span.
#[derive(Serialize)]
struct ColumnJson<'a> {
    name: &'a str,
    #[serde(rename = "type")]
    data_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    filled: Option<Option<f64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    example: Option<Option<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alias: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
}

#[derive(Serialize)]
struct FunctionJson<'a> {
    name: &'a str,
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<&'a String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a String>,
}

pub(super) async fn run(context: &Context, arguments: SchemaArguments) -> anyhow::Result<()> {
    let on_terminal = arguments.output.is_none() && std::io::stdout().is_terminal();
    let as_text = on_terminal || arguments.output.as_deref() == Some(TEXT);
    let target = context.target(arguments.output.as_deref().filter(|_| !as_text))?;
    let (engine, snapshot) = query::engine(context, false).await?;
    context.note_state(&snapshot);
    let mut schema = read(context, &engine, &snapshot).await?;
    if let Some(pattern) = &arguments.pattern {
        schema = schema.narrow(pattern)?;
    }
    let written = WriteSummary {
        cut_cells: schema.cut(arguments.max_cell),
        max_cell: arguments.max_cell,
        ..WriteSummary::default()
    };
    for note in written.notes() {
        context.note(&note);
    }
    let options = Options { csv_safe: arguments.csv_safe, fence: arguments.fence, ..context.options(&target) };
    if as_text {
        let mut out = target.open()?;
        let listing = ListingOptions { width: options.width, color: options.color, fence: options.fence };
        schema.write_text(&mut out, listing)?;
        return out.keep();
    }
    if target.format == Format::Json {
        let mut text = Vec::new();
        escape_controls(&serde_json::to_string(&schema.as_json(context, &snapshot))?, &mut text);
        text.push(b'\n');
        let mut out = target.open()?;
        out.write_all(&text)?;
        return out.keep();
    }
    let rows = schema.rows()?;
    let mut out = target.open()?;
    let mut writer = ResultWriter::new(&mut out, target.format, rows.schema(), options)?;
    writer.write(&rows)?;
    for note in writer.finish()?.notes() {
        context.note(&note);
    }
    out.keep()
}

/// The names of all tables, functions in FROM and short names; or what has a name, with everything about it. Text for
/// people, in which text of spans begins no line.
///
/// # Errors
/// When nothing is called so, or the store cannot be read.
pub(super) async fn described(
    context: &Context,
    engine: &Engine,
    snapshot: &Snapshot,
    name: Option<&str>,
) -> anyhow::Result<String> {
    let mut schema = read(context, engine, snapshot).await?;
    match name {
        Some(name) => schema = schema.narrow(name)?,
        None => schema.tables.iter_mut().for_each(|table| table.columns.clear()),
    }
    if context.redact {
        let redaction = Redaction::new(Environment::of_process());
        let redactor = redaction.redactor()?;
        for column in schema.tables.iter_mut().flat_map(|table| &mut table.columns) {
            column.example = column.example.as_deref().map(|example| redactor.text(example).into_owned());
        }
    }
    let mut out = Vec::new();
    schema.write_text(&mut out, ListingOptions { width: Some(DESCRIBED_WIDTH), ..ListingOptions::default() })?;
    Ok(String::from_utf8(out)?)
}

/// All there is to ask about in a version of the store.
async fn read(context: &Context, engine: &Engine, snapshot: &Snapshot) -> anyhow::Result<Schema> {
    let Description { tables, functions } = engine.describe().await;
    let facts = column_facts(snapshot, context.project.as_deref()).await.map_err(|error| context.explain(error))?;
    let segments = snapshot.manifest.segments.iter();
    let of_project =
        segments.filter(|segment| context.project.as_ref().is_none_or(|project| segment.project == *project));
    let spans: u64 = of_project.map(|segment| segment.rows).sum();
    let facts = over_projects(facts);
    let tables = tables.into_iter().map(|table| {
        let mut columns: Vec<(String, String)> =
            table.columns.into_iter().map(|(name, data_type)| (name, type_name(&data_type))).collect();
        if table.spans {
            // Keys that are read from a JSON column are columns like any other.
            let known: BTreeSet<String> = columns.iter().map(|(name, _)| name.clone()).collect();
            let more = facts.iter().filter(|(name, _)| !known.contains(*name));
            columns.extend(more.map(|(name, fact)| (name.clone(), type_name(&fact.data_type))));
        }
        let of_spans = table.name == SPANS && spans > 0;
        let columns = columns.into_iter().map(|(name, data_type)| {
            let fact = facts.get(&name).filter(|_| of_spans);
            ColumnListing {
                filled: of_spans.then(|| fact.map_or(0.0, |fact| fact.filled as f64 / spans as f64)),
                example: fact.map(|fact| fact.example.clone()),
                note: column_note(&table.name, &name).map(str::to_owned),
                name,
                data_type,
            }
        });
        TableListing { columns: columns.collect(), name: table.name, description: table.description.to_owned() }
    });
    Ok(Schema { tables: tables.collect(), functions, aliases: ALIASES.to_vec(), narrowed: false })
}

/// Facts about columns, over the projects that have them.
fn over_projects(facts: Vec<ColumnFact>) -> BTreeMap<String, ColumnFact> {
    let mut all: BTreeMap<String, ColumnFact> = BTreeMap::new();
    for fact in facts {
        match all.get_mut(&fact.name) {
            Some(known) => {
                known.filled += fact.filled;
                if known.example.is_empty() {
                    known.example = fact.example;
                }
            }
            None => {
                all.insert(fact.name.clone(), fact);
            }
        }
    }
    all
}

impl Schema {
    /// What has a name: the table of it, else the columns, functions and short names that it is the beginning of, or
    /// that match it.
    fn narrow(self, text: &str) -> anyhow::Result<Self> {
        let Self { tables, functions, aliases, .. } = self;
        if let Some(table) = tables.iter().find(|table| table.name.eq_ignore_ascii_case(text)) {
            let aliases = if table.name == SPANS { aliases } else { vec![] };
            return Ok(Self { tables: vec![table.clone()], functions: vec![], aliases, narrowed: true });
        }
        let matches = matcher(text)?;
        let names: Vec<String> = tables
            .iter()
            .flat_map(|table| [&table.name].into_iter().chain(table.columns.iter().map(|column| &column.name)))
            .chain(functions.iter().map(|function| &function.name))
            .cloned()
            .collect();
        let aliases: Vec<_> = aliases.into_iter().filter(|(alias, _)| matches(alias)).collect();
        let meant = |column: &ColumnListing| matches(&column.name) || aliases.iter().any(|(_, of)| *of == column.name);
        let tables = tables.into_iter().map(|mut table| {
            // A whole table may be meant, too.
            if !matches(&table.name) {
                let of_spans = table.name == SPANS;
                table.columns.retain(|column| if of_spans { meant(column) } else { matches(&column.name) });
            }
            table
        });
        let tables: Vec<TableListing> = tables.filter(|table| !table.columns.is_empty()).collect();
        let functions: Vec<_> = functions.into_iter().filter(|function| matches(&function.name)).collect();
        if tables.is_empty() && functions.is_empty() && aliases.is_empty() {
            let near = nearest(text, names.iter().map(String::as_str));
            let error = EngineError::new("unknown-name", format!("no table, column or function is called {text}"));
            return Err(error.suggest(near).into());
        }
        Ok(Self { tables, functions, aliases, narrowed: true })
    }

    /// Leaves so many characters of each example; gives how many were longer.
    fn cut(&mut self, most: Option<usize>) -> u64 {
        let Some(most) = most else { return 0 };
        let mut cut = 0;
        for column in self.tables.iter_mut().flat_map(|table| &mut table.columns) {
            if let Some(example) = &mut column.example
                && let Some((end, _)) = example.char_indices().nth(most)
            {
                example.truncate(end);
                example.push('…');
                cut += 1;
            }
        }
        cut
    }

    fn write_text(&self, out: &mut dyn Write, options: ListingOptions) -> anyhow::Result<()> {
        write_tables(out, &self.tables, options)?;
        let of_kind = |kind: FunctionKind| self.functions.iter().filter(move |function| function.kind == kind);
        // A heading, and lines of two parts.
        let mut first = self.tables.is_empty();
        let mut section = |heading: &str, lines: Vec<(String, String)>| -> std::io::Result<()> {
            if lines.is_empty() {
                return Ok(());
            }
            if !std::mem::take(&mut first) {
                writeln!(out)?;
            }
            writeln!(out, "{heading}")?;
            let width = lines.iter().map(|(first, _)| first.len()).filter(|width| *width <= 32).max().unwrap_or(0);
            for (first, second) in lines {
                match first.len() <= width {
                    true => writeln!(out, "{}", format!("  {first:width$}  {second}").trim_end())?,
                    false => writeln!(out, "  {first}\n  {:width$}  {second}", "")?,
                }
            }
            Ok(())
        };
        let described = |kind| {
            let line = |function: &FunctionDescription| {
                let signature = if function.signature.is_empty() { &function.name } else { &function.signature };
                (escape_terminal(signature).into_owned(), function.description.clone())
            };
            of_kind(kind).map(line).collect::<Vec<_>>()
        };
        section("Functions in FROM", described(FunctionKind::Table))?;
        let aliases = self.aliases.iter().map(|(alias, column)| ((*alias).to_owned(), (*column).to_owned()));
        section("Short names", aliases.collect())?;
        let others = [FunctionKind::Scalar, FunctionKind::Aggregate, FunctionKind::Window];
        if self.narrowed {
            for kind in others {
                section(&format!("Functions ({})", kind.as_str()), described(kind))?;
            }
        } else {
            let counts = others.map(|kind| format!("{} {}", of_kind(kind).count(), kind.as_str()));
            writeln!(out, "\n{} functions; `spanql schema 'date*'` says what some do", counts.join(", "))?;
        }
        Ok(())
    }

    fn as_json<'a>(&'a self, context: &'a Context, snapshot: &'a Snapshot) -> SchemaJson<'a> {
        let alias_of = |name: &str| ALIASES.iter().find(|(_, column)| *column == name).map(|(alias, _)| *alias);
        let tables = self.tables.iter().map(|table| {
            let of_spans = table.name == SPANS;
            let columns = table.columns.iter().map(|column| ColumnJson {
                name: &column.name,
                data_type: &column.data_type,
                filled: of_spans.then_some(column.filled),
                example: of_spans.then_some(column.example.as_deref()),
                alias: alias_of(&column.name).filter(|_| of_spans),
                description: column.note.as_deref(),
            });
            TableJson { name: &table.name, description: &table.description, columns: columns.collect() }
        });
        let function = |function: &'a FunctionDescription, described: bool| FunctionJson {
            name: &function.name,
            kind: function.kind.as_str(),
            signature: described.then_some(&function.signature),
            description: described.then_some(&function.description),
        };
        let (of_from, others): (Vec<_>, Vec<_>) =
            self.functions.iter().partition(|function| function.kind == FunctionKind::Table);
        let manifest = &snapshot.manifest;
        SchemaJson {
            store: StoreJson {
                place: context.place(),
                version: manifest.version,
                spans: manifest.rows(),
                projects: manifest.segments.iter().map(|segment| segment.project.as_str()).collect(),
            },
            tables: tables.collect(),
            table_functions: of_from.into_iter().map(|of_from| function(of_from, true)).collect(),
            aliases: self.aliases.iter().copied().collect(),
            // All of them with all about them would be longer than everything else.
            functions: others.into_iter().map(|other| function(other, self.narrowed)).collect(),
        }
    }

    /// A row for each column.
    fn rows(&self) -> anyhow::Result<RecordBatch> {
        let columns = || self.tables.iter().flat_map(|table| table.columns.iter().map(move |column| (table, column)));
        let texts = |texts: Vec<Option<&str>>| -> ArrayRef { Arc::new(StringArray::from(texts)) };
        let filled: Float64Array = columns().map(|(_, column)| column.filled).collect();
        Ok(RecordBatch::try_from_iter_with_nullable([
            ("table", texts(columns().map(|(table, _)| Some(table.name.as_str())).collect()), true),
            ("column", texts(columns().map(|(_, column)| Some(column.name.as_str())).collect()), true),
            ("type", texts(columns().map(|(_, column)| Some(column.data_type.as_str())).collect()), true),
            ("filled", Arc::new(filled), true),
            ("example", texts(columns().map(|(_, column)| column.example.as_deref()).collect()), true),
        ])?)
    }
}

/// Whether a name is meant: one that begins so, or that matches a pattern; ignoring case.
fn matcher(text: &str) -> anyhow::Result<impl Fn(&str) -> bool> {
    let pattern = match text.contains(['*', '?']) {
        true => text.to_owned(),
        false => format!("{}*", Pattern::escape(text)),
    };
    let pattern = Pattern::new(&pattern).map_err(|error| Failure::Usage(format!("{text}: {}", error.msg)))?;
    let options = MatchOptions { case_sensitive: false, ..MatchOptions::new() };
    Ok(move |name: &str| pattern.matches_with(name, options))
}
