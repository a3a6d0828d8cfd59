//! `estimate_cost(model, prompt_tokens, completion_tokens [, cached])`: what a call costs by a file of prices.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{Hash, Hasher};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Float64Builder};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int64Type};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, DocumentationBuilder, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

use crate::error::EngineError;
use spanql_filter::numbers::is_text;
use spanql_sources::prices::{PriceFile, Priced, Usage};

/// Its name.
pub(crate) const ESTIMATE_COST: &str = "estimate_cost";
/// What to do where no prices are known.
const NO_PRICES: &str = "`spanql config set prices FILE` names a file of prices, such as the \
                                    model_prices_and_context_window.json that LiteLLM publishes";
/// What to know of columns of estimates without prices.
pub(crate) fn no_prices_note() -> String {
    format!("estimated_cost is null: no prices are known; {NO_PRICES}")
}

/// How many names a note lists.
const LISTED: usize = 5;

/// Models whose price was looked for, as far as people should know of it.
#[derive(Debug, Default)]
pub(crate) struct PricesSought {
    /// Those without a price.
    unknown: BTreeSet<String>,
    /// Those that are priced by the name of what may be another model.
    by_another: BTreeMap<String, String>,
}

/// What statements have sought and not said yet.
pub(crate) type Sought = Arc<Mutex<PricesSought>>;

/// What was sought since this was asked last, each a line without a full stop.
pub(crate) fn take_notes(sought: &Sought) -> Vec<String> {
    let found = std::mem::take(&mut *sought.lock().unwrap_or_else(PoisonError::into_inner));
    let listed = |mut names: Vec<String>| {
        let more = names.len().saturating_sub(LISTED);
        names.truncate(LISTED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{}{more}", names.join(", "))
    };
    let mut notes = vec![];
    if !found.unknown.is_empty() {
        let names = listed(found.unknown.into_iter().collect());
        notes.push(format!("no price is known for {names}: what they cost is estimated as null"));
    }
    if !found.by_another.is_empty() {
        let pairs = found.by_another.into_iter().map(|(model, by)| format!("{model} as {by}"));
        notes.push(format!("priced by a shorter name: {}", listed(pairs.collect())));
    }
    notes
}

#[derive(Debug)]
struct EstimateCost {
    signature: Signature,
    prices: Option<Arc<PriceFile>>,
    sought: Sought,
}

impl PartialEq for EstimateCost {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.sought, &other.sought)
    }
}

impl Eq for EstimateCost {}

impl Hash for EstimateCost {
    fn hash<H: Hasher>(&self, state: &mut H) {
        ESTIMATE_COST.hash(state);
    }
}

/// The function, with the prices it knows.
pub(super) fn udf(prices: Option<Arc<PriceFile>>, sought: Sought) -> ScalarUDF {
    ScalarUDF::from(EstimateCost { signature: Signature::user_defined(Volatility::Stable), prices, sought })
}

/// The prices of a file that is named.
///
/// # Errors
/// When there is none, or it cannot be used.
fn of_file(prices: Option<&Arc<PriceFile>>) -> Result<&spanql_sources::prices::Prices, EngineError> {
    let Some(file) = prices else {
        let error = EngineError::new("no-prices", format!("{ESTIMATE_COST} knows no prices"));
        return Err(error.help(NO_PRICES));
    };
    file.prices().map_err(|error| EngineError::new("bad-prices", error.to_string()))
}

impl ScalarUDFImpl for EstimateCost {
    fn name(&self) -> &str {
        ESTIMATE_COST
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let ([model, counts @ ..], 3..=4) = (types, types.len()) else {
            let error = EngineError::new("bad-argument", format!("{ESTIMATE_COST} takes three or four arguments"));
            return Err(error.help(format!("write {SYNTAX}")).into());
        };
        if !is_text(model) && *model != DataType::Null {
            let error = EngineError::new("bad-argument", format!("the first argument of {ESTIMATE_COST} is a model"));
            return Err(error.why(format!("it was given {model}")).help(format!("write {SYNTAX}")).into());
        }
        if let Some(other) = counts.iter().find(|count| !is_count(count)) {
            let error = EngineError::new("bad-argument", format!("{ESTIMATE_COST} takes counts of tokens"));
            return Err(error.why(format!("it was given {other}")).help(format!("write {SYNTAX}")).into());
        }
        // Text that is no number is no count; a cast would be an error.
        let counts = counts.iter().map(|count| if is_text(count) { DataType::Utf8 } else { DataType::Int64 });
        Ok(std::iter::once(DataType::Utf8).chain(counts).collect())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let scalar = args.args.iter().all(|value| matches!(value, ColumnarValue::Scalar(_)));
        let rows = if scalar { 1 } else { args.number_rows };
        let arrays = args.args.into_iter().map(|value| value.into_array(rows)).collect::<Result<Vec<_>>>()?;
        let costs = self.costs(&arrays)?;
        Ok(if scalar {
            ColumnarValue::Scalar(ScalarValue::try_from_array(&costs, 0)?)
        } else {
            ColumnarValue::Array(costs)
        })
    }

    fn documentation(&self) -> Option<&Documentation> {
        static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
            let what = "What a call of a model costs in USD by the file of prices of the settings; null for a model that \
                        has none in it. Cached tokens are some of those of the prompt.";
            DocumentationBuilder::new_with_details(Default::default(), what, SYNTAX).build()
        });
        Some(&DOCUMENTATION)
    }
}

const SYNTAX: &str = "estimate_cost(model, prompt_tokens, completion_tokens[, cached])";

fn is_count(data_type: &DataType) -> bool {
    data_type.is_numeric() || is_text(data_type) || *data_type == DataType::Null
}

impl EstimateCost {
    fn costs(&self, arrays: &[ArrayRef]) -> Result<ArrayRef> {
        let prices = of_file(self.prices.as_ref())?;
        let models = cast(&arrays[0], &DataType::Utf8)?;
        let models = models.as_string::<i32>();
        // What is no number becomes null.
        let counts = arrays[1..].iter().map(|array| cast(array, &DataType::Int64));
        let counts = counts.collect::<std::result::Result<Vec<_>, _>>()?;
        let count = |at: usize, row: usize| {
            let of = counts.get(at)?.as_primitive::<Int64Type>();
            of.is_valid(row).then(|| of.value(row))
        };
        let mut known: HashMap<&str, Option<Priced>> = HashMap::new();
        let mut costs = Float64Builder::with_capacity(models.len());
        for (row, model) in models.iter().enumerate() {
            let Some(model) = model.filter(|model| !model.trim().is_empty()) else {
                costs.append_null();
                continue;
            };
            let usage = Usage { prompt: count(0, row), completion: count(1, row), cached: count(2, row) };
            let priced = known.entry(model).or_insert_with(|| prices.of(model));
            costs.append_option(priced.as_ref().and_then(|priced| priced.cost(usage)));
        }
        let mut sought = self.sought.lock().unwrap_or_else(PoisonError::into_inner);
        for (model, priced) in known {
            match priced {
                None => drop(sought.unknown.insert(model.to_owned())),
                Some(Priced { by: Some(by), .. }) => drop(sought.by_another.insert(model.to_owned(), by)),
                Some(_) => {}
            }
        }
        Ok(Arc::new(costs.finish()))
    }
}
