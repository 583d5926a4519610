use gaia_protocol::{Format, Role, ToolChoice};
use serde_json::{Value, json};

use super::*;
use crate::http::fields::Fields;

/// A good request with these fields beside `max_tokens` and `messages`.
fn parse(more: &Value) -> Result<Asked, ApiError> {
    let mut body = json!({"max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]});
    for (name, value) in more.as_object().expect("an object") {
        body[name] = value.clone();
    }
    Asked::parse(Fields::parse(&serde_json::to_vec(&body).expect("JSON")).expect("an object"))
}

fn refused(more: &Value) -> String {
    let error = parse(more).err().unwrap_or_else(|| panic!("{more} is refused"));
    error.param.unwrap_or_else(|| panic!("{more}: {}", error.message))
}

#[test]
fn each_wrong_setting_is_named() {
    let tool = json!({"name": "f", "input_schema": {"type": "object"}});
    for (more, param) in [
        (json!({"max_tokens": null}), "max_tokens"),
        (json!({"max_tokens": 0}), "max_tokens"),
        (json!({"model": 7}), "model"),
        (json!({"temperature": 1.5}), "temperature"),
        (json!({"top_p": -1}), "top_p"),
        (json!({"top_k": -1}), "top_k"),
        (json!({"stop_sequences": "a"}), "stop_sequences"),
        (json!({"stop_sequences": [""]}), "stop_sequences"),
        (json!({"stream": 1}), "stream"),
        (json!({"metadata": {"name": "x"}}), "metadata.name"),
        (json!({"thinking": {"type": "enabled"}}), "thinking.budget_tokens"),
        (json!({"thinking": {"type": "deep"}}), "thinking.type"),
        (json!({"output_config": {"format": {"type": "xml"}}}), "output_config.format.type"),
        (json!({"output_config": {"effort": "none"}}), "output_config.effort"),
        (json!({"tools": 7}), "tools"),
        (json!({"tools": [{"type": "bash_20250124", "name": "bash"}]}), "tools[0].type"),
        (json!({"tools": [{"name": "f"}]}), "tools[0].input_schema"),
        (json!({"tools": [{"name": "a b", "input_schema": {}}]}), "tools[0].name"),
        (json!({"tools": [tool, tool]}), "tools[1].name"),
        (json!({"tool_choice": {"type": "any"}}), "tool_choice"),
        (json!({"tool_choice": {"type": "some"}}), "tool_choice.type"),
        (json!({"tool_choice": {"type": "tool"}, "tools": [tool]}), "tool_choice.name"),
        (json!({"container": "c"}), "container"),
        (json!({"context_management": 1}), "context_management"),
        (
            json!({"context_management": {"edits": [{"type": "compact_20260112"}]}}),
            "context_management.edits[0].type",
        ),
        (
            json!({"context_management": {"edits": [{"type": "clear_thinking_20251015"}]}}),
            "context_management.edits[0].keep",
        ),
        (json!({"n": 1}), "n"),
    ] {
        assert_eq!(refused(&more), param, "{more}");
    }
}

#[test]
fn each_wrong_message_is_named() {
    let user = |content: Value| json!([{"role": "user", "content": content}]);
    let long = "x".repeat(257);
    for (messages, param) in [
        (json!([]), "messages"),
        (json!([7]), "messages[0]"),
        (json!([{"role": "tool", "content": "a"}]), "messages[0].role"),
        (
            json!([{"role": "system", "content": [{"type": "thinking", "thinking": "a"}]}]),
            "messages[0].content[0].type",
        ),
        (json!([{"role": "user"}]), "messages[0].content"),
        (user(json!([])), "messages[0].content"),
        (user(json!([{"type": "video"}])), "messages[0].content[0].type"),
        (user(json!([{"type": "image"}])), "messages[0].content[0].source"),
        (
            user(json!([{"type": "image", "source": {"type": "url", "url": "http://a/b.png"}}])),
            "messages[0].content[0].source.type",
        ),
        (
            user(
                json!([{"type": "image", "source": {"type": "base64", "media_type": "image/gif", "data": "aGk="}}]),
            ),
            "messages[0].content[0].source.data",
        ),
        (
            json!([{"role": "assistant", "content": [{"type": "image"}]}]),
            "messages[0].content[0].type",
        ),
        (user(json!([{"type": "text"}])), "messages[0].content[0].text"),
        (user(json!([{"type": "text", "text": "a", "more": 1}])), "messages[0].content[0].more"),
        (
            user(json!([{"type": "tool_result", "tool_use_id": "t"}])),
            "messages[0].content[0].tool_use_id",
        ),
        (
            json!([{"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": 7}]}]),
            "messages[0].content[0].input",
        ),
        (
            json!([{"role": "assistant", "content": [{"type": "tool_use", "id": long, "name": "f", "input": {}}]}]),
            "messages[0].content[0].id",
        ),
        (
            json!([{"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": long, "input": {}}]}]),
            "messages[0].content[0].name",
        ),
        (json!([{"role": "assistant", "content": "Once upon"}]), "messages"),
    ] {
        assert_eq!(refused(&json!({"messages": messages})), param, "{messages}");
    }
    assert_eq!(refused(&json!({"system": [{"type": "image"}]})), "system[0].type");
}

/// As Claude Code sends it.
#[test]
fn the_operator_may_speak_between_turns_and_thoughts_are_kept() {
    let asked = parse(&json!({
        "messages": [{"role": "user", "content": "a"}, {"role": "system", "content": "b"}],
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
    }));
    let messages = asked.expect("good").task.messages;
    let said: Vec<_> = messages.iter().map(|m| (m.role, m.content.as_str())).collect();
    assert_eq!(said, [(Role::User, "a"), (Role::System, "b")]);
}

#[test]
fn blocks_become_turns() {
    let asked = parse(&json!({
        "system": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}, {"type": "text", "text": "b"}],
        "messages": [
            {"role": "user", "content": "weather?"},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "hm", "signature": ""},
                {"type": "text", "text": "let me see", "citations": null},
                {"type": "tool_use", "id": "t1", "name": "f", "input": {"b": 1, "a": 2}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "no"}], "is_error": true},
                {"type": "text", "text": "well?"},
            ]},
        ],
        "tools": [{"name": "f", "input_schema": {"type": "object"}}],
        "tool_choice": {"type": "any", "disable_parallel_tool_use": true},
        "thinking": {"type": "disabled"}, "top_k": 5, "stop_sequences": ["x"],
        "output_config": {"format": {"type": "json_schema", "schema": {}}},
    }));
    let ChatTask { messages, tools, format, template_options, sampling, stop, .. } =
        asked.expect("good").task;
    let said: Vec<_> = messages.iter().map(|m| (m.role, m.content.as_str())).collect();
    let golden = [
        (Role::System, "a\nb"),
        (Role::User, "weather?"),
        (Role::Assistant, "let me see"),
        (Role::Tool, "Error: no"),
        (Role::User, "well?"),
    ];
    assert_eq!(said, golden);
    assert_eq!(messages[2].reasoning.as_deref(), Some("hm"));
    assert_eq!(messages[2].tool_calls[0].arguments, r#"{"b":1,"a":2}"#);
    assert_eq!(messages[3].name.as_deref(), Some("f"));
    assert_eq!((tools.choice, tools.single), (ToolChoice::Required, true));
    assert_eq!(template_options["enable_thinking"], false);
    assert_eq!((sampling.top_k, stop), (Some(5), vec!["x".to_owned()]));
    assert_eq!(format, Format::JsonSchema(json!({})));
}
