//! One judgement: what somebody or something says of a span, a trace or a session, under a name.

/// The name of annotations that are notes: texts in a list, beside all that have names.
pub const NOTES_NAME: &str = "notes";

/// Who says it, which is also where it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// People: columns `annotation.<name>.…`.
    Annotation,
    /// A model or code: columns `eval.<name>.…` and those of traces and sessions.
    Evaluation,
}

impl Kind {
    /// The last part of the column that holds the text.
    pub fn text_part(self) -> &'static str {
        match self {
            Self::Annotation => "text",
            Self::Evaluation => "explanation",
        }
    }
}

/// What is judged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grain {
    /// One span.
    #[default]
    Span,
    /// A whole trace, named by its own id or by that of its root span.
    Trace,
    /// A whole session.
    Session,
}

impl Grain {
    /// What is judged, in words.
    pub fn word(self) -> &'static str {
        match self {
            Self::Span => "span",
            Self::Trace => "trace",
            Self::Session => "session",
        }
    }
}

/// What is said of one span, trace or session under one name. Parts that are not there say nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// The id of what is judged.
    pub id: String,
    /// Who says it.
    pub kind: Kind,
    /// What is judged.
    pub grain: Grain,
    /// The name; [`NOTES_NAME`] of an annotation is a note, which has a text alone.
    pub name: String,
    /// One of few words.
    pub label: Option<String>,
    /// A finite number.
    pub score: Option<f64>,
    /// Why, or what else there is to say.
    pub text: Option<String>,
    /// Who said it; of annotations only.
    pub updated_by: Option<String>,
    /// When, in milliseconds since the epoch; of annotations only.
    pub updated_at: Option<i64>,
}

impl Judgement {
    /// A judgement that says nothing yet.
    pub fn new(id: &str, kind: Kind, grain: Grain, name: &str) -> Self {
        Self {
            id: id.to_owned(),
            kind,
            grain,
            name: name.to_owned(),
            label: None,
            score: None,
            text: None,
            updated_by: None,
            updated_at: None,
        }
    }

    /// Whether it is a note.
    pub fn is_note(&self) -> bool {
        self.kind == Kind::Annotation && self.name == NOTES_NAME
    }

    /// Whether it says anything.
    pub fn says_something(&self) -> bool {
        self.label.is_some() || self.score.is_some() || self.text.is_some()
    }

    /// The beginning of the names of its columns, with the last dot.
    pub fn column_prefix(&self) -> String {
        let family = match (self.kind, self.grain) {
            (Kind::Annotation, _) => "annotation",
            (Kind::Evaluation, Grain::Span) => "eval",
            (Kind::Evaluation, Grain::Trace) => "trace_eval",
            (Kind::Evaluation, Grain::Session) => "session_eval",
        };
        format!("{family}.{}.", self.name)
    }
}
