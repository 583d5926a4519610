use gaia_protocol::{Format, ToolChoice};
use serde_json::{Value, json};

use super::*;

/// A good request with these fields beside `input`.
fn parse(more: Value) -> Result<Asked, ApiError> {
    let mut body = json!({"input": "Hi"});
    for (name, value) in more.as_object().expect("an object") {
        body[name] = value.clone();
    }
    Asked::parse(Fields::parse(&serde_json::to_vec(&body).expect("JSON")).expect("an object"))
}

fn function(name: &str) -> Value {
    json!({"type": "function", "name": name, "parameters": {"type": "object"}, "strict": true})
}

/// The search in files with these fields.
fn files(more: Value) -> Value {
    let mut tool = json!({"type": "file_search", "vector_store_ids": ["vs_1"]});
    for (name, value) in more.as_object().expect("an object") {
        tool[name] = value.clone();
    }
    tool
}

#[test]
fn each_wrong_setting_is_named() {
    let twice = json!([function("f"), function("f")]);
    for (more, param) in [
        (json!({"input": null}), "input"),
        (json!({"model": 7}), "model"),
        (json!({"stream": "yes"}), "stream"),
        (json!({"instructions": 7}), "instructions"),
        (json!({"max_output_tokens": 0}), "max_output_tokens"),
        (json!({"temperature": 3}), "temperature"),
        (json!({"top_p": 1.5}), "top_p"),
        (json!({"presence_penalty": 3}), "presence_penalty"),
        (json!({"frequency_penalty": "a"}), "frequency_penalty"),
        (json!({"top_logprobs": 21}), "top_logprobs"),
        (json!({"include": ["web_search_call.results"]}), "include[0]"),
        (json!({"tools": [{"type": "file_search"}]}), "tools[0].vector_store_ids"),
        (json!({"tools": [files(json!({"max_num_results": 51}))]}), "tools[0].max_num_results"),
        (json!({"tools": [files(json!({"filters": 7}))]}), "tools[0].filters"),
        (json!({"tools": [files(json!({"colour": 7}))]}), "tools[0].colour"),
        (
            json!({"tools": [files(json!({"ranking_options": {"score_threshold": 2}}))]}),
            "tools[0].ranking_options.score_threshold",
        ),
        (json!({"tools": [files(json!({})), files(json!({}))]}), "tools[1]"),
        (json!({"metadata": {"a": 1}}), "metadata"),
        (json!({"metadata": {"a": "b".repeat(513)}}), "metadata"),
        (json!({"store": 1}), "store"),
        (json!({"parallel_tool_calls": "no"}), "parallel_tool_calls"),
        (json!({"reasoning": {"effort": "huge"}}), "reasoning.effort"),
        (json!({"reasoning": {"summary": "detailed"}}), "reasoning.summary"),
        (json!({"text": {"format": {"type": "xml"}}}), "text.format.type"),
        (json!({"text": {"format": {"type": "json_schema", "name": "a"}}}), "text.format.schema"),
        (json!({"text": {"verbosity": "high"}}), "text.verbosity"),
        (json!({"tools": {}}), "tools"),
        (json!({"tools": [{"type": "web_search"}]}), "tools[0].type"),
        (json!({"tools": [{"type": "namespace", "tools": []}]}), "tools[0].name"),
        (json!({"tools": [{"type": "namespace", "name": "a"}]}), "tools[0].tools"),
        (
            json!({"tools": [{"type": "namespace", "name": "a", "tools": [{"type": "custom"}]}]}),
            "tools[0].tools[0].type",
        ),
        (
            json!({"tools": [{"type": "namespace", "name": "a", "tools": [function("b")]}, function("a__b")]}),
            "tools[1].name",
        ),
        (json!({"tools": [{"type": "function"}]}), "tools[0].name"),
        (json!({"tools": [function("a b")]}), "tools[0].name"),
        (json!({"tools": twice}), "tools[1].name"),
        (
            json!({"tools": [{"type": "function", "name": "f", "parameters": 7}]}),
            "tools[0].parameters",
        ),
        (json!({"tool_choice": "required"}), "tool_choice"),
        (
            json!({"tool_choice": {"type": "function", "name": "g"}, "tools": [function("f")]}),
            "tool_choice",
        ),
        (json!({"tool_choice": {"type": "file_search"}}), "tool_choice"),
        (json!({"background": true}), "background"),
        (json!({"truncation": "auto"}), "truncation"),
        (json!({"conversation": "conv_1"}), "conversation"),
        (json!({"stream_options": {"include_obfuscation": true}}), "stream_options"),
        (json!({"messages": []}), "messages"),
    ] {
        let error = parse(more.clone()).err().unwrap_or_else(|| panic!("{more} is refused"));
        assert_eq!(error.param.as_deref(), Some(param), "{more}");
    }
}

#[test]
fn a_wrong_function_is_named_where_it_stands() {
    let namespace =
        json!({"type": "namespace", "name": "n", "tools": [function("a"), function("a b")]});
    for (second, param) in
        [(function("a b"), "tools[1].name"), (namespace, "tools[1].tools[1].name")]
    {
        let error = parse(json!({"tools": [files(json!({})), second]})).err().expect("refused");
        assert_eq!(error.param.as_deref(), Some(param), "{}", error.message);
    }
}

#[test]
fn too_many_functions_are_refused_before_their_names_are_compared() {
    let half =
        |name: &str| json!({"type": "namespace", "name": name, "tools": vec![function("f"); 65]});
    let error = parse(json!({"tools": [half("a"), half("b")]})).err().expect("refused");
    assert_eq!(error.param.as_deref(), Some("tools"), "{}", error.message);
}

#[test]
fn settings_reach_the_task_and_the_answer() {
    let asked = parse(json!({
        "tools": [function("f")], "tool_choice": {"type": "function", "name": "f"},
        "parallel_tool_calls": false, "temperature": 0, "top_logprobs": 2, "presence_penalty": 1.5,
        "text": {"format": {"type": "json_schema", "name": "a", "schema": {"type": "object"}}},
        "reasoning": {"effort": "low"}, "background": false, "truncation": "disabled",
    }));
    let Asked { task, settings, .. } = asked.expect("good");
    assert_eq!(task.tools.choice, ToolChoice::Named("f".into()));
    assert!(task.tools.single && task.tools.list[0].strict);
    assert_eq!(task.sampling.temperature, Some(0.0));
    assert_eq!(task.sampling.logprobs, Some(2));
    assert_eq!(task.sampling.presence_penalty, Some(1.5));
    assert_eq!(task.format, Format::JsonSchema(json!({"type": "object"})));
    assert_eq!(task.template_options["reasoning_effort"], "low");
    let echo = serde_json::to_value(&settings).expect("JSON");
    assert_eq!(echo["tools"][0]["name"], "f");
    assert_eq!(echo["tool_choice"]["name"], "f");
    assert_eq!((&echo["presence_penalty"], &echo["frequency_penalty"]), (&json!(1.5), &json!(0.0)));
    assert_eq!((&echo["temperature"], &echo["top_p"]), (&json!(0.0), &json!(null)));
    assert_eq!(echo["text"]["format"]["type"], "json_schema");
    assert_eq!(echo["reasoning"], json!({"effort": "low", "summary": null}));
    assert!(settings.store);
    let whole = serde_json::to_value(settings.with_defaults()).expect("JSON");
    assert_eq!((&whole["temperature"], &whole["top_p"]), (&json!(0.0), &json!(0.95_f32)));
}

/// As Codex sends the tools of its MCP servers.
#[test]
fn a_function_in_a_namespace_is_called_by_both_names() {
    let given = json!({
        "type": "namespace", "name": "mcp__x", "description": "About x.", "tools": [function("f")],
    });
    let asked = parse(json!({
        "tools": [given, function("f")], "client_metadata": {"a": "b"},
        "tool_choice": {"type": "function", "name": "f", "namespace": "mcp__x"},
    }));
    let task = asked.expect("good").task;
    let names: Vec<_> = task.tools.list.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(names, ["mcp__x__f", "f"]);
    assert_eq!(task.tools.list[0].description.as_deref(), Some("About x."));
    assert_eq!(task.tools.choice, ToolChoice::Named("mcp__x__f".into()));
    let split = |name: &str| task.namespaces.split(name.into());
    assert_eq!(split("mcp__x__f"), (Some("mcp__x".into()), "f".into()));
    assert_eq!(split("f"), (None, "f".into()));
}
