use std::sync::Arc;

use arrow::array::{
    ArrayRef, Float64Array, Int64Array, ListArray, RecordBatch, StringArray, TimestampNanosecondArray, new_null_array,
};
use arrow::datatypes::{DataType, Field, Int64Type};

use super::*;

const DAY: i64 = 86_400_000_000_000;
/// 2026-01-01
const START: i64 = 1_767_225_600_000_000_000;

fn texts(values: impl IntoIterator<Item = impl Into<String>>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values.into_iter().map(Into::into)))
}

fn days(count: i64) -> ArrayRef {
    let times = TimestampNanosecondArray::from_iter_values((0..count).map(|day| START + day * DAY));
    Arc::new(times.with_timezone("UTC"))
}

fn drawn(spec: &str, columns: Vec<(&str, ArrayRef)>) -> Chart {
    let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true))).unwrap();
    let mut builder = ChartBuilder::new(ChartSpec::parse(spec).unwrap(), &batch.schema()).unwrap();
    // In two pieces, as results come.
    let half = batch.num_rows() / 2;
    builder.see(&batch.slice(0, half)).unwrap();
    builder.see(&batch.slice(half, batch.num_rows() - half)).unwrap();
    builder.finish()
}

fn numbers(values: impl IntoIterator<Item = f64>) -> ArrayRef {
    Arc::new(Float64Array::from_iter_values(values))
}

#[test]
fn every_kind_is_drawn() {
    let x = || texts(["a", "b", "a"]);
    let line = drawn("line x=day y=n", vec![("day", days(3)), ("n", numbers([1.0, 2.0, 3.0]))]);
    assert!(line.svg.unwrap().contains("01-0"), "days are readable");
    let bar = drawn("bar x=x y=n", vec![("x", x()), ("n", numbers([1.0, 2.0, 3.0]))]);
    assert_eq!(bar.description, "Bar chart of n by x: 2 bars");
    assert_eq!(bar.legend, Vec::<String>::new());
    let stacked = drawn(
        "stacked x=day y=n series=x title='T'",
        vec![("day", days(3)), ("x", x()), ("n", numbers([1.0, 2.0, 3.0]))],
    );
    assert_eq!(stacked.legend, ["a", "b"]);
    assert_eq!(stacked.title.as_deref(), Some("T"));
    let histogram = drawn("histogram x=n bins=2", vec![("n", numbers([1.0, 2.0, 9.0]))]);
    assert_eq!(histogram.ranges, [("0–5".to_owned(), 2), ("5–10".to_owned(), 1)]);
    let hours: ArrayRef = Arc::new(Int64Array::from(vec![0, 23, 5]));
    let heat = drawn("heat x=h y=x value=n", vec![("h", hours), ("x", x()), ("n", numbers([1.0, 2.0, 3.0]))]);
    assert_eq!(heat.description, "Heat map of n by h and x: 2 rows of 24 fields");
    assert!(heat.svg.is_some());
}

#[test]
fn nothing_is_said_to_be_nothing() {
    for spec in ["line x=x y=n", "bar x=x y=n", "stacked x=x y=n", "histogram x=n", "heat x=x y=x value=n"] {
        let empty = drawn(spec, vec![("x", texts(Vec::<String>::new())), ("n", numbers([]))]);
        assert_eq!((empty.svg, empty.notes), (None, vec!["no rows".to_owned()]), "{spec}");
        let nulls: ArrayRef = new_null_array(&DataType::Float64, 2);
        let nothing = drawn(spec, vec![("x", texts(["a", "b"])), ("n", nulls)]);
        assert_eq!((nothing.svg, nothing.notes), (None, vec!["no values to draw".to_owned()]), "{spec}");
    }
}

#[test]
fn odd_values_are_drawn() {
    let odd = || -> ArrayRef {
        Arc::new(Float64Array::from(vec![
            Some(f64::NAN),
            None,
            Some(f64::INFINITY),
            Some(-2.5),
            Some(1e300),
            Some(0.0),
        ]))
    };
    for spec in ["line x=x y=n", "bar x=x y=n", "stacked x=x y=n", "histogram x=n", "heat x=x y=x value=n"] {
        let x = texts(["a", "b", "c", "d", "e", "f"]);
        let svg = drawn(spec, vec![("x", x), ("n", odd())]).svg.unwrap();
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{spec}: {svg}");
        let one = drawn(spec, vec![("x", texts(["a"])), ("n", numbers([0.0]))]).svg.unwrap();
        assert!(!one.contains("NaN") && !one.contains("inf"), "{spec}: {one}");
    }
    let one = drawn("line x=day y=n", vec![("day", days(1)), ("n", numbers([5.0]))]).svg.unwrap();
    assert!(one.contains("2026-01-01"), "one time has its whole date");
}

#[test]
fn numbers_in_text_are_read_and_others_refused() {
    assert!(drawn("bar x=x y=n", vec![("x", texts(["a"])), ("n", texts(["12"]))]).svg.is_some());
    let list: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>([Some([Some(1)])]));
    let schema =
        Schema::new(vec![Field::new("x", DataType::Utf8, true), Field::new("n", list.data_type().clone(), true)]);
    let error = ChartBuilder::new(ChartSpec::parse("bar x=x y=n").unwrap(), &schema).unwrap_err();
    assert!(error.starts_with("chart: the column 'n' holds no numbers"), "{error}");
}

#[test]
fn many_rows_stay_a_small_drawing() {
    let count = 10_000;
    let numbers = || numbers((0..count).map(f64::from));
    let x = || texts((0..count).map(|at| format!("label {at}")));
    let bar = drawn("bar x=x y=n", vec![("x", x()), ("n", numbers())]);
    assert_eq!(bar.notes, ["9970 more are not drawn"]);
    assert!(bar.svg.unwrap().len() < 20_000);
    let line = drawn("line x=n y=n", vec![("n", numbers())]);
    assert_eq!(line.notes, ["the chart shows one of 10 points"]);
    let days = drawn("bar x=day y=n", vec![("day", days(200)), ("n", super::tests::numbers((0..200).map(f64::from)))]);
    assert_eq!(days.notes, ["80 earlier bars are not drawn"]);
    let names = texts((0..200).map(|at| format!("s{}", at % 20)));
    let places = super::tests::numbers((0..200).map(|at| f64::from(at / 20)));
    let series = drawn("line x=n y=n series=x", vec![("x", names), ("n", places)]);
    assert_eq!(series.legend.len(), draw::SERIES.len());
    assert!(series.notes.contains(&"12 more series are not drawn".to_owned()), "{:?}", series.notes);
    let names = texts((0..100_000).map(|at| format!("s{at}")));
    let all = || super::tests::numbers((0..100_000).map(f64::from));
    let series = drawn("line x=i y=n series=s", vec![("i", all()), ("n", all()), ("s", names)]);
    assert_eq!(series.notes, ["the chart shows one of 100 points", "992 more series are not drawn"]);
    assert_eq!((series.legend.len(), series.legend[0].as_str()), (draw::SERIES.len(), "s99900"));
    let heat = drawn("heat x=n y=x value=n", vec![("x", x()), ("n", numbers())]);
    assert!(heat.svg.unwrap().len() < 400_000);
}

#[test]
fn labels_are_text() {
    let hostile = [
        "</text><script>alert(1)</script>",
        "\" onload=\"alert(1)",
        "&lt;b&gt;",
        "<image href=x onerror=alert(1)>",
        "\u{1b}]52;c;AAAA\u{7}\u{202e}\u{200b}",
        "]]><!--",
        &"x".repeat(5 << 20),
    ];
    let x = || texts(hostile);
    let n = || numbers((1..=hostile.len()).map(|at| at as f64));
    for spec in
        ["bar x=x y=n", "line x=x y=n", "stacked x=n y=n series=x", "heat x=x y=x value=n", "heat x=n y=x value=n"]
    {
        let chart = drawn(spec, vec![("x", x()), ("n", n())]);
        let svg = chart.svg.unwrap();
        assert!(svg.len() < 100_000, "{spec}");
        for forbidden in ["<script", "<image", "<!--", "\u{1b}", "\u{202e}", "\u{200b}", "]]>"] {
            assert!(!svg.contains(forbidden), "{spec} lets {forbidden} through");
        }
        // Every element is one that drawings are made of.
        for element in svg.split('<').skip(1) {
            let name = element.split([' ', '>', '/', '\n']).find(|name| !name.is_empty()).unwrap_or_default();
            let known = ["svg", "g", "text", "rect", "line", "path", "circle", "polyline", "polygon", "ellipse"];
            assert!(known.contains(&name), "{spec}: <{name}");
            let (tag, _) = element.split_once('>').unwrap();
            assert!(!tag.contains(" on") && !tag.contains("href") && !tag.contains("data-"), "{spec}: <{tag}>");
        }
        for label in &chart.legend {
            assert!(label.chars().count() <= 60 && !label.contains('\u{1b}'), "{label}");
        }
    }
}
