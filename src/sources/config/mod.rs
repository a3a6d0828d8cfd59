//! Settings: where they come from, and which one counts.
//!
//! A setting is looked for in the environment, then in a profile of `config.toml`, then in the files of the vendors' own
//! tools, then in `.env` in the working directory; the first hit counts. A `.env` may lie in anybody's directory: a
//! host from it is used only with a key from the same file, so that no directory can send a key somewhere else.

mod arize;
mod edit;
mod endpoint;
mod environment;
mod error;
mod file;
mod general;
mod given;
mod names;
mod opik;
mod phoenix;
mod redaction;
mod secret;
mod vendor;
mod vendors;

pub use arize::{ArizeSettings, FlightEndpoint, FoundArize};
pub use edit::{Edited, Key, config_file, is_open, set, unset};
pub use endpoint::Endpoint;
pub use environment::Environment;
pub use error::ConfigError;
pub use file::{PROFILE_VARIABLE, profile_in_use};
pub use general::{PRICES, PRICES_VARIABLE, price_file, redactions};
pub use names::ShownSetting;
pub use opik::OpikSettings;
pub use phoenix::PhoenixSettings;
pub use redaction::{REDACTION_KEY_VARIABLE, Redaction};
pub use secret::Secret;
pub use vendor::{Found, Vendor};
pub use vendors::VENDORS;
