//! The answers of searches for the texts that `traces` has only the beginnings of.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, StringArray};
use datafusion::arrow::datatypes::DataType;
use datafusion::catalog::TableProvider;
use datafusion::catalog::default_table_source::{provider_as_source, source_as_provider};
use datafusion::common::tree_node::Transformed;
use datafusion::common::utils::take_function_args;
use datafusion::common::{Column, Result, ScalarValue, TableReference};
use datafusion::functions::unicode::expr_fn::character_length;
use datafusion::functions_aggregate::first_last::first_value_udaf;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprFunctionExt, JoinType, LogicalPlan, LogicalPlanBuilder, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, TableScan, TableSource, Volatility, cast, lit,
};

use super::answers::Search;
use crate::derived::with_open_names;
use crate::tables::SegmentsTable;
use crate::tree_node::expr_up;
use spanql_model::columns::{INPUT, KIND, OUTPUT, PROJECT, SPAN_ID, START_TIME, TRACE_ID};
use spanql_trace::{ANSWERED_IN, ASKED_IN, TEXT_CHARS, answered, asked};

/// The relation of the answers.
pub(super) const ANSWERS: &str = "full_texts";
/// The traces whose text is longer than what is kept of it.
const LONG: &str = "long";
/// Those of them whose root says nothing.
const SILENT: &str = "silent";
const SPANS: &str = "spans";
/// What a call of a model says.
const SAID: &str = "said";
const IS_SAID: &str = "is_said";
const ID: &str = "trace_id";
const ROOT_ID: &str = "root_span_id";

/// The table `traces` of a store behind a scan, if that is what it scans.
pub(in super::super) fn stored_traces(source: &Arc<dyn TableSource>) -> Option<Arc<dyn TableProvider>> {
    let provider = source_as_provider(source).ok()?;
    let is = provider.downcast_ref::<SegmentsTable>().is_some_and(SegmentsTable::is_of_traces);
    is.then_some(provider)
}

/// Where the whole of a text is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source {
    /// The column of a root.
    own: &'static str,
    /// Where a call of a model has its messages.
    messages: [&'static str; 2],
    says: Says,
}

impl Source {
    /// Of a column of `traces`; none if that is no beginning of a text.
    pub(super) fn of(column: &str) -> Option<Self> {
        match column {
            "input" => Some(Self { own: INPUT, messages: ASKED_IN, says: Says::Asked }),
            "output" => Some(Self { own: OUTPUT, messages: ANSWERED_IN, says: Says::Answered }),
            _ => None,
        }
    }
}

fn named(relation: &str, name: &str) -> Column {
    Column::new(Some(TableReference::bare(relation)), name)
}

fn column(relation: &str, name: &str) -> Expr {
    Expr::Column(named(relation, name))
}

/// A scan of `traces` with a column for the answer of each search in one of its columns, all of them null where the text
/// is kept whole; `None` where the scan lacks what tells traces apart. Only traces for which the conditions are true are
/// looked up.
pub(super) fn with_lookup(
    scan: &TableScan,
    name: &str,
    conditions: &[Expr],
    searches: &[Search],
) -> Result<Option<LogicalPlan>> {
    let (Some(source), Some(traces)) = (Source::of(name), stored_traces(&scan.source)) else { return Ok(None) };
    let schema = &scan.projected_schema;
    let has = |name: &str| schema.has_column(&Column::new(Some(scan.table_name.clone()), name));
    if !has(PROJECT) || !has(ID) || scan.fetch.is_some() {
        return Ok(None);
    }
    let Some(spans) = traces.downcast_ref::<SegmentsTable>().map(SegmentsTable::spans_beside) else { return Ok(None) };
    let (spans, rest) = spans;
    let lookup = Lookup { scan, name, conditions, source, spans: spans_with(spans, &rest, source)?, searches };
    let answers = lookup.answers()?;
    let own: Vec<Expr> = schema.columns().into_iter().map(Expr::Column).collect();
    let shown = own.into_iter().chain(searches.iter().map(|search| {
        let answer = column(ANSWERS, &search.answer);
        answer.alias(&search.answer)
    }));
    let keys = [PROJECT, ID].map(|name| Column::new(Some(scan.table_name.clone()), name));
    let theirs = [PROJECT, ID].map(|name| named(ANSWERS, name));
    LogicalPlanBuilder::from(LogicalPlan::TableScan(scan.clone()))
        .join(answers, JoinType::Left, (keys.to_vec(), theirs.to_vec()), None)?
        .project(shown)?
        .build()
        .map(Some)
}

/// The spans of a store with columns for the messages of calls, null where no span has them.
fn spans_with(
    spans: Arc<dyn TableProvider>,
    rest: &BTreeMap<String, DataType>,
    source: Source,
) -> Result<Arc<dyn TableProvider>> {
    let names: BTreeSet<String> = source.messages.map(str::to_owned).into();
    Ok(with_open_names(SPANS, spans, rest, &names)?.0)
}

struct Lookup<'a> {
    scan: &'a TableScan,
    name: &'a str,
    conditions: &'a [Expr],
    source: Source,
    spans: Arc<dyn TableProvider>,
    searches: &'a [Search],
}

impl Lookup<'_> {
    /// The answers: project, trace id, and a column for each search.
    fn answers(&self) -> Result<LogicalPlan> {
        let shown = self.searches.iter().map(|search| search.answer.as_str());
        let shown: Vec<Expr> = [PROJECT, ID].into_iter().chain(shown).map(|name| column(ANSWERS, name)).collect();
        let own = LogicalPlanBuilder::from(self.of_roots()?).alias(ANSWERS)?.project(shown.clone())?.build()?;
        let said = LogicalPlanBuilder::from(self.of_calls()?).alias(ANSWERS)?.project(shown)?;
        said.union(own)?.alias(ANSWERS)?.build()
    }

    /// The traces that are looked up.
    fn long(&self) -> Result<LogicalPlan> {
        let of_scan = |name: &str| Expr::Column(Column::new(Some(self.scan.table_name.clone()), name));
        let length = cast(character_length(of_scan(self.name)), DataType::Int64);
        let is_long = length.gt_eq(lit(TEXT_CHARS as i64));
        let wanted = conjunction(self.conditions.iter().cloned().chain([is_long])).unwrap_or_else(|| lit(true));
        let keys = [PROJECT, ID, ROOT_ID].map(of_scan);
        LogicalPlanBuilder::scan(self.scan.table_name.clone(), Arc::clone(&self.scan.source), None)?
            .filter(wanted)?
            .project(keys)?
            .alias(LONG)?
            .build()
    }

    fn scan_spans(&self) -> Result<LogicalPlanBuilder> {
        LogicalPlanBuilder::scan(SPANS, provider_as_source(Arc::clone(&self.spans)), None)
    }

    /// The traces that are looked up beside their root spans.
    fn roots(&self) -> Result<LogicalPlanBuilder> {
        let keys = [PROJECT, ID, ROOT_ID].map(|name| named(LONG, name)).to_vec();
        let of_spans = [PROJECT, TRACE_ID, SPAN_ID].map(|name| named(SPANS, name)).to_vec();
        let long = LogicalPlanBuilder::from(self.long()?);
        long.join(self.scan_spans()?.build()?, JoinType::Inner, (keys, of_spans), None)
    }

    /// The answers of the searches in a text.
    fn found(&self, text: &Expr) -> Result<Vec<Expr>> {
        let found = self.searches.iter().map(|search| {
            let condition = expr_up(search.condition.clone(), &mut |expr| {
                Ok(match expr {
                    Expr::Column(_) => Transformed::yes(text.clone()),
                    other => Transformed::no(other),
                })
            })?;
            Ok(condition.data.alias(&search.answer))
        });
        found.collect()
    }

    /// What roots have themselves.
    fn of_roots(&self) -> Result<LogicalPlan> {
        let own = column(SPANS, self.source.own);
        let keys = [column(LONG, PROJECT), column(LONG, ID)];
        let shown: Vec<Expr> = keys.into_iter().chain(self.found(&own)?).collect();
        self.roots()?.filter(own.is_not_null())?.project(shown)?.build()
    }

    /// What calls of models say where the root has nothing: the first that asks something, the last that answers.
    fn of_calls(&self) -> Result<LogicalPlan> {
        let keys = [column(LONG, PROJECT), column(LONG, ID)];
        let silent = self.roots()?.filter(column(SPANS, self.source.own).is_null())?.project(keys)?.alias(SILENT)?;
        let (ours, theirs) = ([PROJECT, ID], [PROJECT, TRACE_ID]);
        let (ours, theirs) = (ours.map(|name| named(SILENT, name)), theirs.map(|name| named(SPANS, name)));
        // An open column may be of any type.
        let schema = self.spans.schema();
        let is_text = |name: &str| schema.field_with_name(name).is_ok_and(|field| field.data_type().is_string());
        let none = || Expr::Literal(ScalarValue::Utf8(None), None);
        let messages = self.source.messages.map(|name| if is_text(name) { column(SPANS, name) } else { none() });
        let said =
            Words::of(self.source.says).call(messages.into_iter().chain([column(SPANS, self.source.own)]).collect());
        let keys = || [column(SILENT, PROJECT), column(SILENT, ID)];
        let order = [column(SPANS, START_TIME).alias(START_TIME), column(SPANS, SPAN_ID).alias(SPAN_ID)];
        let calls = silent
            .join(self.scan_spans()?.build()?, JoinType::Inner, (ours.to_vec(), theirs.to_vec()), None)?
            .filter(column(SPANS, KIND).eq(lit("LLM")))?
            .project(keys().into_iter().chain(order).chain([said.alias(SAID)]))?;
        let text = Expr::Column(Column::new_unqualified(SAID));
        // A condition would be asked of all calls there are, before these are found by their traces.
        let is_said = text.clone().is_not_null().alias(IS_SAID);
        let order = [START_TIME, SPAN_ID].map(|name| Expr::Column(Column::new_unqualified(name)));
        let shown: Vec<Expr> =
            keys().into_iter().chain(order.clone()).chain([is_said]).chain(self.found(&text)?).collect();
        // In the order of siblings: what has no start comes first.
        let first = matches!(self.source.says, Says::Asked);
        let answers = self.searches.iter().map(|search| {
            let order = order.clone().map(|by| by.sort(first, first)).to_vec();
            let answer = Expr::Column(Column::new_unqualified(&search.answer));
            let first = first_value_udaf().call(vec![answer]).order_by(order);
            Ok(first.filter(Expr::Column(Column::new_unqualified(IS_SAID))).build()?.alias(&search.answer))
        });
        calls.project(shown)?.aggregate(keys(), answers.collect::<Result<Vec<_>>>()?)?.build()
    }
}

/// Who says what stands for a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Says {
    /// The user, first.
    Asked,
    /// The model, last.
    Answered,
}

/// What a call of a model says, of its messages under either name, else of its input or output.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Words {
    says: Says,
    signature: Signature,
}

impl Words {
    fn of(says: Says) -> ScalarUDF {
        ScalarUDF::from(Self { says, signature: Signature::uniform(3, vec![DataType::Utf8], Volatility::Immutable) })
    }
}

impl ScalarUDFImpl for Words {
    fn name(&self) -> &str {
        match self.says {
            Says::Asked => "text_asked",
            Says::Answered => "text_answered",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [listed, also_listed, value] = take_function_args(self.name(), args.args)?;
        let arrays = ColumnarValue::values_to_arrays(&[listed, also_listed, value])?;
        let [listed, also_listed, value] = take_function_args(self.name(), arrays)?;
        let read = match self.says {
            Says::Asked => asked,
            Says::Answered => answered,
        };
        let (listed, also_listed) = (listed.as_string::<i32>(), also_listed.as_string::<i32>());
        let messages = listed.iter().zip(also_listed).map(|(listed, also_listed)| listed.or(also_listed));
        let said = messages.zip(value.as_string::<i32>()).map(|(messages, value)| read(messages, value));
        let said: ArrayRef = Arc::new(said.collect::<StringArray>());
        Ok(ColumnarValue::Array(said))
    }
}

/// Whether a relation holds nothing but answers.
pub(crate) fn holds_answers(relation: &str) -> bool {
    relation == ANSWERS
}
