use proptest::prelude::*;

use super::*;

/// A message in a line: place, role, content, and what else there is.
fn line(message: &Message) -> String {
    let mut line = format!("{} {}", message.position, message.role.as_deref().unwrap_or("-"));
    line.push_str(&message.content.as_ref().map_or(String::new(), |text| format!(": {text}")));
    line.push_str(&message.name.as_ref().map_or(String::new(), |name| format!(" name={name}")));
    line.push_str(&message.tool_call_id.as_ref().map_or(String::new(), |id| format!(" for={id}")));
    for Call { id, name, arguments } in &message.calls {
        let or = |text: &Option<String>| text.clone().unwrap_or("-".to_owned());
        line.push_str(&format!(" call={}/{}/{}", or(id), or(name), or(arguments)));
    }
    line
}

fn lines(messages: &[Message]) -> Vec<String> {
    messages.iter().map(line).collect()
}

#[test]
fn lists_of_messages() {
    let cases: [(&str, &[&str]); 12] = [
        (r#"[{"message.role":"user","message.content":"hi"}]"#, &["0 user: hi"]),
        (
            r#"{"18446744073709551615":{"role":"user","content":[{"type":"tool_result","content":"a"}]}}"#,
            &["18446744073709551615 tool: a"],
        ),
        (r#"[{"message":{"role":"user","content":"hi","name":"ann"}}]"#, &["0 user: hi name=ann"]),
        (r#"["{\"message.role\":\"user\",\"message.content\":\"a\\nb\"}"]"#, &["0 user: a\nb"]),
        (
            r#"[{"message.role":"assistant","message.tool_calls":[
                {"tool_call.id":"c1","tool_call.function.name":"f","tool_call.function.arguments":"{\"a\": 1}"},
                {"tool_call":{"function":{"name":"g","arguments":{"b":1.50,"a":null}}}}, 7]}]"#,
            &[r#"0 assistant call=c1/f/{"a": 1} call=-/g/{"b":1.50,"a":null}"#],
        ),
        (
            r#"[{"message.role":"tool","message.tool_call_id":"c1","message.content":"3"},
                {"message":{"role":"function","name":"f","content":4}}]"#,
            &["0 tool: 3 for=c1", "1 function: 4 name=f"],
        ),
        (
            r#"[{"message.role":"user","message.contents":[
                {"message_content.type":"text","message_content.text":"one"},
                {"message_content":{"type":"image","image":{"image.url":"u"}}},
                {"message_content":{"type":"text","text":"two"}}]}]"#,
            &["0 user: one\n[image]\ntwo"],
        ),
        (
            r#"[{"message.role":"user","message.contents":[{"message_content.type":"image"}]}]"#,
            &[r#"0 user: [{"message_content.type":"image"}]"#],
        ),
        (r#"[{"message.role":"user","message.content":"","message.contents":["x"]}]"#, &["0 user: x"]),
        (
            r#"{"3":{"message":{"role":"tool","content":"late"}},"0":{"message":{"role":"user","contents":{"0":{"message_content":{"text":"hi"}}}}},
                "1":{"message":{"role":"model","tool_calls":{"0":{"tool_call":{"function":{"name":"f"}}}}}}}"#,
            &["0 user: hi", "1 model call=-/f/-", "3 tool: late"],
        ),
        (r#"[null, {}, 5, "text", {"message.role":null}, {"message.role":"user"}]"#, &["5 user"]),
        (r#"{"a":1}"#, &[]),
    ];
    for (json, want) in cases {
        let list = Tree::parse(json).unwrap();
        assert_eq!(lines(&of_list(&list, Contents::Read)), want, "{json}");
        let skipped = of_list(&list, Contents::Skip);
        assert_eq!(skipped.len(), want.len(), "{json}");
    }
}

#[test]
fn shapes_of_clients_and_frameworks() {
    let cases: [(&str, &[&str]); 24] = [
        (
            r#"[{"role":"assistant","content":[{"type":"tool-call","toolCallId":"c","toolName":"f","input":{"x":1}}]},
                {"role":"tool","content":[{"type":"tool-result","toolCallId":"c","toolName":"f",
                "output":{"type":"text","value":"sunny"}}]}]"#,
            &[r#"0 assistant call=c/f/{"x":1}"#, "1 tool: sunny name=f for=c"],
        ),
        (r#"{"messages":[{"role":"user","content":"hi"}],"model":"m"}"#, &["0 user: hi"]),
        (
            r#"[{"role":"developer","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}]"#,
            &["0 developer: a\nb"],
        ),
        (
            r#"{"choices":[{"index":0,"message":{"role":"assistant","content":null,
                "tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]}}]}"#,
            &["0 assistant call=c/f/{}"],
        ),
        (
            r#"{"messages":[{"role":"assistant","content":null,"function_call":{"name":"f","arguments":"1"}}]}"#,
            &["0 assistant call=-/f/1"],
        ),
        (
            r#"{"raw":{"choices":[{"message":{"role":"assistant","content":"done"}}]},"text":"done"}"#,
            &["0 assistant: done"],
        ),
        (
            r#"{"messages":[[{"lc":1,"type":"constructor","id":["langchain","schema","messages","HumanMessage"],
                "kwargs":{"content":"hey","type":"human"}},{"lc":1,"id":["x","SystemMessage"],"kwargs":{"content":"be kind"}}]]}"#,
            &["0 user: hey", "1 system: be kind"],
        ),
        (
            r#"{"generations":[[{"text":"yes","message":{"lc":1,"id":["x","AIMessage"],"kwargs":{"content":"yes","type":"ai",
                "tool_calls":[{"name":"f","args":{"x":1},"id":"c","type":"tool_call"}]}}}]],"llm_output":{}}"#,
            &[r#"0 assistant: yes call=c/f/{"x":1}"#],
        ),
        (
            r#"[{"type":"human","content":"hi"},{"type":"ai","content":"yo","tool_calls":[]}]"#,
            &["0 user: hi", "1 assistant: yo"],
        ),
        (r#"[{"type":"tool","content":"3","tool_call_id":"c","name":"f"}]"#, &["0 tool: 3 name=f for=c"]),
        (
            r#"{"role":"assistant","content":"","additional_kwargs":{"tool_calls":[{"id":"c","function":{"name":"f","arguments":"{}"}}]}}"#,
            &["0 assistant:  call=c/f/{}"],
        ),
        (r#"{"messages":[{"role":"user","blocks":[{"block_type":"text","text":"q"}]}]}"#, &["0 user: q"]),
        (r#"{"output":{"role":"assistant","blocks":[{"block_type":"text","text":"a"}]}}"#, &["0 assistant: a"]),
        (
            r#"[{"role":"user","parts":[{"type":"text","content":"hi"}]},
                {"role":"assistant","parts":[{"type":"thinking","content":"hm"},{"type":"tool_call","id":"c","name":"f","arguments":{"t":1}}]},
                {"role":"user","parts":[{"type":"tool_call_response","id":"c","name":"f","result":"pun"},{"type":"text","content":"go on"}]}]"#,
            &[
                "0 user: hi",
                r#"1 assistant: [{"type":"thinking","content":"hm"}] call=c/f/{"t":1}"#,
                "2 user: go on",
                "3 tool: pun name=f for=c",
            ],
        ),
        (
            r#"[{"role":"tool","parts":[{"type":"tool_call_response","id":"a","response":"1"},{"type":"tool_call_response","id":"b","response":{"x":2}}]}]"#,
            &["0 tool: 1 for=a", r#"1 tool: {"x":2} for=b"#],
        ),
        (
            r#"{"model":"g","contents":[{"role":"user","parts":[{"text":"hi"}]},{"role":"model","parts":[{"function_call":{"name":"f","args":{}}}]},
                {"role":"user","parts":[{"function_response":{"name":"f","response":{"ok":true}}}]}]}"#,
            &["0 user: hi", "1 model call=-/f/{}", r#"2 tool: {"ok":true} name=f"#],
        ),
        (
            r#"{"candidates":[{"content":{"parts":[{"text":"yes"}],"role":"model"},"finish_reason":"STOP"}]}"#,
            &["0 model: yes"],
        ),
        (r#"{"content":{"parts":[{"text":"yes"}],"role":"model"},"finish_reason":"STOP"}"#, &["0 model: yes"]),
        (
            r#"{"role":"assistant","content":[{"type":"text","text":"see"},{"type":"tool_use","id":"c","name":"f","input":{"a":1}}]}"#,
            &[r#"0 assistant: see call=c/f/{"a":1}"#],
        ),
        (
            r#"{"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"c","content":[{"type":"text","text":"r"}]}]}]}"#,
            &["0 tool: r for=c"],
        ),
        (
            r#"{"output":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":"a"}]},
                {"type":"function_call","id":"i","call_id":"c","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"c","output":"o"}]}"#,
            &["0 assistant: a", "1 assistant call=c/f/{}", "2 tool: o for=c"],
        ),
        (
            r#"[{"toolCallId":"c","toolName":"f","input":"{}"},{"tool.name":"g","tool.args":{"a":1}}]"#,
            &[r#"0 assistant call=c/f/{} call=-/g/{"a":1}"#],
        ),
        (r#"{"event.name":"choice","index":0,"message":{"role":"assistant","content":"a"}}"#, &["0 assistant: a"]),
        (r#"{"test_cases":[{"type":"a","content":"b"}],"messages":["x"]}"#, &[]),
    ];
    for (json, want) in cases {
        assert_eq!(lines(&of_value(&Tree::parse(json).unwrap(), Contents::Read)), want, "{json}");
    }
    let prompts = [
        (r#"{"formatted":true,"prompt":"say"}"#, vec!["0 user: say"]),
        (r#"{"model":"g","contents":"hi"}"#, vec!["0 user: hi"]),
        (r#"{"prompt":["x"]}"#, vec![]),
    ];
    for (json, want) in prompts {
        assert_eq!(lines(&of_prompt(&Tree::parse(json).unwrap())), want, "{json}");
    }
    assert_eq!(lines(&of_answer("plain", Contents::Read)), ["0 assistant: plain"]);
    assert_eq!(lines(&of_answer(r#"{"steps":[]}"#, Contents::Read)), [r#"0 assistant: {"steps":[]}"#]);
    assert_eq!(lines(&of_answer(r#"[{"tool.name":"f"}]"#, Contents::Read)), ["0 assistant call=-/f/-"]);
}

#[test]
fn long_and_deep_texts_are_read_in_one_pass() {
    let long = format!(r#"{{"messages":[{{"role":"user","content":"{}"}}]}}"#, "é\\n".repeat(2_000_000));
    let messages = of_value(&Tree::parse(&long).unwrap(), Contents::Read);
    assert_eq!(messages[0].content.as_ref().unwrap().len(), 6_000_000);
    let deep = format!(r#"{}[{{"role":"user","content":"x"}}]{}"#, "{\"output\":".repeat(100), "}".repeat(100));
    assert_eq!(of_value(&Tree::parse(&deep).unwrap(), Contents::Read), []);
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::{Value, json};
    let text = prop::sample::select(vec!["user", "tool", "human", "text", "tool_call", "x", "", "{\"role\":\"user\"}"]);
    let leaf = prop_oneof![text.prop_map(Value::from), Just(Value::Null), (0..3).prop_map(|n| json!(n))];
    let key = prop::sample::select(vec![
        "role",
        "content",
        "contents",
        "parts",
        "messages",
        "message",
        "message.role",
        "message.content",
        "kwargs",
        "type",
        "id",
        "tool_calls",
        "function",
        "name",
        "choices",
        "generations",
        "text",
        "0",
        "1",
        "output",
        "function_call",
        "tool_call_id",
        "arguments",
        "message_content.text",
        "blocks",
        "function_response",
        "response",
    ]);
    leaf.prop_recursive(6, 60, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..5)
                .prop_map(|members| members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()),
        ]
    })
}

proptest! {
    #[test]
    fn anything_is_read_or_not(json in any_json()) {
        let text = json.to_string();
        let tree = Tree::parse(&text).unwrap();
        for messages in [of_list(&tree, Contents::Read), of_value(&tree, Contents::Read), of_answer(&text, Contents::Read)] {
            let positions: Vec<usize> = messages.iter().map(|message| message.position).collect();
            prop_assert!(positions.windows(2).all(|pair| pair[0] < pair[1]), "{:?}", positions);
        }
        prop_assert_eq!(of_list(&tree, Contents::Skip).len(), of_list(&tree, Contents::Read).len());
        prop_assert_eq!(of_value(&tree, Contents::Skip).len(), of_value(&tree, Contents::Read).len());
    }

    #[test]
    fn any_text_is_read_or_not(text in "[\\[\\]{}:,\"\\\\u0 a.]{0,40}") {
        of_answer(&text, Contents::Read);
    }
}

#[test]
fn what_looks_like_a_message() {
    let of = |json: &str| lines(&of_value(&Tree::parse(json).unwrap(), Contents::Read));
    let one = |line: &str| vec![line.to_owned()];
    assert_eq!(of(r#"[{"message":{"role":"user","content":"hi"}}]"#), one("0 user: hi"));
    assert_eq!(of(r#"[{"type":"function","content":"3"}]"#), one("0 function: 3"));
    assert_eq!(of(r#"[{"kwargs":{"content":"x"}}]"#), [""; 0], "what was constructed has an id");
    assert_eq!(of(r#"[{"role":"user","content":"own","parts":["other"]}]"#), one("0 user: own"));
    assert_eq!(of(r#"[{"role":"user","contents":{"parts":[{"text":"hi"}]}}]"#), one("0 user: hi"));
}

#[test]
fn contents_that_are_skipped_leave_the_messages() {
    let tree = Tree::parse(
        r#"[{"role":"user","content":[{"type":"tool_result","tool_use_id":"c","content":"3"},{"type":"text","text":"so"}]},
            {"role":"user","content":"long"}]"#,
    )
    .unwrap();
    let skipped = of_list(&tree, Contents::Skip);
    let roles: Vec<_> = skipped.iter().map(|message| (message.role.as_deref().unwrap(), message.is_result())).collect();
    assert_eq!(roles, [("user", false), ("tool", true), ("user", false)]);
    assert_eq!(skipped[2].content, None);
}
