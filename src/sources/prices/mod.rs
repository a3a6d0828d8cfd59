//! What models cost: a file of prices, as LiteLLM publishes it or a table.

mod file;
mod read;
mod table;

pub use file::PriceFile;
pub use read::PriceError;
pub use table::{Priced, Prices, Usage};
