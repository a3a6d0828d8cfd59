use std::sync::Arc;

use crate::columns::METADATA_PATCH;

use arrow::array::*;
use arrow::buffer::OffsetBuffer;
use arrow::compute::cast;
use arrow::datatypes::{Fields, Int32Type, TimeUnit, TimestampSecondType};

use super::*;

fn origin() -> Origin {
    Origin { source: "file", project: "default".to_owned(), force_project: false }
}

/// Converts three rows with ids t/s0, t/s1, t/s2 and these columns.
fn convert(columns: Vec<(&str, ArrayRef)>) -> Converted {
    let ids: [(&str, ArrayRef); 2] = [
        ("context.trace_id", Arc::new(StringArray::from(vec!["t"; 3]))),
        ("context.span_id", Arc::new(StringArray::from(vec!["s0", "s1", "s2"]))),
    ];
    let batch = RecordBatch::try_from_iter(ids.into_iter().chain(columns)).unwrap();
    convert_batch(&batch, &origin()).unwrap()
}

fn column(converted: &Converted, name: &str) -> Option<(DataType, Vec<Option<String>>)> {
    let array = converted.batch.column_by_name(name)?;
    let text = cast(array, &DataType::Utf8).unwrap();
    let cells = text.as_string::<i32>().iter().map(|cell| cell.map(str::to_owned)).collect();
    Some((array.data_type().clone(), cells))
}

fn cells(array: ArrayRef, name: &str) -> Vec<Option<String>> {
    column(&convert(vec![(name, array)]), name).map(|(_, cells)| cells).unwrap_or_default()
}

fn some(texts: [&str; 3]) -> Vec<Option<String>> {
    texts.map(|text| (text != "-").then(|| text.to_owned())).to_vec()
}

#[test]
fn texts_of_every_encoding() {
    let texts = StringArray::from(vec![Some("a"), None, Some("c")]);
    for data_type in [
        DataType::Utf8,
        DataType::LargeUtf8,
        DataType::Utf8View,
        DataType::Binary,
        DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::LargeUtf8)),
    ] {
        let array = cast(&texts, &data_type).unwrap();
        assert_eq!(cells(Arc::clone(&array), "name"), some(["a", "-", "c"]), "{data_type}");
        assert_eq!(cells(array, "attributes.x"), some(["a", "-", "c"]), "{data_type}");
    }
    let id: ArrayRef = Arc::new(FixedSizeBinaryArray::try_from_iter([[1u8, 255], [0, 16], [0, 0]].iter()).unwrap());
    assert_eq!(cells(id, "parent_id"), some(["01ff", "0010", "-"]));
    let id: ArrayRef = Arc::new(UInt64Array::from(vec![u64::MAX, 0, 1]));
    assert_eq!(cells(id, "parent_id"), some(["18446744073709551615", "-", "1"]));
    let whom: ArrayRef = Arc::new(StringArray::from(vec!["", "a", ""]));
    for name in ["attributes.session.id", "attributes.user.id", "attributes.gen_ai.conversation.id"] {
        assert_eq!(cells(Arc::clone(&whom), name), some(["-", "a", "-"]), "{name}");
    }
}

#[test]
fn times_of_every_type() {
    let want = some(["2025-08-19T18:58:15Z", "-", "1970-01-01T00:00:00Z"]);
    let seconds = TimestampSecondArray::from(vec![Some(1_755_629_895), None, Some(0)]);
    for unit in [TimeUnit::Second, TimeUnit::Millisecond, TimeUnit::Microsecond, TimeUnit::Nanosecond] {
        for zone in [None, Some("+02:00".into())] {
            let array = cast(&seconds.clone().with_timezone("UTC"), &DataType::Timestamp(unit, Some("UTC".into())));
            let array = cast(&array.unwrap(), &DataType::Timestamp(unit, zone)).unwrap();
            assert_eq!(cells(array, "start_time"), want);
        }
    }
    let integers = cast(&seconds, &DataType::Int64).unwrap();
    assert_eq!(cells(Arc::clone(&integers), "start_time"), want);
    assert_eq!(cells(cast(&integers, &DataType::UInt32).unwrap(), "start_time"), want);
    let floats: ArrayRef = Arc::new(Float64Array::from(vec![Some(1_755_629_895.0), Some(f64::NAN), Some(0.0)]));
    assert_eq!(cells(floats, "start_time"), want);
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["2025-08-19 18:58:15", "", "0"]));
    assert_eq!(cells(texts, "start_time"), want);
    let dates: ArrayRef = Arc::new(Date32Array::from(vec![Some(1), None, Some(-1)]));
    assert_eq!(cells(dates, "start_time"), some(["1970-01-02T00:00:00Z", "-", "1969-12-31T00:00:00Z"]));
}

#[test]
fn rows_that_do_not_fit_are_named_and_left_out() {
    let far = PrimitiveArray::<TimestampSecondType>::from(vec![Some(i64::MAX), Some(1), None]);
    let tokens = Float64Array::from(vec![Some(1.0), Some(f64::NAN), Some(2.5)]);
    let converted =
        convert(vec![("start_time", Arc::new(far)), ("attributes.llm.token_count.total", Arc::new(tokens))]);
    let bad: Vec<_> = converted.bad.iter().map(|(row, row_error)| (*row, row_error.to_string())).collect();
    assert_eq!(bad.len(), 2);
    assert!(bad[0].1.starts_with("start_time: ") && bad[0].1.ends_with("is outside the years 1678 to 2261"), "{bad:?}");
    assert_eq!(bad[1], (2, "attributes.llm.token_count.total: 2.5 is not an integer".to_owned()));
    assert_eq!(converted.batch.num_rows(), 1);
    assert_eq!(column(&converted, "context.span_id").unwrap().1, [Some("s1".to_owned())]);

    let zeros: ArrayRef = Arc::new(StringArray::from(vec!["00", "s1", "0x0"]));
    let zeros = RecordBatch::try_from_iter([("trace_id", Arc::clone(&zeros)), ("span_id", zeros)]).unwrap();
    let converted = convert_batch(&zeros, &origin()).unwrap();
    let bad: Vec<_> = converted.bad.iter().map(|(row, row_error)| (*row, row_error.to_string())).collect();
    let reason = |id: &str| format!("context.trace_id: {id:?} is all zeros, which is no id");
    assert_eq!(bad, [(0, reason("00")), (2, reason("0x0"))]);
    assert_eq!(converted.batch.num_rows(), 1);

    let no_ids = RecordBatch::try_from_iter([("name", Arc::new(StringArray::from(vec!["x"])) as ArrayRef)]).unwrap();
    let converted = convert_batch(&no_ids, &origin()).unwrap();
    assert_eq!(converted.bad[0].1.to_string(), "context.trace_id: missing or empty");
    assert_eq!(converted.batch.num_rows(), 0);
}

#[test]
fn lists_structs_and_maps_become_json() {
    let mut list = ListBuilder::new(StringBuilder::new());
    list.append_value([Some("{\"role\": \"user\"}"), Some("plain")]);
    list.append_value([None::<&str>; 0]);
    list.append_null();
    let list: ArrayRef = Arc::new(list.finish());
    assert_eq!(
        cells(Arc::clone(&list), "attributes.llm.input_messages"),
        some(["[{\"role\": \"user\"},\"plain\"]", "[]", "-"])
    );
    assert_eq!(cells(list, "attributes.x"), some(["[\"{\\\"role\\\": \\\"user\\\"}\",\"plain\"]", "[]", "-"]));

    let fields = Fields::from(vec![Field::new("a", DataType::Int32, true), Field::new("b", DataType::Utf8, true)]);
    let a: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), None, Some(3)]));
    let b: ArrayRef = Arc::new(StringArray::from(vec![None, Some("x"), Some("y")]));
    let nulls = vec![true, true, false].into();
    let object: ArrayRef = Arc::new(StructArray::new(fields.clone(), vec![a, b], Some(nulls)));
    assert_eq!(cells(Arc::clone(&object), "attributes.metadata"), some(["{\"a\":1}", "{\"b\":\"x\"}", "-"]));
    let item = Arc::new(Field::new("item", object.data_type().clone(), true));
    let objects: ArrayRef = Arc::new(ListArray::new(item, OffsetBuffer::from_lengths([2, 1, 0]), object, None));
    assert_eq!(cells(objects, "events"), some(["[{\"a\":1},{\"b\":\"x\"}]", "[null]", "[]"]));
}

#[test]
fn structs_and_maps_above_columns_are_taken_apart() {
    let tokens: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), None, Some(3)]));
    let retries: ArrayRef = Arc::new(Int64Array::from(vec![4, 5, 6]));
    let metadata: ArrayRef = Arc::new(StringArray::from(vec![Some("{\"z\": 0}"), None, None]));
    let total = Arc::new(Field::new("llm.token_count.total", DataType::Int32, true));
    let attributes: ArrayRef = Arc::new(StructArray::new(
        Fields::from(vec![
            total.as_ref().clone(),
            Field::new("retries", DataType::Int64, true),
            Field::new("metadata", DataType::Utf8, true),
        ]),
        vec![tokens, retries, metadata],
        Some(vec![true, true, false].into()),
    ));
    let mut map = MapBuilder::new(None, StringBuilder::new(), Int64Builder::new());
    map.keys().append_value("a.b");
    map.values().append_value(7);
    map.keys().append_value("c");
    map.values().append_null();
    map.append(true).unwrap();
    map.append(true).unwrap();
    map.append(false).unwrap();
    let keys: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), None, Some(2)]));
    let converted = convert(vec![
        ("attributes", attributes),
        ("attributes.retries", Arc::new(Float64Array::from(vec![None, Some(0.5), None]))),
        ("resource", Arc::new(map.finish())),
        ("attributes.metadata.key", keys),
        ("attributes.nothing", Arc::new(NullArray::new(3))),
        ("latency_ms", Arc::new(Int64Array::from(vec![1, 2, 3]))),
    ]);
    assert_eq!(
        column(&converted, "attributes.llm.token_count.total").unwrap(),
        (DataType::Int64, some(["1", "-", "-"]))
    );
    assert_eq!(column(&converted, "attributes.retries").unwrap(), (DataType::Float64, some(["4.0", "0.5", "-"])));
    assert_eq!(column(&converted, "attributes.resource.a.b").unwrap(), (DataType::Int64, some(["7", "-", "-"])));
    assert_eq!(column(&converted, "attributes.resource").unwrap().1, some(["-", "{}", "-"]));
    assert_eq!(column(&converted, "attributes.metadata").unwrap().1, some(["{\"z\": 0,\"key\":1}", "-", "-"]));
    assert_eq!(column(&converted, METADATA_PATCH).unwrap().1, some(["-", "-", "{\"key\":2}"]));
    for absent in ["attributes.nothing", "attributes.resource.c", "latency_ms", "attributes.metadata.key"] {
        assert!(column(&converted, absent).is_none(), "{absent}");
    }
    assert_eq!(converted.moved.into_iter().collect::<Vec<_>>(), ["resource"]);
}

#[test]
fn open_types() {
    let int = |values: Vec<i64>| Arc::new(Int64Array::from(values)) as ArrayRef;
    let type_of = |array: ArrayRef| column(&convert(vec![("attributes.v", array)]), "attributes.v");
    assert_eq!(
        type_of(cast(&int(vec![1, 2, 3]), &DataType::UInt8).unwrap()),
        Some((DataType::Int64, some(["1", "2", "3"])))
    );
    assert_eq!(
        type_of(Arc::new(UInt64Array::from(vec![u64::MAX, 0, 1]))),
        Some((DataType::Utf8, some(["18446744073709551615", "0", "1"])))
    );
    assert_eq!(
        type_of(Arc::new(Float32Array::from(vec![0.5, f32::NAN, f32::INFINITY]))),
        Some((DataType::Float64, some(["0.5", "-", "-"])))
    );
    let decimals = Decimal128Array::from(vec![150, 200, 5]).with_precision_and_scale(5, 2).unwrap();
    assert_eq!(type_of(Arc::new(decimals)), Some((DataType::Float64, some(["1.5", "2.0", "0.05"]))));
    let dictionary: DictionaryArray<Int32Type> = vec!["x", "y", "x"].into_iter().collect();
    assert_eq!(type_of(Arc::new(dictionary)), Some((DataType::Utf8, some(["x", "y", "x"]))));
    let times: ArrayRef = Arc::new(TimestampSecondArray::from(vec![1, 2, 3]));
    assert_eq!(
        column(&convert(vec![("annotation.q.updated_at", times)]), "annotation.q.updated_at").unwrap().0,
        DataType::Int64
    );
    // Two columns for one name, through a struct and by its full name.
    let members = StructArray::new(
        Fields::from(vec![Field::new("v", DataType::Int64, true)]),
        vec![int(vec![1, 2, i64::MAX])],
        None,
    );
    let later = Float64Array::from(vec![None, Some(2.5), None]);
    let converted = convert(vec![("attributes", Arc::new(members)), ("attributes.v", Arc::new(later))]);
    assert_eq!(column(&converted, "attributes.v"), Some((DataType::Utf8, some(["1", "2.5", "9223372036854775807"]))));
}

#[test]
fn notes_are_the_same_as_texts_and_as_objects() {
    let mut lists = ListBuilder::new(StringBuilder::new());
    lists.append_value([Some("{\"text\": \"a\"}"), None, Some("plain")]);
    lists.append_null();
    lists.append_value([Some("[1]")]);
    let lists: ArrayRef = Arc::new(lists.finish());
    let notes = some(["[{\"text\": \"a\"},null,\"plain\"]", "-", "[[1]]"]);
    assert_eq!(cells(Arc::clone(&lists), "annotation.notes"), notes);
    let wrapped = some(["[\"{\\\"text\\\": \\\"a\\\"}\",null,\"plain\"]", "-", "[\"[1]\"]"]);
    assert_eq!(cells(lists, "annotation.other.text"), wrapped, "other lists of texts stay lists of texts");
    let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("[{\"text\": \"a\"}]"), None, Some("no list")]));
    assert_eq!(cells(texts, "annotation.notes"), some(["[{\"text\": \"a\"}]", "-", "no list"]));
}

#[test]
fn fallbacks_sources_and_projects() {
    let text = |values: [Option<&str>; 3]| Arc::new(StringArray::from(values.to_vec())) as ArrayRef;
    let converted = convert(vec![
        ("time", text([Some("1"), Some("2"), Some("not needed")])),
        ("start_time", text([None, Some(""), Some("3")])),
        ("span_kind", text([Some("llm"), Some("tool"), None])),
        ("attributes.openinference.span.kind", text([None, Some("Agent"), None])),
        ("source", text([Some("opik"), Some("mine"), None])),
        ("project", text([Some("p"), None, Some("")])),
    ]);
    assert!(converted.bad.is_empty(), "{:?}", converted.bad);
    for (name, want) in [
        ("start_time", ["1970-01-01T00:00:01Z", "1970-01-01T00:00:02Z", "1970-01-01T00:00:03Z"]),
        ("attributes.openinference.span.kind", ["LLM", "AGENT", "-"]),
        ("source", ["opik", "file", "file"]),
        ("attributes.source", ["-", "mine", "-"]),
        ("project", ["p", "default", "default"]),
    ] {
        assert_eq!(column(&converted, name).unwrap().1, some(want), "{name}");
    }
    assert_eq!(converted.moved.into_iter().collect::<Vec<_>>(), ["source"]);
}

#[test]
fn values_that_a_text_column_gets() {
    let floats: ArrayRef = Arc::new(Float64Array::from(vec![5.0, 0.5, f64::NAN]));
    assert_eq!(cells(floats, "name"), some(["5", "0.5", "-"]));
    let times: ArrayRef = Arc::new(TimestampSecondArray::from(vec![Some(0), None, Some(1)]));
    let utc = some(["1970-01-01T00:00:00Z", "-", "1970-01-01T00:00:01Z"]);
    for name in ["name", "attributes.at", "attributes.a.updated_at", "annotation.a.at"] {
        assert_eq!(cells(Arc::clone(&times), name), utc, "{name}");
    }
    let bytes: ArrayRef = Arc::new(BinaryArray::from(vec![&b"a"[..], &[0xff, 0x00], b""]));
    assert_eq!(cells(bytes, "attributes.x"), some(["a", "ff00", ""]));
    let runs =
        RunArray::<Int32Type>::try_new(&Int32Array::from(vec![2, 3]), &StringArray::from(vec!["a", "b"])).unwrap();
    assert_eq!(cells(Arc::new(runs), "attributes.x"), some(["a", "a", "b"]));
    let runs = RunArray::<Int32Type>::try_new(&Int32Array::from(vec![2, 3]), &Int64Array::from(vec![7, 8])).unwrap();
    let converted = convert(vec![("attributes.x", Arc::new(runs))]);
    assert_eq!(column(&converted, "attributes.x"), Some((DataType::Int64, some(["7", "7", "8"]))));
    const ESCAPED: &str = "attributes.exception.escaped";
    let flags: ArrayRef = Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)]));
    let words: ArrayRef = Arc::new(StringArray::from(vec!["true", "", "false"]));
    for escaped in [flags, words] {
        let converted = convert(vec![(ESCAPED, escaped)]);
        assert_eq!(column(&converted, ESCAPED), Some((DataType::Boolean, some(["true", "-", "false"]))));
    }
}

#[test]
fn values_that_a_number_column_gets() {
    const COST: &str = crate::columns::COST;
    let converted = convert(vec![(COST, Arc::new(Float32Array::from(vec![0.5, f32::NAN, -0.0])))]);
    let column = converted.batch.column_by_name(COST).unwrap().as_primitive::<arrow::datatypes::Float64Type>();
    assert_eq!((column.value(0), column.is_null(1), column.value(2).is_sign_positive()), (0.5, true, true));
    let changes: Vec<_> = converted.changes.iter().map(|(row, change, name)| (*row, *change, name.as_str())).collect();
    assert_eq!(changes, [(1, super::super::changes::Change::NotFinite, COST)]);
    assert_eq!(cells(Arc::new(Int32Array::from(vec![1, 2, 3])), COST), some(["1.0", "2.0", "3.0"]));
    assert_eq!(cells(Arc::new(StringArray::from(vec!["1.5", "", "2"])), COST), some(["1.5", "-", "2.0"]));
    let tokens = Arc::new(UInt64Array::from(vec![1, u64::MAX, 2]));
    let costs = Arc::new(StringArray::from(vec!["1", "2", "x"]));
    let converted = convert(vec![("attributes.llm.token_count.total", tokens), (COST, costs)]);
    let bad: Vec<_> = converted.bad.iter().map(|(_, row_error)| row_error.to_string()).collect();
    let large = "attributes.llm.token_count.total: 18446744073709551615 is not a 64-bit integer".to_owned();
    assert_eq!(bad, [large, format!("{COST}: \"x\" is not a number")]);
    let none: ArrayRef = Arc::new(Float64Array::from(vec![f64::NAN; 3]));
    let converted = convert(vec![(COST, Arc::clone(&none)), ("attributes.x", none)]);
    assert_eq!(converted.batch.num_columns(), 4, "columns without a value are none");
}

#[test]
fn changes_of_rows_that_are_left_out_are_not_told() {
    let tokens: ArrayRef = Arc::new(StringArray::from(vec!["x", "1", "2"]));
    let costs: ArrayRef = Arc::new(Float64Array::from(vec![f64::NAN, f64::NAN, 0.5]));
    let columns = vec![("attributes.llm.token_count.total", tokens), ("attributes.cost", costs)];
    let converted = convert(columns);
    assert_eq!(converted.bad.iter().map(|(row, _)| *row).collect::<Vec<_>>(), [0]);
    assert_eq!(converted.changes.iter().map(|(row, ..)| *row).collect::<Vec<_>>(), [1]);
}

#[test]
fn a_project_may_be_forced() {
    let text = |texts: [&str; 1]| Arc::new(StringArray::from(texts.to_vec())) as ArrayRef;
    let columns =
        [("trace_id", text(["t"])), ("span_id", text(["s"])), ("project", text(["mine"])), ("source", text(["opik"]))];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    for (force_project, project) in [(false, "mine"), (true, "default")] {
        let converted = convert_batch(&batch, &Origin { force_project, ..origin() }).unwrap();
        assert_eq!(column(&converted, "project").unwrap().1, [Some(project.to_owned())]);
        assert!(converted.moved.is_empty() && column(&converted, "attributes.source").is_none());
    }
}

#[test]
fn structs_are_taken_apart_to_a_depth() {
    let object = |array: ArrayRef| -> ArrayRef {
        let fields = Fields::from(vec![Field::new("a", array.data_type().clone(), true)]);
        Arc::new(StructArray::new(fields, vec![array], None))
    };
    let map = |array: ArrayRef| -> ArrayRef {
        let value = Field::new("values", array.data_type().clone(), true);
        let fields = Fields::from(vec![Field::new("keys", DataType::Utf8, false), value]);
        let entries = StructArray::new(fields, vec![Arc::new(StringArray::from(vec!["a"; 3])), array], None);
        let field = Arc::new(Field::new("entries", entries.data_type().clone(), false));
        Arc::new(MapArray::new(field, OffsetBuffer::from_lengths([1; 3]), entries, None, false))
    };
    let nested = |depth: usize, wrap: &dyn Fn(ArrayRef) -> ArrayRef| {
        let array = (0..depth).fold(Arc::new(Int64Array::from(vec![1, 2, 3])) as ArrayRef, |array, _| wrap(array));
        let ids: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "c"]));
        let columns = [("trace_id", Arc::clone(&ids)), ("span_id", ids), ("attributes", array)];
        convert_batch(&RecordBatch::try_from_iter(columns).unwrap(), &origin())
    };
    for wrap in [&object as &dyn Fn(ArrayRef) -> ArrayRef, &map] {
        assert_eq!(nested(MAX_DEPTH, wrap).unwrap().batch.num_columns(), 5);
        assert!(nested(MAX_DEPTH + 1, wrap).is_err_and(|error| error.to_string().contains("nested too deep")));
    }
}

#[test]
fn empty_objects_are_values_but_for_families() {
    let empty: ArrayRef = Arc::new(StructArray::new_empty_fields(3, Some(vec![true, false, true].into())));
    assert_eq!(cells(Arc::clone(&empty), "attributes.x"), some(["{}", "-", "{}"]));
    for family in ["attributes", "eval"] {
        let converted = convert(vec![(family, Arc::clone(&empty))]);
        assert_eq!(converted.batch.num_columns(), 4, "{family}");
    }
}

#[test]
fn elements_of_json_lists_are_json_of_their_own() {
    let mut tools = ListBuilder::new(StringBuilder::new());
    tools.append_value([Some("{\"a\": 1}"), Some("\"plain\""), Some("NaN"), None, Some("say \"hi\""), Some("")]);
    tools.append_null();
    tools.append_value([None::<&str>; 0]);
    let mut notes = LargeListBuilder::new(StringViewBuilder::new());
    let mut other = ListBuilder::new(StringBuilder::new());
    for _ in 0..3 {
        notes.append_value([Some("[1]")]);
        other.append_value([Some("5")]);
    }
    let ids: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "c"]));
    let columns: [(&str, ArrayRef); 5] = [
        ("context.trace_id", Arc::clone(&ids)),
        ("context.span_id", ids),
        ("attributes.llm.tools", Arc::new(tools.finish())),
        (NOTES, Arc::new(notes.finish())),
        ("attributes.tags", Arc::new(other.finish())),
    ];
    let converted = convert_batch_of_json_lists(&RecordBatch::try_from_iter(columns).unwrap(), &origin()).unwrap();
    let text = |name: &str| converted.batch[name].as_string::<i32>().iter().collect::<Vec<_>>();
    assert_eq!(
        text("attributes.llm.tools"),
        [Some(r#"[{"a": 1},"plain",null,null,"say \"hi\"",""]"#), None, Some("[]")]
    );
    assert_eq!(text(NOTES), [Some("[[1]]"); 3]);
    assert_eq!(text("attributes.tags"), [Some("[\"5\"]"); 3]);
    assert_eq!(converted.changes, [(0, Change::NotFinite, "attributes.llm.tools".to_owned())]);
}
