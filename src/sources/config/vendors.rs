//! The vendors whose settings are known.

use super::vendor::Vendor;
use super::{arize, opik, phoenix};

/// All of them, in the order in which they are shown.
pub static VENDORS: [&Vendor; 3] = [&arize::VENDOR, &phoenix::VENDOR, &opik::VENDOR];

#[cfg(test)]
mod tests {
    use super::VENDORS;
    use crate::config::file::TABLES;

    #[test]
    fn every_vendor_has_a_table_in_profiles() {
        assert_eq!(VENDORS.map(|vendor| vendor.name), TABLES);
    }
}
