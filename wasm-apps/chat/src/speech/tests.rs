use gaia_app_sdk::ToolCall;
use serde_json::{Value, json};

use super::*;
use crate::families;

fn tools() -> Vec<Tool> {
    let schema = json!({"type": "object", "properties": {
        "city": {"type": "string"}, "days": {"type": "integer"}}});
    ["weather", "now"]
        .map(|name| Tool {
            name: name.into(),
            description: None,
            parameters: Some(schema.clone()),
            strict: false,
        })
        .to_vec()
}

/// What an answer comes to.
#[derive(Debug, Default, PartialEq)]
struct Heard {
    content: String,
    reasoning: String,
    calls: Vec<ToolCall>,
    reason: Option<FinishReason>,
}

fn hear(speech: &mut Speech<'_>, pieces: impl Iterator<Item = String>) -> Heard {
    let mut events = vec![];
    for piece in pieces {
        if speech.has_enough() {
            break;
        }
        speech.say_events(&piece, &mut events);
    }
    let reason = speech.finish(FinishReason::Stop, &mut events);
    let mut heard = Heard { reason: Some(reason), ..Heard::default() };
    for event in events {
        match event {
            Event::Delta { text, channel: Channel::Content, .. } => heard.content += &text,
            Event::Delta { text, .. } => heard.reasoning += &text,
            Event::ToolCall { index, name, .. } => {
                assert_eq!(index as usize, heard.calls.len());
                let (id, arguments) = (String::new(), String::new());
                heard.calls.push(ToolCall { id, name, arguments });
            }
            Event::ToolArguments { index, text, .. } => {
                heard.calls[index as usize].arguments += &text;
            }
            other => panic!("{other:?}"),
        }
    }
    heard
}

impl Speech<'_> {
    fn say_events(&mut self, text: &str, events: &mut Vec<Event>) {
        Speaker::say(self, text, events);
    }
}

fn template_of(family: &str) -> &'static str {
    match family {
        "harmony" => "<|channel|>",
        "deepseek" => "<｜tool▁call▁begin｜> <think>",
        "mistral" => "[TOOL_CALLS]",
        "hermes" => "<tool_call> <think>",
        "llama" => "<|start_header_id|> tools",
        _ => "",
    }
}

/// Each transcript of `transcripts.json`, whole and in every cut: all must be heard alike.
#[test]
fn every_family_s_transcripts_are_heard_however_they_are_cut() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("transcripts.json")).expect("JSON");
    let tools = tools();
    for case in &cases {
        let family = families::of(template_of(case["family"].as_str().expect("a family")));
        assert_eq!(family.name, case["family"], "the template is the family's");
        let text = case["text"].as_str().expect("a text");
        let expected = Heard {
            content: case["content"].as_str().unwrap_or_default().into(),
            reasoning: case["reasoning"].as_str().unwrap_or_default().into(),
            calls: calls(&case["calls"]),
            reason: Some(reason(&case["calls"])),
        };
        for length in 1..=text.chars().count() {
            let characters: Vec<char> = text.chars().collect();
            let pieces = characters.chunks(length).map(|piece| piece.iter().collect());
            let thinks = case["thinks"] == true;
            let heard = hear(&mut Speech::new(family, &tools, thinks), pieces);
            assert_eq!(heard, expected, "{} in pieces of {length}", case["name"]);
        }
    }
}

fn calls(list: &Value) -> Vec<ToolCall> {
    let call = |call: &Value| ToolCall {
        id: String::new(),
        name: call[0].as_str().expect("a name").into(),
        arguments: call[1].as_str().expect("arguments").into(),
    };
    list.as_array().map(|list| list.iter().map(call).collect()).unwrap_or_default()
}

fn reason(calls: &Value) -> FinishReason {
    match calls.as_array() {
        Some(list) if !list.is_empty() => FinishReason::ToolCalls,
        _ => FinishReason::Stop,
    }
}

#[test]
fn arguments_come_as_they_are_made() {
    let tools = tools();
    let mut speech = Speech::new(&families::GENERIC, &tools, false);
    let mut events = vec![];
    speech.say_events("<tool_call>{\"name\": \"weather\", \"arguments\": {\"ci", &mut events);
    let begun = Event::ToolCall { index: 0, name: "weather".into(), tokens: 0 };
    let first = Event::ToolArguments { index: 0, text: "{\"ci".into(), tokens: 0 };
    assert_eq!(events, [begun, first]);
}

#[test]
fn one_call_is_enough_where_only_one_is_allowed() {
    let tools = tools();
    let mut speech = Speech::new(&families::GENERIC, &tools, false).single(true);
    let call = "<tool_call>{\"name\": \"now\", \"arguments\": {}}</tool_call>";
    let heard = hear(&mut speech, [call, call].map(String::from).into_iter());
    assert_eq!(heard.calls.len(), 1);
    assert_eq!(heard.reason, Some(FinishReason::ToolCalls));
}

#[test]
fn an_answer_cut_off_in_a_call_ends_by_length() {
    let tools = tools();
    let mut speech = Speech::new(&families::GENERIC, &tools, false);
    let mut events = vec![];
    speech.say_events("<tool_call>{\"name\": \"now\", \"arguments\": {\"a", &mut events);
    assert_eq!(speech.finish(FinishReason::Length, &mut events), FinishReason::Length);
}

#[test]
fn without_functions_nothing_is_a_call() {
    let mut speech = Speech::new(&families::GENERIC, &[], false);
    let text = "<tool_call>{\"name\": \"now\", \"arguments\": {}}</tool_call>";
    assert_eq!(hear(&mut speech, [text.to_owned()].into_iter()).content, text);
}
