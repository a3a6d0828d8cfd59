//! `evals` and `annotations`: families of columns, a row for each name.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use datafusion::error::Result;

use super::out::Out;
use super::reads::{Names, Reads, text, texts};
use super::source::{Expand, Made, Possible, Source};
use spanql_model::columns::NOTES;
use spanql_model::json::Tree;
use spanql_model::time;

/// Families of evaluations: what their columns begin with, and the level.
const LEVELS: [(&str, &str); 3] = [("eval.", "span"), ("trace_eval.", "trace"), ("session_eval.", "session")];
const ANNOTATION: &str = "annotation.";
const LABEL: &str = "label";
const SCORE: &str = "score";
const EXPLANATION: &str = "explanation";
/// The name of the rows that are notes.
const NOTE: &str = "notes";
const MILLISECOND: i64 = 1_000_000;

/// The columns of one name by their last part, and where their values are.
type Family<'a> = BTreeMap<&'a str, usize>;

/// The families whose columns begin so, by their names, which may hold dots.
fn families<'a>(
    prefix: &'a str,
    parts: &[&str],
    names: &'a Names,
    reads: &mut Reads,
    keep: impl Fn(&str) -> bool,
) -> BTreeMap<&'a str, Family<'a>> {
    let mut families: BTreeMap<&str, Family<'_>> = BTreeMap::new();
    for full in names.beginning(prefix) {
        if let Some((name, part)) = full.strip_prefix(prefix).and_then(|rest| rest.rsplit_once('.'))
            && parts.contains(&part)
            && keep(name)
        {
            families.entry(name).or_default().insert(part, reads.add(full, names));
        }
    }
    families
}

/// Asks which names are read, given the constants before them.
fn kept(families: &BTreeMap<&str, Family<'_>>, before: &[&str], possible: &Possible<'_>) -> Result<Vec<String>> {
    let constants = |name: &&str| before.iter().chain([name]).map(|text| (*text).to_owned()).collect();
    let kept = possible(&families.keys().map(constants).collect::<Vec<_>>())?;
    Ok(families.keys().zip(kept).filter(|(_, kept)| *kept).map(|(name, _)| (*name).to_owned()).collect())
}

/// Scores of any type; text that is no finite number is null.
fn scores(values: &ArrayRef) -> Result<Float64Array> {
    if *values.data_type() == DataType::Utf8 {
        let number = |text: Option<&str>| text?.trim().parse().ok().filter(|number: &f64| number.is_finite());
        return Ok(values.as_string::<i32>().iter().map(number).collect());
    }
    Ok(cast(values, &DataType::Float64)?.as_primitive::<Float64Type>().clone())
}

fn number(values: Option<&Float64Array>, row: usize) -> Option<f64> {
    values.filter(|values| values.is_valid(row)).map(|values| values.value(row))
}

fn word(values: Option<&StringArray>, row: usize) -> Option<&str> {
    values.and_then(|values| text(values, row))
}

/// Milliseconds since the epoch, or a time in any other form, as nanoseconds.
fn millis(text: &str) -> Option<i64> {
    match text.trim().parse::<i64>() {
        Ok(millis) => millis.checked_mul(MILLISECOND),
        Err(_) => time::parse(text).ok(),
    }
}

/// An evaluation: its level, its name, and the places of label, score and explanation.
type Eval = (&'static str, String, [Option<usize>; 3]);

/// What `evals` is made from.
pub(super) fn evals(names: &Names, possible: &Possible<'_>) -> Result<Option<Made>> {
    let parts = [LABEL, SCORE, EXPLANATION];
    let (mut reads, mut evals) = (Reads::default(), vec![]);
    for (prefix, level) in LEVELS {
        let all = families(prefix, &parts, names, &mut Reads::default(), |_| true);
        let kept = kept(&all, &[level], possible)?;
        let families = families(prefix, &parts, names, &mut reads, |name| kept.iter().any(|kept| kept == name));
        let eval =
            |(name, family): (&str, Family<'_>)| (level, name.to_owned(), parts.map(|part| family.get(part).copied()));
        evals.extend(families.into_iter().map(eval));
    }
    if evals.is_empty() {
        return Ok(None);
    }
    let condition = reads.any_filled();
    Ok(Some(Made { source: Arc::new(Evals(evals.into())), reads, condition, whole_traces: false }))
}

#[derive(Debug)]
struct Evals(Arc<[Eval]>);

impl Source for Evals {
    fn open(&self, values: Vec<ArrayRef>) -> Result<Box<dyn Expand>> {
        let words = |place: Option<usize>| place.map(|place| texts(&values[place])).transpose();
        let open = |(_, _, [label, score, explanation]): &Eval| {
            let score = score.map(|place| scores(&values[place])).transpose()?;
            Ok((words(*label)?, score, words(*explanation)?))
        };
        let values = self.0.iter().map(open).collect::<Result<_>>()?;
        Ok(Box::new(EvalValues { evals: Arc::clone(&self.0), values }))
    }
}

struct EvalValues {
    evals: Arc<[Eval]>,
    values: Vec<(Option<StringArray>, Option<Float64Array>, Option<StringArray>)>,
}

impl Expand for EvalValues {
    fn begin(&mut self, _: Range<usize>) {}

    fn expand(&mut self, span: usize, out: &mut Out) {
        for ((level, name, _), (labels, scores, explanations)) in self.evals.iter().zip(&self.values) {
            let label = word(labels.as_ref(), span);
            let score = number(scores.as_ref(), span);
            let explanation = word(explanations.as_ref(), span);
            if label.is_none() && score.is_none() && explanation.is_none() {
                continue;
            }
            out.row(span);
            out.text(3, Some(level));
            out.text(4, Some(name));
            out.text(5, label);
            out.float(6, score);
            out.text(7, explanation);
        }
    }
}

/// The parts of an annotation that are text, with the columns of the table they go to.
const WORDS: [(&str, usize); 5] = [(LABEL, 4), ("text", 6), (EXPLANATION, 7), ("annotator_kind", 8), ("updated_by", 9)];
const UPDATED_AT: &str = "updated_at";

/// An annotation: its name, and the places of what is text, of the score and of the time.
type Annotation = (String, [Option<usize>; 5], Option<usize>, Option<usize>);

/// What `annotations` is made from.
pub(super) fn annotations(names: &Names, possible: &Possible<'_>) -> Result<Option<Made>> {
    let parts: Vec<&str> = WORDS.iter().map(|(part, _)| *part).chain([SCORE, UPDATED_AT]).collect();
    let all = families(ANNOTATION, &parts, names, &mut Reads::default(), |_| true);
    let kept = kept(&all, &[], possible)?;
    let mut reads = Reads::default();
    let families = families(ANNOTATION, &parts, names, &mut reads, |name| kept.iter().any(|kept| kept == name));
    let annotation = |(name, family): (&str, Family<'_>)| {
        let place = |part: &str| family.get(part).copied();
        (name.to_owned(), WORDS.map(|(part, _)| place(part)), place(SCORE), place(UPDATED_AT))
    };
    let annotations: Vec<Annotation> = families.into_iter().map(annotation).collect();
    let notes = names.has(NOTES) && possible(&[vec![NOTE.to_owned()]])? == [true];
    let notes = notes.then(|| reads.add(NOTES, names));
    if annotations.is_empty() && notes.is_none() {
        return Ok(None);
    }
    let condition = reads.any_filled();
    let source = Arc::new(Annotations { annotations: annotations.into(), notes });
    Ok(Some(Made { source, reads, condition, whole_traces: false }))
}

#[derive(Debug)]
struct Annotations {
    annotations: Arc<[Annotation]>,
    notes: Option<usize>,
}

impl Source for Annotations {
    fn open(&self, values: Vec<ArrayRef>) -> Result<Box<dyn Expand>> {
        let words = |place: Option<usize>| place.map(|place| texts(&values[place])).transpose();
        let open = |(name, text, score, time): &Annotation| {
            let score = score.map(|place| scores(&values[place])).transpose()?;
            let text = text.iter().map(|place| words(*place)).collect::<Result<_>>()?;
            Ok(AnnotationValues { name: name.clone(), words: text, score, updated_at: words(*time)? })
        };
        let annotations = self.annotations.iter().map(open).collect::<Result<_>>()?;
        Ok(Box::new(AnnotationsValues { annotations, notes: words(self.notes)? }))
    }
}

struct AnnotationValues {
    name: String,
    words: Vec<Option<StringArray>>,
    score: Option<Float64Array>,
    updated_at: Option<StringArray>,
}

struct AnnotationsValues {
    annotations: Vec<AnnotationValues>,
    notes: Option<StringArray>,
}

impl Expand for AnnotationsValues {
    fn begin(&mut self, _: Range<usize>) {}

    fn expand(&mut self, span: usize, out: &mut Out) {
        for annotation in &self.annotations {
            let words: Vec<Option<&str>> = annotation.words.iter().map(|words| word(words.as_ref(), span)).collect();
            let score = number(annotation.score.as_ref(), span);
            let updated_at = word(annotation.updated_at.as_ref(), span);
            if words.iter().all(Option::is_none) && score.is_none() && updated_at.is_none() {
                continue;
            }
            out.row(span);
            out.text(3, Some(&annotation.name));
            out.float(5, score);
            for ((_, column), word) in WORDS.iter().zip(words) {
                out.text(*column, word);
            }
            out.time(10, updated_at.and_then(millis));
        }
        let Some(notes) = word(self.notes.as_ref(), span).and_then(Tree::parse) else { return };
        match &notes {
            Tree::List(notes) => notes.iter().for_each(|note| push_note(span, note, out)),
            note @ Tree::Object(_) => push_note(span, note, out),
            _ => {}
        }
    }
}

/// Appends the row of a note: a text, or an object with one.
fn push_note(span: usize, note: &Tree<'_>, out: &mut Out) {
    let Some(text) = note.any(&["text", "note", "content"]).unwrap_or(note).text() else { return };
    let member = |name: &str| note.get(name).and_then(Tree::text);
    out.row(span);
    out.text(3, Some(NOTE));
    out.text(4, None);
    out.float(5, None);
    out.text(6, Some(&text));
    out.text(7, None);
    out.text(8, member("annotator_kind").as_deref());
    out.text(9, member("updated_by").as_deref());
    out.time(10, member(UPDATED_AT).as_deref().and_then(millis));
}
