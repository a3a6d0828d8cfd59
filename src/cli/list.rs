//! `spanql spans list`, `traces list`, `sessions list`, `structure`: what the store holds, the newest first, with the
//! beginnings of inputs.

use chrono::Utc;
use datafusion::common::{Column, ScalarValue, TableReference};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::{Expr, lit};
use futures::TryStreamExt;

use super::args::{FromOptions, ListOptions, Sort, SortedList, SpansList, StructureArguments, WindowOptions};
use super::context::Context;
use super::cursor::Cursor;
use super::filters::{FilterOptions, one_of, read_oql, refused};
use super::place::Place;
use super::pull::refusal;
use super::query;
use super::target::Target;
use spanql_engine::{EngineError, Params, Selected};
use spanql_filter::opik::{AnySpan, Entity, Oql};
use spanql_filter::{FilterError, Names, all_of, pattern};
use spanql_model::columns::{SESSION_ID, START_TIME};
use spanql_output::{Options, ResultWriter, WriteSummary, escape_terminal};

/// What the rows that are meant are called.
const LISTED: &str = "listed";

/// Characters of an input that a list shows.
const SHOWN: usize = 200;

pub(super) const SPANS: [&str; 11] = [
    "start_time",
    "project",
    "trace_id",
    "span_id",
    "name",
    "kind",
    "status_code",
    "latency_ms",
    "model",
    "total_tokens",
    "cost",
];
const SPANS_ORDER: &str = "start_time DESC NULLS LAST, trace_id, span_id, project";
pub(super) const TRACES: [&str; 10] = [
    "start_time",
    "project",
    "trace_id",
    "name",
    "status_code",
    "latency_ms",
    "span_count",
    "error_count",
    "total_tokens",
    "cost",
];
pub(super) const SESSIONS: [&str; 10] = [
    "start_time",
    "project",
    "session_id",
    "user_id",
    "trace_count",
    "span_count",
    "error_count",
    "duration_ms",
    "total_tokens",
    "cost",
];

/// A list of one kind of thing.
struct List {
    /// What is listed, in the plural.
    things: &'static str,
    columns: &'static [&'static str],
    /// The column behind these, of which the beginning is shown.
    input: &'static str,
    order: String,
    limit: u32,
    /// Whether the list can go on where it ends.
    pages: bool,
    /// Whether not everything is listed, even without filters and a window.
    chosen: bool,
}

impl List {
    /// The query for the list, and one row more: that tells whether there are more.
    fn sql(&self) -> String {
        let Self { columns, input, order, limit, .. } = self;
        let (columns, more) = (columns.join(", "), u64::from(*limit) + 1);
        format!(
            "SELECT {columns}, CASE WHEN char_length({input}) > {SHOWN} THEN left({input}, {SHOWN}) || '…' \
             ELSE {input} END AS {input} FROM {LISTED} ORDER BY {order} LIMIT {more}"
        )
    }
}

/// What was asked for, read over the columns that there are.
struct Asked {
    selected: Selected,
    notes: Vec<String>,
}

pub(super) async fn spans(context: &Context, arguments: SpansList) -> anyhow::Result<()> {
    let SpansList { limit, cursor, from, options } = arguments;
    let list = List { pages: true, ..spans_list(limit) };
    let live = from.from.is_some();
    run(context, &list, &from, options, |names, options, window| {
        let filter = options.read(names)?;
        let (condition, notes) = filter.map(|filter| (filter.expr, filter.notes)).unzip();
        let after = cursor.as_ref().map(Cursor::after);
        // The spans of a remote all start at some time.
        let not_later = cursor.as_ref().filter(|_| live).and_then(Cursor::not_later);
        let condition = all_of(condition.into_iter().chain(window).chain(after).chain(not_later).collect());
        Ok(Asked { selected: Selected::Spans(condition), notes: notes.unwrap_or_default() })
    })
    .await
}

/// The spans that a pattern gives and that start in the window.
pub(super) async fn structure(context: &Context, arguments: StructureArguments) -> anyhow::Result<()> {
    let StructureArguments { pattern: text, side, limit, allow_unknown, result, window } = arguments;
    let list = List { chosen: true, ..spans_list(limit) };
    let filters = FilterOptions { allow_unknown, ..FilterOptions::default() };
    let options = ListOptions { result, filters, window };
    run(context, &list, &FromOptions::default(), options, |names, _, window| {
        let mut pattern = pattern::parse(&text, side, names)?;
        let notes = std::mem::take(&mut pattern.notes);
        let condition = all_of(window.into_iter().collect());
        Ok(Asked { selected: Selected::Structure { pattern, condition }, notes })
    })
    .await
}

fn spans_list(limit: u32) -> List {
    let order = SPANS_ORDER.to_owned();
    List { things: "spans", columns: &SPANS, input: "input", order, limit, pages: false, chosen: false }
}

pub(super) async fn traces(context: &Context, arguments: SortedList) -> anyhow::Result<()> {
    let order = order(arguments.sort, "latency_ms", "trace_id");
    let list = List {
        things: "traces",
        columns: &TRACES,
        input: "input",
        order,
        limit: arguments.limit,
        pages: false,
        chosen: false,
    };
    run(context, &list, &FromOptions::default(), arguments.options, |names, mut options, window| {
        let sessions = std::mem::take(&mut options.session_id);
        let Oql { expr, mut any_span, notes } = whole(names, options, Entity::Traces, window)?;
        let in_session = one_of(Column::new_unqualified(SESSION_ID), &sessions);
        any_span.extend(in_session.map(|expr| AnySpan { expr, negated: false }));
        Ok(Asked { selected: Selected::Traces { condition: expr, any_span }, notes })
    })
    .await
}

pub(super) async fn sessions(context: &Context, arguments: SortedList) -> anyhow::Result<()> {
    let order = order(arguments.sort, "duration_ms", "session_id");
    let list = List {
        things: "sessions",
        columns: &SESSIONS,
        input: "first_input",
        order,
        limit: arguments.limit,
        pages: false,
        chosen: false,
    };
    run(context, &list, &FromOptions::default(), arguments.options, |names, mut options, window| {
        let sessions = std::mem::take(&mut options.session_id);
        let Oql { expr, any_span, notes } = whole(names, options, Entity::Threads, window)?;
        let id = Column::new(Some(TableReference::bare("sessions")), "session_id");
        let condition = all_of([expr].into_iter().chain(one_of(id, &sessions)).collect());
        Ok(Asked { selected: Selected::Sessions { condition, any_span }, notes })
    })
    .await
}

/// Conditions on traces or sessions: OQL is about these, everything else about one of their spans.
fn whole(
    names: &Names<'_>,
    mut options: FilterOptions,
    entity: Entity,
    window: Option<Expr>,
) -> Result<Oql, FilterError> {
    let mut oql = match options.oql.take() {
        Some(text) => read_oql(&text, entity, names)?,
        None => Oql { expr: all_of(vec![]), any_span: vec![], notes: vec![] },
    };
    let filter = options.read(names)?;
    let (condition, notes) = filter.map(|filter| (filter.expr, filter.notes)).unzip();
    let of_span: Vec<Expr> = condition.into_iter().chain(window).collect();
    if !of_span.is_empty() {
        oql.any_span.push(AnySpan { expr: all_of(of_span), negated: false });
    }
    oql.notes.extend(notes.unwrap_or_default());
    Ok(oql)
}

async fn run(
    context: &Context,
    list: &List,
    from: &FromOptions,
    options: ListOptions,
    read: impl FnOnce(&Names<'_>, FilterOptions, Option<Expr>) -> Result<Asked, FilterError>,
) -> anyhow::Result<()> {
    let ListOptions { result, mut filters, window } = options;
    let target = context.target(result.output.as_deref())?;
    let place = Place::open(context, from).await?;
    let window = starts_in(&window, place.data_end())?;
    let all = !list.chosen && filters.is_empty() && window.is_none();
    let (schema, rest) = place.columns(&mut filters).await?;
    let names = Names::new(&schema, &rest, filters.unknown()).until(place.data_end());
    let Asked { selected, notes } = read(&names, filters, window).map_err(refused)?;
    place.register(context, LISTED, selected, notes).await?;
    let List { things, limit, .. } = list;
    let shown = Options { max_rows: usize::try_from(*limit).ok(), ..context.result_options(&target, &result) };
    let mut missing = None;
    let (strict, mut strictly) = (result.strict, Ok(()));
    for statement in place.engine.prepare(&list.sql(), &Params::new()).await? {
        for note in statement.notes() {
            context.note(&escape_terminal(note));
        }
        let (mut written, last) = write_page(list, statement.execute().await?, &target, shown).await?;
        let more = written.rows > written.shown;
        written.rows = written.shown;
        for note in written.notes() {
            context.note(&note);
        }
        missing = missing.or(query::say_remarks(context, &statement));
        query::note_unmatched(context, &statement, written.rows).await?;
        strictly = strictly.and(if strict { query::check_strictly(&statement).await } else { Ok(()) });
        if more {
            let next = last.map(|cursor| format!("; the next: --cursor {cursor}")).unwrap_or_default();
            context.note(&format!("there are more {things} than the {limit} listed: --limit lists more{next}"));
        } else if written.rows == 0 && !place.is_empty() {
            context.note(&if all { format!("there are no {things}") } else { format!("no {things} match") });
        }
    }
    place.check_complete(context, missing, result.require_complete).await?;
    strictly
}

/// Writes the rows of a list as they come; gives where it ends, if it can go on there.
async fn write_page(
    list: &List,
    mut rows: SendableRecordBatchStream,
    target: &Target,
    options: Options,
) -> anyhow::Result<(WriteSummary, Option<Cursor>)> {
    let mut out = target.open()?;
    let mut writer = ResultWriter::new(&mut out, target.format, rows.schema(), options)?;
    let (mut last, mut room) = (None, usize::try_from(list.limit).unwrap_or(usize::MAX));
    while let Some(batch) = rows.try_next().await.map_err(|error| EngineError::from_datafusion(&error))? {
        if list.pages && room > 0 {
            let page = batch.slice(0, batch.num_rows().min(room));
            last = Cursor::of_last(&page).or(last);
            room -= page.num_rows();
        }
        writer.write(&batch)?;
    }
    let written = writer.finish()?;
    out.keep()?;
    Ok((written, last))
}

/// The condition that a span starts in the window; `None` when any time will do.
pub(super) fn starts_in(options: &WindowOptions, data_end: Option<i64>) -> anyhow::Result<Option<Expr>> {
    let now = Utc::now().timestamp_nanos_opt().unwrap_or(i64::MAX);
    let window = options.range(data_end)?.store_window(now).map_err(refusal)?;
    let start = || Expr::Column(Column::new_unqualified(START_TIME));
    let time = |ns: i64| lit(ScalarValue::TimestampNanosecond(Some(ns), Some("UTC".into())));
    let from = (window.start > i64::MIN).then(|| start().gt_eq(time(window.start)));
    let to = (window.end < i64::MAX).then(|| start().lt(time(window.end)));
    let bounds: Vec<Expr> = from.into_iter().chain(to).collect();
    Ok((!bounds.is_empty()).then(|| all_of(bounds)))
}

/// What a list of traces or sessions is ordered by; the same in every run.
fn order(sort: Sort, duration: &str, id: &str) -> String {
    let most = match sort {
        Sort::Start => None,
        Sort::Duration => Some(duration),
        Sort::Spans => Some("span_count"),
        Sort::Errors => Some("error_count"),
        Sort::Tokens => Some("total_tokens"),
        Sort::Cost => Some("cost"),
    };
    let most = most.map(|column| format!("{column} DESC NULLS LAST, ")).unwrap_or_default();
    format!("{most}start_time DESC NULLS LAST, {id}, project")
}
