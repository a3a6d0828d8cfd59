//! What must not leave: keys, addresses, card and phone numbers in texts, each replaced by a placeholder.
//!
//! A placeholder is `[email-3f2a9c1b04]`: what was there, and a hash of it under a key, so that the same text gets the
//! same placeholder and nobody without the key can try guesses.

mod batch;
mod patterns;
mod redactor;
mod text;

pub use patterns::BadPattern;
pub use redactor::Redactor;
