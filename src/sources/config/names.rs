//! What settings there can be, and how they are shown.

/// What the value of a setting may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    /// A number, or text that is one.
    Port,
    /// True or false, or text that is one of these.
    Flag,
}

/// What a setting is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum About {
    /// A value that is sent and never shown.
    Key,
    /// Who asks, or for what.
    User,
    /// Where requests go.
    Host,
    /// How a host is reached, and whom to trust.
    Way,
    /// What the vendor's own tool says of itself; nobody sets it here.
    Tool,
}

/// A setting of a vendor.
#[derive(Debug)]
pub(super) struct Name {
    /// Its name in a profile.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) about: About,
    /// Its variables; the first that is set counts.
    pub(super) variables: &'static [&'static str],
}

impl Name {
    pub(super) const fn new(name: &'static str, kind: Kind, about: About, variables: &'static [&'static str]) -> Self {
        Self { name, kind, about, variables }
    }
}

/// A setting as it may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownSetting {
    /// Its name in a profile.
    pub name: &'static str,
    /// Its value; of a key, that there is one. `None` when it is not set.
    pub value: Option<String>,
    /// Where it comes from, in words.
    pub origin: Option<String>,
}
