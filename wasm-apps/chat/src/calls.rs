//! Answers that must be calls: the grammar that leaves the model no other way.

use gaia_app_sdk::{Grammar, Tool, ToolChoice, Tools};
use serde_json::{Value, json};

use crate::families::{Family, Meaning};

/// Calls of one answer at most: small models find no end where they may go on.
const CALLS_MAX: u32 = 8;

/// The grammar of an answer that has to call; `None`: it does not have to.
#[must_use]
pub fn forced(family: &Family, tools: &Tools) -> Option<Grammar> {
    let (list, single): (Vec<&Tool>, bool) = match &tools.choice {
        ToolChoice::Auto | ToolChoice::None => return None,
        ToolChoice::Required => (tools.list.iter().collect(), tools.single),
        ToolChoice::Named(name) => {
            (tools.list.iter().filter(|tool| tool.name == *name).collect(), true)
        }
    };
    Some(Grammar::LarkGrammar(lark(family, &list, single)))
}

/// The grammar of an answer that may call and whose calls of strict functions have to obey: text, and
/// the one form of a call once its mark has come. `None`: no function is strict, or the model writes
/// calls in a way that no grammar can follow (see [`is_text`]).
#[must_use]
pub fn strict(family: &Family, tools: &Tools, control_tokens: &[String]) -> Option<Grammar> {
    let is_asked = tools.choice == ToolChoice::Auto && tools.list.iter().any(|tool| tool.strict);
    if !is_asked || !is_text(family, control_tokens) {
        return None;
    }
    let any = json!({"type": "object"});
    let obeyed =
        |tool: &Tool| if tool.strict { tool.parameters.clone() } else { Some(any.clone()) };
    let calls: Vec<_> = tools.list.iter().map(|tool| (&*tool.name, schema(obeyed(tool)))).collect();
    let start = if family.bare_calls { bare_start(family) } else { marked_start(family)? };
    let mark = call_mark(family).unwrap_or_default();
    Some(Grammar::LarkGrammar(start + &rules(family, &calls, mark)))
}

/// Whether all that the model has to write is text to a grammar, which can't allow a control token.
/// A family whose calls need no mark can do without those that it has.
fn is_text(family: &Family, control_tokens: &[String]) -> bool {
    let is_needed =
        |meaning: &Meaning| !family.bare_calls || !matches!(meaning, Meaning::Call { .. });
    let marks =
        family.marks.iter().filter(|(_, meaning)| is_needed(meaning)).map(|(mark, _)| *mark);
    let mut parts = marks.chain(family.call_form);
    let is_control = |part: &str| {
        control_tokens.iter().any(|token| !token.is_empty() && part.contains(token.as_str()))
    };
    // A list's calls have no mark of their own.
    !family.lists_calls && !parts.any(is_control)
}

/// Text, in which calls come behind their mark.
fn marked_start(family: &Family) -> Option<String> {
    let mark = regex(call_mark(family)?);
    Some(format!(
        "start: (lead call){{0,{CALLS_MAX}}} TEXT\n\
         lead[lazy]: /(.|\\n)*{mark}/\n\
         TEXT: /(.|\\n)*/ & ~/(.|\\n)*{mark}(.|\\n)*/\n"
    ))
}

/// Calls, or text that does not begin like one.
fn bare_start(family: &Family) -> String {
    let mut text = r"/[ \t\r\n;]*([^ \t\r\n;{](.|\n)*)?/".to_owned();
    for mark in call_marks(family) {
        text += &format!(r" & ~/(.|\n)*{}(.|\n)*/", regex(mark));
    }
    format!("start: TEXT | call (/; ?|\\n/ call){{0,{}}}\nTEXT: {text}\n", CALLS_MAX - 1)
}

/// The mark that a call begins with.
fn call_mark(family: &Family) -> Option<&'static str> {
    call_marks(family).find(|mark| family.call_form[0].starts_with(mark))
}

fn call_marks(family: &Family) -> impl Iterator<Item = &'static str> {
    let calls = family.marks.iter().filter(|(_, what)| matches!(what, Meaning::Call { .. }));
    calls.map(|(mark, _)| *mark)
}

/// A regular expression of one text.
fn regex(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        if r"\.+*?()|[]{}^$/&~#-".contains(character) {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

fn lark(family: &Family, tools: &[&Tool], single: bool) -> String {
    // A family that lists its calls writes the marks of a list around them all.
    let repeat = if single || family.lists_calls {
        String::new()
    } else {
        format!(" (\"\\n\" call){{0,{}}}", CALLS_MAX - 1)
    };
    let calls: Vec<_> =
        tools.iter().map(|tool| (&*tool.name, schema(tool.parameters.clone()))).collect();
    format!("start: call{repeat}\n{}", rules(family, &calls, ""))
}

/// The rule `call` and those that it needs, for functions and the schemas of their arguments. The
/// mark has come before.
fn rules(family: &Family, functions: &[(&str, Value)], mark: &str) -> String {
    let calls: Vec<String> = (0..functions.len()).map(|index| format!("call_{index}")).collect();
    let mut lark = format!("call: {}\n", calls.join(" | "));
    let [open, middle, close] = family.call_form;
    let open = open.strip_prefix(mark).unwrap_or(open);
    let after = if close.is_empty() { String::new() } else { format!(" {}", quoted(close)) };
    for (index, (name, schema)) in functions.iter().enumerate() {
        let before = quoted(&format!("{open}{name}{middle}"));
        lark += &format!("call_{index}: {before} arguments_{index}{after}\n");
        lark += &format!("arguments_{index}: %json {schema}\n");
    }
    lark
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// The schema of a function's arguments, with blanks as `json.dumps` writes them.
fn schema(parameters: Option<Value>) -> Value {
    let none = json!({"type": "object", "properties": {}, "additionalProperties": false});
    let mut schema = parameters.unwrap_or(none);
    if let Value::Object(map) = &mut schema {
        map.entry("type").or_insert_with(|| "object".into());
        let options = json!({
            "whitespace_flexible": false,
            "item_separator": ", ",
            "key_separator": ": ",
            "coerce_one_of": true,
        });
        map.entry("x-guidance").or_insert(options);
    }
    schema
}

#[cfg(test)]
mod tests {
    use llguidance::api::TopLevelGrammar;
    use llguidance::toktrie::ApproximateTokEnv;
    use llguidance::{Matcher, ParserFactory};

    use super::*;
    use crate::families;

    fn tools(choice: ToolChoice) -> Tools {
        let tool = |name: &str| Tool {
            name: name.into(),
            description: None,
            parameters: None,
            strict: false,
        };
        Tools { list: vec![tool("a"), tool("b")], choice, single: false }
    }

    /// How many bytes of a text a grammar allows, and whether the text may end there.
    fn allows(grammar: Option<Grammar>, text: &str) -> (usize, bool) {
        let Some(Grammar::LarkGrammar(lark)) = grammar else { panic!("{grammar:?}") };
        let environment = ApproximateTokEnv::single_byte_env();
        let factory = ParserFactory::new_simple(&environment).expect("a vocabulary");
        let mut matcher = Matcher::new(factory.create_parser(TopLevelGrammar::from_lark(lark)));
        assert_eq!(matcher.get_error(), None);
        for (at, byte) in text.bytes().enumerate() {
            if !matcher.compute_mask_or_eos().expect("a mask").is_allowed(byte.into()) {
                return (at, false);
            }
            matcher.consume_token(byte.into()).expect("allowed");
        }
        (text.len(), matcher.is_accepting().expect("no error"))
    }

    fn strict_tools() -> Tools {
        let mut tools = tools(ToolChoice::Auto);
        tools.list[0].strict = true;
        tools.list[0].parameters = Some(json!({"type": "object", "required": ["n"],
            "properties": {"n": {"type": "integer"}}, "additionalProperties": false}));
        tools
    }

    fn family(template: &str) -> &'static Family {
        families::of(template)
    }

    const LLAMA: &str = "<|start_header_id|> tools";
    const DEEPSEEK: &str = "<｜tool▁call▁begin｜>";

    #[test]
    fn nothing_is_obeyed_that_nobody_asked_for() {
        assert_eq!(strict(&families::GENERIC, &tools(ToolChoice::Auto), &[]), None);
        for choice in [ToolChoice::None, ToolChoice::Required, ToolChoice::Named("a".into())] {
            let asked = Tools { choice, ..strict_tools() };
            assert_eq!(strict(&families::GENERIC, &asked, &[]), None);
        }
    }

    #[test]
    fn a_model_whose_calls_are_control_tokens_is_left_alone() {
        for (template, control) in [
            ("<tool_call> <think>", "<think>"),
            ("<tool_call> <think>", "<tool_call>"),
            (DEEPSEEK, "<｜tool▁sep｜>"),
            ("<|channel|>", "<|message|>"),
            ("[TOOL_CALLS]", "[TOOL_CALLS]"),
            ("[TOOL_CALLS]", ""),
        ] {
            let grammar = strict(family(template), &strict_tools(), &[control.to_owned()]);
            assert_eq!(grammar, None, "{template} {control}");
        }
        let tag = ["<|python_tag|>".to_owned()];
        assert!(strict(family(LLAMA), &strict_tools(), &tag).is_some());
    }

    #[test]
    fn a_strict_call_obeys_wherever_it_begins() {
        for template in ["", "<tool_call> <think>", DEEPSEEK] {
            let family = family(template);
            let [open, middle, close] = family.call_form;
            for before in ["", "é < a\n<tool_cal"] {
                let grammar = || strict(family, &strict_tools(), &[]);
                let begun = format!("{before}{open}a{middle}{{\"n\": ");
                let good = format!("{begun}7}}{close}");
                assert_eq!(allows(grammar(), &good), (good.len(), true));
                let bad = begun.clone() + "\"7\"";
                assert_eq!(allows(grammar(), &bad), (begun.len(), false));
                let unknown = format!("{before}{open}rob");
                assert_eq!(allows(grammar(), &unknown), (unknown.len() - 3, false));
            }
        }
    }

    #[test]
    fn text_and_loose_functions_are_as_free_as_before() {
        for (template, begun) in
            [("", "<tool_call"), ("", "{\"name\": "), (DEEPSEEK, "<｜tool▁call▁"), (LLAMA, "a{")]
        {
            let text = format!("Hello.\n<tool_response> é {begun}");
            let grammar = strict(family(template), &strict_tools(), &[]);
            assert_eq!(allows(grammar, &text), (text.len(), true), "{template}");
        }
        let call =
            "<tool_call>\n{\"name\": \"b\", \"arguments\": {\"x\": [1, \"é\"]}}\n</tool_call>";
        let text = format!("{call}\n{call}\nThat's it.");
        let grammar = strict(&families::GENERIC, &strict_tools(), &[]);
        assert_eq!(allows(grammar, &text), (text.len(), true));
    }

    #[test]
    fn an_answer_that_begins_like_a_bare_call_is_one() {
        let call = "{\"name\": \"a\", \"parameters\": {\"n\": 1}}";
        for (text, allowed) in [
            (call.to_owned(), call.len()),
            (format!("{call}; {call}"), 2 * call.len() + 2),
            ("{\"type\"".to_owned(), 2),
            (" \n; {".to_owned(), 4),
            ("{\"name\": \"a\", \"parameters\": {}".to_owned(), 29),
            ("x <|python_tag|>".to_owned(), 15),
        ] {
            let grammar = strict(family(LLAMA), &strict_tools(), &[]);
            assert_eq!(allows(grammar, &text).0, allowed, "{text}");
        }
    }

    #[test]
    fn what_is_forced_is_read_as_the_call_that_it_is() {
        for template in ["", "<tool_call> <think>", DEEPSEEK, LLAMA, "[TOOL_CALLS]", "<|channel|>"]
        {
            let [open, middle, close] = family(template).call_form;
            let text = format!("{open}b{middle}{{}}{close}");
            let grammar = forced(family(template), &tools(ToolChoice::Required));
            assert_eq!(allows(grammar, &text), (text.len(), true), "{template}");
        }
    }

    #[test]
    fn only_a_demand_forces_a_call() {
        for choice in [ToolChoice::Auto, ToolChoice::None] {
            assert_eq!(forced(&families::GENERIC, &tools(choice)), None);
        }
    }

    #[test]
    fn a_named_function_is_the_only_one() {
        let named = forced(&families::GENERIC, &tools(ToolChoice::Named("b".into())));
        let Some(Grammar::LarkGrammar(lark)) = named else { panic!("{named:?}") };
        assert!(lark.starts_with("start: call\ncall: call_0\n"), "{lark}");
        assert!(lark.contains(r#"call_0: "<tool_call>\n{\"name\": \"b\", \"arguments\": " arguments_0 "}\n</tool_call>""#), "{lark}");
    }

    #[test]
    fn a_demand_allows_each_function_and_several_calls() {
        let required = forced(&families::GENERIC, &tools(ToolChoice::Required));
        let Some(Grammar::LarkGrammar(lark)) = required else { panic!("{required:?}") };
        assert!(
            lark.starts_with("start: call (\"\\n\" call){0,7}\ncall: call_0 | call_1\n"),
            "{lark}"
        );
    }
}
