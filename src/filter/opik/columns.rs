//! The columns that OQL knows: their types, by what is selected, and the operators of each type.

use super::Entity;

/// The type of a column, as the REST API names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    String,
    DateTime,
    Number,
    Score,
    List,
    ErrorContainer,
    Enum,
    Dictionary,
}

/// An operator of OQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    Eq,
    NotEq,
    Contains,
    NotContains,
    StartsWith,
    EndsWith,
    Gt,
    GtEq,
    Lt,
    LtEq,
    IsEmpty,
    IsNotEmpty,
    In,
    NotIn,
}

impl Op {
    const ALL: [Self; 14] = {
        use Op::*;
        [Eq, NotEq, Contains, NotContains, StartsWith, EndsWith, Gt, GtEq, Lt, LtEq, IsEmpty, IsNotEmpty, In, NotIn]
    };

    /// As it is written.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Eq => "=",
            Self::NotEq => "!=",
            Self::Contains => "contains",
            Self::NotContains => "not_contains",
            Self::StartsWith => "starts_with",
            Self::EndsWith => "ends_with",
            Self::Gt => ">",
            Self::GtEq => ">=",
            Self::Lt => "<",
            Self::LtEq => "<=",
            Self::IsEmpty => "is_empty",
            Self::IsNotEmpty => "is_not_empty",
            Self::In => "in",
            Self::NotIn => "not_in",
        }
    }

    /// The operator that is written so, in this case.
    pub(super) fn read(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|op| op.text() == text)
    }

    /// Whether it stands without a value.
    pub(super) fn is_alone(self) -> bool {
        matches!(self, Self::IsEmpty | Self::IsNotEmpty)
    }

    /// Whether its value is a list.
    pub(super) fn takes_list(self) -> bool {
        matches!(self, Self::In | Self::NotIn)
    }
}

impl Type {
    /// Its name in a clause.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::DateTime => "date_time",
            Self::Number => "number",
            Self::Score => "feedback_scores_number",
            Self::List => "list",
            Self::ErrorContainer => "error_container",
            Self::Enum => "enum",
            Self::Dictionary => "dictionary",
        }
    }

    /// The operators that OQL takes for a column of the type.
    pub(super) fn operators(self) -> &'static [Op] {
        use Op::*;
        match self {
            Self::String => &[Eq, NotEq, Contains, NotContains, StartsWith, EndsWith, Gt, Lt],
            Self::DateTime | Self::Number => &[Eq, NotEq, Gt, GtEq, Lt, LtEq],
            Self::Score => &[Eq, NotEq, Gt, GtEq, Lt, LtEq, IsEmpty, IsNotEmpty],
            Self::List => &[Eq, NotEq, Contains, NotContains, IsEmpty, IsNotEmpty],
            Self::ErrorContainer => &[IsEmpty, IsNotEmpty],
            Self::Enum => &[Eq, NotEq, In, NotIn],
            Self::Dictionary => &[Eq, NotEq, Contains, NotContains, StartsWith, EndsWith, Gt, GtEq, Lt, LtEq],
        }
    }

    /// Whether a column of the type takes a key: `metadata.key`.
    pub(super) fn takes_key(self) -> bool {
        matches!(self, Self::Dictionary | Self::Score)
    }
}

/// The columns, where they are (traces, spans, threads), and their types.
const COLUMNS: [(&str, [bool; 3], Type); 34] = {
    const T: bool = true;
    const F: bool = false;
    [
        ("id", [T, T, T], Type::String),
        ("name", [T, T, F], Type::String),
        ("input", [T, T, F], Type::String),
        ("output", [T, T, F], Type::String),
        ("thread_id", [T, F, F], Type::String),
        ("guardrails", [T, F, F], Type::String),
        ("experiment_id", [T, F, F], Type::String),
        ("model", [F, T, F], Type::String),
        ("provider", [F, T, F], Type::String),
        ("trace_id", [F, T, F], Type::String),
        ("first_message", [F, F, T], Type::String),
        ("last_message", [F, F, T], Type::String),
        ("start_time", [T, T, T], Type::DateTime),
        ("end_time", [T, T, T], Type::DateTime),
        ("created_at", [T, F, T], Type::DateTime),
        ("last_updated_at", [T, F, T], Type::DateTime),
        ("metadata", [T, T, F], Type::Dictionary),
        ("input_json", [T, T, F], Type::Dictionary),
        ("output_json", [T, T, F], Type::Dictionary),
        ("feedback_scores", [T, T, T], Type::Score),
        ("span_feedback_scores", [T, F, F], Type::Score),
        ("usage.total_tokens", [T, T, F], Type::Number),
        ("usage.prompt_tokens", [T, T, F], Type::Number),
        ("usage.completion_tokens", [T, T, F], Type::Number),
        ("duration", [T, T, T], Type::Number),
        ("total_estimated_cost", [T, T, F], Type::Number),
        ("llm_span_count", [T, F, F], Type::Number),
        ("number_of_messages", [F, F, T], Type::Number),
        ("tags", [T, T, T], Type::List),
        ("annotation_queue_ids", [T, F, T], Type::List),
        ("error_info", [T, T, F], Type::ErrorContainer),
        ("environment", [T, T, T], Type::Enum),
        ("type", [F, T, F], Type::Enum),
        ("status", [F, F, T], Type::Enum),
    ]
};

/// The columns of an entity and their types.
pub(super) fn columns(entity: Entity) -> impl Iterator<Item = (&'static str, Type)> {
    let at = match entity {
        Entity::Traces => 0,
        Entity::Spans => 1,
        Entity::Threads => 2,
    };
    COLUMNS.iter().filter(move |(_, entities, _)| entities[at]).map(|(name, _, kind)| (*name, *kind))
}

/// The type of a column; `None` when the entity has no such column.
pub(super) fn type_of(field: &str, entity: Entity) -> Option<Type> {
    columns(entity).find(|(name, _)| *name == field).map(|(_, kind)| kind)
}

/// The entities that have a column of this name.
pub(super) fn entities_with(field: &str) -> Vec<Entity> {
    [Entity::Traces, Entity::Spans, Entity::Threads].into_iter().filter(|at| type_of(field, *at).is_some()).collect()
}
