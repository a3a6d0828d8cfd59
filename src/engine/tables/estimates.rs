//! `estimated_cost` of traces and sessions: a column that is there when a statement names it.

use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::catalog::default_table_source::provider_as_source;
use datafusion::common::{Column, ScalarValue, TableReference};
use datafusion::datasource::ViewTable;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, JoinType, LogicalPlan, LogicalPlanBuilder};

use spanql_model::columns;

/// The name of the column.
pub(crate) const ESTIMATED_COST: &str = "estimated_cost";
/// The table of the spans whose costs are summed.
pub(crate) const SPANS: &str = "spans";
const TRACES: &str = "traces";
const SESSIONS: &str = "sessions";
const ESTIMATES: &str = "estimates";

/// Where conventions say how many tokens of a prompt came from a cache.
const CACHED: [&str; 3] = [
    "attributes.llm.token_count.prompt_details.cache_read",
    "attributes.gen_ai.usage.cache_read.input_tokens",
    "attributes.gen_ai.usage.cache_read_input_tokens",
];

/// The columns of these that say how many tokens of a prompt came from a cache.
pub(crate) fn cached_columns<'a>(has: impl Fn(&str) -> bool + 'a) -> impl Iterator<Item = &'static str> + 'a {
    CACHED.into_iter().filter(move |name| has(name))
}

/// Whether a table has the column when it is named.
pub(crate) fn has_estimates(table: &str) -> bool {
    table == TRACES || table == SESSIONS
}

/// The estimates of each trace or session, over `spans` with these columns.
///
/// As cost that was recorded, that of a span counts only where none below it has one above zero: parents often repeat what
/// their children have used.
pub(crate) fn estimates_sql(table: &str, spans: &[String]) -> String {
    let cached: Vec<&str> = cached_columns(|name| spans.iter().any(|column| column == name)).collect();
    let cached = if cached.is_empty() { "NULL".to_owned() } else { format!("coalesce({})", cached.join(", ")) };
    let model = format!("coalesce({}, attributes.embedding.model_name)", columns::MODEL);
    let (prompt, completion) = (columns::PROMPT_TOKENS, columns::COMPLETION_TOKENS);
    let traces = format!(
        "SELECT project, trace_id, sum(estimate) FILTER (WHERE below IS NULL OR below > right_number) AS {ESTIMATED_COST}
         FROM (SELECT *, min(CASE WHEN estimate > 0 THEN left_number END) OVER (
                         PARTITION BY project, trace_id ORDER BY left_number DESC
                         ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS below
               FROM (SELECT project, context.trace_id AS trace_id, tree.left AS left_number, tree.right AS right_number,
                            estimate_cost({model}, {prompt}, {completion}, {cached}) AS estimate
                     FROM {SPANS} WHERE {prompt} IS NOT NULL OR {completion} IS NOT NULL) estimated
               WHERE estimate IS NOT NULL) counted
         GROUP BY project, trace_id"
    );
    match table {
        SESSIONS => format!(
            "SELECT t.project, t.session_id, sum(e.{ESTIMATED_COST}) AS {ESTIMATED_COST}
             FROM (SELECT project, trace_id, unnest(session_ids) AS session_id FROM {TRACES}) t
             JOIN ({traces}) e ON e.project = t.project AND e.trace_id = t.trace_id
             GROUP BY t.project, t.session_id"
        ),
        _ => traces,
    }
}

/// A table with the estimates of its rows behind its own columns; they are null where there are none.
pub(crate) fn with_estimates(
    table: &str,
    provider: Arc<dyn TableProvider>,
    estimates: Option<LogicalPlan>,
) -> Result<Arc<dyn TableProvider>> {
    let schema = provider.schema();
    let reference = TableReference::bare(table);
    let own = schema.fields().iter().map(|field| Expr::Column(Column::new(Some(reference.clone()), field.name())));
    let scan = LogicalPlanBuilder::scan(reference.clone(), provider_as_source(Arc::clone(&provider)), None)?;
    let Some(estimates) = estimates else {
        let null = Expr::Literal(ScalarValue::Float64(None), None).alias(ESTIMATED_COST);
        return Ok(Arc::new(ViewTable::new(scan.project(own.chain([null]))?.build()?, None)));
    };
    let estimate = Expr::Column(Column::new(Some(TableReference::bare(ESTIMATES)), ESTIMATED_COST));
    let shown: Vec<Expr> = own.chain([estimate]).collect();
    let id = if table == SESSIONS { "session_id" } else { "trace_id" };
    let keys = |relation: &str| {
        [columns::PROJECT, id].map(|name| Column::new(Some(TableReference::bare(relation)), name)).to_vec()
    };
    let right = LogicalPlanBuilder::from(estimates).alias(ESTIMATES)?.build()?;
    let plan = scan.join(right, JoinType::Left, (keys(table), keys(ESTIMATES)), None)?.project(shown)?.build()?;
    Ok(Arc::new(ViewTable::new(plan, None)))
}
