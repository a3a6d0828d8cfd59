//! Plain values as SVG.
//!
//! Every colour is one of those named here, so that the page's style can give each another one in the dark.

use charts_rs::{
    AxisType, BarChart, Box as Margins, ChartBase, Color, HeatmapChart, HorizontalBarChart, LineChart, Series,
    YAxisConfig,
};

use super::bins::round_up;

/// Width of a drawing, in its own units; the page scales it.
const WIDTH: f32 = 760.0;
/// Height of one that does not grow with its rows.
const HEIGHT: f32 = 280.0;
/// Height of a bar that lies.
const BAR: f32 = 26.0;
/// Room for the axis, the legend and the like around bars that lie.
const AROUND: f32 = 46.0;
/// Side of a field of a heat map.
const FIELD: f32 = 26.0;
const FONT: f32 = 12.0;
/// Fonts as wide as the one that the library measures with.
const FAMILY: &str = "Roboto, Arial, Helvetica, sans-serif";
/// Steps of an axis, about.
const STEPS: f64 = 5.0;

/// Colours of series, in their order; names are the variables of the page's style.
pub(crate) const SERIES: [(&str, Rgb); 8] = [
    ("s1", (47, 111, 171)),
    ("s2", (217, 119, 42)),
    ("s3", (60, 145, 99)),
    ("s4", (187, 66, 79)),
    ("s5", (126, 97, 171)),
    ("s6", (62, 152, 172)),
    ("s7", (168, 128, 37)),
    ("s8", (140, 108, 92)),
];
/// Colours of a heat map, from few to many.
pub(crate) const HEAT: [(&str, Rgb); 6] = [
    ("h1", (227, 236, 246)),
    ("h2", (187, 209, 232)),
    ("h3", (138, 178, 214)),
    ("h4", (84, 141, 191)),
    ("h5", (41, 99, 152)),
    ("h6", (17, 62, 106)),
];
/// Colours of what is written, of lines, and of what lies behind.
pub(crate) const INK: (&str, Rgb) = ("chart-ink", (75, 82, 93));
pub(crate) const GRID: (&str, Rgb) = ("chart-grid", (226, 229, 234));
/// Colours that the library chooses itself: in dots of lines, and along the rows of a heat map.
pub(crate) const PAPER: (&str, Rgb) = ("chart-paper", (255, 255, 255));
pub(crate) const ROWS_INK: (&str, Rgb) = ("chart-ink", (110, 112, 121));
/// Colours of numbers on the fields of a heat map.
pub(crate) const ON_FEW: (&str, Rgb) = ("on-few", (44, 62, 80));
pub(crate) const ON_MANY: (&str, Rgb) = ("on-many", (253, 253, 253));

type Rgb = (u8, u8, u8);

/// A series of values by its name.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line {
    pub(super) name: String,
    pub(super) values: Vec<Option<f64>>,
}

/// What is to be drawn.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Drawing {
    /// Lines over numbers or times; all have as many values as there are places.
    Lines { places: Places, lines: Vec<Line> },
    /// Bars over labels, beside or upon each other.
    Bars { labels: Vec<String>, lines: Vec<Line>, stacked: bool, lying: bool },
    /// Fields of a column, a row and a value.
    Heat { columns: Vec<String>, rows: Vec<String>, fields: Vec<(usize, usize, f64)> },
}

/// Where the points of lines are.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Places {
    /// Seconds since 1970.
    Times(Vec<f64>),
    Numbers(Vec<f64>),
    Labels(Vec<String>),
}

/// Draws; axes have titles if given.
///
/// # Errors
/// What the library says; nothing to draw is an error too.
pub(super) fn draw(drawing: &Drawing, x_title: &str, y_title: &str) -> Result<String, String> {
    let drawn = match drawing {
        Drawing::Lines { places, lines } => draw_lines(places, lines, x_title, y_title),
        Drawing::Bars { labels, lines, lying: true, stacked } => lying_bars(labels, lines, *stacked),
        Drawing::Bars { labels, lines, lying: false, stacked } => {
            standing_bars(labels, lines, *stacked, x_title, y_title)
        }
        Drawing::Heat { columns, rows, fields } => heat(columns, rows, fields),
    };
    drawn.map(|svg| without_data(&svg)).map_err(|error| error.to_string())
}

fn draw_lines(places: &Places, lines: &[Line], x_title: &str, y_title: &str) -> charts_rs::Result<String> {
    let labels = match places {
        Places::Labels(labels) => labels.clone(),
        _ => vec![],
    };
    let mut chart = LineChart::new(series(lines), labels);
    match places {
        Places::Times(times) => {
            chart.x_axis.kind = AxisType::Time;
            chart.x_axis.values.clone_from(times);
        }
        Places::Numbers(numbers) => {
            chart.x_axis.kind = AxisType::Value;
            chart.x_axis.values.clone_from(numbers);
        }
        Places::Labels(_) => chart.x_axis.boundary_gap = Some(false),
    }
    dress(&mut chart.base);
    chart.x_axis.title = x_title.to_owned();
    dress_y(&mut chart.y_axis_configs, lines, false, y_title);
    chart.series.stroke_width = 2.0;
    let points = lines.first().map_or(0, |line| line.values.len());
    if points > 60 {
        chart.series.symbol = Some(charts_rs::Symbol::None);
    }
    chart.svg()
}

fn standing_bars(
    labels: &[String],
    lines: &[Line],
    stacked: bool,
    x_title: &str,
    y_title: &str,
) -> charts_rs::Result<String> {
    let mut chart = BarChart::new(stacks(lines, stacked), labels.to_vec());
    dress(&mut chart.base);
    chart.x_axis.title = x_title.to_owned();
    dress_y(&mut chart.y_axis_configs, lines, stacked, y_title);
    chart.svg()
}

fn lying_bars(labels: &[String], lines: &[Line], stacked: bool) -> charts_rs::Result<String> {
    // The first label is to be at the top.
    let reversed: Vec<Line> = lines
        .iter()
        .map(|line| Line { name: line.name.clone(), values: line.values.iter().rev().copied().collect() })
        .collect();
    let mut chart = HorizontalBarChart::new(stacks(&reversed, stacked), labels.iter().rev().cloned().collect());
    dress(&mut chart.base);
    dress_y(&mut chart.y_axis_configs, lines, stacked, "");
    let side_by_side = if stacked { 1.0 } else { lines.len().max(1) as f32 };
    chart.height = AROUND + labels.len() as f32 * (BAR * (0.5 + side_by_side / 2.0)).max(BAR);
    chart.svg()
}

fn heat(columns: &[String], rows: &[String], fields: &[(usize, usize, f64)]) -> charts_rs::Result<String> {
    // The library counts rows from below.
    let from_below = |row: usize| rows.len() - 1 - row;
    let cell = |&(column, row, value): &(usize, usize, f64)| (from_below(row) * columns.len() + column, value as f32);
    let cells = fields.iter().map(cell).collect();
    let mut chart = HeatmapChart::new(cells, columns.to_vec(), rows.iter().rev().cloned().collect());
    dress(&mut chart.base);
    let values = || fields.iter().map(|field| field.2 as f32);
    chart.heatmap_series.min = values().fold(f32::INFINITY, f32::min).min(0.0);
    chart.heatmap_series.max = values().fold(f32::NEG_INFINITY, f32::max).max(1.0);
    chart.heatmap_series.steps = HEAT.len();
    chart.heatmap_series.min_font_color = color(ON_FEW.1);
    chart.heatmap_series.max_font_color = color(ON_MANY.1);
    chart.heatmap_series.colors = HEAT.iter().map(|(_, rgb)| color(*rgb)).collect();
    chart.height = AROUND + rows.len() as f32 * FIELD;
    chart.svg()
}

/// Looks that all share.
fn dress(base: &mut ChartBase) {
    base.width = WIDTH;
    base.height = HEIGHT;
    base.font_family = FAMILY.to_owned();
    base.background_color = Color::transparent();
    base.margin = Margins { left: 4.0, top: 8.0, right: 16.0, bottom: 4.0 };
    base.title.text = String::new();
    base.title.height = 0.0;
    base.sub_title.height = 0.0;
    // A legend of HTML wraps on a narrow page, and is read aloud.
    base.legend.show = Some(false);
    base.x_axis.font.color = color(INK.1);
    base.x_axis.font.size = FONT;
    base.x_axis.stroke_color = color(GRID.1);
    base.grid.stroke_color = color(GRID.1);
    base.series.colors = SERIES.iter().map(|(_, rgb)| color(*rgb)).collect();
    base.series.label.font.color = color(INK.1);
    base.series.label.font.size = FONT;
}

/// The axis of values: from 0 in round steps where nothing is negative.
fn dress_y(axes: &mut Vec<YAxisConfig>, lines: &[Line], stacked: bool, title: &str) {
    if axes.is_empty() {
        axes.push(YAxisConfig::default());
    }
    let places = lines.first().map_or(0, |line| line.values.len());
    let values = || lines.iter().flat_map(|line| line.values.iter().flatten().copied());
    let total = |place: usize| lines.iter().filter_map(|line| line.values[place]).sum::<f64>();
    let highest = if stacked { (0..places).map(total).fold(0.0, f64::max) } else { values().fold(0.0, f64::max) };
    for axis in axes {
        axis.font.color = color(INK.1);
        axis.font.size = FONT;
        axis.stroke_color = Color::transparent();
        axis.title = Some(title.to_owned()).filter(|title| !title.is_empty());
        // The library writes thousands with a comma so, and with a k otherwise.
        axis.formatter = Some("{t}".to_owned());
        if values().all(|value| value >= 0.0) {
            let step = if highest > 0.0 { round_up(highest / STEPS) } else { 1.0 };
            let steps = (highest / step * 0.9999).ceil().max(1.0);
            axis.min = Some(0.0);
            axis.max = Some((step * steps) as f32);
            axis.split_number = steps as usize;
        }
    }
}

fn series(lines: &[Line]) -> Vec<Series> {
    lines.iter().map(|line| Series::new_nullable(line.name.clone(), values(line))).collect()
}

fn stacks(lines: &[Line], stacked: bool) -> Vec<Series> {
    let mut series = series(lines);
    for (index, one) in series.iter_mut().enumerate() {
        one.index = Some(index);
        one.stack = stacked.then(|| "all".to_owned());
    }
    series
}

fn values(line: &Line) -> Vec<Option<f32>> {
    line.values.iter().map(|value| value.map(|value| value as f32)).collect()
}

/// A drawing without the attributes for scripts, which repeat what is drawn.
fn without_data(svg: &str) -> String {
    let mut out = String::with_capacity(svg.len());
    for (at, piece) in svg.split('<').enumerate() {
        if at > 0 {
            out.push('<');
        }
        // Attributes hold no mark that ends a tag.
        let (tag, text) = piece.split_at(piece.find('>').unwrap_or(0));
        let mut rest = tag;
        while let Some((before, after)) = rest.split_once(" data-") {
            out.push_str(before);
            let end = after.match_indices('"').nth(1).map_or(after.len(), |(end, _)| end + 1);
            rest = &after[end..];
        }
        out.push_str(rest);
        out.push_str(text);
    }
    out
}

fn color((r, g, b): Rgb) -> Color {
    (r, g, b).into()
}
