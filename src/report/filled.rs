//! A report that has run: what its writers are given.

use arrow::array::RecordBatch;
use chrono::{DateTime, SecondsFormat, Utc};

use super::document::Document;
use super::run::Ran;
use super::values::{ValueName, fill};
use spanql_engine::{Engine, EngineError, Param, Params};
use spanql_output::{CellTexts, Zone, is_number};

/// Characters of names, and of lines at the top.
const NAME: usize = 300;
/// Projects named at the top.
const NAMED_PROJECTS: usize = 5;

/// A report with the results of its blocks.
#[derive(Debug)]
pub struct Filled {
    /// The report as it was written.
    pub document: Document,
    /// When it was begun.
    pub generated: DateTime<Utc>,
    /// The values of its parameters, by name, in the order of their declaration.
    pub params: Vec<(String, Param)>,
    /// What it is about, one store or project each.
    pub parts: Vec<Part>,
    /// The zone of times that are read by people.
    pub zone: Zone,
    /// Characters that cells were cut at.
    pub max_cell: usize,
    /// Whether expectations, failures and what is missing were said elsewhere: the exit code of the run.
    pub exit_code: u8,
}

/// A report over one store or project.
#[derive(Debug)]
pub struct Part {
    /// The store's place as it was named.
    pub store: String,
    /// The one project that was asked about.
    pub project: Option<String>,
    /// What there is.
    pub data: Data,
    /// What is missing of it, a line each.
    pub incomplete: Vec<String>,
    /// The blocks, in order.
    pub blocks: Vec<Ran>,
}

/// The spans that a part rests on.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Data {
    /// How many there are.
    pub spans: u64,
    /// Their projects, those with most spans first.
    pub projects: Vec<String>,
    /// The first and the last start, as text.
    pub window: Option<(String, String)>,
}

impl Data {
    /// Asks an engine what it has.
    ///
    /// # Errors
    /// When the engine cannot say.
    pub async fn of(engine: &Engine) -> Result<Self, EngineError> {
        const SQL: &str = "SELECT project, sum(span_count) AS spans, CAST(min(start_time) AS TIMESTAMP(0)) AS first, \
                           CAST(max(end_time) AS TIMESTAMP(0)) AS last FROM traces GROUP BY project \
                           ORDER BY spans DESC, project";
        let mut data = Self::default();
        for statement in engine.prepare(SQL, &Params::new()).await? {
            let rows: Vec<RecordBatch> = futures::TryStreamExt::try_collect(statement.execute().await?)
                .await
                .map_err(|error| EngineError::from_datafusion(&error))?;
            for batch in &rows {
                let texts =
                    CellTexts::new(batch, Zone::Utc).map_err(|error| EngineError::from_datafusion(&error.into()))?;
                for row in 0..batch.num_rows() {
                    data.projects.push(texts.text(0, row).unwrap_or_default());
                    data.spans += texts.text(1, row).and_then(|spans| spans.parse::<u64>().ok()).unwrap_or_default();
                    let (Some(first), Some(last)) = (texts.text(2, row), texts.text(3, row)) else { continue };
                    data.window = Some(match data.window.take() {
                        None => (first, last),
                        Some((from, to)) => (from.min(first), to.max(last)),
                    });
                }
            }
        }
        Ok(data)
    }

    /// The projects in words.
    pub(crate) fn said_projects(&self) -> String {
        let named = self.projects.iter().take(NAMED_PROJECTS).map(|name| clip(name)).collect::<Vec<_>>().join(", ");
        match self.projects.len().saturating_sub(NAMED_PROJECTS) {
            0 => named,
            more => format!("{named} and {more} more"),
        }
    }
}

impl Part {
    /// What sets it apart from other parts of a report.
    pub(crate) fn heading(&self) -> String {
        clip(self.project.as_deref().unwrap_or(&self.store))
    }

    /// The result of a block.
    pub(crate) fn block(&self, name: &str) -> Option<&Ran> {
        self.blocks.iter().find(|ran| ran.name == name)
    }
}

impl Filled {
    /// Its title, with the values of its first part.
    pub(crate) fn title(&self) -> String {
        let title = &self.document.title;
        self.parts.first().map_or_else(|| title.clone(), |part| fill(title, |name| self.value(part, name)))
    }

    /// What stands for a value in the text, for people; nothing in it is safe yet.
    pub(crate) fn value(&self, part: &Part, name: &str) -> String {
        let document = &self.document;
        let blocks: Vec<&str> = document.blocks().map(|block| block.name.as_str()).collect();
        let params: Vec<&str> = self.params.iter().map(|(name, _)| name.as_str()).collect();
        match ValueName::parse(name, &blocks, &params) {
            Ok(ValueName::Param(name)) => {
                let value = self.params.iter().find(|(known, _)| *known == name);
                value.map_or_else(String::new, |(_, value)| self.said_param(value))
            }
            Ok(ValueName::Project) => part.project.as_deref().map_or_else(|| part.data.said_projects(), clip),
            Ok(ValueName::Store) => clip(&part.store),
            Ok(ValueName::Generated) => self.said_generated(),
            Ok(ValueName::Rows(block)) => match part.block(&block) {
                Some(Ran { error: None, rows, .. }) => readable(&rows.to_string()),
                _ => NOTHING.to_owned(),
            },
            Ok(ValueName::Cell(block, column)) => {
                part.block(&block).map_or(NOTHING.to_owned(), |ran| self.cell(ran, &column))
            }
            // Nothing but a name that was checked before comes here.
            Err((reason, _)) => reason,
        }
    }

    fn cell(&self, ran: &Ran, column: &str) -> String {
        if ran.error.is_some() {
            return NOTHING.to_owned();
        }
        let Ok(index) = ran.schema.index_of(column) else {
            let known: Vec<&str> = ran.schema.fields().iter().map(|field| field.name().as_str()).collect();
            return format!("{{{{ {}.{column}: no such column, there is {} }}}}", ran.name, known.join(", "));
        };
        if ran.shown.num_rows() == 0 {
            return NOTHING.to_owned();
        }
        let texts = CellTexts::new(&ran.shown, self.zone);
        match texts.ok().and_then(|texts| texts.text(index, 0)) {
            None => NOTHING.to_owned(),
            Some(text) if is_number(ran.schema.field(index).data_type()) => readable(&text),
            Some(text) => text,
        }
    }

    /// What a block's table does not show, and what there is to know beside it.
    pub(crate) fn notes(&self, ran: &Ran) -> Vec<String> {
        let mut notes = vec![];
        let of_ranges = ran.chart.as_ref().is_some_and(|chart| !chart.ranges.is_empty());
        let shown = ran.shown.num_rows() as u64;
        if ran.error.is_none() && shown < ran.rows && !of_ranges {
            let (shown, rows) = (readable(&shown.to_string()), readable(&ran.rows.to_string()));
            notes.push(format!("The first {shown} of {rows} rows are shown"));
        }
        if ran.cut_cells > 0 && !of_ranges {
            let cells = if ran.cut_cells == 1 { "1 cell".to_owned() } else { format!("{} cells", ran.cut_cells) };
            notes.push(format!("{cells} cut at {} characters", self.max_cell));
        }
        notes.extend(ran.notes.iter().cloned());
        notes.extend(ran.incomplete.iter().map(|line| format!("incomplete: {line}")));
        notes
    }

    /// When it was begun, in its zone.
    pub(crate) fn said_generated(&self) -> String {
        self.generated.with_timezone(&self.zone.tz()).format("%Y-%m-%d %H:%M %Z").to_string()
    }

    /// A parameter as people write it.
    pub(crate) fn said_param(&self, value: &Param) -> String {
        match value {
            Param::Null | Param::NullOf(_) | Param::NullList(_) => NOTHING.to_owned(),
            Param::Boolean(flag) => flag.to_string(),
            Param::Int(int) => int.to_string(),
            Param::Float(float) => float.to_string(),
            Param::Text(text) => text.clone(),
            Param::Time(nanos) => {
                let time = DateTime::from_timestamp_nanos(*nanos).with_timezone(&self.zone.tz());
                time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
            }
            Param::List(_, items) => items.iter().map(|item| self.said_param(item)).collect::<Vec<_>>().join(", "),
        }
    }
}

/// The beginning of a name, which may be as long as any text of a span.
pub(crate) fn clip(text: &str) -> String {
    match text.char_indices().nth(NAME) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Whether a parameter has no value.
pub(crate) fn is_null(value: &Param) -> bool {
    matches!(value, Param::Null | Param::NullOf(_) | Param::NullList(_))
}

/// What stands where there is no value.
pub(crate) const NOTHING: &str = "–";

/// A number as people read it: thousands apart from 10,000 on, and no more digits than tell something.
pub(crate) fn readable(number: &str) -> String {
    let digits = number.strip_prefix('-').unwrap_or(number);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return grouped(number);
    }
    let Some(value) = number.parse::<f64>().ok().filter(|value| value.is_finite()) else { return number.to_owned() };
    let magnitude = value.abs();
    if magnitude >= 1e15 || (magnitude < 1e-6 && magnitude > 0.0) {
        return number.to_owned();
    }
    let decimals = match magnitude {
        _ if magnitude >= 100.0 => 1,
        _ if magnitude >= 1.0 || magnitude == 0.0 => 2,
        _ => (2 - magnitude.log10().floor() as i32).clamp(2, 8) as usize,
    };
    let text = format!("{value:.decimals$}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    match text.split_once('.') {
        Some((whole, fraction)) => format!("{}.{fraction}", grouped(whole)),
        None => grouped(text),
    }
}

fn grouped(number: &str) -> String {
    let (sign, digits) = number.strip_prefix('-').map_or(("", number), |digits| ("-", digits));
    if digits.len() < 5 {
        return number.to_owned();
    }
    let mut text = String::from(sign);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        for (number, text) in [
            ("1958", "1958"),
            ("12345", "12,345"),
            ("-1234567", "-1,234,567"),
            ("0.0", "0"),
            ("1958.0", "1958"),
            ("12345.678", "12,345.7"),
            ("3.14159", "3.14"),
            ("0.123456", "0.123"),
            ("0.00012345", "0.000123"),
            ("1e-9", "1e-9"),
            ("NaN", "NaN"),
            ("1e300", "1e300"),
        ] {
            assert_eq!(readable(number), text);
        }
    }
}
