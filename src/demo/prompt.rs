//! What a model gets to see: messages, documents, tools.

use std::sync::LazyLock;

use super::catalog::{RESEARCH_TOOLS, SUPPORT_TOOLS, Tool};
use super::text::{push_digits, push_hex, push_json, push_score};
use super::visit::Project;

/// A document that retrieval found.
#[derive(Debug, Clone, Copy)]
pub(super) struct Doc {
    pub(super) number: u64,
    pub(super) content: &'static str,
    pub(super) source: &'static str,
    pub(super) score: f64,
}

/// A prompt, written as plain text and as a JSON list of messages at once.
pub(super) struct Prompt<'b> {
    /// As plain text.
    pub(super) plain: &'b mut String,
    /// As JSON, which is empty before the first message; its end is for the caller to write.
    pub(super) json: &'b mut String,
}

impl Prompt<'_> {
    fn begin(&mut self, role: &str) {
        if self.json.is_empty() {
            self.json.push('[');
        } else {
            self.json.push(',');
            self.plain.push_str("\n\n");
        }
        self.json.push_str("{\"message.role\":\"");
        self.json.push_str(role);
    }

    fn content(&mut self, parts: &[&str]) {
        self.json.push_str("\",\"message.content\":\"");
        for part in parts {
            self.plain.push_str(part);
            push_json(self.json, part);
        }
        self.json.push_str("\"}");
    }

    pub(super) fn message(&mut self, role: &str, parts: &[&str]) {
        self.begin(role);
        self.content(parts);
    }

    pub(super) fn call(&mut self, role: &str, tool: &str, call_id: u64, arguments: &str) {
        self.begin(role);
        self.json.push_str("\",\"message.tool_calls\":[{\"tool_call.id\":\"call_");
        push_hex(self.json, call_id);
        self.json.push_str("\",\"tool_call.function.name\":\"");
        self.json.push_str(tool);
        self.json.push_str("\",\"tool_call.function.arguments\":\"");
        push_json(self.json, arguments);
        self.json.push_str("\"}]}");
        for part in [tool, " ", arguments] {
            self.plain.push_str(part);
        }
    }

    pub(super) fn result(&mut self, call_id: u64, parts: &[&str]) {
        self.begin("tool");
        self.json.push_str("\",\"message.tool_call_id\":\"call_");
        push_hex(self.json, call_id);
        self.content(parts);
    }
}

/// Appends documents as a JSON list.
pub(super) fn push_documents(json: &mut String, docs: &[Doc]) {
    json.push('[');
    for (i, doc) in docs.iter().enumerate() {
        json.push_str(if i == 0 { "{\"document.id\":\"kb-" } else { ",{\"document.id\":\"kb-" });
        push_digits(json, doc.number, 4);
        json.push_str("\",\"document.content\":\"");
        push_json(json, doc.content);
        json.push_str("\",\"document.score\":");
        push_score(json, doc.score);
        json.push_str(",\"document.metadata\":\"{\\\"source\\\":\\\"");
        json.push_str(doc.source);
        json.push_str("\\\"}\"}");
    }
    json.push(']');
}

/// The tools of a project as a model is told about them.
pub(super) fn tools_json(project: Project) -> &'static str {
    static BOTH: LazyLock<[String; 2]> = LazyLock::new(|| [SUPPORT_TOOLS, RESEARCH_TOOLS].map(describe));
    &BOTH[usize::from(project == Project::Research)]
}

fn describe(tools: &[Tool]) -> String {
    let mut json = String::from("[");
    for tool in tools {
        json.push_str(if json.len() == 1 { "{\"tool.json_schema\":\"" } else { ",{\"tool.json_schema\":\"" });
        let mut schema = String::from("{\"type\":\"function\",\"function\":{\"name\":\"");
        for part in [tool.name, "\",\"description\":\"", tool.description, "\",\"parameters\":", tool.parameters, "}}"]
        {
            schema.push_str(part);
        }
        push_json(&mut json, &schema);
        json.push_str("\"}");
    }
    json.push(']');
    json
}
