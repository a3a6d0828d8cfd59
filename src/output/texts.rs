//! Cells as texts, for those who lay them out themselves.

use arrow::array::RecordBatch;
use arrow::error::ArrowError;

use super::Zone;
use super::encode::{Encoder, Style};

/// The cells of a batch as people read them; hidden characters are not made visible yet.
pub struct CellTexts<'a> {
    columns: Vec<Encoder<'a>>,
}

impl std::fmt::Debug for CellTexts<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CellTexts").finish_non_exhaustive()
    }
}

impl<'a> CellTexts<'a> {
    /// Prepares a batch, with timestamps in a zone.
    ///
    /// # Errors
    /// When Arrow cannot display a column.
    pub fn new(batch: &'a RecordBatch, zone: Zone) -> Result<Self, ArrowError> {
        let style = Style::Human(zone.tz());
        let columns = batch.columns().iter().map(|column| Encoder::new(column.as_ref(), style));
        Ok(Self { columns: columns.collect::<Result<_, _>>()? })
    }

    /// One cell; `None` if it is null.
    pub fn text(&self, column: usize, row: usize) -> Option<String> {
        let encoder = self.columns.get(column).filter(|encoder| !encoder.is_null(row))?;
        let mut text = Vec::new();
        encoder.value(row, &mut text);
        Some(String::from_utf8(text).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
    }
}
