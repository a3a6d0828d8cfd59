//! Which rows of a segment may have the texts that a condition asks for, as the segment's index says.

use std::sync::Arc;

use arrow::array::BooleanBufferBuilder;
use arrow::buffer::BooleanBuffer;
use datafusion::common::{DataFusionError, Result};
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{BinaryExpr, Column, LikeExpr, Literal};
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use parquet::file::metadata::ParquetMetaData;

use crate::functions::like::{LIKE_MANY, literal_parts};
use crate::functions::may_have::MAY_HAVE;
use spanql_store::{Segment, Segments, TextIndex, TextPart};

/// What is true of the texts of a row for which a condition is.
#[derive(Debug, Clone)]
pub(super) enum Texts {
    All(Vec<Texts>),
    Any(Vec<Texts>),
    /// A column has a text, and in it all these parts.
    Has(String, Vec<TextPart>),
}

impl Texts {
    /// What follows from a condition, over columns that have the names of the table's; `None` where nothing does.
    pub(super) fn of(condition: &Arc<dyn PhysicalExpr>) -> Option<Self> {
        if let Some(binary) = condition.downcast_ref::<BinaryExpr>() {
            let (left, right) = (binary.left(), binary.right());
            return match binary.op() {
                Operator::And => match (Self::of(left), Self::of(right)) {
                    (Some(left), Some(right)) => Some(Self::All(vec![left, right])),
                    (one, other) => one.or(other),
                },
                Operator::Or => Some(Self::Any(vec![Self::of(left)?, Self::of(right)?])),
                Operator::Eq => has(left, &[text(right)?], false).or_else(|| has(right, &[text(left)?], false)),
                _ => None,
            };
        }
        if let Some(like) = condition.downcast_ref::<LikeExpr>() {
            let parts = literal_parts(text(like.pattern()).filter(|_| !like.negated())?);
            return has(like.expr(), &parts, like.case_insensitive());
        }
        let call = condition.downcast_ref::<ScalarFunctionExpr>()?;
        match (call.name(), call.args()) {
            ("contains", [column, part]) => has(column, &[text(part)?], false),
            (LIKE_MANY, [column, pattern, any_case]) => has(column, &literal_parts(text(pattern)?), flag(any_case)?),
            (MAY_HAVE, [column, part, any_case]) => {
                let part = TextPart::decoded(text(part)?, flag(any_case)?)?;
                Some(Self::Has(name(column)?.to_owned(), vec![part]))
            }
            _ => None,
        }
    }

    /// The rows of a segment's spans of which that may be true; `None` where that is not known, or they are most of them.
    pub(super) async fn likely(
        &self,
        segments: &Segments,
        segment: &Segment,
        metadata: &ParquetMetaData,
    ) -> Result<Option<BooleanBuffer>> {
        let index = segments.texts(segment).await.map_err(|error| DataFusionError::External(Box::new(error)))?;
        let rows = index.and_then(|index| self.rows(&index, metadata));
        Ok(rows.filter(|rows| rows.count_set_bits() * 2 <= rows.len()))
    }

    fn rows(&self, index: &TextIndex, metadata: &ParquetMetaData) -> Option<BooleanBuffer> {
        match self {
            Self::All(all) => all.iter().filter_map(|one| one.rows(index, metadata)).reduce(|a, b| &a & &b),
            Self::Any(any) => {
                let any = any.iter().map(|one| one.rows(index, metadata)).collect::<Option<Vec<_>>>()?;
                any.into_iter().reduce(|a, b| &a | &b)
            }
            Self::Has(column, parts) => {
                let known = parts.iter().filter_map(|part| index.rows(column, part)).reduce(|a, b| &a & &b);
                known.or_else(|| filled(column, metadata))
            }
        }
    }
}

/// The rows of the row groups in which a column has any value.
fn filled(column: &str, metadata: &ParquetMetaData) -> Option<BooleanBuffer> {
    let descriptor = metadata.file_metadata().schema_descr();
    let place = descriptor.columns().iter().position(|leaf| leaf.path().parts() == [column]);
    let mut rows = BooleanBufferBuilder::new(0);
    for group in metadata.row_groups() {
        let nulls = place.map(|place| group.column(place).statistics().and_then(|known| known.null_count_opt()));
        let is_empty = match nulls {
            // A file without the column has none of its values.
            None => true,
            Some(nulls) => nulls == Some(group.num_rows().unsigned_abs()),
        };
        rows.append_n(usize::try_from(group.num_rows()).ok()?, !is_empty);
    }
    Some(rows.finish())
}

fn name(expr: &Arc<dyn PhysicalExpr>) -> Option<&str> {
    expr.downcast_ref::<Column>().map(Column::name)
}

fn text(expr: &Arc<dyn PhysicalExpr>) -> Option<&str> {
    expr.downcast_ref::<Literal>()?.value().try_as_str().flatten()
}

fn flag(expr: &Arc<dyn PhysicalExpr>) -> Option<bool> {
    match expr.downcast_ref::<Literal>()?.value() {
        datafusion::common::ScalarValue::Boolean(flag) => *flag,
        _ => None,
    }
}

/// That a column has these texts in it, as far as they are long enough to be looked up.
fn has<S: AsRef<str>>(column: &Arc<dyn PhysicalExpr>, texts: &[S], any_case: bool) -> Option<Texts> {
    let parts: Vec<TextPart> = texts.iter().filter_map(|text| TextPart::new(text.as_ref(), any_case)).collect();
    (!parts.is_empty()).then_some(Texts::Has(name(column)?.to_owned(), parts))
}
