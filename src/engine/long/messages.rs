//! `messages`: what models were given and gave, and which result belongs to which call.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, lit};

use super::out::Out;
use super::reads::{List, ListValues, Names, Reads, any_filled, column, text, texts};
use super::source::{Expand, Made, Possible, Source};
use spanql_model::columns::{INPUT, KIND, MODEL, OUTPUT};
use spanql_model::json::{Tree, write_string};
use spanql_model::messages::{Call, Contents, Message, of_answer, of_list, of_prompt, of_value};

const INPUTS: &str = "input";
const OUTPUTS: &str = "output";
const DIRECTIONS: [&str; 2] = [INPUTS, OUTPUTS];
/// Lists of messages, as columns of lists or key by key.
const LISTS: [&str; 2] = ["attributes.llm.input_messages", "attributes.llm.output_messages"];
/// The same where each message is keys of its own.
const KEYED: [&str; 2] = ["attributes.gen_ai.prompt", "attributes.gen_ai.completion"];
/// Columns of JSON text with messages in it, of calls of models only; the first that has any counts.
const TEXTS: [&[&str]; 2] =
    [&["attributes.gen_ai.input.messages", INPUT], &["attributes.gen_ai.output.messages", OUTPUT]];
/// What a model gave, without roles.
const ANSWER: &str = "attributes.gen_ai.output";
const MODEL_CALL: &str = "LLM";

/// Places of the columns.
mod at {
    pub(super) const CONTENT: usize = 6;
    pub(super) const TOOL_NAME: usize = 9;
    pub(super) const TOOL_CALLS: usize = 10;
}

/// What `messages` is made from.
pub(super) fn messages(names: &Names, wanted: &[bool], possible: &Possible<'_>) -> Result<Option<Made>> {
    let wants = |column: usize| wanted.get(column).copied().unwrap_or_default();
    let pairs = wants(at::TOOL_NAME) || wants(at::TOOL_CALLS);
    let possible = possible(&DIRECTIONS.map(|direction| vec![direction.to_owned()]))?;
    let mut reads = Reads::default();
    let mut directions = vec![];
    for (index, direction) in DIRECTIONS.into_iter().enumerate() {
        // A call is in the output, its result in the input of another span.
        let shown = possible.get(index).copied().unwrap_or(true);
        if !shown && !pairs {
            continue;
        }
        let list = List::add(LISTS[index], names, &mut reads);
        let keyed = List::add(KEYED[index], names, &mut reads);
        let texts: Vec<usize> = TEXTS[index].iter().filter_map(|name| reads.add_known(name, names)).collect();
        let answer = reads.add_known(ANSWER, names).filter(|_| direction == OUTPUTS);
        directions.push(Direction { direction, shown, list, keyed, texts, answer });
    }
    let (Some(kind), Some(model)) = (reads.add_known(KIND, names), reads.add_known(MODEL, names)) else {
        return Ok(None);
    };
    let of_calls = directions.iter().flat_map(|of: &Direction| {
        let keyed = of.keyed.iter().flat_map(|list| list.columns(&reads));
        keyed.chain(of.texts.iter().chain(&of.answer).map(|&place| reads.column_of(place)))
    });
    let of_calls = any_filled(of_calls.collect()).and(is_model_call());
    let lists = directions.iter().flat_map(|of| &of.list).flat_map(|list| list.columns(&reads));
    let condition = any_filled(lists.collect()).or(of_calls);
    let source = Arc::new(Messages { directions, kind, model, contents: contents(pairs || wants(at::CONTENT)), pairs });
    Ok(Some(Made { source, reads, condition, whole_traces: pairs }))
}

fn contents(read: bool) -> Contents {
    if read { Contents::Read } else { Contents::Skip }
}

fn is_model_call() -> Expr {
    column(KIND).eq(lit(MODEL_CALL)).or(column(MODEL).is_not_null())
}

#[derive(Debug)]
struct Direction {
    direction: &'static str,
    shown: bool,
    list: Option<List>,
    keyed: Option<List>,
    texts: Vec<usize>,
    answer: Option<usize>,
}

#[derive(Debug)]
struct Messages {
    directions: Vec<Direction>,
    kind: usize,
    model: usize,
    contents: Contents,
    pairs: bool,
}

impl Source for Messages {
    fn open(&self, values: Vec<ArrayRef>) -> Result<Box<dyn Expand>> {
        let list = |list: &Option<List>| list.as_ref().map(|list| list.open(&values)).transpose();
        let open = |of: &Direction| {
            Ok(DirectionValues {
                direction: of.direction,
                shown: of.shown,
                list: list(&of.list)?,
                keyed: list(&of.keyed)?,
                texts: of.texts.iter().map(|&place| texts(&values[place])).collect::<Result<_>>()?,
                answer: of.answer.map(|place| texts(&values[place])).transpose()?,
            })
        };
        Ok(Box::new(MessageValues {
            directions: self.directions.iter().map(open).collect::<Result<_>>()?,
            kind: texts(&values[self.kind])?,
            model: texts(&values[self.model])?,
            contents: self.contents,
            pairs: self.pairs.then(Pairs::default),
        }))
    }
}

struct DirectionValues {
    direction: &'static str,
    shown: bool,
    list: Option<ListValues>,
    keyed: Option<ListValues>,
    texts: Vec<StringArray>,
    answer: Option<StringArray>,
}

impl DirectionValues {
    /// The messages of a span, from the first place that has any.
    fn messages(&self, span: usize, is_model_call: bool, contents: Contents) -> Vec<Message> {
        let of_lists = |lists: &Option<ListValues>| {
            let found = lists.iter().flat_map(|lists| lists.trees(span).map(|list| of_list(&list, contents)));
            found.into_iter().find(|messages| !messages.is_empty())
        };
        if let Some(messages) = of_lists(&self.list) {
            return messages;
        }
        if !is_model_call {
            return vec![];
        }
        let of_text = |text: &str| {
            let value = Tree::parse(text)?;
            let messages = of_value(&value, contents);
            let prompt = messages.is_empty() && self.direction == INPUTS;
            Some(if prompt { of_prompt(&value) } else { messages })
        };
        let of_texts = || {
            let texts = self.texts.iter().filter_map(|texts| of_text(text(texts, span)?));
            texts.into_iter().find(|messages| !messages.is_empty())
        };
        let answer = || Some(of_answer(text(self.answer.as_ref()?, span)?, contents));
        of_lists(&self.keyed).or_else(of_texts).or_else(answer).unwrap_or_default()
    }
}

struct MessageValues {
    directions: Vec<DirectionValues>,
    kind: StringArray,
    model: StringArray,
    contents: Contents,
    /// The calls of the trace, where they are paired.
    pairs: Option<Pairs>,
}

/// Calls of a trace by their ids.
#[derive(Debug, Default)]
struct Pairs {
    /// The tools that they call.
    names: HashMap<String, String>,
    /// What they gave, as it was told first.
    results: HashMap<String, String>,
}

impl Pairs {
    fn add(&mut self, message: Message) {
        let is_result = message.is_result();
        for call in message.calls {
            if let (Some(id), Some(name)) = (call.id, call.name) {
                self.names.entry(id).or_insert(name);
            }
        }
        if let (true, Some(id), Some(content)) = (is_result, message.tool_call_id, message.content) {
            self.results.entry(id).or_insert(content);
        }
    }

    /// The calls of a message with their results, as JSON text; results of ids that were told already are left out.
    fn with_results(&self, calls: &[Call], told: &mut HashSet<String>) -> String {
        let mut out = String::from("[");
        for (index, call) in calls.iter().enumerate() {
            // However often a span repeats an id, it takes no more room than what it rests on.
            let id = call.id.as_ref().filter(|id| !told.contains(*id));
            let result = id.and_then(|id| self.results.get(id));
            told.extend(id.filter(|_| result.is_some()).cloned());
            let members = [
                ("id", call.id.as_deref()),
                ("name", call.name.as_deref()),
                ("arguments", call.arguments.as_deref()),
                ("result", result.map(String::as_str)),
            ];
            out.push_str(if index == 0 { "" } else { "," });
            for (index, (key, value)) in members.into_iter().enumerate() {
                out.push(if index == 0 { '{' } else { ',' });
                write_string(key, &mut out);
                out.push(':');
                match value {
                    Some(value) => write_string(value, &mut out),
                    None => out.push_str("null"),
                }
            }
            out.push('}');
        }
        out.push(']');
        out
    }
}

impl MessageValues {
    fn is_model_call(&self, span: usize) -> bool {
        text(&self.kind, span) == Some(MODEL_CALL) || text(&self.model, span).is_some()
    }
}

impl Expand for MessageValues {
    fn begin(&mut self, trace: Range<usize>) {
        let mut pairs = Pairs::default();
        for span in trace {
            let is_model_call = self.is_model_call(span);
            for of in &self.directions {
                of.messages(span, is_model_call, Contents::Read).into_iter().for_each(|message| pairs.add(message));
            }
        }
        self.pairs = Some(pairs);
    }

    fn expand(&mut self, span: usize, out: &mut Out) {
        let is_model_call = self.is_model_call(span);
        let mut told = HashSet::new();
        for of in self.directions.iter().filter(|of| of.shown) {
            for message in of.messages(span, is_model_call, self.contents) {
                out.row(span);
                out.text(3, Some(of.direction));
                out.int(4, i64::try_from(message.position).ok());
                out.text(5, message.role.as_deref());
                out.text(at::CONTENT, message.content.as_deref());
                out.text(7, message.name.as_deref());
                out.text(8, message.tool_call_id.as_deref());
                let Some(pairs) = &self.pairs else { continue };
                let called = || pairs.names.get(message.tool_call_id.as_ref()?).map(String::as_str);
                let tool = message.is_result().then(|| message.name.as_deref().or_else(called)).flatten();
                out.text(at::TOOL_NAME, tool);
                if out.wants(at::TOOL_CALLS) {
                    let calls = (!message.calls.is_empty()).then(|| pairs.with_results(&message.calls, &mut told));
                    out.text(at::TOOL_CALLS, calls.as_deref());
                }
            }
        }
    }
}
