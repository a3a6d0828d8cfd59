//! A file of prices that is read when somebody asks for a price.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::read::PriceError;
use super::table::Prices;

/// Where prices are; read at most once.
#[derive(Debug)]
pub struct PriceFile {
    path: PathBuf,
    read: OnceLock<Result<Prices, PriceError>>,
}

impl PriceFile {
    /// One at this path, which is not looked at yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), read: OnceLock::new() }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is in it.
    ///
    /// # Errors
    /// As [`Prices::read`].
    pub fn prices(&self) -> Result<&Prices, PriceError> {
        self.read.get_or_init(|| Prices::read(&self.path)).as_ref().map_err(Clone::clone)
    }
}
