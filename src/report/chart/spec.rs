//! What a chart is to show: `bar x=model y=cost title="Cost by model"`.

use arrow::datatypes::Schema;

use spanql_model::nearest::nearest;

/// Bins that a histogram may be asked for.
const MAX_BINS: usize = 100;

/// The kinds of charts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChartKind {
    /// Lines over times, numbers or labels.
    Line,
    /// Bars beside each other.
    Bar,
    /// Bars upon each other.
    Stacked,
    /// How often values lie in ranges.
    Histogram,
    /// Fields in a colour for their value.
    Heat,
}

impl ChartKind {
    /// All of them by the names that a report uses.
    pub const NAMES: [(&'static str, Self); 5] = [
        ("line", Self::Line),
        ("bar", Self::Bar),
        ("stacked", Self::Stacked),
        ("histogram", Self::Histogram),
        ("heat", Self::Heat),
    ];

    /// Its name in a report.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }

    fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Line | Self::Bar | Self::Stacked => &["x", "y", "series", "title", "unit"],
            Self::Histogram => &["x", "bins", "title", "unit"],
            Self::Heat => &["x", "y", "value", "title", "unit"],
        }
    }
}

/// A chart over the columns of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChartSpec {
    /// Its kind.
    pub kind: ChartKind,
    /// The column along the axis; of a histogram the values that are counted.
    pub x: String,
    /// The columns with the values; of a heat map the one column of its rows; none of a histogram.
    pub y: Vec<String>,
    /// The column whose values each get a line or a colour.
    pub series: Option<String>,
    /// The column with the values of a heat map.
    pub value: Option<String>,
    /// How many bins a histogram is to have.
    pub bins: Option<usize>,
    /// What stands above it.
    pub title: Option<String>,
    /// The unit of the values.
    pub unit: Option<String>,
}

impl ChartSpec {
    /// Reads `KIND key=value…`: `x`, `y` (several columns with commas), `series`, `value`, `bins`, `title`, `unit`;
    /// values with blanks stand in quotes.
    ///
    /// # Errors
    /// When the kind or a key is not known (the nearest is suggested), one is missing, or a value is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        let words = shlex::split(text).ok_or_else(|| format!("chart: a quote is not closed in '{text}'"))?;
        let kinds = || ChartKind::NAMES.iter().map(|(name, _)| *name);
        let Some((kind, settings)) = words.split_first() else {
            return Err(format!(
                "chart: write KIND x=COLUMN …, with one of {}",
                kinds().collect::<Vec<_>>().join(", ")
            ));
        };
        let Some((_, kind)) = ChartKind::NAMES.into_iter().find(|(name, _)| name == kind) else {
            let hint = nearest(kind, kinds())
                .map_or_else(|| format!("one of {}", kinds().collect::<Vec<_>>().join(", ")), str::to_owned);
            return Err(format!("chart: there is no kind '{kind}': write {hint}"));
        };
        let mut spec =
            Self { kind, x: String::new(), y: vec![], series: None, value: None, bins: None, title: None, unit: None };
        let mut seen: Vec<&str> = vec![];
        for setting in settings {
            let Some((key, value)) = setting.split_once('=').filter(|(_, value)| !value.is_empty()) else {
                return Err(format!("chart: '{setting}' is no setting: write name=value"));
            };
            if !kind.keys().contains(&key) {
                let hint = nearest(key, kind.keys().iter().copied())
                    .map_or_else(|| kind.keys().join(", "), |near| format!("did you mean {near}"));
                return Err(format!("chart: {} has no setting '{key}': {hint}", kind.name()));
            }
            if seen.contains(&key) {
                return Err(format!("chart: '{key}' is given twice"));
            }
            seen.push(key);
            spec.set(key, value)?;
        }
        spec.complete()
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        let text = value.to_owned();
        match key {
            "x" => self.x = text,
            "y" => self.y = value.split(',').map(|column| column.trim().to_owned()).collect(),
            "series" => self.series = Some(text),
            "value" => self.value = Some(text),
            "title" => self.title = Some(text),
            "unit" => self.unit = Some(text),
            _ => {
                let bins = value.parse().ok().filter(|bins| (1..=MAX_BINS).contains(bins));
                self.bins = Some(bins.ok_or(format!("chart: bins={value}: write a number from 1 to {MAX_BINS}"))?);
            }
        }
        Ok(())
    }

    fn complete(self) -> Result<Self, String> {
        let needs = |what: &str| Err(format!("chart: {} needs {what}", self.kind.name()));
        if self.x.is_empty() {
            return needs("x=COLUMN");
        }
        if self.y.iter().any(String::is_empty) {
            return Err("chart: a name in y= is empty".to_owned());
        }
        match self.kind {
            ChartKind::Histogram => {}
            ChartKind::Heat if self.y.len() != 1 => return needs("y=COLUMN, one"),
            ChartKind::Heat if self.value.is_none() => return needs("value=COLUMN"),
            ChartKind::Heat => {}
            _ if self.y.is_empty() => return needs("y=COLUMN"),
            _ if self.series.is_some() && self.y.len() > 1 => {
                return Err("chart: series=COLUMN goes with one column in y=".to_owned());
            }
            _ => {}
        }
        Ok(self)
    }

    /// The columns that it names.
    fn columns(&self) -> impl Iterator<Item = &str> {
        let of_y = self.y.iter();
        std::iter::once(&self.x).chain(of_y).chain(&self.series).chain(&self.value).map(String::as_str)
    }

    /// Whether a result has the columns that the chart names.
    ///
    /// # Errors
    /// The first that it has not, with the nearest that it has.
    pub fn check(&self, schema: &Schema) -> Result<(), String> {
        let known = || schema.fields().iter().map(|field| field.name().as_str());
        match self.columns().find(|column| !known().any(|name| name == *column)) {
            None => Ok(()),
            Some(missing) => {
                let hint = nearest(missing, known()).map_or_else(
                    || format!("it has {}", known().collect::<Vec<_>>().join(", ")),
                    |near| format!("did you mean {near}"),
                );
                Err(format!("chart: the result has no column '{missing}': {hint}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{DataType, Field};

    use super::*;

    #[test]
    fn reads_every_kind() {
        let bar = ChartSpec::parse(r#"bar x=model y=cost,tokens title="Cost by model" unit=$"#).unwrap();
        assert_eq!(bar.kind, ChartKind::Bar);
        assert_eq!(bar.y, ["cost", "tokens"]);
        assert_eq!(bar.title.as_deref(), Some("Cost by model"));
        assert_eq!(bar.unit.as_deref(), Some("$"));
        assert_eq!(ChartSpec::parse("line x=day y=n series=kind").unwrap().series.as_deref(), Some("kind"));
        assert_eq!(ChartSpec::parse("histogram x=ms bins=12").unwrap().bins, Some(12));
        assert_eq!(ChartSpec::parse("heat x=hour y=day value=n").unwrap().value.as_deref(), Some("n"));
        assert_eq!(ChartSpec::parse("stacked x='a b' y=n").unwrap().x, "a b");
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, expected) in [
            ("", "chart: write KIND x=COLUMN …, with one of line, bar, stacked, histogram, heat"),
            ("bars x=a y=b", "chart: there is no kind 'bars': write bar"),
            ("pie x=a", "chart: there is no kind 'pie': write one of line, bar, stacked, histogram, heat"),
            ("bar x=a", "chart: bar needs y=COLUMN"),
            ("bar y=a", "chart: bar needs x=COLUMN"),
            ("bar x y=a", "chart: 'x' is no setting: write name=value"),
            ("bar x= y=a", "chart: 'x=' is no setting: write name=value"),
            ("bar x=a y=b titel=c", "chart: bar has no setting 'titel': did you mean title"),
            ("histogram x=a y=b", "chart: histogram has no setting 'y': x, bins, title, unit"),
            ("histogram x=a bins=0", "chart: bins=0: write a number from 1 to 100"),
            ("heat x=a y=b,c value=n", "chart: heat needs y=COLUMN, one"),
            ("heat x=a y=b", "chart: heat needs value=COLUMN"),
            ("line x=a y=b,c series=d", "chart: series=COLUMN goes with one column in y="),
            ("line x=a y=b,", "chart: a name in y= is empty"),
            ("line x=a x=b y=c", "chart: 'x' is given twice"),
            ("line x='a", "chart: a quote is not closed in 'line x='a'"),
        ] {
            assert_eq!(ChartSpec::parse(text).unwrap_err(), expected, "{text}");
        }
    }

    #[test]
    fn columns_are_those_of_the_result() {
        let field = |name: &str| Field::new(name, DataType::Utf8, true);
        let schema = Schema::new(vec![field("model"), field("cost")]);
        let check = |text: &str| ChartSpec::parse(text).unwrap().check(&schema);
        assert_eq!(check("bar x=model y=cost"), Ok(()));
        assert_eq!(
            check("bar x=modle y=cost").unwrap_err(),
            "chart: the result has no column 'modle': did you mean model"
        );
        assert!(check("bar x=model y=zzz").unwrap_err().ends_with("it has model, cost"));
    }
}
