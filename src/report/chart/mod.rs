//! Charts: a line of text says what, the rows of a result are drawn as SVG.

mod bins;
mod data;
pub(crate) mod draw;
mod spec;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use chrono::{DateTime, Datelike, Timelike, Utc};

use bins::{Bin, bins, short};
use data::{At, AxisKind, Key, Points, distinct, shorten};
use draw::{Drawing, Line, Places, draw};
pub use spec::{ChartKind, ChartSpec};

/// Bars, rows of a heat map, and columns of one.
const MAX_BARS: usize = 30;
/// Bars upright; more of them lie, if few enough.
const MAX_TIMES: usize = 120;
/// Points of a line.
const MAX_POINTS: usize = 1_000;
/// Labels of bars that stand are shorter.
const STANDING: usize = 8;
/// The hours of a day.
const HOURS: usize = 24;

/// A chart that has been drawn.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Chart {
    /// The drawing, trusted markup; none when there was nothing to draw.
    pub(crate) svg: Option<String>,
    /// The names of series, each the more telling with its colour; none when there is only one.
    pub(crate) legend: Vec<String>,
    /// What stands above.
    pub(crate) title: Option<String>,
    /// What it shows, for those who do not see it.
    pub(crate) description: String,
    /// What it does not show, each a sentence without a full stop.
    pub(crate) notes: Vec<String>,
    /// Of a histogram: what it counts.
    pub(crate) of: String,
    /// Of a histogram: its ranges and counts, to stand for the values.
    pub(crate) ranges: Vec<(String, u64)>,
}

/// Draws while the rows come.
#[derive(Debug)]
pub(crate) struct ChartBuilder {
    spec: ChartSpec,
    points: Points,
}

impl ChartBuilder {
    /// Prepares to draw a result with these columns.
    ///
    /// # Errors
    /// When a column is missing, or holds no numbers where numbers are drawn.
    pub(crate) fn new(spec: ChartSpec, schema: &Schema) -> Result<Self, String> {
        let points = Points::new(&spec, schema)?;
        Ok(Self { spec, points })
    }

    /// Takes further rows.
    ///
    /// # Errors
    /// When Arrow cannot read a column.
    pub(crate) fn see(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        self.points.see(batch)
    }

    /// Draws what was seen.
    pub(crate) fn finish(self) -> Chart {
        let of = shorten(&self.spec.x);
        let mut chart = Chart { title: self.spec.title.clone(), of, ..Chart::default() };
        if self.points.beyond > 0 {
            chart.notes.push(format!("the chart is of the first {} rows", self.points.x.len()));
        }
        let drawing = match self.spec.kind {
            ChartKind::Histogram => self.histogram(&mut chart),
            ChartKind::Heat => self.heat(&mut chart),
            ChartKind::Line => self.lines(&mut chart),
            ChartKind::Bar | ChartKind::Stacked => self.bars(&mut chart),
        };
        let Some(drawing) = drawing else {
            chart.notes.push(if self.points.x.is_empty() { "no rows" } else { "no values to draw" }.to_owned());
            return chart;
        };
        chart.description = self.describe(&drawing);
        let (x_title, y_title) = self.titles();
        match draw(&drawing, &x_title, &y_title) {
            Ok(svg) => chart.svg = Some(svg),
            Err(why) => chart.notes.push(format!("the chart could not be drawn: {why}")),
        }
        chart
    }

    /// What stands along the axes.
    fn titles(&self) -> (String, String) {
        let unit = self.spec.unit.as_deref().map(shorten);
        match self.spec.kind {
            ChartKind::Histogram => (unit.unwrap_or_else(|| shorten(&self.spec.x)), "rows".to_owned()),
            _ => (String::new(), unit.unwrap_or_default()),
        }
    }

    fn describe(&self, drawing: &Drawing) -> String {
        let of = |count: usize, thing: &str| format!("{count} {thing}{}", if count == 1 { "" } else { "s" });
        let y: Vec<String> = self.spec.y.iter().map(|name| shorten(name)).collect();
        let (x, y) = (shorten(&self.spec.x), y.join(", "));
        let by = self.spec.series.as_deref().map(|name| format!(" for each {}", shorten(name))).unwrap_or_default();
        match drawing {
            Drawing::Lines { lines, .. } => {
                let points = lines.first().map_or(0, |line| line.values.len());
                format!("Line chart of {y} over {x}{by}: {} at {}", of(lines.len(), "line"), of(points, "point"))
            }
            Drawing::Bars { labels, .. } if self.spec.kind == ChartKind::Histogram => {
                format!("Histogram of {x} in {}", of(labels.len(), "range"))
            }
            Drawing::Bars { labels, stacked, .. } => {
                let kind = if *stacked { "Stacked bar" } else { "Bar" };
                format!("{kind} chart of {y} by {x}{by}: {}", of(labels.len(), "bar"))
            }
            Drawing::Heat { columns, rows, .. } => {
                let value = self.spec.value.as_deref().map(shorten).unwrap_or_default();
                format!(
                    "Heat map of {value} by {x} and {y}: {} of {}",
                    of(rows.len(), "row"),
                    of(columns.len(), "field")
                )
            }
        }
    }

    fn histogram(&self, chart: &mut Chart) -> Option<Drawing> {
        let values: Vec<f64> = self.points.values.iter().flatten().flatten().copied().collect();
        let missing = self.points.x.len() - values.len();
        if missing > 0 && !values.is_empty() {
            chart.notes.push(format!("{missing} rows without a number are not counted"));
        }
        let bins = bins(values, self.spec.bins);
        let label = |bin: &Bin| format!("{}–{}", short(bin.from), short(bin.to));
        chart.ranges = bins.iter().map(|bin| (label(bin), bin.count)).collect();
        let counts = bins.iter().map(|bin| Some(bin.count as f64)).collect();
        let lines = vec![Line { name: "rows".to_owned(), values: counts }];
        // Where a range begins is enough on an axis.
        let labels = bins.iter().map(|bin| short(bin.from)).collect();
        (!bins.is_empty()).then_some(Drawing::Bars { labels, lines, stacked: false, lying: false })
    }

    fn lines(&self, chart: &mut Chart) -> Option<Drawing> {
        let mut places = self.points.places();
        if places.len() > MAX_POINTS {
            let every = places.len().div_ceil(MAX_POINTS);
            chart.notes.push(format!("the chart shows one of {every} points"));
            places = places.into_iter().step_by(every).collect();
        }
        let lines = self.pivot(&places, false, chart);
        if places.is_empty() || lines.is_empty() {
            return None;
        }
        let numbers = || places.iter().map(At::number).collect();
        let places = match self.points.axis {
            // A scale of one time says nothing of the day.
            AxisKind::Time if places.len() > 1 => Places::Times(numbers()),
            AxisKind::Number if places.len() > 1 => Places::Numbers(numbers()),
            _ => Places::Labels(labels(&places)),
        };
        Some(Drawing::Lines { places, lines })
    }

    fn bars(&self, chart: &mut Chart) -> Option<Drawing> {
        let stacked = self.spec.kind == ChartKind::Stacked;
        let mut places = self.points.places();
        let over_time = self.points.axis == AxisKind::Time;
        let most = if over_time { MAX_TIMES } else { MAX_BARS };
        let more = places.len().saturating_sub(most);
        if more > 0 && over_time {
            // The newest matter most.
            chart.notes.push(format!("{more} earlier bars are not drawn"));
            places.drain(..more);
        } else if more > 0 {
            chart.notes.push(format!("{more} more are not drawn"));
            places.truncate(most);
        }
        let lines = self.pivot(&places, true, chart);
        if places.is_empty() || lines.is_empty() {
            return None;
        }
        let labels = labels(&places);
        let lying = self.points.axis == AxisKind::Label
            && (labels.len() > STANDING || labels.iter().any(|label| label.chars().count() > STANDING));
        Some(Drawing::Bars { labels, lines, stacked, lying })
    }

    /// The values of each series at each place; of rows at one place the sum, or the last.
    fn pivot(&self, places: &[At], sum: bool, chart: &mut Chart) -> Vec<Line> {
        let points = &self.points;
        let index: HashMap<Key, usize> = places.iter().enumerate().map(|(at, place)| (place.key(), at)).collect();
        let names: Vec<String> = match points.names.is_empty() {
            true => self.spec.y.iter().map(|name| shorten(name)).collect(),
            false => distinct(points.names.iter().cloned(), |name| Key::Text(name.clone())),
        };
        let by_name: HashMap<&str, usize> = names.iter().enumerate().map(|(at, name)| (name.as_str(), at)).collect();
        // Only those that there are: a name for each row, and a place for each, would be a square.
        let mut cells: BTreeMap<(usize, usize), f64> = BTreeMap::new();
        for (column, values) in points.values.iter().enumerate() {
            for (row, value) in values.iter().enumerate() {
                let (Some(value), Some(&place)) = (*value, index.get(&points.x[row].key())) else { continue };
                let line = points.names.get(row).map_or(Some(&column), |name| by_name.get(name.as_str()));
                let Some(&line) = line else { continue };
                let cell = cells.entry((line, place)).or_default();
                *cell = if sum { *cell + value } else { value };
            }
        }
        let mut totals: BTreeMap<usize, f64> = BTreeMap::new();
        for ((line, _), value) in &cells {
            *totals.entry(*line).or_default() += value.abs();
        }
        let mut drawn: Vec<(usize, f64)> = totals.into_iter().collect();
        let more = drawn.len().saturating_sub(draw::SERIES.len());
        if more > 0 {
            chart.notes.push(format!("{more} more series are not drawn"));
            drawn.sort_by(|(_, a), (_, b)| b.total_cmp(a));
            drawn.truncate(draw::SERIES.len());
        }
        let values = |line| (0..places.len()).map(|place| cells.get(&(line, place)).copied()).collect();
        let lines: Vec<Line> =
            drawn.into_iter().map(|(line, _)| Line { name: names[line].clone(), values: values(line) }).collect();
        if lines.len() > 1 {
            chart.legend = lines.iter().map(|line| line.name.clone()).collect();
        }
        lines
    }

    fn heat(&self, chart: &mut Chart) -> Option<Drawing> {
        let points = &self.points;
        let mut places = points.places();
        let hour =
            |at: &At| matches!(at, At::Number(hour) if hour.fract() == 0.0 && (0.0..HOURS as f64).contains(hour));
        if !places.is_empty() && places.iter().all(hour) {
            places = (0..HOURS).map(|hour| At::Number(hour as f64)).collect();
        }
        let mut rows = distinct(points.names.iter().cloned(), |name| Key::Text(name.clone()));
        for (count, what) in [(places.len(), "columns"), (rows.len(), "rows")] {
            if count > MAX_BARS + 1 {
                chart.notes.push(format!("{} more {what} are not drawn", count - MAX_BARS - 1));
            }
        }
        // A month has one more.
        places.truncate(MAX_BARS + 1);
        rows.truncate(MAX_BARS + 1);
        let column: HashMap<Key, usize> = places.iter().enumerate().map(|(at, place)| (place.key(), at)).collect();
        let row: HashMap<&str, usize> = rows.iter().enumerate().map(|(at, row)| (row.as_str(), at)).collect();
        let mut fields: HashMap<(usize, usize), f64> = HashMap::new();
        for (at, value) in points.values.iter().flatten().enumerate() {
            let (Some(value), Some(&column)) = (value, column.get(&points.x[at].key())) else { continue };
            let Some(&row) = points.names.get(at).and_then(|name| row.get(name.as_str())) else { continue };
            *fields.entry((column, row)).or_default() += value;
        }
        if fields.is_empty() {
            return None;
        }
        // The library paints fields without a value in a colour of its own.
        let all = (0..rows.len()).flat_map(|row| (0..places.len()).map(move |column| (column, row)));
        let fields = all.map(|at| (at.0, at.1, fields.get(&at).copied().unwrap_or_default())).collect();
        Some(Drawing::Heat { columns: labels(&places), rows, fields })
    }
}

/// Places in words; of times only what differs between them.
fn labels(places: &[At]) -> Vec<String> {
    let times: Vec<DateTime<Utc>> = places
        .iter()
        .filter_map(|at| match at {
            At::Time(millis) => DateTime::from_timestamp_millis(*millis),
            _ => None,
        })
        .collect();
    let days = times.iter().all(|time| time.num_seconds_from_midnight() == 0);
    let one_year = times.windows(2).all(|pair| pair[0].year() == pair[1].year());
    let format = match (days, one_year && times.len() > 1) {
        (true, true) => "%m-%d",
        (true, false) => "%Y-%m-%d",
        (false, true) => "%m-%d %H:%M",
        (false, false) => "%Y-%m-%d %H:%M",
    };
    let label = |at: &At| match at {
        At::Time(millis) => DateTime::from_timestamp_millis(*millis)
            .map_or_else(|| millis.to_string(), |time| time.format(format).to_string()),
        At::Number(number) => short(*number),
        At::Label(label) => label.clone(),
    };
    places.iter().map(label).collect()
}
