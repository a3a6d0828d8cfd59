//! A trace as a tree.

use std::io::Write;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, Int64Type, TimestampNanosecondType};
use unicode_width::UnicodeWidthStr;

use super::super::clip::clip;
use super::super::color::{BLUE, BOLD, CYAN, DIM, GREEN, MAGENTA, RED, YELLOW};
use super::super::media::without_media;
use super::super::{Error, Fence};
use super::ViewOptions;
use super::bar::Axis;
use super::branches::{Branches, depths};
use super::cells::{float, int, text};
use super::focus::{Entry, Item, More};
use super::layout::{INDENT, Layout};
use super::line::Line;
use super::spans::{Columns, Span};
use super::texts::write_texts;
use super::units::{cost, count, counted, duration, moment, tokens};

/// Columns of a kind.
const KIND: usize = 5;
const ERROR: &str = "✗";
const CRITICAL: &str = "◆";
const NAMELESS: &str = "(no name)";
/// Titles over the columns of figures.
const TIME: &str = "time";
const MODEL: &str = "model";
const TOKENS: &str = "tokens";
const COST: &str = "cost";

/// Writes one trace: what there is to say about the whole, then its spans as a tree, one line each.
///
/// `batches` hold the spans of the trace in any order, with columns of `spans` by name; a missing column reads as null, as
/// does a value of another type that cannot be converted. Where the `tree.*` columns are not all there, the tree is
/// computed from ids and times. A span whose parent is not among the rows hangs from the nearest ancestor that is.
///
/// A line shows branches, kind, name (after `✗` if the span failed), the flags `orphan`, `cycle` and `wrapper` (only
/// recorded around the call below it), `◆` for the critical path, latency, the span's place on the time axis of the trace, model, tokens (prompt→completion) and cost. Below a
/// failed span stands what it says about it. No line is wider than the terminal: names are cut in their middle with `…`, the bar is left
/// out first, then tokens and cost. Of branches that would take more than a third of the width, `…12` stands for the first
/// 12 levels. Hidden characters are made visible, as in tables.
///
/// Where not all spans are shown, `… 12 more below, 2 errors` stands for those that are left out; the time axis remains that
/// of the whole trace. With [`ViewOptions::full`], what a failed span says about it, inputs and outputs stand below each
/// span, whole.
///
/// Takes time in proportion to the spans and their branches, after sorting them, and never recurses. Without rows nothing is
/// written. Fails if the destination does not take the text, or if the columns do not fit into one array each.
pub fn write_trace(out: &mut dyn Write, batches: &[RecordBatch], options: &ViewOptions) -> Result<(), Error> {
    if batches.iter().all(|batch| batch.num_rows() == 0) {
        return Ok(());
    }
    let shown =
        if options.full { batches.iter().map(without_media).collect::<Result<_, _>>()? } else { batches.to_vec() };
    let columns = Columns::read(&shown, options.full)?;
    let summary = columns.summary()?;
    let (spans, left_out) = options.focus.looked_at(columns.spans(), &columns.tree_input())?;
    let fence = options.fence.then(Fence::new);
    if let Some(fence) = &fence {
        writeln!(out, "{}", fence.opening())?;
    }
    let mut line = Line::new(options.columns(), options.color);
    write_facts(&mut line, &summary, options, out)?;
    line.end(out)?;
    write_tree(&mut line, &spans, left_out, options, out)?;
    if let Some(fence) = &fence {
        writeln!(out, "{}", fence.closing())?;
    }
    Ok(())
}

fn write_facts(
    line: &mut Line,
    summary: &RecordBatch,
    options: &ViewOptions,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let text = |name: &str| text(summary[name].as_string(), 0);
    let int = |name: &str| int(summary[name].as_primitive::<Int64Type>(), 0);
    let some = |number: Option<i64>, thing: &str| match number {
        Some(number) if number > 0 => counted(number, thing),
        _ => String::new(),
    };
    let labelled = |label: &str, value: Option<&str>| value.map(|value| format!("{label} {value}")).unwrap_or_default();

    line.add("Trace ", DIM);
    line.add(text("trace_id").unwrap_or("(no id)"), BOLD);
    line.blank(2);
    line.add(text("name").unwrap_or(NAMELESS), BOLD);
    line.end(out)?;

    let start = summary["start_time"].as_primitive::<TimestampNanosecondType>();
    let start = start.iter().next().flatten().map(|start| moment(start, options.zone.tz())).unwrap_or_default();
    let latency = float(summary["latency_ms"].as_primitive::<Float64Type>(), 0).map(duration).unwrap_or_default();
    let roots = int("root_count").filter(|roots| *roots > 1);
    let cycles = int("cycle_count").filter(|spans| *spans > 0);
    let facts = [
        (text("project").unwrap_or_default().to_owned(), ""),
        (start, ""),
        (latency, BOLD),
        (some(int("span_count"), "span"), ""),
        (some(int("error_count"), "error"), RED),
        (some(roots, "root"), YELLOW),
        (some(int("orphan_count"), "orphan"), YELLOW),
        (cycles.map(|spans| format!("{} on a cycle", count(spans))).unwrap_or_default(), YELLOW),
    ];
    line.facts(&facts, 2, out)?;

    let models = summary["models"].as_list::<i32>().value(0);
    let models: Vec<&str> = models.as_string::<i32>().iter().flatten().collect();
    let spent = float(summary["cost"].as_primitive::<Float64Type>(), 0);
    let usage = tokens(int("prompt_tokens"), int("completion_tokens"), int("total_tokens"));
    let facts = [
        (usage.unwrap_or_default(), ""),
        (spent.map(cost).unwrap_or_default(), ""),
        (models.join(", "), ""),
        (labelled("session", text("session_id")), ""),
        (labelled("user", text("user_id")), ""),
    ];
    Ok(line.facts(&facts, 2, out)?)
}

fn write_tree(
    line: &mut Line,
    spans: &[Span<'_>],
    left_out: More,
    options: &ViewOptions,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let width = options.columns();
    let entries = options.focus.entries(spans, &depths(spans), left_out);
    if let [Entry { item: Item::More(more), .. }] = entries.as_slice() {
        line.blank(INDENT);
        write_more(line, *more);
        line.add(", none failed", DIM);
        return Ok(line.end(out)?);
    }
    let branches = Branches::new(entries.iter().map(|entry| entry.depth).collect(), width / 3);
    let axis = axis(spans);
    let layout = Layout::fit(wish(spans, &entries, &branches, axis), width);
    write_titles(line, layout, axis, out)?;

    let name_at = INDENT + layout.span;
    let mut pen = branches.pen();
    let mut drawn = String::new();
    for (place, entry) in entries.iter().enumerate() {
        drawn.clear();
        pen.line(place, &mut drawn);
        line.blank(INDENT);
        let span = match entry.item {
            Item::Span(at) => &spans[at],
            Item::More(more) => {
                line.add(&drawn, DIM);
                write_more(line, more);
                line.end(out)?;
                continue;
            }
        };
        line.put(&drawn, layout.span, DIM);
        write_name(line, span, name_at);
        line.advance(name_at);
        write_figures(line, span, layout, axis);
        line.end(out)?;
        if !options.full && span.failure.is_none() {
            continue;
        }
        drawn.clear();
        pen.below(pen.is_child(place + 1), &mut drawn);
        let begin = INDENT + branches.width(place) + KIND + 1;
        if options.full {
            write_texts(line, span, drawn.trim_end(), begin, width, out)?;
        } else if let Some(failure) = span.failure {
            line.blank(INDENT);
            line.add(drawn.trim_end(), DIM);
            line.advance(begin);
            line.add(failure, RED);
            line.end(out)?;
        }
    }
    if layout.mark > 0 {
        line.end(out)?;
        line.blank(INDENT);
        line.add(CRITICAL, YELLOW);
        line.blank(1);
        line.add(if options.focus.steps { "critical path of the steps" } else { "critical path" }, DIM);
        line.end(out)?;
    }
    Ok(())
}

/// What stands for spans that are not shown.
fn write_more(line: &mut Line, more: More) {
    let below = if more.is_below {
        " below"
    } else if more.is_kindless {
        " without a kind"
    } else {
        ""
    };
    line.add(&format!("… {} more{below}", count(more.spans)), DIM);
    if more.errors > 0 {
        line.add(", ", DIM);
        line.add(&counted(more.errors, "error"), RED);
    }
}

/// Kind, mark, name and flags, up to a column of the line.
fn write_name(line: &mut Line, span: &Span<'_>, end: usize) {
    let room = |line: &Line| end.saturating_sub(line.column());
    let kind_ends = line.column() + KIND;
    let (tag, color) = kind(span.kind);
    line.put(tag, KIND.min(room(line)), color);
    line.advance(kind_ends + 1);
    if span.is_error {
        line.put(ERROR, room(line), RED);
        line.blank(1);
    }
    let flags = flags(span);
    let columns = flags.iter().map(|flag| flag.width() + 1).sum();
    // A name that is cut to nothing helps nobody.
    let most = room(line).saturating_sub(columns).max(room(line).min(4));
    match span.name {
        Some(name) => line.put_ends(name, most, if span.is_error { RED } else { "" }),
        None => line.put(NAMELESS, most, DIM),
    }
    for flag in flags {
        line.blank(1);
        line.put(flag, room(line), YELLOW);
    }
}

fn write_figures(line: &mut Line, span: &Span<'_>, layout: Layout, axis: Option<Axis>) {
    let mut end = line.column();
    let mut cell = |line: &mut Line, width: usize| {
        if width > 0 {
            line.advance(end + layout.gap);
            end += layout.gap + width;
        }
        width > 0
    };
    if cell(line, layout.mark) && span.is_critical {
        line.add(CRITICAL, YELLOW);
    }
    if cell(line, layout.time)
        && let Some(latency) = span.latency_ms
    {
        line.add_right(&duration(latency), layout.time, "");
    }
    if cell(line, layout.bar)
        && let (Some(axis), Some(start)) = (axis, span.start)
    {
        let mut blocks = String::new();
        line.blank(axis.draw(start, span.end.unwrap_or(start), layout.bar, &mut blocks));
        line.add(&blocks, if span.is_error { RED } else { kind(span.kind).1 });
    }
    if cell(line, layout.model)
        && let Some(model) = span.model
    {
        line.put(model, layout.model, DIM);
    }
    if cell(line, layout.tokens()) {
        write_tokens(line, span, layout);
    }
    if cell(line, layout.cost)
        && let Some(dollars) = span.cost
    {
        line.add_right(&cost(dollars), layout.cost, "");
    }
}

/// Tokens in two columns that meet at the arrow.
fn write_tokens(line: &mut Line, span: &Span<'_>, layout: Layout) {
    let (prompt, completion) = sides(span);
    line.add_right(&prompt, layout.prompt, "");
    if !completion.is_empty() {
        line.add("→", DIM);
        line.put(&completion, layout.completion, "");
    }
}

fn write_titles(line: &mut Line, layout: Layout, axis: Option<Axis>, out: &mut dyn Write) -> Result<(), Error> {
    line.blank(INDENT + layout.span);
    let columns = [
        (layout.mark, String::new(), false),
        (layout.time, TIME.to_owned(), true),
        (layout.bar, ruler(layout.bar, axis), false),
        (layout.model, MODEL.to_owned(), false),
        (layout.tokens(), TOKENS.to_owned(), true),
        (layout.cost, COST.to_owned(), true),
    ];
    let mut end = line.column();
    for (width, title, right) in columns.into_iter().filter(|(width, ..)| *width > 0) {
        line.advance(end + layout.gap);
        end += layout.gap + width;
        if right {
            line.add_right(&title, width, DIM);
        } else {
            line.put(&title, width, DIM);
        }
    }
    // Names speak for themselves.
    if line.is_blank() {
        line.discard()
    } else {
        line.end(out)?
    }
    Ok(())
}

/// The time axis as a title: where it begins, and how long it is.
fn ruler(cells: usize, axis: Option<Axis>) -> String {
    let end = axis.map(|axis| duration(spanql_trace::elapsed_ms(axis.start, axis.end))).unwrap_or_default();
    let taken = "0 ".width() + " ".width() + end.width();
    if end.is_empty() || taken >= cells { end } else { format!("0 {} {end}", "─".repeat(cells - taken)) }
}

/// From the first start to the last end, if there is any time at all.
fn axis(spans: &[Span<'_>]) -> Option<Axis> {
    let start = spans.iter().filter_map(|span| span.start).min()?;
    let end = spans.iter().filter_map(|span| span.end.max(span.start)).max()?;
    Some(Axis { start, end })
}

/// The widths that would show everything.
fn wish(spans: &[Span<'_>], entries: &[Entry], branches: &Branches, axis: Option<Axis>) -> Layout {
    let mut wish = Layout { span: 1, ..Layout::default() };
    let mut shown = String::new();
    for (place, entry) in entries.iter().enumerate() {
        let Item::Span(at) = entry.item else { continue };
        let span = &spans[at];
        shown.clear();
        let name = clip(span.name.unwrap_or(NAMELESS), usize::MAX, &mut shown).width;
        let mark = if span.is_error { ERROR.width() + 1 } else { 0 };
        let flags: usize = flags(span).iter().map(|flag| flag.width() + 1).sum();
        wish.span = wish.span.max(branches.width(place) + KIND + 1 + mark + name + flags);
        wish.mark = wish.mark.max(if span.is_critical { CRITICAL.width() } else { 0 });
        if let Some(latency) = span.latency_ms {
            wish.time = wish.time.max(duration(latency).width()).max(TIME.width());
        }
        if let Some(model) = span.model {
            shown.clear();
            wish.model = wish.model.max(clip(model, usize::MAX, &mut shown).width).max(MODEL.width());
        }
        let (prompt, completion) = sides(span);
        wish.prompt = wish.prompt.max(prompt.width());
        wish.completion = wish.completion.max(completion.width());
        if let Some(dollars) = span.cost {
            wish.cost = wish.cost.max(cost(dollars).width()).max(COST.width());
        }
    }
    if wish.tokens() > 0 {
        wish.prompt += TOKENS.width().saturating_sub(wish.tokens());
    }
    wish.bar = if axis.is_some() { usize::MAX / 4 } else { 0 };
    wish
}

/// What stands left and right of the arrow; a total alone stands left.
fn sides(span: &Span<'_>) -> (String, String) {
    let side = |tokens: Option<i64>| tokens.map_or_else(|| "?".to_owned(), count);
    match (span.prompt, span.completion) {
        (None, None) => (span.total.map(count).unwrap_or_default(), String::new()),
        (prompt, completion) => (side(prompt), side(completion)),
    }
}

fn flags(span: &Span<'_>) -> Vec<&'static str> {
    [("orphan", span.is_orphan), ("cycle", span.is_on_cycle), ("wrapper", span.is_wrapper)]
        .into_iter()
        .filter_map(|(flag, is)| is.then_some(flag))
        .collect()
}

/// The short form of a kind and its colour.
fn kind(kind: Option<&str>) -> (&str, &'static str) {
    match kind {
        Some("LLM") => ("LLM", MAGENTA),
        Some("AGENT") => ("AGENT", YELLOW),
        Some("CHAIN") => ("CHAIN", BLUE),
        Some("TOOL") => ("TOOL", GREEN),
        Some("RETRIEVER") => ("RETR", CYAN),
        Some("RERANKER") => ("RANK", CYAN),
        Some("EMBEDDING") => ("EMBED", CYAN),
        Some("GUARDRAIL") => ("GUARD", BLUE),
        Some("EVALUATOR") => ("EVAL", GREEN),
        Some("PROMPT") => ("PRMPT", MAGENTA),
        Some("UNKNOWN") | None => ("·", DIM),
        Some(other) => (other, DIM),
    }
}
