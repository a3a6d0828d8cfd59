//! How many cases are tried by the tests that try many.
//!
//! By itself `cargo test` tries a quarter, so that it takes minutes; `SPANQL_TEST_CASES=all`, as CI has it, tries all.

/// Whether all cases are tried.
pub(crate) fn all_cases() -> bool {
    std::env::var_os("SPANQL_TEST_CASES").is_some_and(|value| value == "all")
}

/// How many of so many cases are tried.
pub(crate) fn cases(all: usize) -> usize {
    if all_cases() { all } else { all.div_ceil(4) }
}
