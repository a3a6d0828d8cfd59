//! A version's number is taken once: one that was taken and removed while a writer slept would lie below newer versions, where
//! nobody reads it, if it was taken again.

use std::sync::Arc;

use object_store::ObjectStoreExt;
use object_store::memory::InMemory;
use object_store::path::Path as ObjectPath;
use spanql::store::StoreError;

use super::store_vacuums::{Site, Work, at_each_write, fill, sites, vacuum, void_leases};
use super::support::{ask_text, begin_in_first_format, engine, first_format, import, spans};

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_was_taken_is_not_taken_again() {
    let dir = tempfile::tempdir().unwrap();
    for base in sites(dir.path()).await {
        for (work, removed) in [(Work::Import, false), (Work::Import, true), (Work::Patch, false), (Work::Patch, true)]
        {
            let others = async |site: &Site| {
                if removed {
                    void_leases(site).await;
                }
                write_and_vacuum(site).await;
            };
            let check = async |site: &Site, outcome: Result<(), StoreError>, context: &str| {
                outcome.unwrap_or_else(|error| panic!("{context}: {error}"));
                let held = engine(site.open().snapshot().await.unwrap()).await;
                let sql = "SELECT project, count(*) AS n, count(DISTINCT span_id) AS d,
                    count(*) FILTER (WHERE name = 'new' OR eval.Q.label = 'new') AS new FROM spans GROUP BY project";
                let text = ask_text(&held, sql).await.unwrap();
                let expected = match work {
                    Work::Import => ["project=a | n=23 | d=23 | new=15", "project=c | n=6 | d=6 | new=6"],
                    _ => ["project=a | n=14 | d=14 | new=3", "project=b | n=12 | d=12 | new=0"],
                };
                for expected in expected {
                    assert!(text.contains(expected), "{context}, removed {removed}: {text}");
                }
            };
            at_each_write(work, &base, dir.path(), others, check).await;
        }
    }
}

/// Commits of others, of which only the last one stays.
async fn write_and_vacuum(site: &Site) {
    for number in 0..3 {
        import(&site.open(), &[spans("others", number..number + 1, "theirs")]).await.unwrap();
    }
    vacuum(site).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_takes_no_number_that_was_taken() {
    let dir = tempfile::tempdir().unwrap();
    let objects = Arc::new(InMemory::new());
    let (file, text) = first_format();
    objects.put(&ObjectPath::from(file.as_str()), text.into()).await.unwrap();
    let directory = dir.path().join("base");
    begin_in_first_format(&directory);
    for base in [Site::Memory(objects), Site::Directory(directory)] {
        fill(&base.open()).await;
        let check = async |site: &Site, outcome: Result<(), StoreError>, context: &str| {
            outcome.unwrap_or_else(|error| panic!("{context}: {error}"));
            assert_eq!(site.open().snapshot().await.unwrap().manifest.format, 2, "{context}");
        };
        at_each_write(Work::Upgrade, &base, dir.path(), write_and_vacuum, check).await;
    }
}
