//! A report as its author wrote it: front matter and text; its blocks are read in `block`.

use std::collections::BTreeMap;
use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd, TextMergeWithOffset};
use serde_json::Value;

use super::block::{self, Block, Fenced, inside_fence, settings_of};
use super::chart::ChartSpec;
use super::error::ReportError;
use super::params::Declared;
use super::saved::{Origin, Saved};
use super::values::{ValueName, places};
use spanql_model::nearest::nearest;

/// Keys of the front matter.
const KEYS: [&str; 3] = ["title", "description", "params"];
/// What a report may use of Markdown.
pub(crate) const MARKDOWN: Options = Options::ENABLE_TABLES.union(Options::ENABLE_STRIKETHROUGH);

/// A report, read and checked, not run.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// Its name: that of the file without its ending.
    pub name: String,
    /// What stands at its top; values may stand in it.
    pub title: String,
    /// What it is about.
    pub description: Option<String>,
    /// What it takes.
    pub params: Vec<Declared>,
    /// What it is made of, in order.
    pub pieces: Vec<Piece>,
    /// Where it is from.
    pub origin: Origin,
}

/// A part of a report.
#[derive(Debug, Clone, PartialEq)]
pub enum Piece {
    /// Markdown of the author, in which values may stand.
    Prose(String),
    /// A statement, and how its result is shown.
    Block(Box<Block>),
}

impl Document {
    /// Reads a report.
    ///
    /// # Errors
    /// The first thing that is wrong, with its line: front matter that is none, a key or setting that is not known, a
    /// fence that is not closed, two blocks of one name, a chart or expectation that cannot be read, a value in the text
    /// of a block or parameter that is not there.
    pub fn parse(text: &str, name: &str, origin: Origin) -> Result<Self, ReportError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
        let mut report = Self {
            name: name.to_owned(),
            title: name.to_owned(),
            description: None,
            params: vec![],
            pieces: vec![],
            origin,
        };
        let (front, body_at) = front_matter(&text).map_err(|reason| report.wrong(1, reason, None))?;
        report.read_front(front)?;
        report.read_body(&text, body_at)?;
        report.check_values(&text, body_at)?;
        Ok(report)
    }

    /// A saved query as a report of one block.
    ///
    /// # Errors
    /// When its chart cannot be read.
    pub fn of_query(query: Saved) -> Result<Self, ReportError> {
        let chart = query.chart.as_deref().map(ChartSpec::parse).transpose();
        let mut report = Self {
            title: query.name.clone(),
            name: query.name,
            description: query.description,
            params: query.params,
            pieces: vec![],
            origin: query.origin,
        };
        let chart = chart.map_err(|reason| report.wrong(1, reason, None))?;
        let block = Block {
            name: report.name.clone(),
            sql: query.sql,
            line: 1,
            chart,
            expectations: query.expectations,
            caption: None,
        };
        report.pieces.push(Piece::Block(Box::new(block)));
        Ok(report)
    }

    /// Its blocks, in order.
    pub fn blocks(&self) -> impl Iterator<Item = &Block> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Block(block) => Some(block.as_ref()),
            Piece::Prose(_) => None,
        })
    }

    /// An error in a line of it.
    fn wrong(&self, line: usize, reason: String, suggestion: Option<String>) -> ReportError {
        let place = match &self.origin {
            Origin::File(path) => path.display().to_string(),
            Origin::BuiltIn => format!("built-in report {}", self.name),
        };
        ReportError::Report { place, line, reason, suggestion }
    }

    fn read_front(&mut self, front: &str) -> Result<(), ReportError> {
        if front.trim().is_empty() {
            return Ok(());
        }
        let keys: BTreeMap<String, Value> = serde_saphyr::from_str(front).map_err(|error| {
            // What follows the first line is an excerpt of the text.
            let error = error.to_string();
            let reason = format!("the front matter cannot be read: {}", error.lines().next().unwrap_or_default());
            self.wrong(1, reason, None)
        })?;
        for (key, value) in keys {
            match key.as_str() {
                "title" => self.title = self.front_text(&key, &value)?,
                "description" => self.description = Some(self.front_text(&key, &value)?),
                "params" => {
                    let Value::Array(lines) = &value else {
                        let reason = "params in the front matter is no list: begin each line with -";
                        return Err(self.wrong(1, reason.into(), None));
                    };
                    for line in lines {
                        let declared = Declared::parse(&self.front_text(&key, line)?);
                        let declared = declared.map_err(|reason| self.wrong(1, reason, None))?;
                        if self.params.iter().any(|known| known.name == declared.name) {
                            let reason = format!("the parameter {} is there twice", declared.name);
                            return Err(self.wrong(1, reason, None));
                        }
                        self.params.push(declared);
                    }
                }
                _ => {
                    let near = nearest(&key, KEYS).map(str::to_owned);
                    return Err(self.wrong(1, format!("the front matter has no key '{key}'"), near));
                }
            }
        }
        Ok(())
    }

    fn front_text(&self, key: &str, value: &Value) -> Result<String, ReportError> {
        match value {
            Value::String(text) => Ok(text.clone()),
            Value::Number(number) => Ok(number.to_string()),
            _ => Err(self.wrong(1, format!("{key} in the front matter is no text: put it in quotes"), None)),
        }
    }

    fn read_body(&mut self, text: &str, body_at: usize) -> Result<(), ReportError> {
        let body = &text[body_at..];
        let mut depth = 0_usize;
        let mut prose_from = 0;
        for (event, range) in Parser::new_ext(body, MARKDOWN).into_offset_iter() {
            let fenced = match &event {
                Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => settings_of(info),
                _ => None,
            };
            if let Some(settings) = fenced {
                let line = line_of(text, body_at + range.start);
                let wrong = |report: &Self, reason: String| report.wrong(line, reason, None);
                if depth > 0 {
                    return Err(wrong(
                        self,
                        "an sql block begins at the start of a line, not in a list or a quote".into(),
                    ));
                }
                let source = &body[range.clone()];
                let Some(sql) = inside_fence(source) else {
                    return Err(wrong(self, "the sql block is not closed".into()));
                };
                self.push_prose(&body[prose_from..range.start]);
                prose_from = range.end;
                let fenced = Fenced { settings, sql, line, number: self.blocks().count() + 1 };
                let block = block::read(fenced, &self.origin, |line, reason, near| self.wrong(line, reason, near))?;
                if self.blocks().any(|known| known.name == block.name) {
                    return Err(wrong(self, format!("two blocks are named {}", block.name)));
                }
                self.pieces.push(Piece::Block(Box::new(block)));
            }
            match event {
                Event::Start(_) => depth += 1,
                Event::End(_) => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        self.push_prose(&body[prose_from..]);
        Ok(())
    }

    fn push_prose(&mut self, text: &str) {
        if !text.trim().is_empty() {
            self.pieces.push(Piece::Prose(text.trim().to_owned()));
        }
    }

    /// Whether the values in the text can be there.
    fn check_values(&self, text: &str, body_at: usize) -> Result<(), ReportError> {
        let blocks: Vec<&str> = self.blocks().map(|block| block.name.as_str()).collect();
        let params: Vec<&str> = self.params.iter().map(|param| param.name.as_str()).collect();
        let check = |text: &str, line: usize| -> Result<(), ReportError> {
            for (_, name) in places(text) {
                ValueName::parse(name, &blocks, &params).map_err(|(reason, near)| self.wrong(line, reason, near))?;
            }
            Ok(())
        };
        check(&self.title, 1)?;
        check(self.description.as_deref().unwrap_or_default(), 1)?;
        for block in self.blocks() {
            check(block.caption.as_deref().unwrap_or_default(), block.line)?;
        }
        for (range, said) in texts(&text[body_at..]) {
            check(&said, line_of(text, body_at + range.start))?;
        }
        Ok(())
    }
}

/// The texts of Markdown in which values may stand: not those of blocks of code.
pub(crate) fn texts(markdown: &str) -> Vec<(Range<usize>, String)> {
    let mut in_code = false;
    let mut found = vec![];
    let events = Parser::new_ext(markdown, MARKDOWN).into_offset_iter();
    for (event, range) in TextMergeWithOffset::new(events) {
        match event {
            Event::Start(Tag::CodeBlock(_)) => in_code = true,
            Event::End(TagEnd::CodeBlock) => in_code = false,
            Event::Text(text) | Event::Code(text) if !in_code => found.push((range, text.into_string())),
            _ => {}
        }
    }
    found
}

/// The text between the first two lines of three dashes, and where the rest begins.
fn front_matter(text: &str) -> Result<(&str, usize), String> {
    let Some(rest) = text.strip_prefix("---\n") else { return Ok(("", 0)) };
    let start = text.len() - rest.len();
    let mut at = start;
    for line in rest.split_inclusive('\n') {
        if matches!(line.trim_end(), "---" | "...") {
            return Ok((&text[start..at], at + line.len()));
        }
        at += line.len();
    }
    Err("the front matter is not closed: a line of --- ends it".to_owned())
}

fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::block::statement;
    use crate::report::expect::Expectation;

    fn parse(text: &str) -> Result<Document, String> {
        Document::parse(text, "r", Origin::File("r.md".into())).map_err(|error| error.to_string())
    }

    #[test]
    fn reads_a_report() {
        let text = "---\r\ntitle: Costs of {{ project }}\ndescription: What it cost\nparams:\n  - since time = 7d From then on\n  \
                    - top int = 5\n---\n\n# Head\n\nText {{ models.model }} since {{ $since }}.\n\n\
                    ```sql name=models chart=\"bar x=model y=cost\" expect=\"rows > 0\"\n-- expect max(cost) < 10\n\
                    -- caption: Models, by cost\nSELECT model, cost FROM spans LIMIT $top\n```\n\nMore.\n\n\
                    ~~~~SQL\n-- name: second\nSELECT '```' AS x\n~~~~\n\n```text\nnot run {{ whatever }}\n```\n\n\
                    ```sql\nSELECT 1\n```";
        let report = parse(text).unwrap();
        assert_eq!(report.title, "Costs of {{ project }}");
        assert_eq!(report.params.len(), 2);
        let blocks: Vec<&Block> = report.blocks().collect();
        assert_eq!(blocks.iter().map(|block| block.name.as_str()).collect::<Vec<_>>(), ["models", "second", "block-3"]);
        assert_eq!(blocks[0].line, 14);
        assert_eq!(
            blocks[0].expectations.iter().map(Expectation::text).collect::<Vec<_>>(),
            ["rows > 0", "max(cost) < 10"]
        );
        assert_eq!(blocks[0].caption.as_deref(), Some("Models, by cost"));
        assert_eq!(blocks[0].chart.as_ref().map(|chart| chart.x.as_str()), Some("model"));
        assert_eq!(statement(&blocks[0].sql), "SELECT model, cost FROM spans LIMIT $top");
        assert_eq!(blocks[1].sql, "-- name: second\nSELECT '```' AS x");
        assert_eq!(report.pieces.len(), 6);
    }

    #[test]
    fn says_what_is_wrong_and_where() {
        for (text, expected) in [
            ("---\ntitle: x\n", "r.md:1: the front matter is not closed: a line of --- ends it"),
            ("---\ntitel: x\n---\n", "r.md:1: the front matter has no key 'titel'; did you mean title?"),
            ("---\nparams: 5\n---\n", "r.md:1: params in the front matter is no list: begin each line with -"),
            ("---\ntitle: [1]\n---\n", "r.md:1: title in the front matter is no text: put it in quotes"),
            ("---\nparams:\n  - a int = 1\n  - a int = 2\n---\n", "r.md:1: the parameter a is there twice"),
            ("x\n\n```sql\nSELECT 1\n", "r.md:3: the sql block is not closed"),
            (
                "- x\n\n  ```sql\n  SELECT 1\n  ```\n",
                "r.md:3: an sql block begins at the start of a line, not in a list or a quote",
            ),
            ("```sql name=a\nSELECT 1\n```\n\n```sql name=a\nSELECT 2\n```\n", "r.md:5: two blocks are named a"),
            ("```sql naem=a\nSELECT 1\n```\n", "r.md:1: a block has no setting 'naem'; did you mean name?"),
            ("```sql a\nSELECT 1\n```\n", "r.md:1: 'a' is no setting of a block: write name=value"),
            ("```sql name='a\nSELECT 1\n```\n", "r.md:1: a quote is not closed in 'name='a'"),
            ("```sql name=a/b\nSELECT 1\n```\n", "r.md:1: 'a/b' is no name: use letters, digits, - and _"),
            ("```sql name=a name=b\nSELECT 1\n```\n", "r.md:1: name is given twice"),
            ("```sql name=a\n-- name: b\nSELECT 1\n```\n", "r.md:1: the name is given twice"),
            ("```sql\n```\n", "r.md:1: the block block-1 has no statement"),
            (
                "```sql chart=pie\nSELECT 1\n```\n",
                "r.md:1: chart: there is no kind 'pie': write one of line, bar, stacked, histogram, heat",
            ),
            ("x {{ a.b }}\n\n```sql name=aa\nSELECT 1\n```\n", "r.md:1: {{ a.b }}: there is no block 'a'"),
            (
                "```sql name=totals\nSELECT 1\n```\n\nx {{ total.n }}\n",
                "r.md:5: {{ total.n }}: there is no block 'total'; did you mean totals?",
            ),
            ("x\n\n{{ $since }}\n", "r.md:3: {{ $since }}: the report has no such parameter"),
        ] {
            assert_eq!(parse(text).unwrap_err(), expected, "{text}");
        }
        let error = parse("x\n\n```sql\n-- param n int\nSELECT $n\n```\n").unwrap_err();
        assert!(error.contains("parameters of a report stand in its front matter"), "{error}");
        let error = parse("---\ntitle: 'x\n---\n").unwrap_err();
        assert!(error.starts_with("r.md:1: the front matter cannot be read"), "{error}");
        let error = parse("x\n\n```sql\n-- expect rows >\nSELECT 1\n```\n").unwrap_err();
        assert!(error.starts_with("r.md:4: "), "{error}");
    }
}
