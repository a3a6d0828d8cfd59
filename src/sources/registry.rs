//! The remotes that there are: a word for each, and what opens it by the settings that are found.

use std::sync::Arc;
use std::time::Duration;

use super::arize::{self, Arize, Transport};
use super::config::{ArizeSettings, Environment, OpikSettings, PhoenixSettings};
use super::error::SourceError;
use super::opik::{self, Opik};
use super::phoenix::{self, Phoenix};
use super::remote::SpanSource;
use super::writes::SpanWriter;

/// How remotes are reached and read, beside what settings say; what is of one remote only means nothing to the others.
#[derive(Debug, Clone)]
pub struct Access {
    /// The profile of `config.toml`, if one is named.
    pub profile: Option<String>,
    /// The space of Arize, by its name or id.
    pub space: Option<String>,
    /// How long a remote may say nothing before it is given up.
    pub timeout: Duration,
    /// Which way spans of Arize come.
    pub transport: Transport,
    /// The traces of Opik become rows, too, above their spans.
    pub trace_rows: bool,
}

impl Default for Access {
    fn default() -> Self {
        let (timeout, transport) = (arize::DEFAULT_TIMEOUT, Transport::default());
        Self { profile: None, space: None, timeout, transport, trace_rows: true }
    }
}

/// Makes a source of the settings that are found.
type Open = fn(&Environment, &Access) -> Result<Arc<dyn SpanSource>, SourceError>;

/// Makes a writer of the settings that are found.
type OpenToWrite = fn(&Environment, &Access) -> Result<Arc<dyn SpanWriter>, SourceError>;

/// A remote that can be opened.
#[derive(Debug)]
pub struct Remote {
    /// The word for it in the column `source` and in SQL.
    pub name: &'static str,
    /// What it is, for people.
    pub title: &'static str,
    open: Open,
    open_to_write: OpenToWrite,
}

/// All of them, in the order in which they are listed.
pub static REMOTES: [Remote; 3] = [
    Remote {
        name: arize::NAME,
        title: "Arize AX, over Arrow Flight or REST",
        open: open_arize,
        open_to_write: |environment, access| Ok(Arc::new(arize(environment, access)?)),
    },
    Remote {
        name: phoenix::NAME,
        title: "Arize Phoenix, over REST",
        open: |environment, access| Ok(Arc::new(phoenix(environment, access)?)),
        open_to_write: |environment, access| Ok(Arc::new(phoenix(environment, access)?)),
    },
    Remote {
        name: opik::NAME,
        title: "Opik, over REST",
        open: open_opik,
        open_to_write: |environment, access| Ok(Arc::new(opik(environment, access)?)),
    },
];

impl Remote {
    /// The remote of this word.
    pub fn named(name: &str) -> Option<&'static Self> {
        REMOTES.iter().find(|remote| remote.name == name)
    }

    /// Opens it by the settings that are found; nothing is called yet.
    ///
    /// # Errors
    /// [`SourceError::Setting`] when a setting is missing or cannot be what it is.
    pub fn open(&self, environment: &Environment, access: &Access) -> Result<Arc<dyn SpanSource>, SourceError> {
        (self.open)(environment, access)
    }

    /// Opens it to write to it, by the same settings; nothing is called yet.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_to_write(
        &self,
        environment: &Environment,
        access: &Access,
    ) -> Result<Arc<dyn SpanWriter>, SourceError> {
        (self.open_to_write)(environment, access)
    }
}

fn arize(environment: &Environment, access: &Access) -> Result<Arize, SourceError> {
    let settings = ArizeSettings::find(environment, access.profile.as_deref())?;
    Arize::new(&settings, access.space.as_deref(), access.timeout)
}

fn phoenix(environment: &Environment, access: &Access) -> Result<Phoenix, SourceError> {
    Phoenix::new(&PhoenixSettings::find(environment, access.profile.as_deref())?, access.timeout)
}

fn opik(environment: &Environment, access: &Access) -> Result<Opik, SourceError> {
    Opik::new(&OpikSettings::find(environment, access.profile.as_deref())?, access.timeout)
}

fn open_arize(environment: &Environment, access: &Access) -> Result<Arc<dyn SpanSource>, SourceError> {
    let arize = arize(environment, access)?;
    Ok(Arc::new(match access.transport {
        Transport::Flight => arize,
        Transport::Rest => arize.over_rest(),
        Transport::Either => arize.or_rest(),
    }))
}

fn open_opik(environment: &Environment, access: &Access) -> Result<Arc<dyn SpanSource>, SourceError> {
    let opik = opik(environment, access)?;
    Ok(Arc::new(if access.trace_rows { opik } else { opik.without_trace_rows() }))
}

#[cfg(test)]
mod tests {
    use super::REMOTES;
    use crate::config::VENDORS;
    use spanql_model::ingest::SOURCES;

    #[test]
    fn every_remote_has_settings_and_a_word_in_the_column() {
        assert_eq!(REMOTES.each_ref().map(|remote| remote.name), VENDORS.map(|vendor| vendor.name));
        assert!(REMOTES.iter().all(|remote| SOURCES.contains(&remote.name)));
    }
}
