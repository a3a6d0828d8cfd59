//! How fast spans are generated.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use spanql::demo::{DEFAULT_SEED, Generator};

const SPANS: u64 = 100_000;

fn generate(c: &mut Criterion) {
    let mut group = c.benchmark_group("demo");
    group.throughput(Throughput::Elements(SPANS)).sample_size(10);
    group.bench_function("generate", |b| {
        b.iter(|| Generator::new(DEFAULT_SEED, SPANS).map(|batch| batch.num_rows()).sum::<usize>());
    });
    group.finish();
}

criterion_group!(benches, generate);
criterion_main!(benches);
