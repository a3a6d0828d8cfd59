//! Conditions as SQL text.
