//! What is said of a call ahead of it, against what it makes.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Int64Array, StringArray};
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::ScalarValue;
use datafusion::config::ConfigOptions;
use datafusion::execution::{FunctionRegistry, SessionStateBuilder};
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF};
use proptest::prelude::*;

use super::Limit;
use super::sizes::ALL;

const MIB: usize = 1 << 20;

fn inner(name: &str) -> Arc<ScalarUDF> {
    SessionStateBuilder::new().with_default_features().build().udf(name).unwrap()
}

fn bounded(name: &str, memory: usize) -> Arc<ScalarUDF> {
    let mut state = SessionStateBuilder::new().with_default_features().build();
    super::register(&mut state, Limit::of_memory(Some(memory))).unwrap();
    state.udf(name).unwrap()
}

fn call(function: &ScalarUDF, args: Vec<ColumnarValue>, rows: usize) -> datafusion::error::Result<ArrayRef> {
    let arg_fields: Vec<_> = args.iter().map(|arg| Arc::new(Field::new("x", arg.data_type(), true))).collect();
    let scalars: Vec<Option<&ScalarValue>> = args
        .iter()
        .map(|arg| match arg {
            ColumnarValue::Scalar(value) => Some(value),
            ColumnarValue::Array(_) => None,
        })
        .collect();
    let return_field =
        function.return_field_from_args(ReturnFieldArgs { arg_fields: &arg_fields, scalar_arguments: &scalars })?;
    let config_options = Arc::new(ConfigOptions::default());
    function
        .invoke_with_args(ScalarFunctionArgs { args, arg_fields, number_rows: rows, return_field, config_options })?
        .into_array(rows)
}

/// Bytes of the texts of an array.
fn text_bytes(array: &ArrayRef) -> u128 {
    let array = datafusion::arrow::compute::cast(array, &DataType::LargeUtf8).unwrap();
    array.as_string::<i64>().iter().flatten().map(|text| text.len() as u128).sum()
}

fn texts(values: &[Option<String>]) -> ColumnarValue {
    ColumnarValue::Array(Arc::new(StringArray::from_iter(values.iter().map(Option::as_deref))))
}

fn numbers(values: &[Option<i64>]) -> ColumnarValue {
    ColumnarValue::Array(Arc::new(Int64Array::from_iter(values.iter().copied())))
}

fn constant(text: &str) -> ColumnarValue {
    ColumnarValue::Scalar(ScalarValue::from(text))
}

proptest! {
    #[test]
    fn no_call_makes_more_than_is_said(
        rows in prop::collection::vec((prop::option::of("[aéß0]{0,12}"), prop::option::of(-3i64..40), prop::option::of("[aé]{0,3}")), 1..9),
        fixed in "[aé]{0,3}",
        to in "[b$0]{0,6}",
    ) {
        let first: Vec<_> = rows.iter().map(|row| row.0.clone()).collect();
        let times: Vec<_> = rows.iter().map(|row| row.1).collect();
        let lengths: Vec<_> = times.iter().map(|length| length.map(|length| length.max(0))).collect();
        let third: Vec<_> = rows.iter().map(|row| row.2.clone()).collect();
        let calls: Vec<(&str, Vec<ColumnarValue>)> = vec![
            ("repeat", vec![texts(&first), numbers(&times)]),
            ("lpad", vec![texts(&first), numbers(&lengths), texts(&third)]),
            ("lpad", vec![texts(&first), numbers(&lengths)]),
            ("rpad", vec![texts(&first), numbers(&lengths), constant(&fixed)]),
            ("replace", vec![texts(&first), constant(&fixed), constant(&to)]),
            ("replace", vec![texts(&first), texts(&third), texts(&first)]),
            ("regexp_replace", vec![texts(&first), constant("[aé]?"), constant(&to), constant("g")]),
            ("concat", vec![texts(&first), constant(&to), texts(&third)]),
            ("concat_ws", vec![constant(&fixed), texts(&first), texts(&third), constant(&to)]),
            ("concat_ws", vec![texts(&third), texts(&first), texts(&third), constant(&to)]),
        ];
        // Of a negative length nothing is left, as for constants.
        for name in ["lpad", "rpad"] {
            let ours = call(&bounded(name, 64 * MIB), vec![texts(&first), numbers(&times)], rows.len()).unwrap();
            let from_none = call(&inner(name), vec![texts(&first), numbers(&lengths)], rows.len()).unwrap();
            prop_assert_eq!(&ours, &from_none);
        }
        for (name, args) in calls {
            let size = ALL.iter().find(|(known, _)| *known == name).unwrap().1;
            let said = size.of_call(&args, rows.len());
            let made = text_bytes(&call(&inner(name), args.clone(), rows.len()).unwrap());
            prop_assert!(made <= said.all(), "{name}: made {made}, said {said:?}");
            // Nothing that is small is refused, and nothing is changed.
            let ours = call(&bounded(name, 64 * MIB), args.clone(), rows.len()).unwrap();
            prop_assert_eq!(&ours, &call(&inner(name), args, rows.len()).unwrap());
        }
    }
}

#[test]
fn a_slice_counts_what_it_holds() {
    let large: ArrayRef = Arc::new(StringArray::from_iter_values((0..100).map(|_| "x".repeat(MIB))));
    let slice = ColumnarValue::Array(large.slice(50, 2));
    for (name, args) in [
        ("concat", vec![slice.clone(), constant("y")]),
        ("concat_ws", vec![constant(","), slice.clone(), slice.clone()]),
        ("upper", vec![slice.clone()]),
        ("array_repeat", vec![slice.clone(), ColumnarValue::Scalar(ScalarValue::from(1_i64))]),
    ] {
        assert!(call(&bounded(name, 64 * MIB), args, 2).is_ok(), "{name}");
    }
    let whole = ColumnarValue::Array(large);
    let refused = call(&bounded("concat", 64 * MIB), vec![whole, constant("y")], 100).unwrap_err();
    assert!(refused.to_string().contains("concat() would make more than a query may hold at once"), "{refused}");
}

#[test]
fn what_may_be_large_and_is_not_is_computed_in_slices() {
    // Each row might become 10 MB if every character matched, and none does.
    let given: Vec<Option<String>> = (0..64).map(|_| Some("z".repeat(1_000))).collect();
    let args = vec![texts(&given), constant("a"), constant(&"b".repeat(5_000))];
    assert_eq!(text_bytes(&call(&bounded("replace", 64 * MIB), args, 64).unwrap()), 64_000);
    // And here all do.
    let given: Vec<Option<String>> = (0..64).map(|_| Some("a".repeat(1_000))).collect();
    let args = vec![texts(&given), constant("a"), constant(&"b".repeat(5_000))];
    assert!(call(&bounded("replace", 64 * MIB), args, 64).is_err());
}
