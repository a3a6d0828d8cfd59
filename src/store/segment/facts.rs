//! What is known of a column without reading it: how much of it is filled, an example, its values where they are few.

use std::collections::{BTreeMap, HashSet};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::super::entries::OfFiles;
use super::super::error::{Result, StoreError};
use super::super::segment_stats::ColumnFacts;
use spanql_model::types::OpenType;

/// Characters of an example value.
const EXAMPLE_CHARS: usize = 60;

/// Values of a column that are remembered one by one, and the bytes of the longest of them.
const FEW_VALUES: usize = 40;
const VALUE_BYTES: usize = 64;

/// Adds what an array tells of a column to what is known of it.
pub(crate) fn add_facts(
    facts: &mut BTreeMap<String, ColumnFacts>,
    name: &str,
    seen: Option<OpenType>,
    array: &ArrayRef,
) -> Result<()> {
    let filled = (array.len() - array.null_count()) as u64;
    if filled == 0 {
        return Ok(());
    }
    if let Some(known) = facts.get_mut(name) {
        known.filled += filled;
        if !known.values.is_empty() {
            unite(&mut known.values, few_values(array));
        }
        known.open = known.open.zip(seen).map(|(a, b)| a.unite(b)).or(known.open).or(seen);
    } else {
        facts.insert(
            name.to_owned(),
            ColumnFacts { open: seen, filled, example: example(array)?, values: few_values(array) },
        );
    }
    Ok(())
}

/// The facts of the values of an array.
pub(crate) fn facts_of(array: &ArrayRef) -> Result<ColumnFacts> {
    let filled = (array.len() - array.null_count()) as u64;
    Ok(ColumnFacts { open: None, filled, example: example(array)?, values: few_values(array) })
}

/// What the summaries of traces say of those that came from files.
pub(crate) fn of_files(summaries: &RecordBatch) -> Option<OfFiles> {
    let source = summaries.column_by_name("source")?.as_string_opt::<i32>()?;
    let count = |name: &str| summaries.column_by_name(name)?.as_primitive_opt::<Int64Type>();
    let (spans, roots, orphans) = (count("span_count")?, count("root_count")?, count("orphan_count")?);
    let mut found: Option<OfFiles> = None;
    for row in (0..summaries.num_rows()).filter(|&row| source.is_valid(row) && source.value(row) == "file") {
        let of_files = found.get_or_insert_default();
        of_files.spans += spans.value(row).unsigned_abs();
        of_files.orphans += orphans.value(row).unsigned_abs();
        of_files.rootless += u64::from(roots.value(row) == 0);
    }
    found
}

/// Adds values to sorted ones; where those of one side are not known, or they are many together, none are left.
pub(crate) fn unite(values: &mut Vec<String>, more: Vec<String>) {
    if values.is_empty() || more.is_empty() {
        values.clear();
        return;
    }
    values.extend(more);
    values.sort_unstable();
    values.dedup();
    if values.len() > FEW_VALUES {
        values.clear();
    }
}

/// All values of a column of texts, sorted, if they are few and short.
fn few_values(array: &ArrayRef) -> Vec<String> {
    let Some(texts) = array.as_string_opt::<i32>() else { return Vec::new() };
    let mut found: HashSet<&str, ahash::RandomState> = HashSet::default();
    let mut last = None;
    for text in texts.iter().flatten() {
        // Of few values the same one often comes again.
        if last.replace(text) == Some(text) || found.contains(text) {
            continue;
        }
        if found.len() == FEW_VALUES || text.len() > VALUE_BYTES {
            return Vec::new();
        }
        found.insert(text);
    }
    let mut found: Vec<String> = found.into_iter().map(str::to_owned).collect();
    found.sort_unstable();
    found
}

fn example(array: &ArrayRef) -> Result<String> {
    let Some(row) = (0..array.len()).find(|&row| array.is_valid(row)) else { return Ok(String::new()) };
    let failed = StoreError::arrow("describing a column");
    let text = if let Some(texts) = array.as_string_opt::<i32>() {
        texts.value(row).chars().take(EXAMPLE_CHARS + 1).collect()
    } else {
        let options = FormatOptions::default();
        let formatter = ArrayFormatter::try_new(array.as_ref(), &options).map_err(failed)?;
        formatter.value(row).to_string()
    };
    Ok(match text.char_indices().nth(EXAMPLE_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    })
}
