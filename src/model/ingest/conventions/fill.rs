//! How a row of the table of conventions says what fills a column.

/// A canonical column and what fills it where it is null: the first source that has a value that fits the column.
#[derive(Debug)]
pub(super) struct Fill {
    pub(super) column: &'static str,
    pub(super) spans: Spans,
    pub(super) sources: &'static [Source],
}

/// The spans in which a column is filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spans {
    All,
    /// Not those of kind CHAIN: what they say of models and usage is what they say of the calls below them.
    NotChains,
    /// Calls of models: kind LLM, or no kind and a model.
    Calls,
    Agents,
    Tools,
    Embeddings,
}

/// A name, and how its value is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source {
    pub(super) name: &'static str,
    pub(super) read: Read,
}

/// Words, and the word of a canonical column that each stands for.
pub(super) type Words = &'static [(&'static str, &'static str)];

/// How a value is read.
#[derive(Debug, Clone, Copy)]
pub(super) enum Read {
    /// As it came.
    Value,
    /// As it came, an empty text as well.
    Text,
    /// An id: zeros are none.
    Id,
    /// As it came, or an object of all keys below the name.
    Object,
    /// What is at the first of these paths in its JSON, or under keys of these names below it.
    At(&'static [&'static str]),
    /// By its first word.
    Words(Words),
    /// This word, whatever stands there or below.
    Is(&'static str),
    /// The sum of two canonical columns, where one of them was filled.
    Sum(&'static str, &'static str),
    /// What was filled of that canonical column, the name.
    Filled,
    /// The type of what was filled of that canonical column, the name: JSON, or nothing.
    MimeType,
    /// An object of settings: all keys below the name, but for these.
    Settings(&'static [&'static str]),
    /// A setting of this name.
    Setting(&'static str),
    /// A list of messages, after the instructions under another name.
    Chat(&'static str),
    /// Messages in JSON of any shape, else text that this role says.
    Messages(&'static str),
    /// Messages in JSON of any shape, or in an object of all keys below the name.
    ObjectMessages,
    /// A text with the calls under another name.
    Answer(&'static str),
    /// Messages as keys with indexes.
    IndexedMessages,
    /// What a model was given, of a list of events.
    EventsIn,
    /// What a model gave, of a list of events.
    EventsOut,
    /// What an agent was asked: the messages up to the last one of a user.
    Asked,
    /// The same of a list of events.
    AskedEvents,
    /// A list of tools, or the one at this path.
    Tools(&'static str),
    /// Tools as keys with indexes.
    IndexedTools,
}

impl Read {
    /// Whether keys below the name are read, too, or instead of it.
    pub(super) fn reads_below(self) -> bool {
        matches!(
            self,
            Self::Settings(_)
                | Self::IndexedMessages
                | Self::IndexedTools
                | Self::Object
                | Self::ObjectMessages
                | Self::At(_)
                | Self::Is(_)
        )
    }
}

pub(super) const fn value(name: &'static str) -> Source {
    Source { name, read: Read::Value }
}

pub(super) const fn id(name: &'static str) -> Source {
    Source { name, read: Read::Id }
}

pub(super) const fn at(name: &'static str, paths: &'static [&'static str]) -> Source {
    Source { name, read: Read::At(paths) }
}

pub(super) const fn words(name: &'static str, words: Words) -> Source {
    Source { name, read: Read::Words(words) }
}

pub(super) const fn read(name: &'static str, read: Read) -> Source {
    Source { name, read }
}

pub(super) const fn all(column: &'static str, sources: &'static [Source]) -> Fill {
    Fill { column, spans: Spans::All, sources }
}

pub(super) const fn fill(column: &'static str, spans: Spans, sources: &'static [Source]) -> Fill {
    Fill { column, spans, sources }
}
