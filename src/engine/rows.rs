//! Rows of ingest batches that a condition is true of.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::arrow::array::{AsArray, RecordBatch};
use datafusion::arrow::compute::filter_record_batch;
use datafusion::arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion::common::tree_node::{Transformed, TransformedResult};
use datafusion::common::{Column, DFSchema, ScalarValue};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::context::ExecutionProps;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::physical_expr::{PhysicalExpr, create_physical_expr};

use super::EngineError;
use super::balance::balance;
use super::derived::{Reading, read_name};
use super::remote::requested;
use super::tree_node::expr_up;
use spanql_filter::compare::compare_mixed_types;
use spanql_filter::{columns as columns_of, sql, with_stack};
use spanql_model::columns;
use spanql_model::derived::{derived_list, indexed};
use spanql_model::names::is_open_name;
use spanql_sources::remote_table_schema;
use spanql_store::complete;

/// Chooses the rows of batches that a condition is true of, with the semantics of SQL: text is compared with numbers,
/// lists that are computed are computed, an open name that no row has is null.
///
/// It is asked of rows one by one, so nothing that follows from the rest of a trace (`tree.*`) can be in it.
#[derive(Debug)]
pub struct RowFilter {
    condition: Expr,
    /// For the columns of the batch before: those of one stream are mostly the same.
    compiled: Mutex<Option<(SchemaRef, Arc<dyn PhysicalExpr>)>>,
}

impl RowFilter {
    /// A filter by a condition over columns by their canonical names.
    ///
    /// # Errors
    ///
    /// When it names a column that no ingest batch can have, or makes no sense, such as comparing a time with text that is
    /// none.
    pub fn new(condition: Expr) -> Result<Self, EngineError> {
        if let Some(name) =
            columns_of(&condition).into_iter().find(|name| columns::canonical(name).is_none() && !is_open_name(name))
        {
            let why = "what follows from a whole trace is not known of a span that arrives";
            let error = EngineError::new("unknown-column", format!("{name} cannot be in a filter of single spans"));
            return Err(if name.starts_with("tree.") { error.why(why) } else { error });
        }
        compile(&condition, &remote_table_schema(&BTreeMap::new()))
            .map_err(|error| EngineError::from_datafusion(&error))?;
        Ok(Self { condition, compiled: Mutex::default() })
    }

    /// The condition.
    pub fn condition(&self) -> &Expr {
        &self.condition
    }

    /// The condition in words: the same for the same expression, however its text was spelt; terms in another order differ.
    pub fn text(&self) -> String {
        in_words(&self.condition)
    }

    /// The columns that a remote must be asked for so that the condition can be checked on what comes.
    pub fn columns(&self, remote_schema: &BTreeMap<String, DataType>) -> Vec<String> {
        let names = columns_of(&self.condition);
        let parents = names.iter().filter_map(|name| {
            let list = derived_list(name).map(|list| list.parent);
            list.or_else(|| indexed(name).map(|(parent, _)| parent))
        });
        let own = names.iter().map(String::as_str).filter(|name| derived_list(name).is_none());
        requested(own.chain(parents), remote_schema)
    }

    /// Those rows of a batch, in the form that [`convert_batch`](spanql_model::ingest::convert_batch) gives, of which
    /// the condition is true.
    ///
    /// # Errors
    ///
    /// When the batch is no ingest batch.
    pub fn matching(&self, batch: &RecordBatch) -> Result<RecordBatch, EngineError> {
        let unfit = |error: String| EngineError::new("bad-arrival", "spans cannot be filtered").why(error);
        let rows = complete(batch).map_err(|error| unfit(error.to_string()))?;
        let kept = || -> Result<RecordBatch, DataFusionError> {
            let compiled = self.compiled(&rows.schema())?;
            let truth = compiled.evaluate(&rows)?.into_array(rows.num_rows())?;
            let truth = truth.as_boolean_opt().ok_or_else(|| {
                DataFusionError::Plan(format!("the filter is {}, where true or false is expected", truth.data_type()))
            })?;
            Ok(filter_record_batch(batch, truth)?)
        };
        with_stack(kept).map_err(|error| EngineError::from_datafusion(&error))
    }

    fn compiled(&self, schema: &SchemaRef) -> Result<Arc<dyn PhysicalExpr>> {
        let known = self.compiled.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, compiled)) = known.filter(|(known, _)| known == schema) {
            return Ok(compiled);
        }
        let compiled = compile(&self.condition, schema)?;
        let entry = (Arc::clone(schema), Arc::clone(&compiled));
        *self.compiled.lock().unwrap_or_else(PoisonError::into_inner) = Some(entry);
        Ok(compiled)
    }
}

/// A condition as SQL text; where there is no such text, as DataFusion shows it.
pub(super) fn in_words(condition: &Expr) -> String {
    sql::print(condition).unwrap_or_else(|_| condition.to_string())
}

/// The condition over rows of this schema.
fn compile(condition: &Expr, schema: &Schema) -> Result<Arc<dyn PhysicalExpr>> {
    with_stack(|| physical(over_columns(condition.clone(), schema, &BTreeMap::new())?, schema))
}

/// A condition over the columns that a table of spans has: names that it has no column of are computed from these, or
/// null.
pub(super) fn over_columns(condition: Expr, schema: &Schema, rest: &BTreeMap<String, DataType>) -> Result<Expr> {
    // From the top down, what a name is read from would be read in its turn.
    expr_up(condition, &mut |expr| read(expr, schema, rest)).data()
}

/// A condition over columns, as it is evaluated: text is compared with numbers as SQL does.
pub(super) fn physical(condition: Expr, schema: &Schema) -> Result<Arc<dyn PhysicalExpr>> {
    let rows = Arc::new(DFSchema::try_from(schema.clone())?);
    let simplifier = ExprSimplifier::new(SimplifyContext::builder().with_schema(Arc::clone(&rows)).build());
    let condition = compare_mixed_types(condition, &rows)?.data;
    let condition = simplifier.simplify(simplifier.coerce(condition, &rows)?)?;
    create_physical_expr(&balance(condition)?.data, &rows, &ExecutionProps::new(), &PhysicalPlanningContext::default())
}

/// A column as rows of this schema have it.
fn read(expr: Expr, schema: &Schema, rest: &BTreeMap<String, DataType>) -> Result<Transformed<Expr>> {
    let Expr::Column(Column { name, .. }) = &expr else { return Ok(Transformed::no(expr)) };
    let null = |data_type: &DataType| ScalarValue::try_from(data_type).map(|null| Expr::Literal(null, None));
    let read = match (read_name(name, schema, rest), columns::canonical(name)) {
        (None, _) => return Ok(Transformed::no(Expr::Column(Column::new_unqualified(name)))),
        (Some(Reading::Computed(expr) | Reading::Held(expr)), _) => expr,
        // A column without a value does not arrive.
        (Some(Reading::Absent(_)), Some(column)) => null(&column.data_type)?,
        // Nobody knows what type it would have.
        (Some(Reading::Absent(_)), None) => Expr::Literal(ScalarValue::Null, None),
    };
    Ok(Transformed::yes(read))
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, Int64Array, StringArray, TimestampNanosecondArray};
    use datafusion::logical_expr::{col, ident, lit};

    use super::*;
    use spanql_filter::{all_of, any_of, contains};
    use spanql_model::ingest::{Origin, convert_batch};

    /// Four spans as they come over a wire.
    fn ingest_batch() -> RecordBatch {
        let texts = |values: [Option<&str>; 4]| -> ArrayRef { Arc::new(StringArray::from(values.to_vec())) };
        let times = |values: [i64; 4]| -> ArrayRef {
            Arc::new(TimestampNanosecondArray::from(values.map(|ms| ms * 1_000_000).to_vec()).with_timezone("UTC"))
        };
        let messages = r#"[{"message.role":"user","message.content":"Hello there"}]"#;
        let batch = RecordBatch::try_from_iter_with_nullable([
            ("context.trace_id", texts([Some("t"); 4]), true),
            ("context.span_id", texts([Some("a"), Some("b"), Some("c"), Some("d")]), true),
            ("name", texts([Some("one"), Some("two"), None, Some("10")]), true),
            ("start_time", times([0, 0, 0, 0]), true),
            ("end_time", times([5, 50, 500, 5_000]), true),
            ("attributes.n", Arc::new(Int64Array::from(vec![Some(5), None, Some(-1), Some(70)])) as ArrayRef, true),
            (
                "attributes.metadata",
                texts([Some(r#"{"tier":"paid","n":3,"deep":{"k":[1]}}"#), None, Some(r#"{"tier":"free"}"#), None]),
                true,
            ),
            ("attributes.llm.input_messages", texts([Some(messages), None, Some("[]"), None]), true),
        ])
        .unwrap();
        convert_batch(&batch, &Origin { source: "arize", project: "p".into(), force_project: false }).unwrap().batch
    }

    fn kept(condition: Expr) -> String {
        let kept = RowFilter::new(condition).unwrap().matching(&ingest_batch()).unwrap();
        assert_eq!(kept.schema(), ingest_batch().schema());
        kept.column_by_name("context.span_id").unwrap().as_string::<i32>().iter().flatten().collect()
    }

    #[test]
    fn conditions_mean_what_they_mean_in_sql() {
        for (condition, expected) in [
            (ident("name").eq(lit("two")), "b"),
            (ident("name").not_eq(lit("two")), "ad"),
            (ident("name").is_null(), "c"),
            (ident("name").eq(lit(10)), "d"),
            (ident("name").gt(lit(9.5)), "d"),
            (ident("latency_ms").gt_eq(lit(50)), "bcd"),
            (ident("latency_ms").eq(lit("500")), "c"),
            (ident("attributes.n").gt(lit("4")), "ad"),
            (ident("attributes.n").eq(lit("word")), ""),
            (!ident("attributes.n").eq(lit("word")), ""),
            (ident("attributes.n").in_list(vec![lit(5), lit(70)], false), "ad"),
            (ident("attributes.metadata.tier").eq(lit("paid")), "a"),
            (ident("attributes.metadata.n").lt(lit(4)), "a"),
            (ident("attributes.metadata.other").is_null(), "abcd"),
            (ident("attributes.metadata.deep.k.0").eq(lit(1)), "a"),
            (ident("attributes.metadata.deep").eq(lit(r#"{"k":[1]}"#)), "a"),
            (ident("attributes.metadata.deep.k").is_null(), "bcd"),
            (ident("attributes.n.deep").is_null(), "abcd"),
            (ident("attributes.nobody.has").eq(lit("x")), ""),
            (ident("attributes.llm.cost.total").is_null(), "abcd"),
            (ident("attributes.llm.cost.total").gt(lit(1)), ""),
            (contains(ident("attributes.llm.input_messages.contents"), lit("Hello")), "a"),
            (contains(ident("attributes.llm.input_messages.contents"), lit("hello")), ""),
            (ident("attributes.llm.input_messages.0.message.role").eq(lit("user")), "a"),
            (contains(ident("attributes.retrieval.documents.contents"), lit("x")), ""),
            (ident("start_time").lt(lit("2026-01-31")), "abcd"),
            (lit(true), "abcd"),
            (lit(ScalarValue::Boolean(None)), ""),
        ] {
            assert_eq!(kept(condition.clone()), expected, "{condition}");
        }
    }

    #[test]
    fn many_terms_and_levels_are_no_trouble() {
        let each = |n: i32| ident("attributes.n").eq(lit(n)).and(ident("name").not_eq(lit("x")));
        assert_eq!(kept(any_of((0..1_000).map(each).collect())), "ad");
        assert_eq!(kept(all_of((100..1_000).map(|n| ident("attributes.n").not_eq(lit(n))).collect())), "acd");
        let deep =
            (0..50).fold(ident("name").eq(lit("two")), |deep, n| !deep.or(col("\"name\"").eq(lit(n.to_string()))));
        assert!(kept(deep).len() < 5);
    }

    #[test]
    fn what_can_never_be_checked_is_refused() {
        for (condition, said) in [
            (ident("tree.depth").eq(lit(1)), "tree.depth cannot be in a filter of single spans: what follows"),
            (ident("nmae").eq(lit("x")), "nmae cannot be in a filter"),
            (ident("start_time").gt(lit("last week")), "'last week' is no time"),
        ] {
            let error = RowFilter::new(condition).unwrap_err().to_string();
            assert!(error.starts_with(said), "{error}");
        }
    }

    #[test]
    fn what_a_condition_needs_is_asked_for() {
        let filter = RowFilter::new(all_of(vec![
            contains(ident("attributes.retrieval.documents.contents"), lit("x")),
            ident("latency_ms").gt(lit(1)),
            ident("attributes.metadata.tier").eq(lit("x")),
            ident("attributes.a").eq(lit("x")),
        ]))
        .unwrap();
        let remote_schema = [("attributes.rest", DataType::Utf8), ("attributes.metadata", DataType::Utf8)];
        let remote_schema = remote_schema.into_iter().map(|(name, data_type)| (name.to_owned(), data_type)).collect();
        assert_eq!(
            filter.columns(&remote_schema).join(" "),
            "context.trace_id context.span_id start_time end_time attributes.retrieval.documents attributes.metadata \
             attributes.a attributes.rest"
        );
    }
}
