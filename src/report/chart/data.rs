//! The values of a chart, taken out of a result as it comes.

use std::collections::HashMap;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::{can_cast_types, cast};
use arrow::datatypes::{DataType, Float64Type, Int64Type, Schema, TimeUnit};
use arrow::error::ArrowError;

use super::bins::TOO_LARGE;
use super::spec::{ChartKind, ChartSpec};
use spanql_output::{CellTexts, Zone, escape_terminal};

/// Rows that a chart looks at.
const MAX_ROWS: usize = 100_000;
/// Characters of a label.
const LABEL: usize = 40;

/// Where a value stands: along the axis, or as the name of a series or of a row.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum At {
    /// Milliseconds since 1970.
    Time(i64),
    Number(f64),
    Label(String),
}

/// How the values along an axis are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AxisKind {
    Time,
    Number,
    Label,
}

/// The values of the rows seen so far.
#[derive(Debug)]
pub(super) struct Points {
    pub(super) axis: AxisKind,
    /// Of each row.
    pub(super) x: Vec<At>,
    /// Of each row, by the spec's columns of values.
    pub(super) values: Vec<Vec<Option<f64>>>,
    /// Of each row, where the spec has such a column.
    pub(super) names: Vec<String>,
    /// Rows beyond those looked at.
    pub(super) beyond: u64,
    x_column: usize,
    value_columns: Vec<usize>,
    name_column: Option<usize>,
}

impl Points {
    /// Prepares to take the values of a result with these columns.
    ///
    /// # Errors
    /// When a column is missing, or its type holds no numbers where numbers are drawn.
    pub(super) fn new(spec: &ChartSpec, schema: &Schema) -> Result<Self, String> {
        spec.check(schema)?;
        let index = |name: &str| schema.index_of(name).map_err(|error| error.to_string());
        let x_column = index(&spec.x)?;
        let (of_values, of_names): (Vec<&str>, Option<&str>) = match spec.kind {
            ChartKind::Histogram => (vec![&spec.x], None),
            ChartKind::Heat => (spec.value.as_deref().into_iter().collect(), spec.y.first().map(String::as_str)),
            _ => (spec.y.iter().map(String::as_str).collect(), spec.series.as_deref()),
        };
        for name in &of_values {
            let data_type = schema.field(index(name)?).data_type();
            if !can_cast_types(data_type, &DataType::Float64) {
                return Err(format!("chart: the column '{name}' holds no numbers but {data_type}"));
            }
        }
        let axis = match schema.field(x_column).data_type() {
            DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => AxisKind::Time,
            other if other.is_numeric() => AxisKind::Number,
            _ => AxisKind::Label,
        };
        Ok(Self {
            axis,
            x: vec![],
            values: vec![vec![]; of_values.len()],
            names: vec![],
            beyond: 0,
            x_column,
            value_columns: of_values.into_iter().map(index).collect::<Result<_, _>>()?,
            name_column: of_names.map(index).transpose()?,
        })
    }

    /// Takes the values of further rows.
    ///
    /// # Errors
    /// When Arrow cannot read a column.
    pub(super) fn see(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        let room = (MAX_ROWS - self.x.len()).min(batch.num_rows());
        self.beyond += (batch.num_rows() - room) as u64;
        if room == 0 {
            return Ok(());
        }
        let batch = batch.slice(0, room);
        let texts = CellTexts::new(&batch, Zone::Utc)?;
        let column = batch.column(self.x_column);
        let of_column = |column: &dyn Array, data_type: &DataType| cast(column, data_type);
        match self.axis {
            AxisKind::Time => {
                let times = of_column(column.as_ref(), &DataType::Timestamp(TimeUnit::Millisecond, None))?;
                let times = of_column(&times, &DataType::Int64)?;
                let times = times.as_primitive::<Int64Type>();
                self.x.extend((0..room).map(|row| match times.is_valid(row) {
                    true => At::Time(times.value(row)),
                    false => At::Label("NULL".to_owned()),
                }));
            }
            AxisKind::Number => {
                let numbers = of_column(column.as_ref(), &DataType::Float64)?;
                let numbers = numbers.as_primitive::<Float64Type>();
                self.x.extend((0..room).map(|row| match numbers.is_valid(row) {
                    true => At::Number(numbers.value(row)),
                    false => At::Label("NULL".to_owned()),
                }));
            }
            AxisKind::Label => self.x.extend((0..room).map(|row| At::Label(label(&texts, self.x_column, row)))),
        }
        for (values, &column) in self.values.iter_mut().zip(&self.value_columns) {
            let numbers = of_column(batch.column(column).as_ref(), &DataType::Float64)?;
            let numbers = numbers.as_primitive::<Float64Type>();
            values.extend(numbers.iter().map(|value| value.filter(|value| value.abs() < TOO_LARGE)));
        }
        if let Some(column) = self.name_column {
            self.names.extend((0..room).map(|row| label(&texts, column, row)));
        }
        Ok(())
    }

    /// The rows' places along the axis, each once: numbers and times in order, labels as they came.
    pub(super) fn places(&self) -> Vec<At> {
        let mut places: Vec<At> = distinct(self.x.iter().cloned(), At::key);
        if self.axis != AxisKind::Label {
            places.retain(|at| !matches!(at, At::Label(_)));
            places.sort_by(|a, b| a.number().total_cmp(&b.number()));
        }
        places
    }
}

/// Each value once, in the order of their first appearances.
pub(super) fn distinct<T>(values: impl Iterator<Item = T>, key: impl Fn(&T) -> Key) -> Vec<T> {
    let mut seen: HashMap<Key, ()> = HashMap::new();
    values.filter(|value| seen.insert(key(value), ()).is_none()).collect()
}

/// What makes places equal.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Key {
    Number(u64),
    Text(String),
}

impl At {
    pub(super) fn key(&self) -> Key {
        match self {
            Self::Label(text) => Key::Text(text.clone()),
            other => Key::Number((other.number() + 0.0).to_bits()),
        }
    }

    /// Its place on a scale; labels have none.
    pub(super) fn number(&self) -> f64 {
        match self {
            Self::Time(millis) => *millis as f64 / 1e3,
            Self::Number(number) => *number,
            Self::Label(_) => f64::NAN,
        }
    }
}

/// A cell as a label: visible, and short.
fn label(texts: &CellTexts, column: usize, row: usize) -> String {
    texts.text(column, row).map_or_else(|| "NULL".to_owned(), |text| shorten(&text))
}

/// The beginning of a text, with everything in it visible.
pub(super) fn shorten(text: &str) -> String {
    let begin = text.char_indices().nth(LABEL).map_or(text, |(end, _)| &text[..end]);
    let cut = begin.len() < text.len();
    let shown = escape_terminal(begin.trim_end());
    if cut { format!("{shown}…") } else { shown.into_owned() }
}
