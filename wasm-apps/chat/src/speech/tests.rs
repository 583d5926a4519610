use gaia_app_sdk::ToolCall;
use serde_json::{Value, json};

use super::*;
use crate::families;

pub(super) fn tools() -> Vec<Tool> {
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
pub(super) struct Heard {
    pub(super) content: String,
    pub(super) reasoning: String,
    pub(super) calls: Vec<ToolCall>,
    pub(super) reason: Option<FinishReason>,
}

pub(super) fn hear(speech: &mut Speech<'_>, pieces: impl Iterator<Item = String>) -> Heard {
    let mut events = vec![];
    for piece in pieces {
        if speech.has_enough() {
            break;
        }
        speech.say_events(&piece, &mut events);
    }
    let reason = speech.finish(FinishReason::Stop, &mut events);
    let mut heard = Heard { reason: Some(reason), ..Heard::default() };
    let mut is_calling = false;
    for event in events {
        let is_call = matches!(event, Event::ToolCall { .. } | Event::ToolArguments { .. });
        is_calling = is_call && (is_calling || matches!(event, Event::ToolCall { .. }));
        match event {
            Event::Delta { text, channel: Channel::Content, .. } => heard.content += &text,
            Event::Delta { text, .. } => heard.reasoning += &text,
            Event::ToolCall { index, name, .. } => {
                assert_eq!(index as usize, heard.calls.len());
                let (id, arguments) = (String::new(), String::new());
                heard.calls.push(ToolCall { id, name, arguments });
            }
            Event::ToolArguments { index, text, .. } => {
                assert_eq!(index as usize + 1, heard.calls.len(), "the last call");
                assert!(is_calling, "nothing came between");
                heard.calls[index as usize].arguments += &text;
            }
            other => panic!("{other:?}"),
        }
    }
    heard
}

impl Speech<'_> {
    pub(super) fn say_events(&mut self, text: &str, events: &mut Vec<Event>) {
        Speaker::say(self, text, events);
    }
}

pub(super) fn template_of(family: &str) -> &'static str {
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

/// Feeds a text whole and character by character: both must be heard alike.
fn heard(family: &'static Family, text: &str) -> Heard {
    let tools = tools();
    let whole = hear(&mut Speech::new(family, &tools, false), [text.to_owned()].into_iter());
    let pieces = text.chars().map(String::from);
    assert_eq!(hear(&mut Speech::new(family, &tools, false), pieces), whole, "{text}");
    whole
}

fn content(text: &str) -> Heard {
    let reason = Some(FinishReason::Stop);
    Heard { content: text.into(), reason, ..Heard::default() }
}

#[test]
fn a_letter_of_several_bytes_behind_a_bracket_is_no_panic() {
    for text in ["<tool_call><é☃☃☃☃", "<tool_call><function☃=f>", "<tool_call><☃"] {
        assert_eq!(heard(&families::GENERIC, text), content(text));
    }
}

#[test]
fn a_bracket_alone_does_not_make_a_call_tags() {
    let text = "<tool_call><b>{\"name\": \"now\"} and more";
    assert_eq!(heard(&families::GENERIC, text), content(text));
}

#[test]
fn marks_in_what_is_no_call_are_read_alike_in_every_cut() {
    let text = "<tool_call>{\"name\": \"rob\", \"arguments\": {\"a\": \"<think>\"}}";
    let heard = heard(families::of(template_of("hermes")), text);
    assert_eq!(heard.reasoning, "\"}}");
}

#[test]
fn what_follows_the_only_call_is_dropped_in_every_cut() {
    let tools = tools();
    let text = "<tool_call>{\"name\": \"now\", \"arguments\": {}}</tool_call>\nDone.";
    let mut speech = Speech::new(&families::GENERIC, &tools, false).single(true);
    let heard = hear(&mut speech, [text.to_owned()].into_iter());
    assert_eq!((heard.content.as_str(), heard.calls.len()), ("", 1));
}

#[test]
fn a_limit_behind_the_only_call_took_nothing_away() {
    let tools = tools();
    let mut speech = Speech::new(&families::GENERIC, &tools, false).single(true);
    let mut events = vec![];
    speech.say_events("<tool_call>{\"name\": \"now\", \"arguments\": {}}", &mut events);
    assert_eq!(speech.finish(FinishReason::Length, &mut events), FinishReason::ToolCalls);
}

#[test]
fn blanks_before_what_is_no_call_are_content() {
    let text = "a \n<tool_call> {\"x\": 1}";
    assert_eq!(heard(&families::GENERIC, text), content(text));
}

#[test]
fn text_behind_mistral_s_list_is_no_call_because_it_names_a_function() {
    let text = "[TOOL_CALLS]now[ARGS]{} I asked weather {of Rome}.";
    let heard = heard(families::of(template_of("mistral")), text);
    assert_eq!(heard.calls.len(), 1);
    assert_eq!(heard.content, "I asked weather {of Rome}.");
}

#[test]
fn mistral_s_calls_may_each_have_a_mark() {
    let text = "[TOOL_CALLS]now[ARGS]{}[TOOL_CALLS]weather[ARGS]{\"city\": \"Rome\"}";
    let calls = heard(families::of(template_of("mistral")), text).calls;
    assert_eq!(calls.iter().map(|call| &*call.name).collect::<Vec<_>>(), ["now", "weather"]);
}

#[test]
fn an_empty_list_is_content() {
    let text = "[TOOL_CALLS][]";
    assert_eq!(heard(families::of(template_of("mistral")), text), content(text));
}

#[test]
fn the_end_of_a_fence_is_no_content() {
    let text = "<｜tool▁call▁begin｜>function<｜tool▁sep｜>now\n```json\n{}\n```";
    let heard = heard(families::of(template_of("deepseek")), text);
    assert_eq!((heard.content.as_str(), heard.calls.len()), ("", 1));
}
