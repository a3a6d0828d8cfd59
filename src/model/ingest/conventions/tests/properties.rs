use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, StringArray};
use proptest::prelude::*;

use super::super::fill::Read;
use super::super::table::TABLE;
use super::*;
use crate::columns::CANONICAL;
use crate::ingest::convert_batch;

/// Names of the table, and keys below them.
fn names() -> Vec<String> {
    let mut names: Vec<String> = vec!["metadata".to_owned(), "llm.model_name".to_owned()];
    for source in TABLE.iter().flat_map(|fill| fill.sources) {
        let name = source.name;
        match source.read {
            Read::Sum(..) | Read::Filled | Read::MimeType => continue,
            Read::IndexedMessages => {
                names.extend(
                    ["0.role", "0.content", "1.content", "1.tool_calls.0.name"].map(|key| format!("{name}.{key}")),
                );
            }
            Read::IndexedTools => names.push(format!("{name}.3.name")),
            Read::Settings(_) => names.extend(["top_p", "model"].map(|key| format!("{name}.{key}"))),
            Read::Object | Read::ObjectMessages => names.push(format!("{name}.key")),
            Read::At(paths) => names.extend(paths.iter().map(|path| format!("{name}.{path}"))),
            _ => {}
        }
        if name != "span events" {
            names.push(name.to_owned());
        }
    }
    names.sort();
    names.dedup();
    names
}

fn text() -> impl Strategy<Value = String> {
    let shapes = [
        "",
        "0",
        "12",
        "1.5",
        "NaN",
        "chat",
        "workflow",
        "execute_tool",
        "GENERATION",
        "ai.toolCall",
        "[]",
        "{}",
        r#"{"input": 3, "total": "x", "ls_model_name": "m", "model": 5}"#,
        r#"[{"role":"user","parts":[{"type":"text","content":"é\n"},{"type":"image"},{"type":5},{}]}]"#,
        r#"[{"role":"assistant","content":null,"tool_calls":[{"function":{"name":"f","arguments":{}}}, 3]}]"#,
        r#"[{"event.name":"gen_ai.choice","message":"{\"content\":[[]]}"},{"name":"gen_ai.user.message"}]"#,
        r#"[{"name":"gen_ai.content.prompt","attributes":{"gen_ai.prompt":{"prompt":1}}}]"#,
        r#"{"messages":[{"role":"user","content":[{"type":"tool-result","toolName":"x","output":[]}]}]}"#,
    ];
    prop_oneof![
        4 => proptest::sample::select(shapes.to_vec()).prop_map(str::to_owned),
        1 => "[\\[\\]{}:,\"\\\\n0-2a. -]{0,30}",
        1 => any::<String>(),
    ]
}

#[derive(Debug, Clone)]
enum Column {
    Texts(Vec<Option<String>>),
    Ints(Vec<Option<i64>>),
    Floats(Vec<Option<f64>>),
}

const ROWS: usize = 4;

fn column() -> impl Strategy<Value = Column> {
    prop_oneof![
        4 => prop::collection::vec(prop::option::of(text()), ROWS).prop_map(Column::Texts),
        1 => prop::collection::vec(prop::option::of(any::<i64>()), ROWS).prop_map(Column::Ints),
        1 => prop::collection::vec(prop::option::of(-9.5f64..9.5), ROWS).prop_map(Column::Floats),
    ]
}

impl Column {
    fn json(&self, row: usize) -> Value {
        match self {
            Self::Texts(values) => json!(values[row]),
            Self::Ints(values) => json!(values[row]),
            Self::Floats(values) => json!(values[row]),
        }
    }

    fn array(&self) -> ArrayRef {
        match self {
            Self::Texts(values) => Arc::new(StringArray::from(values.clone())),
            Self::Ints(values) => Arc::new(Int64Array::from(values.clone())),
            Self::Floats(values) => Arc::new(Float64Array::from(values.clone())),
        }
    }
}

fn canonical(batch: &RecordBatch, number: usize) -> BTreeMap<String, String> {
    let mut values = row(batch, number);
    values.retain(|name, _| CANONICAL.iter().any(|column| column.name.strip_prefix("attributes.") == Some(name)));
    values
}

proptest! {
    #[test]
    fn arrow_and_json_become_the_same_and_rows_stay_alone(
        columns in prop::collection::btree_map(proptest::sample::select(names()), column(), 1..12),
        events in prop::collection::vec(prop::option::of(text()), ROWS),
    ) {
        let mut arrays: Vec<(String, ArrayRef)> = vec![
            ("context.trace_id".to_owned(), Arc::new(StringArray::from(vec!["t"; ROWS]))),
            ("context.span_id".to_owned(), Arc::new(StringArray::from_iter_values((0..ROWS).map(|n| format!("s{n}"))))),
            ("events".to_owned(), Arc::new(StringArray::from(events.clone()))),
        ];
        arrays.extend(columns.iter().map(|(name, column)| (format!("attributes.{name}"), column.array())));
        let given = RecordBatch::try_from_iter(arrays).unwrap();
        let converted = convert_batch(&given, &origin()).unwrap();
        let mut builder = IngestBuilder::new(origin());
        let span = |number: usize| {
            let mut span = json!({"context.trace_id": "t", "context.span_id": format!("s{number}"), "events": events[number]});
            for (name, column) in &columns {
                span[format!("attributes.{name}")] = column.json(number);
            }
            span.to_string()
        };
        let good: Vec<usize> = (0..ROWS).filter(|number| builder.push_json(&span(*number)).is_ok()).collect();
        prop_assert_eq!(good.len(), converted.batch.num_rows());
        let Some(pushed) = builder.finish().unwrap() else { return Ok(()) };
        let again = super::super::fill(pushed.clone()).unwrap();
        prop_assert_eq!(&again, &pushed, "what is filled leaves nothing to fill");
        for (at, number) in good.into_iter().enumerate() {
            prop_assert_eq!(row(&pushed, at), row(&converted.batch, at));
            builder.push_json(&span(number)).unwrap();
            let alone = builder.finish().unwrap().unwrap();
            prop_assert_eq!(canonical(&alone, 0), canonical(&pushed, at));
        }
    }
}
