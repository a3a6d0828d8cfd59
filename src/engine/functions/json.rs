//! Functions that read JSON text of lists and objects, for columns that are computed when named.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Float64Builder, ListBuilder, StringArray, StringBuilder};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::ScalarValue;
use datafusion::common::utils::take_function_args;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use serde_json::Value;

use spanql_model::json::text_at;
use spanql_model::types::float_text;

/// What a function takes out of JSON text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Take {
    /// The member of an object whose key is the whole path.
    Member,
    /// One value of a list: the path begins with an index.
    Item,
    /// One value, wherever it is: see [`text_at`].
    Path,
    /// The text of a value of each element.
    Texts,
    /// The number of a value of each element.
    Numbers,
}

/// `f(json, path)` with a constant path; text that is no JSON, or has nothing there, gives null.
#[derive(Debug, PartialEq, Eq, Hash)]
struct JsonFunction {
    take: Take,
    signature: Signature,
}

impl JsonFunction {
    fn udf(take: Take) -> Arc<ScalarUDF> {
        Arc::new(ScalarUDF::from(Self { take, signature: Signature::user_defined(Volatility::Immutable) }))
    }
}

static MEMBER: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| JsonFunction::udf(Take::Member));
static ITEM: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| JsonFunction::udf(Take::Item));
static PATH: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| JsonFunction::udf(Take::Path));
static TEXTS: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| JsonFunction::udf(Take::Texts));
static NUMBERS: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| JsonFunction::udf(Take::Numbers));

/// All functions of this file.
pub(super) fn all() -> impl Iterator<Item = ScalarUDF> {
    [&MEMBER, &ITEM, &PATH, &TEXTS, &NUMBERS].into_iter().map(|function| function.as_ref().clone())
}

/// The text of an object's member; the key is the whole of `key`, dots included.
pub(crate) fn json_member(object: Expr, key: Expr) -> Expr {
    MEMBER.call(vec![object, key])
}

/// The text of one value in a list, as `0.message.role`.
pub(crate) fn json_list_item(list: Expr, path: Expr) -> Expr {
    ITEM.call(vec![list, path])
}

/// The text of one value in a list or an object, as `gateway.key.owner`.
pub(crate) fn json_path(json: Expr, path: Expr) -> Expr {
    PATH.call(vec![json, path])
}

/// The text of a value of each element, as `message.role`; null where an element has none.
pub(crate) fn json_list_texts(list: Expr, path: Expr) -> Expr {
    TEXTS.call(vec![list, path])
}

/// The number of a value of each element; null where an element has none.
pub(crate) fn json_list_numbers(list: Expr, path: Expr) -> Expr {
    NUMBERS.call(vec![list, path])
}

fn list_of(item: DataType) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(item, true)))
}

impl ScalarUDFImpl for JsonFunction {
    fn name(&self) -> &str {
        match self.take {
            Take::Member => "json_member",
            Take::Item => "json_list_item",
            Take::Path => "json_path",
            Take::Texts => "json_list_texts",
            Take::Numbers => "json_list_numbers",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(match self.take {
            Take::Member | Take::Item | Take::Path => DataType::Utf8,
            Take::Texts => list_of(DataType::Utf8),
            Take::Numbers => list_of(DataType::Float64),
        })
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [_, _] = take_function_args(self.name(), types)?;
        Ok(vec![DataType::Utf8, DataType::Utf8])
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let [json, path] = take_function_args(self.name(), args.args)?;
        let ColumnarValue::Scalar(ScalarValue::Utf8(path)) = path else {
            return Err(DataFusionError::Execution(format!("the path of {} must be constant", self.name())));
        };
        let scalar = matches!(json, ColumnarValue::Scalar(_));
        let array = cast(&json.into_array(if scalar { 1 } else { rows })?, &DataType::Utf8)?;
        let texts = array.as_string::<i32>();
        let path = path.unwrap_or_default();
        let taken: ArrayRef = match self.take {
            Take::Member => Arc::new(each(texts, |value| value.get(path.as_str()).and_then(member_text))),
            Take::Item => {
                let steps: Vec<&str> = path.split('.').collect();
                Arc::new(each(texts, |value| find(value, &steps).and_then(text)))
            }
            Take::Path => Arc::new(texts.iter().map(|json| text_at(json?, &path)).collect::<StringArray>()),
            Take::Texts => self.texts(texts, &path),
            Take::Numbers => self.numbers(texts, &path),
        };
        Ok(if scalar {
            ColumnarValue::Scalar(ScalarValue::try_from_array(&taken, 0)?)
        } else {
            ColumnarValue::Array(taken)
        })
    }
}

impl JsonFunction {
    fn texts(&self, texts: &StringArray, path: &str) -> ArrayRef {
        let mut lists = ListBuilder::new(StringBuilder::new());
        for row in 0..texts.len() {
            let values = elements(texts, row).map(|list| values_at(&list, path));
            for value in values.iter().flatten() {
                lists.values().append_option(value.as_ref().and_then(text));
            }
            lists.append(values.is_some());
        }
        Arc::new(lists.finish())
    }

    fn numbers(&self, texts: &StringArray, path: &str) -> ArrayRef {
        let mut lists = ListBuilder::new(Float64Builder::new());
        for row in 0..texts.len() {
            let values = elements(texts, row).map(|list| values_at(&list, path));
            for value in values.iter().flatten() {
                let number =
                    value.as_ref().and_then(|value| value.as_f64().or_else(|| value.as_str()?.trim().parse().ok()));
                lists.values().append_option(number);
            }
            lists.append(values.is_some());
        }
        Arc::new(lists.finish())
    }
}

/// The text of a member; a number as it stands in a column of text, however it was written.
fn member_text(value: &Value) -> Option<String> {
    match value.as_f64().filter(|_| value.is_f64()) {
        Some(number) => Some(float_text(number)),
        None => text(value),
    }
}

fn each(texts: &StringArray, take: impl Fn(&Value) -> Option<String>) -> StringArray {
    texts.iter().map(|json| take(&serde_json::from_str::<Value>(json?).ok()?)).collect()
}

/// The elements of a row's list.
fn elements(texts: &StringArray, row: usize) -> Option<Vec<Value>> {
    if texts.is_null(row) {
        return None;
    }
    serde_json::from_str(texts.value(row)).ok()
}

/// The value of each element at a path; where the element has none under the path's first step, without that step.
fn values_at(list: &[Value], path: &str) -> Vec<Option<Value>> {
    let steps: Vec<&str> = path.split('.').collect();
    let mut values = vec![];
    for element in list {
        collect(element, &steps, &mut values);
    }
    values
}

fn collect(value: &Value, steps: &[&str], values: &mut Vec<Option<Value>>) {
    let at =
        |steps: &[&str]| find(value, steps).or_else(|| find(value, steps.get(1..).filter(|steps| !steps.is_empty())?));
    match steps.iter().position(|step| *step == "*") {
        None => values.push(at(steps)),
        Some(star) => {
            if let Some(Value::Array(inner)) = at(&steps[..star]) {
                for element in &inner {
                    collect(element, &steps[star + 1..], values);
                }
            }
        }
    }
}

/// Finds a value by a path whose steps may be joined in a key: `{"a.b": 1}` and `{"a": {"b": 1}}` both have `a.b`.
fn find(value: &Value, steps: &[&str]) -> Option<Value> {
    // An element of a list of texts may itself be the text of an object.
    if let Value::String(json) = value
        && !steps.is_empty()
    {
        let inner: Value = serde_json::from_str(json).ok()?;
        return if inner.is_object() || inner.is_array() { find(&inner, steps) } else { None };
    }
    let Some(first) = steps.first() else { return Some(value.clone()) };
    match value {
        Value::Array(list) => find(list.get(first.parse::<usize>().ok()?)?, &steps[1..]),
        Value::Object(members) => (1..=steps.len()).rev().find_map(|length| {
            let member = members.get(&steps[..length].join("."))?;
            find(member, &steps[length..])
        }),
        _ => None,
    }
}

/// The text of a JSON value: a string's own, nothing for null, else the JSON.
fn text(value: impl std::borrow::Borrow<Value>) -> Option<String> {
    match value.borrow() {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(json: &str, path: &str) -> Option<String> {
        let value: Value = serde_json::from_str(json).unwrap();
        find(&value, &path.split('.').collect::<Vec<_>>()).and_then(text)
    }

    #[test]
    fn flat_and_nested_keys() {
        for json in [
            r#"[{"message.role": "user"}]"#,
            r#"[{"message": {"role": "user"}}]"#,
            r#"["{\"message.role\": \"user\"}"]"#,
        ] {
            assert_eq!(found(json, "0.message.role").as_deref(), Some("user"), "{json}");
        }
        assert_eq!(found(r#"[{"a": {"b.c": 1.5}}]"#, "0.a.b.c").as_deref(), Some("1.5"));
        assert_eq!(found("[1]", "1"), None);
        assert_eq!(found(r#"[{"a": null}]"#, "0.a"), None);
    }

    #[test]
    fn values_of_each_element() {
        let json = r#"[{"message.role": "user"}, {"message": {"tool_calls": [{"tool_call.function.name": "f"}, {"tool_call": {}}]}}, {"role": "bare"}]"#;
        let list: Vec<Value> = serde_json::from_str(json).unwrap();
        let texts = |path| values_at(&list, path).into_iter().map(|value| value.and_then(text)).collect::<Vec<_>>();
        assert_eq!(texts("message.role"), [Some("user".into()), None, Some("bare".into())]);
        assert_eq!(texts("message.tool_calls.*.tool_call.function.name"), [Some("f".into()), None]);
    }
}
