//! Which row groups of a file need not be opened, from the statistics in its footer.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, UInt64Array};
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::{Column, ScalarValue};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::basic::Type;
use parquet::file::metadata::ParquetMetaData;

/// Statistics of row groups.
struct Groups<'a> {
    metadata: &'a ParquetMetaData,
    table: &'a SchemaRef,
}

/// The numbers of the row groups that may have rows for which a condition over the table is true.
pub(super) fn may_match(
    metadata: &ParquetMetaData,
    table: &SchemaRef,
    condition: Option<&Arc<dyn PhysicalExpr>>,
) -> Vec<usize> {
    let all: Vec<usize> = (0..metadata.num_row_groups()).collect();
    let Some(condition) = condition else { return all };
    let builder = PruningPredicateBuilder::new().with_file_schema(Arc::clone(table));
    let Some(predicate) = builder.build(Arc::clone(condition)) else { return all };
    match predicate.prune(&Groups { metadata, table }) {
        Ok(keep) => all.into_iter().zip(keep).filter(|(_, keep)| *keep).map(|(group, _)| group).collect(),
        Err(_) => all,
    }
}

impl Groups<'_> {
    /// Bounds of a column that the file has in the table's type; those of another type order in another way.
    ///
    /// The column is named by its place in the file: a file has other columns than the table, and fewer.
    fn of(&self, column: &Column) -> Option<StatisticsConverter<'_>> {
        let descriptor = self.metadata.file_metadata().schema_descr();
        let place = descriptor.columns().iter().position(|leaf| leaf.path().parts() == [column.name.as_str()])?;
        let field = self.table.field_with_name(&column.name).ok()?;
        let same = matches!(
            (field.data_type(), descriptor.column(place).physical_type()),
            (DataType::Utf8, Type::BYTE_ARRAY)
                | (DataType::Int64 | DataType::Timestamp(..), Type::INT64)
                | (DataType::Int32, Type::INT32)
                | (DataType::Float64, Type::DOUBLE)
                | (DataType::Boolean, Type::BOOLEAN)
        );
        if !same {
            return None;
        }
        let converter = StatisticsConverter::from_column_index(place, field, descriptor).ok()?;
        Some(converter.with_missing_null_counts_as_zero(false))
    }
}

impl PruningStatistics for Groups<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.of(column)?.row_group_mins(self.metadata.row_groups()).ok()
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.of(column)?.row_group_maxes(self.metadata.row_groups()).ok()
    }

    fn num_containers(&self) -> usize {
        self.metadata.num_row_groups()
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        let counts = self.of(column)?.row_group_null_counts(self.metadata.row_groups()).ok()?;
        Some(Arc::new(counts))
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        let rows = self.metadata.row_groups().iter().map(|group| group.num_rows().unsigned_abs());
        Some(Arc::new(UInt64Array::from_iter_values(rows)))
    }

    fn contained(&self, _: &Column, _: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}
