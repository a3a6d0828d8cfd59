//! The price of each model, found by its name.

use std::collections::{BTreeMap, HashMap};

/// What one token costs, in USD; `None` where the file does not say it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Price {
    pub(super) input: Option<f64>,
    pub(super) output: Option<f64>,
    /// Of tokens of the prompt that were read from a cache; they cost what others do where it is not said.
    pub(super) cached: Option<f64>,
}

/// Parts of a USD in which costs are counted.
const SMALLEST: f64 = 1e12;

/// The tokens of a call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens of the prompt, those from a cache among them.
    pub prompt: Option<i64>,
    /// Tokens of the answer.
    pub completion: Option<i64>,
    /// Tokens of the prompt that were read from a cache.
    pub cached: Option<i64>,
}

/// What a model costs.
#[derive(Debug, Clone, PartialEq)]
pub struct Priced {
    price: Price,
    /// The name in the file, where more than a version lies between it and the model's: another model may be meant.
    pub by: Option<String>,
}

impl Priced {
    /// What a call costs in USD; `None` where it has no counts, or one for which there is no price.
    pub fn cost(&self, usage: Usage) -> Option<f64> {
        let Usage { prompt, completion, cached } = usage;
        if prompt.is_none() && completion.is_none() {
            return None;
        }
        let [prompt, completion, cached] = [prompt, completion, cached].map(Option::unwrap_or_default);
        if prompt < 0 || completion < 0 || cached < 0 {
            return None;
        }
        let cached = cached.min(prompt);
        let of = |tokens: i64, price: Option<f64>| if tokens == 0 { Some(0.0) } else { Some(tokens as f64 * price?) };
        let input = self.price.input;
        let cost =
            of(prompt - cached, input)? + of(cached, self.price.cached.or(input))? + of(completion, self.price.output)?;
        // Prices are decimal numbers, of which sums in binary miss a little: 0.0045 is not to be shown as 0.0045000000000000005.
        Some((cost * SMALLEST).round() / SMALLEST)
    }
}

/// The prices of a file.
#[derive(Debug, Clone, Default)]
pub struct Prices {
    /// By the whole name, in lower case; nothing for a model that the file lists without a price of tokens.
    by_name: BTreeMap<String, Option<Price>>,
    /// By the name without the providers before it, where all that are called so cost the same.
    by_last_part: HashMap<String, Option<Price>>,
}

impl Prices {
    pub(super) fn insert(&mut self, model: &str, price: Price) {
        let name = model.trim().to_lowercase();
        if let Some((_, last)) = name.rsplit_once('/') {
            let known = self.by_last_part.entry(last.to_owned()).or_insert(Some(price));
            *known = known.filter(|known| *known == price);
        }
        self.by_name.insert(name, Some(price));
    }

    /// Adds a model of which it is known that its tokens have no price.
    pub(super) fn insert_without_price(&mut self, model: &str) {
        self.by_name.insert(model.trim().to_lowercase(), None);
    }

    /// How many models have a price.
    pub fn len(&self) -> usize {
        self.by_name.values().flatten().count()
    }

    /// Whether no model has one.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What a model costs: by its own name or the longest name that it begins with, providers such as `openai/` before
    /// it left away one by one, in any case of letters.
    ///
    /// A name is a beginning only where a part ends: `gpt-4` is one of `gpt-4-0613`, and none of `gpt-4o` or `gpt-4.1`.
    pub fn of(&self, model: &str) -> Option<Priced> {
        let name = model.trim().to_lowercase();
        let mut rest = Some(name.as_str());
        while let Some(candidate) = rest {
            let found = beginnings(candidate).find_map(|start| Some((start, *self.by_name.get(start)?)));
            if let Some((start, price)) = found {
                return price.map(|price| priced(candidate, start, price));
            }
            rest = candidate.split_once('/').map(|(_, rest)| rest);
        }
        let last = name.rsplit('/').next()?;
        let found = beginnings(last).find_map(|start| Some((start, *self.by_last_part.get(start)?)));
        found.and_then(|(start, price)| Some(priced(last, start, price?)))
    }
}

/// A name and all that it begins with, the longest first.
fn beginnings(name: &str) -> impl Iterator<Item = &str> {
    let ends = name.char_indices().rev().filter(|(_, char)| matches!(char, '-' | '@' | ':' | '_' | ' '));
    std::iter::once(name).chain(ends.map(|(end, _)| &name[..end])).filter(|start| !start.is_empty())
}

fn priced(name: &str, start: &str, price: Price) -> Priced {
    let is_version = |part: &str| {
        part.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
            || matches!(part, "latest" | "preview" | "exp" | "experimental" | "free")
            || part.strip_prefix('v').is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let rest = &name[start.len()..];
    let same = rest.split(['-', '@', ':', '_', ' ']).all(is_version);
    Priced { price, by: (!same).then(|| start.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::{Price, Prices, Usage};

    fn prices(models: &[(&str, f64)]) -> Prices {
        let mut prices = Prices::default();
        for (model, input) in models {
            prices.insert(model, Price { input: Some(*input), output: Some(10.0 * input), cached: None });
        }
        prices
    }

    #[test]
    fn the_longest_name_that_a_model_begins_with_counts() {
        let prices = prices(&[
            ("gpt-4", 1.0),
            ("gpt-4-turbo", 2.0),
            ("openai/gpt-4o", 3.0),
            ("azure/gpt-4o", 3.0),
            ("a/llama", 4.0),
            ("b/llama", 5.0),
            ("azure/gpt-4", 6.0),
        ]);
        let one = Usage { prompt: Some(1), ..Usage::default() };
        let of = |model: &str| prices.of(model).map(|priced| (priced.cost(one).unwrap(), priced.by));
        for (model, expected) in [
            ("gpt-4", Some((1.0, None))),
            ("GPT-4-0613", Some((1.0, None))),
            ("gpt-4-turbo-2024-04-09", Some((2.0, None))),
            ("gpt-4-turbo-preview", Some((2.0, None))),
            ("gpt-4-vision", Some((1.0, Some("gpt-4".to_owned())))),
            ("openai/gpt-4", Some((1.0, None))),
            ("azure/gpt-4", Some((6.0, None))),
            ("openrouter/azure/gpt-4:free", Some((6.0, None))),
            ("gpt-4o-2024-08-06", Some((3.0, None))),
            ("gpt-4.1", None),
            ("gpt", None),
            ("llama", None),
            ("a/llama@1", Some((4.0, None))),
            ("", None),
        ] {
            assert_eq!(of(model), expected, "{model}");
        }
    }

    #[test]
    fn a_model_that_is_listed_without_a_price_has_none() {
        let mut prices = prices(&[("gpt-4", 1.0)]);
        prices.insert_without_price("plan/GPT-4");
        assert_eq!(prices.len(), 1);
        for (model, has) in [("plan/gpt-4", false), ("plan/gpt-4-0613", false), ("gpt-4", true), ("other/gpt-4", true)]
        {
            assert_eq!(prices.of(model).is_some(), has, "{model}");
        }
    }

    #[test]
    fn only_counts_that_have_a_price_cost_something() {
        let price = Price { input: Some(2.0), output: None, cached: Some(0.5) };
        let mut prices = Prices::default();
        prices.insert("m", price);
        let cost = |prompt, completion, cached| prices.of("m").unwrap().cost(Usage { prompt, completion, cached });
        assert_eq!(cost(Some(10), None, None), Some(20.0));
        assert_eq!(cost(Some(10), Some(0), Some(4)), Some(14.0));
        assert_eq!(cost(Some(10), None, Some(40)), Some(5.0));
        assert_eq!(cost(Some(10), Some(1), None), None);
        assert_eq!(cost(None, None, Some(4)), None);
        assert_eq!(cost(Some(-1), None, None), None);
    }
}
