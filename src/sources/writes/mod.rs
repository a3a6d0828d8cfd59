//! What is said of spans afterwards: annotations, evaluations, metadata; read from rows of every shape, checked by the
//! rules of the vendor's own client, and made columns for a store or requests for a remote.
//!
//! ```text
//! files, a query's batches, an upload --rows.rs--> rows --judgements.rs--> Judgement --+-- columns.rs --> a store
//!                                                       --patches.rs-----> Patch     --+-- the remotes' writers
//! ```

mod columns;
mod error;
mod judgement;
mod judgements;
mod patch;
mod patches;
mod place;
mod rows;
mod rules;

pub use columns::{judgement_batch, patch_batch};
pub use error::WriteError;
pub use judgement::{Grain, Judgement, Kind, NOTES_NAME};
pub use judgements::{Given, judgements};
pub use patch::{Patch, stored};
pub use patches::{PATCH_COLUMN, patches};
pub use rows::{Row, batch_rows, file_rows};
pub use rules::Rules;
