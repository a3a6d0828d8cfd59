//! `redact(text)` and `looks_like_secret(text [, kind])`: what must not leave, replaced or found.

use std::hash::{Hash, Hasher};
use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{AsArray, BooleanArray};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::common::utils::take_function_args;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, DocumentationBuilder, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

use crate::error::EngineError;
use spanql_filter::numbers::is_text;
use spanql_sources::config::{ConfigError, Redaction};

const REDACT: &str = "redact";
const LOOKS_LIKE_SECRET: &str = "looks_like_secret";
const LOOKS_LIKE_SECRET_SYNTAX: &str = "looks_like_secret(text[, kind])";

/// Both functions.
pub(super) fn udfs(redaction: Option<Arc<Redaction>>) -> [ScalarUDF; 2] {
    let known = Of(redaction.unwrap_or_default());
    let signature = || Signature::user_defined(Volatility::Stable);
    [
        ScalarUDF::from(Redact { signature: signature(), redaction: Of(Arc::clone(&known.0)) }),
        ScalarUDF::from(LooksLikeSecret { signature: signature(), redaction: known }),
    ]
}

/// What redacts: the same where it is the same place.
#[derive(Debug)]
struct Of(Arc<Redaction>);

impl PartialEq for Of {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Of {}

impl Hash for Of {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}

fn unusable(error: &ConfigError) -> EngineError {
    EngineError::new("bad-settings", error.to_string())
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Redact {
    signature: Signature,
    redaction: Of,
}

impl ScalarUDFImpl for Redact {
    fn name(&self) -> &str {
        REDACT
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let [only] = take_function_args(REDACT, types)?;
        Ok(only.clone())
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [only] = take_function_args(REDACT, types)?;
        Ok(vec![if *only == DataType::Null { DataType::Utf8 } else { only.clone() }])
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let [value] = take_function_args(REDACT, args.args)?;
        let redactor = self.redaction.0.redactor().map_err(|error| unusable(&error))?;
        let is_scalar = matches!(value, ColumnarValue::Scalar(_));
        let redacted = redactor.array(&value.into_array(if is_scalar { 1 } else { rows })?)?;
        Ok(match is_scalar {
            true => ColumnarValue::Scalar(ScalarValue::try_from_array(&redacted, 0)?),
            false => ColumnarValue::Array(redacted),
        })
    }

    fn documentation(&self) -> Option<&Documentation> {
        static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
            let what = "The text with a placeholder such as [email-3f2a9c1b04] for each key, token, e-mail address, card and \
                        phone number in it. The same text has the same placeholder.";
            DocumentationBuilder::new_with_details(Default::default(), what, "redact(text)").build()
        });
        Some(&DOCUMENTATION)
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct LooksLikeSecret {
    signature: Signature,
    redaction: Of,
}

impl ScalarUDFImpl for LooksLikeSecret {
    fn name(&self) -> &str {
        LOOKS_LIKE_SECRET
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let texts = types.iter().all(|of| is_text(of) || *of == DataType::Null);
        if !texts || !(1..=2).contains(&types.len()) {
            let error = EngineError::new("bad-argument", format!("{LOOKS_LIKE_SECRET} takes a text, and a kind"));
            return Err(error.help(format!("write {LOOKS_LIKE_SECRET_SYNTAX}")).into());
        }
        Ok(vec![DataType::Utf8; types.len()])
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let finder = self.redaction.0.finder().map_err(|error| unusable(&error))?;
        let kind = match args.args.get(1) {
            None => None,
            Some(ColumnarValue::Scalar(ScalarValue::Utf8(Some(kind)))) if finder.kinds().any(|known| known == kind) => {
                Some(kind.clone())
            }
            Some(other) => {
                let kinds: Vec<&str> = finder.kinds().collect();
                let typed = match other {
                    ColumnarValue::Scalar(ScalarValue::Utf8(Some(kind))) => format!("there is no kind {kind}"),
                    _ => "a kind is a constant text".to_owned(),
                };
                let error = EngineError::new("bad-argument", format!("{LOOKS_LIKE_SECRET}: {typed}"));
                return Err(error.help(format!("the kinds are {}", kinds.join(", "))).into());
            }
        };
        let Some(value) = args.args.into_iter().next() else { return Ok(ColumnarValue::Scalar(ScalarValue::Null)) };
        let is_scalar = matches!(value, ColumnarValue::Scalar(_));
        let texts = value.into_array(if is_scalar { 1 } else { args.number_rows })?;
        let found = texts.as_string::<i32>().iter();
        let found: BooleanArray = found.map(|text| Some(finder.finds(text?, kind.as_deref()))).collect();
        Ok(match is_scalar {
            true => ColumnarValue::Scalar(ScalarValue::try_from_array(&found, 0)?),
            false => ColumnarValue::Array(Arc::new(found)),
        })
    }

    fn documentation(&self) -> Option<&Documentation> {
        static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
            let what = "Whether a key, token, e-mail address, card or phone number is in the text; of one kind, if key, token, \
                        email, card, phone or the name of a pattern of the settings is given.";
            DocumentationBuilder::new_with_details(Default::default(), what, LOOKS_LIKE_SECRET_SYNTAX).build()
        });
        Some(&DOCUMENTATION)
    }
}
