//! What agents work with: models and their prices, tools, and what goes wrong.

/// A chat model.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) name: &'static str,
    pub(super) provider: &'static str,
    /// USD per million tokens.
    pub(super) prompt_price: f64,
    /// USD per million tokens.
    pub(super) completion_price: f64,
    /// Median time to the first token.
    pub(super) first_token_ms: f64,
    pub(super) tokens_per_second: f64,
    /// Chance that an answer is right, before prompt and context.
    pub(super) skill: f64,
}

const fn model(name: &'static str, provider: &'static str, prices: [f64; 2], speed: [f64; 2], skill: f64) -> Model {
    let ([prompt_price, completion_price], [first_token_ms, tokens_per_second]) = (prices, speed);
    Model { name, provider, prompt_price, completion_price, first_token_ms, tokens_per_second, skill }
}

/// Models that write answers.
pub(super) const LARGE: &[Model] = &[
    model("gpt-4o", "openai", [2.5, 10.0], [480.0, 85.0], 0.84),
    model("claude-sonnet-4-5", "anthropic", [3.0, 15.0], [920.0, 68.0], 0.90),
    model("gemini-2.5-pro", "google", [1.25, 10.0], [1_450.0, 110.0], 0.87),
    model("mistral-large-latest", "mistralai", [2.0, 6.0], [600.0, 52.0], 0.78),
];
/// Models that route, judge and extract.
pub(super) const SMALL: &[Model] = &[
    model("gpt-4o-mini", "openai", [0.15, 0.6], [350.0, 120.0], 0.76),
    model("claude-haiku-4-5", "anthropic", [1.0, 5.0], [420.0, 140.0], 0.82),
    model("gemini-2.5-flash", "google", [0.3, 2.5], [310.0, 190.0], 0.78),
    model("llama-3.3-70b-versatile", "groq", [0.59, 0.79], [190.0, 270.0], 0.72),
];
/// Embedding models: name and USD per million tokens.
pub(super) const EMBEDDERS: &[(&str, f64)] = &[("text-embedding-3-small", 0.02), ("text-embedding-3-large", 0.13)];

/// How long a step runs before it fails.
#[derive(Debug, Clone, Copy)]
pub(super) enum Delay {
    /// A share of its usual time.
    Share(f64),
    /// So many milliseconds.
    Fixed(f64),
}

/// A way in which a step fails.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) kind: &'static str,
    /// A template.
    pub(super) message: &'static str,
    /// Where it was raised: file and function.
    pub(super) place: (&'static str, &'static str),
    /// How long the step runs before it fails.
    pub(super) delay: Delay,
    /// Whether trying again can help.
    pub(super) passes: bool,
}

pub(super) const TIMEOUT: Problem = Problem {
    kind: "TimeoutError",
    message: "no answer from upstream within 10 s (request %o)",
    place: ("app/tools/http.py", "request"),
    delay: Delay::Fixed(10_000.0),
    passes: true,
};
const UNAVAILABLE: Problem = Problem {
    kind: "httpx.HTTPStatusError",
    message: "Server error '503 Service Unavailable' for url 'https://api.northwind.example/v2/%o'",
    place: ("app/tools/http.py", "raise_for_status"),
    delay: Delay::Share(0.6),
    passes: true,
};
const NOT_FOUND: Problem = Problem {
    kind: "LookupError",
    message: "nothing found for %o",
    place: ("app/tools/lookup.py", "find_one"),
    delay: Delay::Share(0.8),
    passes: false,
};
const BAD_ARGUMENTS: Problem = Problem {
    kind: "pydantic.ValidationError",
    message: "1 validation error for arguments\namount\n  Input should be a valid number [input_value='%a']",
    place: ("app/tools/schema.py", "validate"),
    delay: Delay::Share(0.02),
    passes: true,
};
const FORBIDDEN: Problem = Problem {
    kind: "PermissionError",
    message: "refund of %a exceeds the limit of tier \"free\"",
    place: ("app/tools/payments.py", "check_limit"),
    delay: Delay::Share(0.3),
    passes: false,
};
pub(super) const LLM_PROBLEMS: &[Problem] = &[
    Problem {
        kind: "RateLimitError",
        message: "Error code: 429 - rate limit reached for requests, retry in %k s",
        place: ("site-packages/llm/client.py", "_request"),
        delay: Delay::Share(0.1),
        passes: true,
    },
    Problem {
        kind: "APITimeoutError",
        message: "Request timed out.",
        place: ("site-packages/llm/client.py", "_request"),
        delay: Delay::Fixed(30_000.0),
        passes: true,
    },
    Problem {
        kind: "InternalServerError",
        message: "Error code: 529 - overloaded",
        place: ("site-packages/llm/client.py", "_request"),
        delay: Delay::Share(0.5),
        passes: true,
    },
    Problem {
        kind: "BadRequestError",
        message: "Error code: 400 - this model's maximum context length is 16385 tokens, your messages resulted in more",
        place: ("site-packages/llm/client.py", "_request"),
        delay: Delay::Share(0.2),
        passes: false,
    },
];

/// Something an agent can call.
#[derive(Debug)]
pub(super) struct Tool {
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    /// JSON schema of the arguments.
    pub(super) parameters: &'static str,
    /// Template of the arguments.
    pub(super) arguments: &'static str,
    /// Template of the result.
    pub(super) result: &'static str,
    /// Median duration.
    pub(super) millis: f64,
    /// Chance that a call fails.
    pub(super) risk: f64,
    pub(super) problems: &'static [Problem],
}

pub(super) const SUPPORT_TOOLS: &[Tool] = &[
    Tool {
        name: "get_order",
        description: "Looks up an order by its number.",
        parameters: r#"{"type":"object","properties":{"order_id":{"type":"string"}},"required":["order_id"]}"#,
        arguments: r#"{"order_id":"%o"}"#,
        result: r#"{"order_id":"%o","status":"in_transit","customer":"%n","ordered":"%d","destination":"%c","items":[{"name":"%p","quantity":1,"price":"%a"}],"carrier":"PostNord","delayed":true}"#,
        millis: 140.0,
        risk: 0.05,
        problems: &[UNAVAILABLE, NOT_FOUND, TIMEOUT],
    },
    Tool {
        name: "track_parcel",
        description: "Asks the carrier where a parcel is.",
        parameters: r#"{"type":"object","properties":{"order_id":{"type":"string"},"carrier":{"type":"string"}},"required":["order_id"]}"#,
        arguments: r#"{"order_id":"%o","carrier":"PostNord"}"#,
        result: r#"{"events":[{"at":"%dT08:12:00Z","place":"%c","what":"arrived at depot"},{"at":"%dT17:40:00Z","place":"%c","what":"held: address incomplete"}],"estimated":"%d"}"#,
        millis: 620.0,
        risk: 0.09,
        problems: &[TIMEOUT, UNAVAILABLE],
    },
    Tool {
        name: "issue_refund",
        description: "Refunds an amount to the original payment method.",
        parameters: r#"{"type":"object","properties":{"order_id":{"type":"string"},"amount":{"type":"number"},"reason":{"type":"string"}},"required":["order_id","amount"]}"#,
        arguments: r#"{"order_id":"%o","amount":"%a","reason":"duplicate charge"}"#,
        result: r#"{"refund_id":"rf_%i","amount":"%a","state":"pending","expected":"%d"}"#,
        millis: 380.0,
        risk: 0.10,
        problems: &[FORBIDDEN, BAD_ARGUMENTS, UNAVAILABLE],
    },
    Tool {
        name: "get_invoice",
        description: "Fetches an invoice and its payment state.",
        parameters: r#"{"type":"object","properties":{"invoice_id":{"type":"string"}},"required":["invoice_id"]}"#,
        arguments: r#"{"invoice_id":"%i"}"#,
        result: r#"{"invoice_id":"%i","total":"%a","paid":true,"issued":"%d","billed_to":"%n, %c","lines":%k}"#,
        millis: 110.0,
        risk: 0.04,
        problems: &[NOT_FOUND, UNAVAILABLE],
    },
    Tool {
        name: "search_flights",
        description: "Finds flights with free seats.",
        parameters: r#"{"type":"object","properties":{"to":{"type":"string"},"date":{"type":"string","format":"date"},"seats":{"type":"integer"}},"required":["to","date"]}"#,
        arguments: r#"{"to":"%c","date":"%d","seats":%k}"#,
        result: r#"{"flights":[{"number":"%f","departs":"%dT06:55","fare":"%a","seats":%k},{"number":"%f","departs":"%dT19:10","fare":"%a","seats":2}]}"#,
        millis: 1_450.0,
        risk: 0.07,
        problems: &[TIMEOUT, UNAVAILABLE],
    },
    Tool {
        name: "update_address",
        description: "Changes the delivery address of an order that has not left yet.",
        parameters: r#"{"type":"object","properties":{"order_id":{"type":"string"},"city":{"type":"string"}},"required":["order_id","city"]}"#,
        arguments: r#"{"order_id":"%o","city":"%c"}"#,
        result: r#"{"order_id":"%o","changed":true,"city":"%c"}"#,
        millis: 210.0,
        risk: 0.06,
        problems: &[FORBIDDEN, NOT_FOUND],
    },
];

pub(super) const RESEARCH_TOOLS: &[Tool] = &[
    Tool {
        name: "search_papers",
        description: "Full-text search over paper titles and abstracts.",
        parameters: r#"{"type":"object","properties":{"query":{"type":"string"},"since":{"type":"integer"},"limit":{"type":"integer"}},"required":["query"]}"#,
        arguments: r#"{"query":"%t","since":%y,"limit":%k}"#,
        result: r#"{"total":%k,"papers":[{"title":"Revisiting %t with %m","authors":"%n et al.","venue":"%v","year":%y},{"title":"Limits of %t","authors":"%n","venue":"%v","year":%y}]}"#,
        millis: 780.0,
        risk: 0.06,
        problems: &[TIMEOUT, UNAVAILABLE],
    },
    Tool {
        name: "fetch_page",
        description: "Downloads a page and extracts its text.",
        parameters: r#"{"type":"object","properties":{"url":{"type":"string"}},"required":["url"]}"#,
        arguments: r#"{"url":"https://papers.example.org/%y/%o"}"#,
        result: r#"{"status":200,"title":"%t: a review","text":"The review covers %k studies on %t. The pooled effect is %h %, with large differences between sites. Data: %q."}"#,
        millis: 1_100.0,
        risk: 0.12,
        problems: &[TIMEOUT, NOT_FOUND, UNAVAILABLE],
    },
    Tool {
        name: "run_python",
        description: "Runs a short analysis in a sandbox.",
        parameters: r#"{"type":"object","properties":{"code":{"type":"string"}},"required":["code"]}"#,
        arguments: r#"{"code":"import pandas as pd\ndf = pd.read_csv('table.csv')\nprint(df[df.year >= %y].effect.describe())"}"#,
        result: r#"{"stdout":"count    %k.0\nmean      0.%h\nstd       0.07\n","seconds":2.4}"#,
        millis: 2_300.0,
        risk: 0.10,
        problems: &[BAD_ARGUMENTS, TIMEOUT],
    },
    Tool {
        name: "lookup_citation",
        description: "Resolves a reference to its metadata.",
        parameters: r#"{"type":"object","properties":{"reference":{"type":"string"}},"required":["reference"]}"#,
        arguments: r#"{"reference":"%n et al., %v %y"}"#,
        result: r#"{"doi":"10.1234/%y.%k","title":"%t in practice","cited_by":%h}"#,
        millis: 330.0,
        risk: 0.08,
        problems: &[NOT_FOUND, UNAVAILABLE],
    },
];
