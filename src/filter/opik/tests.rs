//! The vectors of a file outside of the project, while they are near.

use super::{Clause, Entity, compile};

#[test]
fn scratch_vectors() {
    let Ok(path) = std::env::var("OQL_VECTORS") else { return };
    let mut failed = 0;
    for line in std::fs::read_to_string(path).unwrap().lines() {
        let case: serde_json::Value = serde_json::from_str(line).unwrap();
        let entity: Entity = case["entity"].as_str().unwrap().parse().unwrap();
        let text = case["filter"].as_str().unwrap();
        let found = compile(text, entity);
        let good = match (&found, case["ok"].as_bool().unwrap()) {
            (Ok(found), true) => {
                *found == serde_json::from_value::<Option<Vec<Clause>>>(case["parsed"].clone()).unwrap()
            }
            (Err(error), false) => {
                println!("{}", error.report());
                error.code() == case["error_kind"].as_str().unwrap().replace('_', "-")
            }
            _ => false,
        };
        if !good {
            failed += 1;
            println!("FAILED {line}\n   {found:?}");
        }
    }
    assert_eq!(failed, 0);
}
