//! The memory of queries, which kept columns give way to.

use std::fmt;

use datafusion::common::Result;
use datafusion::execution::memory_pool::{FairSpillPool, MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation};

use spanql_store::Segments;

/// A pool of so many bytes for queries and the columns that are kept of their store: what queries need comes first.
#[derive(Debug)]
pub(super) struct YieldingPool {
    queries: FairSpillPool,
    limit: usize,
    segments: Segments,
}

impl YieldingPool {
    /// A quarter of the bytes may be kept columns.
    pub(super) fn new(limit: usize, segments: Segments) -> Self {
        segments.columns().set_budget(limit / 4);
        Self { queries: FairSpillPool::new(limit), limit, segments }
    }

    /// Gives up columns until everything fits.
    fn make_room(&self) {
        self.segments.columns().shrink_to(self.limit.saturating_sub(self.queries.reserved()));
    }
}

impl fmt::Display for YieldingPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.queries, f)
    }
}

impl MemoryPool for YieldingPool {
    fn name(&self) -> &str {
        self.queries.name()
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.queries.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.queries.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.queries.grow(reservation, additional);
        self.make_room();
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.queries.shrink(reservation, shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        self.queries.try_grow(reservation, additional)?;
        self.make_room();
        Ok(())
    }

    fn reserved(&self) -> usize {
        self.queries.reserved()
    }

    fn memory_limit(&self) -> MemoryLimit {
        self.queries.memory_limit()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array};
    use arrow::datatypes::DataType;
    use spanql_store::{ColumnKey, KeptColumn, SegmentFile, Store};

    use super::*;

    #[tokio::test]
    async fn columns_give_way_to_queries() {
        let segments = Store::open("memory://").unwrap().snapshot().await.unwrap().segments;
        let kept = segments.columns();
        let pool: Arc<dyn MemoryPool> = Arc::new(YieldingPool::new(4_000_000, segments.clone()));
        assert_eq!(kept.budget(), 1_000_000);
        let values: ArrayRef = Arc::new(Int64Array::from(vec![0; 20_000]));
        let column = Arc::new(KeptColumn::new(vec![values]));
        for group in 0..20 {
            let (segment, name) = (Arc::from("s"), Arc::from("c"));
            let key = ColumnKey { segment, which: SegmentFile::Spans, group, column: name, data_type: DataType::Int64 };
            kept.keep(key, &column, usize::MAX);
        }
        let full = kept.bytes();
        assert!((800_000..=1_000_000).contains(&full), "{full}");
        let query = MemoryConsumer::new("a query").register(&pool);
        query.try_grow(3_500_000).unwrap();
        assert!(kept.bytes() + pool.reserved() <= 4_000_000);
        assert!(kept.bytes() > 0);
        query.try_grow(500_000).unwrap();
        assert_eq!(kept.bytes(), 0);
        assert!(query.try_grow(1).is_err());
    }
}
