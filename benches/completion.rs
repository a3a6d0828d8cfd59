//! How long completion takes on a catalog of 300 columns and 100,000 ids of traces and of sessions.
//!
//! What is promised: under 20 ms for each key.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use spanql::repl::{TableWords, Words, complete, highlight};

const TYPED: [(&str, &str); 6] = [
    ("a first word", "SELECT "),
    ("a column", "SELECT count(*), attributes.family_3. FROM spans WHERE status_code = 'ERROR'"),
    ("any trace", "SELECT * FROM trace('"),
    ("one trace", "SELECT * FROM trace('0000000000000000000000000001"),
    ("a session", "\\session sess-0009"),
    ("a value", "SELECT * FROM spans s WHERE s.attributes.family_1.key_1 IN ('value-1', '"),
];

fn words() -> Words {
    let columns: Vec<String> = (0..300).map(|at| format!("attributes.family_{}.key_{at}", at % 7)).collect();
    Words {
        tables: vec![TableWords { name: "spans".into(), columns: columns.clone(), spans: true }],
        functions: (0..300).map(|at| format!("function_{at}")).collect(),
        table_functions: vec!["session".into(), "trace".into()],
        values: columns.iter().map(|name| (name.clone(), (0..40).map(|at| format!("value-{at}")).collect())).collect(),
        trace_ids: (0..100_000).map(|at| format!("{at:032x}")).collect(),
        session_ids: (0..100_000).map(|at| format!("sess-{at:08}")).collect(),
        ..Words::default()
    }
}

fn completion(criterion: &mut Criterion) {
    let words = words();
    let mut group = criterion.benchmark_group("completion");
    for (name, text) in TYPED {
        let at = text.find(" FROM spans WHERE").unwrap_or(text.len());
        group.bench_function(name, |bencher| bencher.iter(|| black_box(complete(&words, text, at))));
    }
    group.bench_function("colours", |bencher| bencher.iter(|| black_box(highlight(TYPED[1].1))));
    group.finish();
}

criterion_group!(benches, completion);
criterion_main!(benches);
