//! Scans of segments that read decoded columns from memory, and keep there what they decode.
//!
//! ```text
//! plan     a Parquet scan as DataFusion plans it: projections and conditions are pushed into it
//! open     few rows by their ids, a LIMIT, too much at once ──▶ it runs as it is, without rows that the index of texts rules out
//!          else, row group by row group:
//!            few rows that may have the texts that are asked for ──▶ only these are read
//!            columns of conditions ──▶ kept, or decoded and kept ──▶ which rows pass
//!            other columns         ──▶ kept, or decoded and kept; for few rows, the first time, only these are read
//! ```

mod live;
mod load;
mod narrow;
mod prune;
mod rows;
mod select;
mod source;
mod texts;

pub(super) use source::KeptSource;
