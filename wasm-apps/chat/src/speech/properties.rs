//! What holds for every text, of every family, in every cut.

use gaia_app_sdk::ToolCall;
use serde_json::{Value, json};

use super::tests::{Heard, hear, template_of, tools};
use super::*;
use crate::families;

const FAMILIES: [&str; 6] = ["generic", "hermes", "llama", "mistral", "deepseek", "harmony"];

/// What texts are mixed of, beside a family's marks.
const PARTS: &[&str] = &[
    "",
    " ",
    "\n",
    "  \n\t",
    "\u{a0}",
    "é",
    "☃",
    "\u{1F469}\u{200D}\u{1F52C}",
    "\u{0}",
    "\u{FDD0}",
    "<",
    "{",
    "}",
    "[",
    "]",
    "\"",
    "\\",
    ",",
    ":",
    ";",
    "`",
    "a",
    "weather",
    "now",
    "{\"name\": \"",
    "\"name\": \"now\"",
    "\"name\": \"rob\"",
    "\", \"arguments\": {",
    "\"arguments\": \"{}\"",
    "\"parameters\": ",
    "<function=",
    "<function=now>",
    "<parameter=",
    "<parameter=city>",
    "</parameter>",
    "</function>",
    "[ARGS]",
    "[CALL_ID]",
    "```json\n",
    "\n```",
    "functions.now",
    "<｜tool▁sep｜>",
    "<|constrain|>json<|message|>",
    "</tool_call>",
    "<｜tool▁call▁end｜>",
    "{\"a\": [{\"b\": \"}]\"}]}",
];

/// Numerical Recipes' generator: good enough to mix test inputs, and the same everywhere.
struct Dice(u32);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) as usize % limit
    }

    fn one_of<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len())]
    }

    /// A mark of the family, whole or cut off at either end.
    fn mark(&mut self, family: &Family) -> String {
        let (mark, _) = family.marks[self.below(family.marks.len())];
        let characters: Vec<char> = mark.chars().collect();
        let cut = self.below(characters.len());
        match self.below(4) {
            0 => characters[..cut].iter().collect(),
            1 => characters[cut..].iter().collect(),
            _ => mark.to_owned(),
        }
    }

    fn text(&mut self, family: &Family) -> String {
        let parts = self.below(14);
        let part = |_| match self.below(3) {
            0 => self.mark(family),
            _ => self.one_of(PARTS).to_owned(),
        };
        (0..parts).map(part).collect()
    }

    /// The text cut at random, empty pieces included.
    fn cut(&mut self, text: &str) -> Vec<String> {
        let mut pieces = vec![String::new()];
        for character in text.chars() {
            for _ in 0..self.below(3) {
                pieces.push(String::new());
            }
            pieces.last_mut().expect("one at least").push(character);
        }
        pieces
    }

    /// JSON with all that may lead a reader astray.
    fn value(&mut self, depth: usize) -> String {
        let kinds = if depth == 0 { 4 } else { 6 };
        match self.below(kinds) {
            0 => self.one_of(&["0", "-1.50", "1e400", "123456789012345678901234567890"]).into(),
            1 => self.one_of(&["true", "null", "[]", "{ }"]).into(),
            2 | 3 => Value::from(self.text(families::of(""))).to_string(),
            4 => format!("[{},  {}]", self.value(depth - 1), self.value(depth - 1)),
            _ => self.object(depth - 1),
        }
    }

    fn object(&mut self, depth: usize) -> String {
        let key = Value::from(self.one_of(PARTS));
        format!("{{{key}:{},\n\"name\" :{}}}", self.value(depth), self.value(depth))
    }
}

fn family(name: &str) -> &'static Family {
    families::of(template_of(name))
}

fn without_blanks(text: &str) -> String {
    text.chars().filter(|character| !character.is_whitespace()).collect()
}

/// A text whose marks, those of calls left in, are taken out.
fn without_marks(family: &Family, mut text: &str) -> String {
    let mut kept = String::new();
    let marks = || family.marks.iter().filter(|(_, what)| !matches!(what, Meaning::Call { .. }));
    while let Some(character) = text.chars().next() {
        match marks().find_map(|(mark, _)| text.strip_prefix(mark)) {
            Some(rest) => text = rest,
            None => {
                kept.push(character);
                text = &text[character.len_utf8()..];
            }
        }
    }
    kept
}

/// All text that was told, in its order.
fn told(family: &'static Family, tools: &[Tool], text: &str) -> String {
    let (mut events, mut told) = (vec![], String::new());
    let mut speech = Speech::new(family, tools, false);
    speech.say_events(text, &mut events);
    speech.finish(FinishReason::Stop, &mut events);
    for event in events {
        if let Event::Delta { text, .. } = event {
            told += &text;
        }
    }
    told
}

fn is_subsequence(part: &str, whole: &str) -> bool {
    let mut whole = whole.chars();
    part.chars().all(|character| whole.any(|other| other == character))
}

#[test]
fn every_cut_of_every_text_is_heard_alike() {
    let tools = tools();
    let mut dice = Dice(1);
    for round in 0..6_000 {
        let family = family(FAMILIES[round % 6]);
        let tools = if dice.below(4) == 0 { &[] } else { &tools[..] };
        let (thinks, single) = (dice.below(2) == 0, dice.below(3) == 0);
        let text = dice.text(family);
        let new = || Speech::new(family, tools, thinks).single(single);
        let whole = hear(&mut new(), [text.clone()].into_iter());
        for pieces in [text.chars().map(String::from).collect(), dice.cut(&text), dice.cut(&text)] {
            assert_eq!(hear(&mut new(), pieces.into_iter()), whole, "{} {text:?}", family.name);
        }
        assert!(!single || whole.calls.len() <= 1);
    }
}

#[test]
fn without_functions_all_text_but_marks_is_told_once() {
    let mut dice = Dice(2);
    for round in 0..6_000 {
        let family = family(FAMILIES[round % 6]);
        let text = dice.text(family);
        let expected = without_blanks(&without_marks(family, &text));
        assert_eq!(without_blanks(&told(family, &[], &text)), expected, "{} {text:?}", family.name);
    }
}

#[test]
fn with_functions_nothing_is_told_that_was_not_said_and_nothing_is_lost_without_a_call() {
    let tools = tools();
    let mut dice = Dice(3);
    for round in 0..6_000 {
        let family = family(FAMILIES[round % 6]);
        let text = dice.text(family);
        let told = without_blanks(&told(family, &tools, &text));
        assert!(is_subsequence(&told, &text), "{} {text:?}", family.name);
        let heard = hear(&mut Speech::new(family, &tools, false), [text.clone()].into_iter());
        if heard.calls.is_empty() && family.marks.iter().all(|(mark, _)| !text.contains(mark)) {
            assert_eq!(told, without_blanks(&text), "{}", family.name);
        }
    }
}

#[test]
fn calls_and_the_text_around_them_are_what_was_written() {
    let tools = tools();
    let mut dice = Dice(4);
    for round in 0..3_000 {
        let family = family(FAMILIES[round % 6]);
        let [open, middle, close] = family.call_form;
        let before = if family.bare_calls { "" } else { dice.one_of(&["", "Sure ☃.", "{é"]) };
        let (mut text, mut calls) = (before.to_owned(), vec![]);
        for _ in 0..=if family.lists_calls { 0 } else { dice.below(3) } {
            let name = dice.one_of(&["weather", "now"]);
            let arguments = dice.object(3);
            text += &format!("\n{open}{name}{middle}{arguments}{close}");
            calls.push(ToolCall { id: String::new(), name: name.into(), arguments });
        }
        let reason = Some(FinishReason::ToolCalls);
        let content = before.to_owned();
        let expected = Heard { content, reasoning: String::new(), calls, reason };
        let heard = hear(&mut Speech::new(family, &tools, false), dice.cut(&text).into_iter());
        assert_eq!(heard, expected, "{} {text:?}", family.name);
    }
}

#[test]
fn arguments_before_the_name_are_what_was_written() {
    let tools = tools();
    let mut dice = Dice(5);
    for _ in 0..2_000 {
        let arguments = dice.object(3);
        let quoted = Value::from(arguments.as_str()).to_string();
        for written in [&arguments, &quoted] {
            let text = format!("<tool_call>{{\"arguments\" : {written} , \"name\":\"now\"}}");
            let mut speech = Speech::new(&families::GENERIC, &tools, false);
            let heard = hear(&mut speech, dice.cut(&text).into_iter());
            assert_eq!(heard.calls.len(), 1, "{text}");
            assert_eq!(heard.calls[0].arguments, arguments);
        }
    }
}

#[test]
fn values_in_tags_are_what_was_written() {
    let tools = tools();
    let mut dice = Dice(6);
    for _ in 0..2_000 {
        let value = dice.text(family("harmony"));
        if value.contains("</") || value.starts_with('\n') || value.ends_with('\n') {
            continue;
        }
        let text = format!(
            "<tool_call>\n<function=weather>\n<parameter=city>\n{value}\n</parameter>\n</function>"
        );
        let heard =
            hear(&mut Speech::new(family("hermes"), &tools, false), dice.cut(&text).into_iter());
        assert_eq!(heard.calls[0].arguments, json!({"city": value}).to_string(), "{text:?}");
    }
}

#[test]
fn long_texts_are_not_kept() {
    const BYTES: usize = 1 << 15;
    let tools = tools();
    for family in ["harmony", "llama"].map(family) {
        let [open, middle, close] = family.call_form;
        for filler in ["a", " ", "{", "☃", "<", "\\\"", "\n<", "`", ";", "[", "\"x\": {}, "] {
            let filler = filler.repeat(BYTES / filler.len());
            let call = format!("{open}now{middle}{{\"a\": \"{filler}\"}}{close}");
            for text in [filler, call] {
                let mut speech = Speech::new(family, &tools, false);
                let mut events = vec![];
                speech.say_events(&text, &mut events);
                let is_open = family.bare_calls && text.starts_with('{');
                assert!(is_open || speech.held_bytes() <= 2 * HELD_BYTES_MAX, "{}", family.name);
                speech.finish(FinishReason::Stop, &mut events);
            }
        }
    }
}

/// A reader whose cost per character grew with the text would take minutes here.
#[test]
fn a_megabyte_of_arguments_is_what_was_written() {
    let tools = tools();
    let arguments = format!("{{\"é\": \"{}\"}}", "a\\\"☃ {".repeat((1 << 20) / 8));
    for (before, behind) in [
        ("{\"name\": \"now\", \"arguments\": ", "}"),
        ("{\"arguments\": ", ", \"name\": \"now\"}"),
        ("functions.now[ARGS]", ""),
    ] {
        let text = format!("<tool_call>{before}{arguments}{behind}");
        let mut speech = Speech::new(&families::GENERIC, &tools, false);
        let heard = hear(&mut speech, text.chars().map(String::from));
        assert!(heard.calls[0].arguments == arguments, "{before}");
    }
}

#[test]
fn a_call_that_never_begins_is_text_at_last() {
    let tools = tools();
    for begin in ["{\"x\": \"", "<function=now><parameter=city>"] {
        let text = format!("<tool_call>{begin}{}", ", ".repeat((1 << 20) + 1000));
        let mut speech = Speech::new(&families::GENERIC, &tools, false);
        let mut events = vec![];
        speech.say_events(&text, &mut events);
        assert!(speech.held_bytes() < 1024, "{begin}");
        let [Event::Delta { text: told, .. }] = &events[..] else { panic!("{}", events.len()) };
        assert!(text.starts_with(told.as_str()) && text.len() - told.len() < 1024, "{begin}");
    }
}

impl Speech<'_> {
    fn held_bytes(&self) -> usize {
        self.held.len() + self.call.as_ref().map_or(0, Call::held_bytes)
    }
}
