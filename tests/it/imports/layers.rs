//! The crates of the workspace in their order: each depends on crates below it only, and those that know what a span, a
//! trace and a store are build without DataFusion.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use super::root;
use super::tree::members;

/// From the bottom up. Members of one layer do not depend on each other.
const LAYERS: [&[&str]; 5] =
    [&["model"], &["trace"], &["store", "filter", "demo"], &["sources"], &["engine", "output"]];

/// Members that depend on no others than these.
const ONLY: [(&str, &[&str]); 1] = [("output", &["model", "trace"])];

const WITHOUT_DATAFUSION: [&str; 5] = ["model", "trace", "store", "filter", "output"];

fn layer(member: &str) -> usize {
    let layer = LAYERS.iter().position(|members| members.contains(&member));
    layer.unwrap_or_else(|| panic!("no layer for the crate {member}"))
}

fn may_depend(member: &str, on: &str) -> bool {
    let only = ONLY.iter().find(|(limited, _)| *limited == member);
    layer(on) < layer(member) && only.is_none_or(|(_, others)| others.contains(&on))
}

/// The members that a member depends on; the package at the root is one without a name.
fn dependencies(manifest: &Path) -> BTreeSet<String> {
    let manifest: toml::Table = std::fs::read_to_string(manifest).unwrap().parse().unwrap();
    let Some(dependencies) = manifest.get("dependencies") else { return BTreeSet::new() };
    let package = |(key, value): (&String, &toml::Value)| {
        value.get("package").and_then(toml::Value::as_str).unwrap_or(key).to_owned()
    };
    let packages = dependencies.as_table().unwrap().iter().map(package);
    let ours = packages.filter_map(|package| package.strip_prefix("spanql").map(str::to_owned));
    ours.map(|name| name.trim_start_matches('-').to_owned()).collect()
}

#[test]
fn crates_depend_on_those_below_them_only() {
    let src = root().join("src");
    for member in members(&src) {
        for on in dependencies(&src.join(&member).join("Cargo.toml")) {
            assert!(!on.is_empty(), "{member} depends on the package that depends on it");
            assert!(may_depend(&member, &on), "{member} depends on {on}");
        }
    }
}

#[test]
fn crates_that_need_no_datafusion_build_without_it() {
    let members = members(&root().join("src"));
    for member in WITHOUT_DATAFUSION.into_iter().filter(|member| members.contains(*member)) {
        let mut tree = Command::new(env!("CARGO"));
        tree.args(["tree", "--offline", "--locked", "--edges", "normal", "--prefix", "none", "--package"]);
        let output = tree.arg(format!("spanql-{member}")).current_dir(root()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let packages = String::from_utf8(output.stdout).unwrap();
        let packages: BTreeSet<&str> = packages.lines().filter_map(|line| line.split(' ').next()).collect();
        assert!(packages.contains("arrow-schema") || packages.contains("arrow"), "{member}: {packages:?}");
        assert!(!packages.contains("datafusion"), "{member} depends on datafusion");
    }
}

/// Two versions of these would be compiled twice, and their types would not fit together.
const ONCE: [&str; 8] = ["arrow", "parquet", "datafusion", "object_store", "tonic", "prost", "sqlparser", "hyper"];

#[test]
fn large_dependencies_are_there_once() {
    let lock: toml::Table = std::fs::read_to_string(root().join("Cargo.lock")).unwrap().parse().unwrap();
    let packages = lock["package"].as_array().unwrap();
    for name in ONCE {
        let found: Vec<&str> = packages
            .iter()
            .filter(|package| package["name"].as_str() == Some(name))
            .filter_map(|package| package["version"].as_str())
            .collect();
        assert_eq!(found.len(), 1, "{name}: {found:?}");
    }
}
