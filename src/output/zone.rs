//! The time zone in which people read timestamps.

use std::fmt;
use std::str::FromStr;

use chrono_tz::{TZ_VARIANTS, Tz};

use super::Error;

/// Similarity (0 to 1) below which a name is not worth suggesting.
const SIMILAR: f64 = 0.6;

/// The zone in which tables and trees show timestamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Zone {
    /// Coordinated universal time.
    #[default]
    Utc,
    /// The zone of this machine.
    Local,
    /// A zone by its IANA name.
    Named(Tz),
}

impl Zone {
    /// The rules of this zone; UTC where this machine's own zone cannot be told.
    pub fn tz(self) -> Tz {
        match self {
            Self::Utc => Tz::UTC,
            Self::Local => iana_time_zone::get_timezone().ok().and_then(|name| named(&name)).unwrap_or(Tz::UTC),
            Self::Named(tz) => tz,
        }
    }
}

fn named(name: &str) -> Option<Tz> {
    TZ_VARIANTS.iter().copied().find(|tz| tz.name().eq_ignore_ascii_case(name))
}

/// The zone most like `name`, by its whole name or its last part (people remember the city).
fn nearest(name: &str) -> Option<String> {
    let name = name.to_lowercase().replace(' ', "_");
    let score = |tz: &Tz| {
        let known = tz.name().to_lowercase();
        let city = known.rsplit('/').next().unwrap_or_default();
        let whole = strsim::normalized_damerau_levenshtein(&name, &known);
        whole.max(strsim::normalized_damerau_levenshtein(&name, city))
    };
    TZ_VARIANTS
        .iter()
        .map(|tz| (score(tz), tz.name()))
        .filter(|(score, _)| *score >= SIMILAR)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name.to_owned())
}

impl FromStr for Zone {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if text.eq_ignore_ascii_case("utc") {
            Ok(Self::Utc)
        } else if text.eq_ignore_ascii_case("local") {
            Ok(Self::Local)
        } else {
            named(text)
                .map(Self::Named)
                .ok_or_else(|| Error::UnknownZone { given: text.to_owned(), nearest: nearest(text) })
        }
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Utc => f.write_str("utc"),
            Self::Local => f.write_str("local"),
            Self::Named(tz) => f.write_str(tz.name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_any_case() {
        assert_eq!("UTC".parse::<Zone>().unwrap(), Zone::Utc);
        assert_eq!("Local".parse::<Zone>().unwrap(), Zone::Local);
        assert_eq!("europe/BERLIN".parse::<Zone>().unwrap(), Zone::Named(Tz::Europe__Berlin));
        assert_eq!(Zone::Named(Tz::Europe__Berlin).to_string(), "Europe/Berlin");
    }

    #[test]
    fn errors_suggest() {
        let message = |name: &str| name.parse::<Zone>().unwrap_err().to_string();
        assert_eq!(
            message("Europe/Berln"),
            "unknown time zone 'Europe/Berln': use utc, local or an IANA name such as Europe/Berlin"
        );
        assert!(message("new york").ends_with("such as America/New_York"), "{}", message("new york"));
        assert_eq!(message("#"), "unknown time zone '#': use utc, local or an IANA name");
    }

    #[test]
    fn local_resolves() {
        // Whatever this machine says, there is always a zone.
        assert!(!Zone::Local.tz().name().is_empty());
    }
}
