//! Sources of the table, as they are in a batch, and their values row by row.

use std::borrow::Cow;

use super::events;
use super::fill::{Read, Source, Words};
use super::messages;
use super::state::{Cell, State, Values};
use super::tools;
use crate::ids;
use crate::json::{self, Tree, Value};

/// Keys that become one object or list. More fill nothing.
const MOST_KEYS: usize = 4_096;

/// A source of which a batch has columns.
#[derive(Debug)]
pub(super) enum Open<'s> {
    Value(Values<'s>),
    Text(Values<'s>),
    Id(Values<'s>),
    Object(Option<Values<'s>>, Vec<(&'s str, Values<'s>)>),
    At(Vec<Values<'s>>, &'static [&'static str], Vec<Values<'s>>),
    Words(Values<'s>, Words),
    Is(Vec<Values<'s>>, &'static str),
    Sum(Sum<'s>),
    MimeType(Values<'s>),
    Settings(Vec<(&'s str, Values<'s>)>),
    Chat(Values<'s>, Option<Values<'s>>),
    Messages(Values<'s>, Option<&'static str>),
    ObjectMessages(Option<Values<'s>>, Vec<(&'s str, Values<'s>)>),
    Answer(Option<Values<'s>>, Option<Values<'s>>),
    IndexedMessages(Vec<(&'s str, Values<'s>)>),
    Events(Values<'s>, events::Side),
    Asked(Values<'s>),
    Tools(Values<'s>, &'static str),
    IndexedTools(Vec<(&'s str, Values<'s>)>),
}

/// Two columns as they stand, and what was filled of each.
#[derive(Debug)]
pub(super) struct Sum<'s> {
    terms: [Values<'s>; 2],
    filled: Vec<Values<'s>>,
}

/// The sources that a batch has something of; all that are settings are one, where the first of them stands.
pub(super) fn open<'s>(sources: &'static [Source], state: &'s State<'_>) -> Vec<Open<'s>> {
    let mut opened = vec![];
    let mut settings: Vec<Vec<(&str, Values<'_>)>> = vec![];
    let mut place = None;
    for source in sources {
        match source.read {
            Read::Settings(except) => {
                let below = state.below(&format!("{}.", source.name));
                settings.push(below.into_iter().filter(|(key, _)| !except.contains(key)).collect());
            }
            Read::Setting(key) => {
                settings.push(state.values(source.name).map(|values| (key, values)).into_iter().collect());
            }
            _ => {
                opened.extend(open_one(source, state));
                continue;
            }
        }
        place.get_or_insert(opened.len());
    }
    // Of two for one name the first counts: what is set last.
    settings.reverse();
    if let Some((place, settings)) = place.zip(few(settings.concat())) {
        opened.insert(place, Open::Settings(settings));
    }
    opened
}

fn open_one<'s>(source: &'static Source, state: &'s State<'_>) -> Option<Open<'s>> {
    let name = source.name;
    let values = || state.values(name);
    let below = || state.below(&format!("{name}."));
    let indexed = || {
        let indexed = below().into_iter().filter(|(rest, _)| rest.starts_with(|c: char| c.is_ascii_digit()));
        few(indexed.collect())
    };
    Some(match source.read {
        Read::Value => Open::Value(values()?),
        Read::Text => Open::Text(values()?),
        Read::Id => Open::Id(values()?),
        Read::Object => match few(below()) {
            Some(below) => Open::Object(values(), below),
            None => Open::Value(values()?),
        },
        Read::At(paths) => {
            let texts = state.all_values(name);
            let keys: Vec<Values<'_>> =
                paths.iter().filter_map(|path| state.values(&format!("{name}.{path}"))).collect();
            if texts.is_empty() && keys.is_empty() {
                return None;
            }
            Open::At(texts, paths, keys)
        }
        Read::Words(words) => Open::Words(values()?, words),
        Read::Is(word) => {
            let mut columns = state.all_values(name);
            columns.extend(below().into_iter().map(|(_, values)| values));
            Open::Is(some(columns)?, word)
        }
        Read::Sum(first, second) => {
            let column = |name: &str| Values::of(state.column(name)?);
            let filled = [first, second].into_iter().filter_map(|name| state.filled(name)).collect();
            Open::Sum(Sum { terms: [column(first)?, column(second)?], filled: some(filled)? })
        }
        Read::Filled => Open::Value(state.filled(name)?),
        Read::MimeType => Open::MimeType(state.filled(name)?),
        Read::Settings(_) | Read::Setting(_) => return None,
        Read::Chat(instructions) => Open::Chat(values()?, state.values(instructions)),
        Read::Messages(role) => Open::Messages(values()?, Some(role)),
        Read::ObjectMessages => match few(below()) {
            Some(below) => Open::ObjectMessages(values(), below),
            None => Open::Messages(values()?, None),
        },
        Read::Answer(calls) => {
            let (text, calls) = (values(), state.values(calls));
            if text.is_none() && calls.is_none() {
                return None;
            }
            Open::Answer(text, calls)
        }
        Read::IndexedMessages => Open::IndexedMessages(indexed()?),
        Read::EventsIn => Open::Events(values()?, events::Side::Given),
        Read::EventsOut => Open::Events(values()?, events::Side::Gave),
        Read::Asked => Open::Asked(values()?),
        Read::AskedEvents => Open::Events(values()?, events::Side::Asked),
        Read::Tools(path) => Open::Tools(values()?, path),
        Read::IndexedTools => Open::IndexedTools(indexed()?),
    })
}

/// Keys that are some, and not so many that a hostile row of them takes its time.
fn few<T>(keys: Vec<T>) -> Option<Vec<T>> {
    (1..=MOST_KEYS).contains(&keys.len()).then_some(keys)
}

fn some<T>(found: Vec<T>) -> Option<Vec<T>> {
    (!found.is_empty()).then_some(found)
}

impl Open<'_> {
    /// Whether its values are made here, and are what their column takes.
    pub(super) fn is_made(&self) -> bool {
        !matches!(self, Self::Value(_) | Self::Text(_) | Self::Object(..) | Self::At(..))
    }

    /// The text of the value in a row, as the canonical column is to read it.
    pub(super) fn read(&self, row: usize) -> Option<Cow<'_, str>> {
        match self {
            Self::Value(values) => Some(values.cell(row)?.text()),
            Self::Text(values) => Some(values.any_cell(row)?.text()),
            Self::Id(values) => Some(values.cell(row)?.text()).filter(|id| !ids::is_zero(id)),
            Self::Object(leaf, below) => text_or_object(*leaf, below, row),
            Self::At(texts, paths, keys) => {
                let text = texts.iter().find_map(|values| values.str(row));
                let inside = text.and_then(|text| paths.iter().find_map(|path| value_at(text, path)));
                let key = || keys.iter().find_map(|values| values.cell(row)).map(Cell::text);
                inside.map(Cow::Owned).or_else(key)
            }
            Self::Words(values, words) => {
                let text = values.str(row)?;
                let first = text.split_whitespace().next()?;
                words.iter().find(|(from, _)| from.eq_ignore_ascii_case(first)).map(|(_, to)| Cow::Borrowed(*to))
            }
            Self::Is(columns, word) => {
                columns.iter().any(|values| values.cell(row).is_some()).then_some(Cow::Borrowed(*word))
            }
            Self::Sum(sum) => sum.read(row).map(Cow::Owned),
            Self::MimeType(values) => {
                let text = values.str(row)?;
                (is_json(text, '{') || is_json(text, '[')).then_some(Cow::Borrowed("application/json"))
            }
            Self::Settings(keys) => object(keys, row, Cell::setting),
            Self::Chat(values, instructions) => {
                let instructions = instructions.and_then(|instructions| instructions.str(row));
                messages::chat(values.str(row)?, instructions).map(Cow::Owned)
            }
            Self::Messages(values, role) => messages::of_text(values.str(row)?, *role).map(Cow::Owned),
            Self::ObjectMessages(leaf, below) => {
                messages::of_text(&text_or_object(*leaf, below, row)?, None).map(Cow::Owned)
            }
            Self::Answer(text, calls) => {
                let text = text.and_then(|text| text.cell(row)).map(Cell::text);
                let calls = calls.and_then(|calls| calls.str(row));
                messages::answer(text.as_deref(), calls).map(Cow::Owned)
            }
            Self::IndexedMessages(columns) => messages::indexed(&tree(columns, row, Cell::tree)).map(Cow::Owned),
            Self::Events(values, side) => events::messages(values.str(row)?, *side).map(Cow::Owned),
            Self::Asked(values) => messages::asked(values.str(row)?).map(Cow::Owned),
            Self::Tools(values, path) => tools::of_text(values.str(row)?, path).map(Cow::Owned),
            Self::IndexedTools(columns) => tools::indexed(&tree(columns, row, Cell::json)).map(Cow::Owned),
        }
    }
}

/// The text at a path; a string's own, of anything else its JSON.
fn value_at(text: &str, path: &str) -> Option<String> {
    // A cheap look: most objects say nothing of it. Keys have no escapes.
    let last = path.rsplit('.').next().unwrap_or(path);
    memchr::memmem::find(text.as_bytes(), last.as_bytes())?;
    json::text_at(text, path).filter(|text| !text.is_empty())
}

/// The keys that have a value in a row, as an object.
fn tree<'s>(keys: &[(&'s str, Values<'s>)], row: usize, value: fn(Cell<'s>) -> Tree<'s>) -> Tree<'s> {
    let mut tree = Tree::Null;
    for (key, values) in keys {
        if let Some(cell) = values.cell(row) {
            tree.set(key, value(cell));
        }
    }
    tree
}

fn text_or_object<'s>(leaf: Option<Values<'s>>, below: &[(&'s str, Values<'s>)], row: usize) -> Option<Cow<'s, str>> {
    match leaf.and_then(|leaf| leaf.cell(row)) {
        Some(cell) => Some(cell.text()),
        None => object(below, row, Cell::json),
    }
}

fn object<'s>(
    keys: &[(&'s str, Values<'s>)],
    row: usize,
    value: fn(Cell<'s>) -> Tree<'s>,
) -> Option<Cow<'static, str>> {
    match tree(keys, row, value) {
        Tree::Null => None,
        tree => tree.text().map(Cow::Owned),
    }
}

impl Sum<'_> {
    fn read(&self, row: usize) -> Option<String> {
        self.filled.iter().find_map(|filled| filled.cell(row))?;
        match self.terms.map(|term| term.cell(row)) {
            [Some(Cell::Int(first)), Some(Cell::Int(second))] => Some(first.checked_add(second)?.to_string()),
            [Some(Cell::Float(first)), Some(Cell::Float(second))] => Some((first + second).to_string()),
            _ => None,
        }
    }
}

/// Whether a text is JSON of this beginning: a list or an object.
pub(super) fn is_json(text: &str, open: char) -> bool {
    text.trim_start().starts_with(open) && matches!(json::read(text), Some(Value::Nested(_)))
}
