//! That what the spans are made for is in them.

use std::collections::{HashMap, HashSet};

use spanql_model::columns;

use super::super::{DEFAULT_SEED, Generator};
use super::{int, text};
use arrow::array::Array;

#[test]
fn every_column_is_filled_somewhere_and_batches_are_bounded() {
    let mut filled: HashSet<String> = HashSet::new();
    let generator = Generator::new(DEFAULT_SEED, 10_000);
    let schema = generator.schema();
    for batch in generator {
        assert_eq!(batch.schema(), schema);
        assert!(batch.num_rows() <= 8_192);
        for (field, column) in schema.fields().iter().zip(batch.columns()) {
            if column.null_count() < column.len() {
                filled.insert(field.name().clone());
            }
        }
    }
    let empty: Vec<_> = schema.fields().iter().map(|f| f.name()).filter(|n| !filled.contains(*n)).collect();
    assert!(empty.is_empty(), "never filled: {empty:?}");
}

#[test]
fn what_is_asked_for_occurs() {
    let mut evaluated = [0_u32; 3];
    let (mut contradictions, mut versions, mut hostile, mut questions) = (0, HashSet::new(), 0, HashMap::new());
    let (mut empty_retrievals, mut retries, mut models, mut kinds) = (0, 0, HashSet::new(), HashSet::new());
    for batch in Generator::new(13, 20_000) {
        for i in 0..batch.num_rows() {
            let get = |name: &str| text(&batch, name, i);
            let kind = get(columns::KIND).unwrap();
            let is_root = get(columns::PARENT_ID).is_none();
            if is_root || kind == "LLM" {
                evaluated[0] += 1;
                evaluated[1] += u32::from(get("eval.Correctness.label").is_some());
                evaluated[2] += u32::from(get("annotation.Quality.label").is_some());
            }
            let verdicts = (get("eval.Correctness.label"), get("annotation.Quality.label"));
            if let (Some(eval), Some(person)) = verdicts {
                contradictions += u32::from((eval == "correct") != (person == "good"));
            }
            versions.extend(get("attributes.llm.prompt_template.version"));
            models.extend(get(columns::MODEL));
            if is_root && let Some(input) = get(columns::INPUT) {
                hostile += u32::from(input.contains(['\u{1b}', '<', '\u{202e}']) || input.starts_with('='));
                *questions.entry(input).or_insert(0_u32) += 1;
            }
            empty_retrievals += u32::from(get("attributes.retrieval.documents").as_deref() == Some("[]"));
            retries += u32::from(int(&batch, "attributes.retry.attempt", i).is_some());
            kinds.insert(kind);
        }
    }
    let [all, by_machine, by_people] = evaluated.map(f64::from);
    assert!((0.16..0.24).contains(&(by_machine / all)), "{by_machine} of {all} evaluated");
    assert!((0.02..0.04).contains(&(by_people / all)), "{by_people} of {all} annotated");
    assert!(contradictions > 0 && hostile > 0 && empty_retrievals > 0 && retries > 20);
    assert!(questions.values().any(|&n| n > 2));
    assert_eq!((versions.len(), models.len()), (3, 8));
    let wanted = ["AGENT", "CHAIN", "EMBEDDING", "EVALUATOR", "GUARDRAIL", "LLM", "RERANKER", "RETRIEVER", "TOOL"];
    assert_eq!(kinds, wanted.map(str::to_owned).into());
}
