//! The parameters that a text has, before anybody gives them values.

use super::error::EngineError;
use super::parse;
use super::session::Engine;

impl Engine {
    /// The names of the parameters in a text, without `$` or `:`, each once, in the order in which they stand there first.
    ///
    /// # Errors
    ///
    /// When the text cannot be read, or is beyond a limit.
    pub async fn parameters(&self, sql: &str) -> Result<Vec<String>, EngineError> {
        let sql = sql.to_owned();
        self.planned(move |_| parse::parameters(&sql)).await
    }
}
