//! The simple filters of Phoenix: parameters of its span search.

mod meaning;
mod parameters;
mod print;

pub use meaning::parse;
pub use parameters::Parameters;
pub use print::print;

#[cfg(test)]
mod tests;
