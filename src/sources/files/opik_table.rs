//! Opik's CSV: what `opik export --format csv` writes, what its user interface saves, and its SDK's rows written by a data
//! frame.
//!
//! All cells are text. Lists and objects are JSON or what Python prints; the interface and the exporter spread objects over
//! columns, `usage.total_tokens` and `span_usage_total_tokens`.

use std::borrow::Cow;

use spanql_model::json::Tree;

use super::cells::is_plain_number;
use super::python;
use super::shapes::exported::{Exported, Rows};

/// Members of spans and traces whose values are text, whatever they look like.
const TEXTS: [&str; 19] = [
    "id",
    "trace_id",
    "parent_span_id",
    "project_id",
    "project_name",
    "thread_id",
    "name",
    "type",
    "model",
    "provider",
    "start_time",
    "end_time",
    "created_at",
    "last_updated_at",
    "created_by",
    "last_updated_by",
    "environment",
    "source",
    "total_estimated_cost_version",
];
/// Members that are objects, and may be spread over columns.
const OBJECTS: [&str; 5] = ["input", "output", "metadata", "usage", "error_info"];
/// Members of which text is text, also where it says that there is none.
const CONTENT: [&str; 3] = ["input", "output", "name"];
/// What writers put where there is nothing.
const NOTHING: [&str; 4] = ["null", "None", "undefined", "nan"];

/// What a column holds.
#[derive(Debug)]
struct Column {
    /// Whether it is one of the trace in a row with a span.
    of_trace: bool,
    /// A member, or a path whose first part is one.
    path: String,
    /// The member.
    member: String,
}

/// The columns of such a file, and what is known from the rows before.
#[derive(Debug)]
pub(super) struct OpikTable {
    columns: Vec<Option<Column>>,
    /// Whether each row has a span and its trace.
    pairs: bool,
    rows: Rows,
}

impl OpikTable {
    /// The columns, where a header is one of Opik's.
    pub(super) fn of(header: &[&str]) -> Option<Self> {
        // The interface's library puts a backslash before a dot that was in a name.
        let names: Vec<Cow<'_, str>> = header
            .iter()
            .map(|name| if name.contains("\\.") { name.replace("\\.", ".").into() } else { (*name).into() })
            .collect();
        let has = |name: &str| names.iter().any(|known| known == name);
        let pairs = has("trace_id") && has("span_id") && (has("span_start_time") || has("trace_start_time"));
        let alone = has("id") && has("start_time") && !has("span_id") && !has("context.span_id");
        // Others have rows with an id and a start, too.
        let opiks = ["duration", "total_estimated_cost", "error_info", "parent_span_id", "thread_id", "project_id"];
        let is_opiks = pairs || (alone && opiks.into_iter().any(has));
        if !is_opiks {
            return None;
        }
        let column =
            |name: &Cow<'_, str>| (!name.is_empty()).then(|| if pairs { of_pair(name) } else { alone_column(name) });
        Some(Self { columns: names.iter().map(column).collect(), pairs, rows: Rows::default() })
    }

    /// The rows to ingest that a record is, as JSON: a span, and before the first of a trace the trace.
    ///
    /// # Errors
    /// When it cannot be told to which trace a span belongs.
    pub(super) fn rows<'a>(&mut self, cells: impl Iterator<Item = &'a str>) -> Result<Vec<String>, String> {
        let (mut own, mut trace) = (Exported::default(), Exported::default());
        for (column, text) in self.columns.iter().zip(cells) {
            let Some(column) = column else { continue };
            if let Some(value) = value(&column.member, &column.path, text) {
                let of = if column.of_trace { &mut trace } else { &mut own };
                of.set(column.path.clone(), value);
            }
        }
        if self.pairs { Ok(self.rows.pair(trace, own)) } else { self.rows.one(own).map(|row| vec![row]) }
    }
}

/// A column of an export of pairs: `trace_<member>` or `span_<member>`, and `…_<key>` for the keys of an object.
fn of_pair(name: &str) -> Column {
    let (of_trace, rest) = match name.strip_prefix("span_") {
        Some(rest) => (false, rest),
        None => (true, name.strip_prefix("trace_").unwrap_or(name)),
    };
    let spread = OBJECTS.iter().find_map(|object| Some((*object, rest.strip_prefix(object)?.strip_prefix('_')?)));
    match spread {
        // Where a key ended cannot be told any more: it stays one.
        Some((member, key)) => Column { of_trace, path: format!("{member}.{key}"), member: member.to_owned() },
        None => Column { of_trace, path: rest.to_owned(), member: rest.to_owned() },
    }
}

fn alone_column(name: &str) -> Column {
    let member = name.split('.').next().filter(|member| OBJECTS.contains(member)).unwrap_or(name);
    Column { of_trace: false, path: name.to_owned(), member: member.to_owned() }
}

/// Whether the values of a member are numbers, in whatever form.
fn is_number(member: &str) -> bool {
    matches!(member, "total_estimated_cost" | "duration" | "ttft" | "usage") || member.starts_with("feedback_scores.")
}

/// What a cell says; nothing where it says that there is nothing.
fn value(member: &str, path: &str, text: &str) -> Option<Tree<'static>> {
    let is_member = member == path;
    if text.is_empty() || (NOTHING.contains(&text) && !(is_member && CONTENT.contains(&member))) {
        return None;
    }
    let plain = || Tree::Text(Cow::Owned(text.to_owned()));
    if TEXTS.contains(&member) {
        return Some(plain());
    }
    if text.starts_with(['{', '[', '(']) {
        let json = Tree::parse(text).map(|tree| tree.into_owned());
        return Some(json.or_else(|| python::read(text)).unwrap_or_else(plain));
    }
    // What was said is text, also where it looks like a number.
    if is_member && CONTENT.contains(&member) {
        return Some(plain());
    }
    Some(match text {
        "true" | "True" => Tree::Scalar(Cow::Borrowed("true")),
        "false" | "False" => Tree::Scalar(Cow::Borrowed("false")),
        // Python writes small costs as 1e-05.
        number
            if is_plain_number(number)
                || (is_number(member) && matches!(Tree::parse(number), Some(Tree::Scalar(_)))) =>
        {
            Tree::Scalar(Cow::Owned(number.to_owned()))
        }
        _ => plain(),
    })
}
