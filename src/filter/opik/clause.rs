//! Clauses, and what they are about.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What a filter of Opik selects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entity {
    /// Spans.
    Spans,
    /// Traces, by their root span and their roll-ups.
    Traces,
    /// Threads: sessions.
    Threads,
}

impl fmt::Display for Entity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Spans => "spans",
            Self::Traces => "traces",
            Self::Threads => "threads",
        })
    }
}

impl FromStr for Entity {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "spans" => Ok(Self::Spans),
            "traces" => Ok(Self::Traces),
            "threads" => Ok(Self::Threads),
            _ => Err(()),
        }
    }
}

/// One condition as the REST API takes it; all members are text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Clause {
    /// The column.
    pub field: String,
    /// The key in it, else empty.
    #[serde(default)]
    pub key: String,
    /// The column's type.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// The operator as written.
    pub operator: String,
    /// The value as text; empty where the operator takes none.
    #[serde(default)]
    pub value: String,
}

#[cfg(test)]
mod tests {
    use super::Entity;

    #[test]
    fn entities_are_read_as_they_are_called() {
        for entity in [Entity::Spans, Entity::Traces, Entity::Threads] {
            assert_eq!(entity.to_string().parse(), Ok(entity));
        }
        assert_eq!("span".parse::<Entity>(), Err(()));
    }
}
