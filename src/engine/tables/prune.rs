//! Which segments a query need not open, from what the manifest says of them.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, StringArray, TimestampNanosecondArray, UInt64Array};
use arrow::datatypes::SchemaRef;
use datafusion::catalog::Session;
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::{Column, DFSchema, Result, ScalarValue};
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::utils::conjunction;
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;

use spanql_model::columns;
use spanql_store::{Segment, SegmentFile};

/// Bounds of the segments' columns.
struct Bounds<'a> {
    segments: &'a [Segment],
    which: SegmentFile,
}

/// Says for each segment whether any of its rows may pass all filters.
///
/// Conservative: a filter it cannot judge keeps every segment.
pub(super) fn may_match(
    state: &dyn Session,
    segments: &[Segment],
    which: SegmentFile,
    schema: &SchemaRef,
    filters: &[Expr],
) -> Result<Vec<bool>> {
    let Some(filter) = conjunction(filters.iter().cloned()) else { return Ok(vec![true; segments.len()]) };
    let df_schema = DFSchema::try_from(schema.as_ref().clone())?;
    let Ok(filter) = state.create_physical_expr(filter, &df_schema) else {
        return Ok(vec![true; segments.len()]);
    };
    let builder = PruningPredicateBuilder::new().with_file_schema(Arc::clone(schema));
    let Some(predicate) = builder.build(filter) else {
        return Ok(vec![true; segments.len()]);
    };
    Ok(predicate.prune(&Bounds { segments, which }).unwrap_or_else(|_| vec![true; segments.len()]))
}

impl Bounds<'_> {
    fn times(&self, value: impl Fn(&Segment) -> Option<i64>) -> ArrayRef {
        let times: TimestampNanosecondArray = self.segments.iter().map(value).collect();
        Arc::new(times.with_timezone("UTC"))
    }
}

impl PruningStatistics for Bounds<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        match (column.name.as_str(), self.which) {
            (columns::PROJECT, _) => Some(Arc::new(projects(self.segments))),
            // No span ends before the first one starts, unless its times are reversed: ends have no lower bound.
            (columns::START_TIME, _) => Some(self.times(|segment| segment.min_start)),
            _ => None,
        }
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        match (column.name.as_str(), self.which) {
            (columns::PROJECT, _) => Some(Arc::new(projects(self.segments))),
            (columns::START_TIME, _) => Some(self.times(|segment| segment.max_start)),
            (columns::END_TIME, _) => Some(self.times(|segment| segment.max_end)),
            _ => None,
        }
    }

    fn num_containers(&self) -> usize {
        self.segments.len()
    }

    fn null_counts(&self, _: &Column) -> Option<ArrayRef> {
        None
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        Some(Arc::new(UInt64Array::from_iter_values(self.segments.iter().map(|segment| segment.rows))))
    }

    fn contained(&self, _: &Column, _: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}

fn projects(segments: &[Segment]) -> StringArray {
    StringArray::from_iter_values(segments.iter().map(|segment| segment.project.as_str()))
}
