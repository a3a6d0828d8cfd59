//! From OQL text to the list of clauses that the REST API takes.

use std::ops::Range;

use super::chars::{is_blank, is_digit, is_letter, is_word};
use super::columns::{self, Op, Type};
use super::resolved_clause::{ResolvedClause, near, operator_unsupported, shown, too_many_terms};
use super::{Clause, Entity, list};
use crate::{FilterError, MAX_BYTES, MAX_TERMS};

/// Reads a filter as the vendor's SDK does: `None` where there is none, else what the REST API is sent.
///
/// The text is OQL, clauses joined by AND, or, where it begins with `[`, the REST API's own JSON list. What the SDK
/// leaves to the server passes here as well: columns that the entity has not, blank keys, values of the wrong type.
///
/// # Errors
/// When the text is not in the language, or beyond a limit.
pub fn compile(text: &str, entity: Entity) -> Result<Option<Vec<Clause>>, FilterError> {
    Ok(read(text, entity)?.map(|clauses| clauses.into_iter().map(|placed| placed.clause).collect()))
}

/// Reads a filter, with places.
pub(super) fn read(text: &str, entity: Entity) -> Result<Option<Vec<ResolvedClause>>, FilterError> {
    if text.len() > MAX_BYTES {
        let what = format!("the filter has {} bytes, and at most {MAX_BYTES} are read", text.len());
        return Err(FilterError::new("too-long", what));
    }
    if text.is_empty() {
        return Ok(None);
    }
    if text.trim_start_matches(is_blank).starts_with('[') {
        return list::read(text, entity);
    }
    Reader { text, at: 0, entity }.clauses().map(Some)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    entity: Entity,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Takes a character if it comes next.
    fn take(&mut self, wanted: char) -> bool {
        let found = self.rest().starts_with(wanted);
        if found {
            self.at += wanted.len_utf8();
        }
        found
    }

    /// Takes the longest run of characters of a kind.
    fn run(&mut self, of: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let run = &rest[..rest.find(|c| !of(c)).unwrap_or(rest.len())];
        self.at += run.len();
        run
    }

    fn blanks(&mut self) {
        self.run(is_blank);
    }

    fn error(&self, code: &'static str, what: impl Into<String>, place: Range<usize>) -> FilterError {
        FilterError::new(code, what).at(self.text, place)
    }

    /// The place of the word, or the single character, at the cursor.
    fn here(&self) -> Range<usize> {
        let word = self.rest().find(|c| !is_word(c)).unwrap_or(self.rest().len());
        self.at..self.at + word.max(self.peek().map_or(0, char::len_utf8))
    }

    fn incomplete(&self, due: &str) -> FilterError {
        self.error("incomplete", format!("the filter ends where {due} is due"), self.text.len()..self.text.len())
    }

    fn clauses(mut self) -> Result<Vec<ResolvedClause>, FilterError> {
        let mut clauses = vec![];
        loop {
            self.blanks();
            if clauses.len() == MAX_TERMS {
                return Err(too_many_terms(self.text, self.at..self.text.len()));
            }
            clauses.push(self.clause()?);
            self.blanks();
            if self.rest().is_empty() {
                return Ok(clauses);
            }
            self.connector()?;
        }
    }

    fn connector(&mut self) -> Result<(), FilterError> {
        let start = self.at;
        let word = self.run(is_letter);
        if word.eq_ignore_ascii_case("and") {
            return Ok(());
        }
        if word.eq_ignore_ascii_case("or") {
            let error = self.error("or-unsupported", "OQL has no OR", start..self.at);
            return Err(error.help("join clauses by AND, or list the values of one column with in"));
        }
        self.at = start;
        let place = self.here();
        let what = format!("expected AND or the end of the filter, found {}", shown(&self.text[place.clone()]));
        let error = self.error("trailing-characters", what, place);
        Err(match word.get(..3).filter(|start| start.eq_ignore_ascii_case("and")) {
            Some(_) => error.help("write a blank behind AND"),
            None => error,
        })
    }

    fn clause(&mut self) -> Result<ResolvedClause, FilterError> {
        let start = self.at;
        let word = self.run(is_word);
        let (mut field, mut key) = (word.to_owned(), String::new());
        let mut key_place = self.at..self.at;
        let mut kind = columns::type_of(word, self.entity);
        if self.take('.') {
            let key_start = self.at;
            key = self.key(word)?;
            key_place = key_start..self.at;
            if word == "usage" {
                field = format!("usage.{key}");
                kind = Some(self.usage_type(&field, start)?);
                key.clear();
            } else if !kind.is_some_and(Type::takes_key) {
                return Err(self.no_key(word, start));
            }
        }
        let field_place = start..self.at;
        self.blanks();
        let op_start = self.at;
        let op = self.operator(&field, kind)?;
        let operator = op_start..self.at;
        let (value, value_place) = if op.is_alone() {
            (String::new(), self.at..self.at)
        } else {
            self.blanks();
            let value_start = self.at;
            let value = if op.takes_list() { self.values()? } else { self.value()? };
            (value, value_start..self.at)
        };
        let clause = Clause {
            field,
            key,
            kind: kind.unwrap_or(Type::String).name().to_owned(),
            operator: op.text().to_owned(),
            value,
        };
        Ok(ResolvedClause { clause, op, kind, field: field_place, key: key_place, operator, value: value_place })
    }

    fn key(&mut self, field: &str) -> Result<String, FilterError> {
        match self.peek() {
            None => {
                let place = self.at..self.at;
                Err(self.error(
                    "key-expected",
                    format!("the filter ends where a key of {} is due", shown(field)),
                    place,
                ))
            }
            Some(quote @ ('"' | '\'')) => self.quoted(quote, "key"),
            Some(_) => Ok(self.run(is_word).to_owned()),
        }
    }

    fn usage_type(&self, field: &str, start: usize) -> Result<Type, FilterError> {
        if let Some(kind) = columns::type_of(field, self.entity) {
            return Ok(kind);
        }
        let known = columns::columns(self.entity).map(|(name, _)| name).filter(|name| name.starts_with("usage."));
        let known: Vec<&str> = known.collect();
        let what = format!("{} have no {}", self.entity, shown(field));
        let error = self.error("usage-key-unsupported", what, start..self.at);
        Err(match near(field, known.iter().copied()) {
            Some(near) => error.suggest(Some(near)),
            None if known.is_empty() => error,
            None => error.help(format!("there are {}", known.join(", "))),
        })
    }

    /// The error for a key behind a column that takes none.
    fn no_key(&self, word: &str, start: usize) -> FilterError {
        let others: Vec<String> = columns::entities_with(word).iter().map(ToString::to_string).collect();
        let place = start..self.at;
        if !others.is_empty() && columns::type_of(word, self.entity).is_none() {
            let error = self.error("key-unsupported-for-field", format!("{} have no {word}", self.entity), place);
            return error.help(format!("{} have it", others.join(" and ")));
        }
        let error = self.error("key-unsupported-for-field", format!("{} takes no key", shown(word)), place);
        if matches!(word, "input" | "output") && self.entity != Entity::Threads {
            return error.suggest(Some(format!("{word}_json.{}", shown(&self.text[start + word.len() + 1..self.at]))));
        }
        let known: Vec<&str> =
            columns::columns(self.entity).filter(|(_, kind)| kind.takes_key()).map(|(name, _)| name).collect();
        match near(word, known.iter().copied()) {
            Some(near) => error.suggest(Some(near)),
            None => error.help(format!("keys have {}", known.join(", "))),
        }
    }

    fn operator(&mut self, field: &str, kind: Option<Type>) -> Result<Op, FilterError> {
        let start = self.at;
        match self.peek() {
            None => return Err(self.incomplete("an operator")),
            Some('=') => self.at += 1,
            Some('<' | '>') => {
                self.at += 1;
                self.take('=');
            }
            Some(_) => {
                self.run(|c| !is_blank(c));
            }
        }
        let typed = &self.text[start..self.at];
        let operators = kind.unwrap_or(Type::String).operators();
        match Op::read(typed).filter(|op| operators.contains(op)) {
            Some(op) => Ok(op),
            None => Err(self.bad_operator(start, typed, field, operators)),
        }
    }

    fn bad_operator(&self, start: usize, typed: &str, field: &str, operators: &[Op]) -> FilterError {
        let error = operator_unsupported((self.text, start..self.at), typed, field, operators);
        let before = &self.text[..start];
        if before.ends_with(|c: char| is_word(c) || c == '"' || c == '\'') && typed.starts_with(['.', '-']) {
            return error.help("one key only; quote a key with other characters: metadata.\"a.b\"");
        }
        if typed.starts_with('(') || field.eq_ignore_ascii_case("not") {
            return error.help("OQL has no parentheses and no NOT: clauses are joined by AND");
        }
        error
    }

    /// The text between quotes, the cursor on the first one; a doubled quote is one of the text.
    fn quoted(&mut self, quote: char, what: &str) -> Result<String, FilterError> {
        let start = self.at;
        self.at += 1;
        let mut text = String::new();
        loop {
            let rest = self.rest();
            let Some(end) = rest.find(quote) else {
                let error =
                    self.error("missing-closing-quote", format!("the {what} has no closing {quote}"), start..start + 1);
                return Err(error.help(format!("a {quote} inside is written twice")));
            };
            text.push_str(&rest[..end]);
            self.at += end + 1;
            if !self.take(quote) {
                return Ok(text);
            }
            text.push(quote);
        }
    }

    fn value(&mut self) -> Result<String, FilterError> {
        match self.peek() {
            None => Err(self.incomplete("a value")),
            Some('"') => self.quoted('"', "value"),
            Some(c) if c == '-' || is_digit(c) => self.number(),
            Some(c) => {
                let place = self.here();
                let what =
                    format!("expected a number or text in double quotes, found {}", shown(&self.text[place.clone()]));
                let error = self.error("value-invalid", what, place);
                Err(match c {
                    '\'' => error.help("write text in double quotes"),
                    '=' => error.help("equality is written ="),
                    '>' => error.help("inequality is written !="),
                    c if is_word(c) => error.suggest(Some(format!("\"{}\"", shown(&self.text[self.here()])))),
                    _ => error,
                })
            }
        }
    }

    fn number(&mut self) -> Result<String, FilterError> {
        let start = self.at;
        self.take('-');
        if self.run(is_digit).is_empty() {
            return Err(self.error("number-expected", "expected a number behind -", start..self.at));
        }
        if self.take('.') && self.run(is_digit).is_empty() {
            return Err(self.error("fraction-digits-expected", "expected digits behind the point", start..self.at));
        }
        Ok(self.text[start..self.at].to_owned())
    }

    /// `("a", "b")`, as the values with commas between.
    fn values(&mut self) -> Result<String, FilterError> {
        let open = self.here();
        if !self.take('(') {
            let error = self.error("array-expected", "expected a list of values behind in and not_in", open);
            return Err(error.help("write (\"a\", \"b\")"));
        }
        let mut values = String::new();
        let mut first = true;
        loop {
            self.blanks();
            if self.rest().is_empty() {
                return Err(self.error("array-unterminated", "the list has no closing )", open));
            }
            if self.rest().starts_with(')') {
                if first {
                    return Err(self.error("array-empty", "the list has no values", open.start..self.at + 1));
                }
                self.at += 1;
                return Ok(values);
            }
            if !first {
                if !self.take(',') {
                    return Err(self.error(
                        "array-comma-expected",
                        "expected , or ) behind a value of the list",
                        self.here(),
                    ));
                }
                values.push(',');
                self.blanks();
            }
            if self.peek() != Some('"') {
                let what = "expected text in double quotes in the list";
                return Err(self.error("array-element-not-quoted", what, self.here()));
            }
            values.push_str(&self.quoted('"', "value")?);
            first = false;
        }
    }
}
