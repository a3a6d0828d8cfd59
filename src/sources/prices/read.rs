//! Reading a file of prices: the JSON that LiteLLM publishes, or a table with a header.

use std::path::Path;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};

use super::table::{Price, Prices};
use spanql_model::nearest::nearest;

/// The largest file that is read: LiteLLM's has less than 2 MB.
const LARGEST: u64 = 64 << 20;
/// What no token costs, in USD: a price of so much is one of more than a token.
const DEAREST: f64 = 0.01;
/// The entry of LiteLLM's file that explains the others.
const EXPLANATION: &str = "sample_spec";
/// A million.
const MILLION: f64 = 1e6;

/// Columns of a table, what they are a price of, and of how many tokens.
const COLUMNS: [(&str, Part, f64); 6] = [
    ("input_cost_per_token", Part::Input, 1.0),
    ("output_cost_per_token", Part::Output, 1.0),
    ("cache_read_input_token_cost", Part::Cached, 1.0),
    ("input_cost_per_million_tokens", Part::Input, MILLION),
    ("output_cost_per_million_tokens", Part::Output, MILLION),
    ("cache_read_cost_per_million_tokens", Part::Cached, MILLION),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Input,
    Output,
    Cached,
}

/// Why a file of prices cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}{}: {reason}", line.map(|line| format!(", line {line}")).unwrap_or_default())]
pub struct PriceError {
    /// Its path.
    pub file: String,
    /// The line, counted from 1; `None` where it is no matter of one.
    pub line: Option<u64>,
    /// What is wrong.
    pub reason: String,
}

impl Prices {
    /// Reads a file of prices in USD.
    ///
    /// A name that ends in `.json` is the layout of LiteLLM's `model_prices_and_context_window.json`: an object of objects
    /// with `input_cost_per_token`, `output_cost_per_token` and `cache_read_input_token_cost`; what has none of them, such
    /// as models of images, has no price here. Any other is a CSV with a column `model` and these three, or those of
    /// a million tokens.
    ///
    /// # Errors
    /// When it cannot be read, or something in it is no such price: names file and line.
    pub fn read(file: &Path) -> Result<Self, PriceError> {
        let wrong = |line, reason: String| PriceError { file: file.display().to_string(), line, reason };
        let size = std::fs::metadata(file).map_err(|error| wrong(None, error.to_string()))?.len();
        if size > LARGEST {
            return Err(wrong(None, format!("it has {size} bytes, more than any list of prices")));
        }
        let bytes = std::fs::read(file).map_err(|error| wrong(None, error.to_string()))?;
        let text = String::from_utf8(bytes).map_err(|_| wrong(None, "it is no UTF-8 text".to_owned()))?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let is_json = file.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("json"));
        let read = if is_json { json(text) } else { table(text) };
        let prices = read.map_err(|(line, reason)| wrong(line, reason))?;
        match prices.is_empty() {
            true => Err(wrong(None, "there is no price of a token in it".to_owned())),
            false => Ok(prices),
        }
    }
}

/// A line, and what is wrong with it.
type Wrong = (Option<u64>, String);

/// The price of one token, or what is wrong with it.
fn of_one(value: f64, tokens: f64) -> Result<f64, String> {
    let price = value / tokens;
    if !price.is_finite() || price < 0.0 {
        return Err(format!("{value} is no price"));
    }
    if price > DEAREST {
        return Err(format!("{value} USD for {tokens} token is no price: it looks like one for a million tokens"));
    }
    Ok(price)
}

fn set(price: &mut Price, part: Part, value: f64) {
    let place = match part {
        Part::Input => &mut price.input,
        Part::Output => &mut price.output,
        Part::Cached => &mut price.cached,
    };
    *place = Some(value);
}

fn json(text: &str) -> Result<Prices, Wrong> {
    serde_json::from_str::<Models>(text).map(|models| models.0).map_err(|error| {
        let said = error.to_string();
        // The place is said apart.
        let reason = said.rsplit_once(" at line ").map_or(said.as_str(), |(reason, _)| reason);
        (Some(error.line() as u64).filter(|line| *line > 0), reason.to_owned())
    })
}

struct Models(Prices);

impl<'de> Deserialize<'de> for Models {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(OfModels)
    }
}

struct OfModels;

impl<'de> Visitor<'de> for OfModels {
    type Value = Models;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object that has an object with prices for each model")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Models, A::Error> {
        let mut prices = Prices::default();
        while let Some(model) = map.next_key::<String>()? {
            if model == EXPLANATION {
                map.next_value::<serde::de::IgnoredAny>()?;
            } else {
                match map.next_value::<OfModel>()?.0 {
                    Some(price) => prices.insert(&model, price),
                    None => prices.insert_without_price(&model),
                }
            }
        }
        Ok(Models(prices))
    }
}

struct OfModel(Option<Price>);

impl<'de> Deserialize<'de> for OfModel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(InModel)
    }
}

struct InModel;

impl<'de> Visitor<'de> for InModel {
    type Value = OfModel;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object with the prices of a model")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<OfModel, A::Error> {
        let mut price = Price::default();
        while let Some(name) = map.next_key::<String>()? {
            let part = COLUMNS.iter().find(|(known, _, tokens)| *known == name && *tokens == 1.0);
            let Some((_, part, _)) = part else {
                map.next_value::<serde::de::IgnoredAny>()?;
                continue;
            };
            // At the value, so that the error names its line.
            if let Some(value) = map.next_value::<PriceOfToken>()?.0 {
                set(&mut price, *part, value);
            }
        }
        Ok(OfModel((price != Price::default()).then_some(price)))
    }
}

struct PriceOfToken(Option<f64>);

impl<'de> Deserialize<'de> for PriceOfToken {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Option::<f64>::deserialize(deserializer)?;
        value.map(|value| of_one(value, 1.0)).transpose().map(Self).map_err(D::Error::custom)
    }
}

fn table(text: &str) -> Result<Prices, Wrong> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).comment(Some(b'#')).from_reader(text.as_bytes());
    let said = |error: csv::Error| {
        let line = error.position().map(csv::Position::line);
        let reason = match error.kind() {
            csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                format!("there are {len} cells, and {expected_len} columns")
            }
            _ => error.to_string(),
        };
        (line, reason)
    };
    let header = reader.headers().map_err(said)?.clone();
    let of_header = |reason: String| (Some(1), reason);
    let model = header.iter().position(|name| name == "model");
    let model = model.ok_or_else(|| of_header("there is no column model".to_owned()))?;
    let mut columns = Vec::new();
    for (at, name) in header.iter().enumerate() {
        match COLUMNS.iter().find(|(known, ..)| *known == name) {
            Some((_, part, tokens)) => columns.push((at, *part, *tokens)),
            // A price of something else must not be passed over: the sums would be wrong.
            None if name.contains("cost") || name.contains("price") => {
                let near = nearest(name, COLUMNS.iter().map(|(known, ..)| *known));
                let near = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
                return Err(of_header(format!("{name} is of no unit that is known here{near}")));
            }
            None => {}
        }
    }
    let Some((.., unit)) = columns.first().copied() else {
        return Err(of_header("there is no price: input_cost_per_token, or input_cost_per_million_tokens".to_owned()));
    };
    if columns.iter().any(|(.., tokens)| *tokens != unit) {
        return Err(of_header("some prices are for a token and others for a million: use one unit".to_owned()));
    }
    let mut prices = Prices::default();
    for record in reader.records() {
        let record = record.map_err(said)?;
        let wrong = |reason: String| (record.position().map(csv::Position::line), reason);
        let name = record.get(model).filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| wrong("a model has no name".to_owned()))?;
        let mut price = Price::default();
        for (at, part, tokens) in &columns {
            let Some(text) = record.get(*at).filter(|text| !text.is_empty()) else { continue };
            let value = text.parse::<f64>().map_err(|_| wrong(format!("{text} is no number")))?;
            set(&mut price, *part, of_one(value, *tokens).map_err(wrong)?);
        }
        prices.insert(name, price);
    }
    Ok(prices)
}

#[cfg(test)]
mod tests {
    use super::super::{Prices, Usage};

    fn read(name: &str, text: &str) -> Result<Prices, String> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(name), text).unwrap();
        let read = Prices::read(&dir.path().join(name));
        read.map_err(|error| error.to_string().rsplit_once(name).unwrap().1.to_owned())
    }

    fn cost(prices: &Prices, model: &str) -> Option<f64> {
        let usage = Usage { prompt: Some(1_000), completion: Some(100), cached: Some(400) };
        prices.of(model)?.cost(usage)
    }

    #[test]
    fn both_layouts_say_the_same() {
        let json = r#"{
            "sample_spec": {"input_cost_per_token": 0.0, "max_tokens": "text"},
            "gpt-4o": {"input_cost_per_token": 2.5e-06, "output_cost_per_token": 1e-05,
                       "cache_read_input_token_cost": 1.25e-06, "mode": "chat", "deep": {"a": [1]}},
            "dall-e-3": {"output_cost_per_image": 0.04},
            "none": {"input_cost_per_token": null}
        }"#;
        let expected = 600.0 * 2.5e-6 + 400.0 * 1.25e-6 + 100.0 * 1e-5;
        let of_token = "model,input_cost_per_token,output_cost_per_token,cache_read_input_token_cost,seen\n\
                        gpt-4o,2.5e-06,1e-05,1.25e-06,today\n";
        let of_million = "# mine\nmodel , input_cost_per_million_tokens,output_cost_per_million_tokens,\
                          cache_read_cost_per_million_tokens\n gpt-4o,2.5,10,1.25\n";
        for (name, text) in [("p.json", json), ("p.csv", of_token), ("p.csv", of_million)] {
            let prices = read(name, text).unwrap();
            assert!((cost(&prices, "gpt-4o").unwrap() - expected).abs() < 1e-12, "{text}");
            assert_eq!((prices.len(), cost(&prices, "dall-e-3")), (1, None));
        }
    }

    #[test]
    fn what_is_no_price_is_refused_by_line() {
        for (name, text, said) in [
            ("p.json", "{\n\"m\": {\n\"input_cost_per_token\": 2.5}}", ", line 3: 2.5 USD for 1 token is no price"),
            ("p.json", "{\"m\": {\"input_cost_per_token\": -1}}", ", line 1: -1 is no price"),
            ("p.json", "{\n\"m\": {\"input_cost_per_token\": \"$2\"}}", ", line 2: invalid type: string \"$2\""),
            ("p.json", "{\n\"m\": 3}", ", line 2: invalid type: integer `3`, expected an object with the prices"),
            ("p.json", "[]", ", line 1: invalid type: sequence, expected an object that has"),
            ("p.json", "{\"m\": {}}", ": there is no price of a token in it"),
            ("p.csv", "name,input_cost_per_token\nm,1\n", ", line 1: there is no column model"),
            ("p.csv", "model\nm\n", ", line 1: there is no price"),
            ("p.csv", "model,input_cost_per_1k\nm,1\n", ", line 1: input_cost_per_1k is of no unit"),
            (
                "p.csv",
                "model,input_cost_per_token,output_cost_per_million_tokens\nm,1e-6,1\n",
                ", line 1: some prices are for a token",
            ),
            ("p.csv", "model,input_cost_per_token\nm,1e-6\nn,2\n", ", line 3: 2 USD for 1 token is no price"),
            ("p.csv", "model,input_cost_per_token\nm,1e-6,3\n", ", line 2: there are 3 cells, and 2 columns"),
            ("p.csv", "model,input_cost_per_token\nm,$3\n", ", line 2: $3 is no number"),
            ("p.csv", "model,input_cost_per_token\n,1e-6\n", ", line 2: a model has no name"),
            ("p.csv", "model,input_cost_per_token\nm,NaN\n", ", line 2: NaN is no price"),
        ] {
            let error = read(name, text).unwrap_err();
            assert!(error.starts_with(said), "{text}: {error}");
        }
        assert!(Prices::read(std::path::Path::new("/nowhere/p.csv")).is_err());
    }
}
