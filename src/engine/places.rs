//! Errors of planning, with the places in the text of what they are about.

use datafusion::error::DataFusionError;

use super::arguments::{Called, argument_error, own_error};
use super::catalog::Catalog;
use super::error::{EngineError, function_error, unknown_function};
use super::operands::Refused;
use super::resolve::Places;
use super::table_functions;
use super::wording::in_our_words;

impl Places {
    /// An error of planning, in words and with its place.
    pub(super) fn planning_error(&self, error: &DataFusionError, catalog: &Catalog<'_>) -> EngineError {
        let message = error.find_root().message();
        if let Some(name) = unknown_function(&message) {
            let called = self.functions.get(name);
            let known = table_functions::meant(catalog, name, called.is_some_and(|call| call.grouped));
            let unknown = match known.iter().any(|known| known == name) {
                // What becomes another call has no other form.
                true => EngineError::new("bad-argument", format!("{name} does not take these arguments")),
                false => function_error(name, known.iter().map(String::as_str)),
            };
            return match called {
                Some(call) => unknown.at(call.place),
                None => unknown,
            };
        }
        let at = |error: EngineError, name: &str| match self.functions.get(name) {
            Some(call) => error.at(call.place),
            None => error,
        };
        if let Some((error, name)) = own_error(&message) {
            return at(error, name);
        }
        let called = self.functions.iter().map(|(name, call)| Called { typed: &call.typed, name });
        // What is thought over by us has its words.
        let ours = matches!(error.find_root(), DataFusionError::External(_));
        if let Some((error, name)) = argument_error(&message, called, catalog.state).filter(|_| !ours) {
            return at(error, name);
        }
        if let Some(refused) = Refused::read(&in_our_words(message.lines().next().unwrap_or_default())) {
            let error = EngineError::from_datafusion(error);
            return match refused.place(&self.operators) {
                Some(place) => error.at(place),
                None => error,
            };
        }
        let error = EngineError::from_datafusion(error);
        if let Some(column) = error.not_grouped() {
            let of =
                |name: &String| column == name || column.strip_suffix(name.as_str()).is_some_and(|q| q.ends_with('.'));
            if let Some((_, (typed, place))) = self.columns.iter().find(|(name, _)| of(name)) {
                return EngineError::neither_grouped(typed).at(*place);
            }
        }
        match error.quoted_literal().and_then(|text| self.literals.get(text)) {
            Some(place) if error.position().is_none() => error.at(*place),
            _ => error,
        }
    }
}
