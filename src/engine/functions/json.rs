//! Functions that read JSON text of lists and objects, for columns that are computed when named.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{ArrayRef, AsArray, Float64Builder, ListBuilder, StringArray, StringBuilder};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::ScalarValue;
use datafusion::common::utils::take_function_args;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use spanql_model::json::{Value, elements, members, text_at, text_in, text_of};
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
            Take::Member => Arc::new(texts.iter().map(|json| member_text(json?, &path)).collect::<StringArray>()),
            Take::Item | Take::Path => {
                Arc::new(texts.iter().map(|json| text_at(json?, &path)).collect::<StringArray>())
            }
            Take::Texts => texts_of_each(texts, &path),
            Take::Numbers => numbers_of_each(texts, &path),
        };
        Ok(if scalar {
            ColumnarValue::Scalar(ScalarValue::try_from_array(&taken, 0)?)
        } else {
            ColumnarValue::Array(taken)
        })
    }
}

fn texts_of_each(lists: &StringArray, path: &str) -> ArrayRef {
    let mut found = ListBuilder::new(StringBuilder::new());
    for list in lists {
        let texts = list.and_then(|list| texts_in(list, path));
        for text in texts.iter().flatten() {
            found.values().append_option(text.as_deref());
        }
        found.append(texts.is_some());
    }
    Arc::new(found.finish())
}

fn numbers_of_each(lists: &StringArray, path: &str) -> ArrayRef {
    let mut found = ListBuilder::new(Float64Builder::new());
    for list in lists {
        let texts = list.and_then(|list| texts_in(list, path));
        for text in texts.iter().flatten() {
            found.values().append_option(text.as_deref().and_then(|text| text.trim().parse().ok()));
        }
        found.append(texts.is_some());
    }
    Arc::new(found.finish())
}

/// The text of an object's member; a number as it stands in a column of text, however it was written.
fn member_text(object: &str, key: &str) -> Option<String> {
    // Of a key that is there twice the last counts.
    let value = members(object)?.into_iter().rev().find(|member| member.key == key)?.value;
    match value {
        Value::Number(text) if text.contains(['.', 'e', 'E']) => Some(float_text(text.parse().ok()?)),
        value => text_of(value),
    }
}

/// The text at a path in each element of a list; where the element has none under the path's first step, without that
/// step.
fn texts_in(list: &str, path: &str) -> Option<Vec<Option<String>>> {
    let mut texts = vec![];
    for element in elements(list)? {
        collect(element, path, &mut texts);
    }
    Some(texts)
}

fn collect(value: Value<'_>, path: &str, texts: &mut Vec<Option<String>>) {
    let at = |path: &str| text_in(value, path).or_else(|| text_in(value, path.split_once('.')?.1));
    match path.split_once(".*.") {
        None => texts.push(at(path)),
        Some((list, rest)) => {
            for element in at(list).as_deref().and_then(elements).into_iter().flatten() {
                collect(element, rest, texts);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_as_in_a_column_of_text() {
        let object = r#"{"a.b": 1.50, "n": 12345678901234567890, "t": "x\"", "o": {"k" : [1]}, "a": {"b": 2}, "n": 2, "z": null}"#;
        for (key, text) in [
            ("a.b", Some("1.5")),
            ("n", Some("2")),
            ("t", Some("x\"")),
            ("o", Some(r#"{"k" : [1]}"#)),
            ("z", None),
            ("no", None),
        ] {
            assert_eq!(member_text(object, key).as_deref(), text, "{key}");
        }
        assert_eq!(member_text("[1]", "0"), None);
    }

    #[test]
    fn values_of_each_element() {
        let json = r#"[{"message.role": "user"}, {"message": {"tool_calls": [{"tool_call.function.name": "f"}, {"tool_call": {}}]}}, {"role": "bare"}]"#;
        let texts = |path| texts_in(json, path).unwrap();
        assert_eq!(texts("message.role"), [Some("user".into()), None, Some("bare".into())]);
        assert_eq!(texts("message.tool_calls.*.tool_call.function.name"), [Some("f".into()), None]);
        let in_string = r#"["{\"message.role\": \"user\"}", {"message": {"role": null}}]"#;
        assert_eq!(texts_in(in_string, "message.role").unwrap(), [Some("user".into()), None]);
        assert_eq!(texts_in("{}", "a"), None);
    }
}
