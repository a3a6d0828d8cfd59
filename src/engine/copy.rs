//! Where COPY writes.

use std::path::Path;

use datafusion::sql::parser::Statement;
use url::Url;

use super::EngineError;
use spanql_store::{home_path, resolve};

/// Gives the target of a COPY as the address of a file or directory: as a path, `?`, `*` and `[` in it would be taken for
/// a pattern, and what is before a colon for a scheme.
pub(super) fn name_target(statement: &mut Statement) -> Result<(), EngineError> {
    match statement {
        Statement::CopyTo(copy) => {
            if !copy.target.contains("://") {
                copy.target = address(&copy.target)?;
            }
            Ok(())
        }
        Statement::Explain(explain) => name_target(&mut explain.statement),
        _ => Ok(()),
    }
}

fn address(typed: &str) -> Result<String, EngineError> {
    let wrong = |why: String| EngineError::new("file", format!("COPY cannot write to {typed}")).why(why);
    let path = resolve(&home_path(Path::new(typed))).map_err(|error| wrong(error.to_string()))?;
    let is_directory = typed.ends_with(std::path::is_separator) || path.is_dir();
    let address = if is_directory { Url::from_directory_path(&path) } else { Url::from_file_path(&path) };
    address.map(String::from).map_err(|()| wrong(format!("{} is no address", path.display())))
}
