//! Answers that must be calls: the grammar that leaves the model no other way.

use std::fmt::Write;

use gaia_app_sdk::{Grammar, Tool, ToolChoice, Tools};
use serde_json::{Value, json};

use crate::families::Family;

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

fn lark(family: &Family, tools: &[&Tool], single: bool) -> String {
    let calls: Vec<String> = (0..tools.len()).map(|index| format!("call_{index}")).collect();
    let calls = calls.join(" | ");
    // A family that lists its calls writes the marks of a list around them all.
    let repeat = if single || family.lists_calls {
        String::new()
    } else {
        format!(" (\"\\n\" ({calls})){{0,{}}}", CALLS_MAX - 1)
    };
    let mut lark = format!("start: ({calls}){repeat}\n");
    for (index, tool) in tools.iter().enumerate() {
        let [open, middle, close] = family.call_form;
        let (before, after) = (quoted(&format!("{open}{}{middle}", tool.name)), quoted(close));
        let after = if close.is_empty() { String::new() } else { format!(" {after}") };
        writeln!(lark, "call_{index}: {before} arguments_{index}{after}")
            .expect("a string takes every text");
        writeln!(lark, "arguments_{index}: %json {}", schema(tool))
            .expect("a string takes every text");
    }
    lark
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// The schema of a function's arguments, with blanks as `json.dumps` writes them.
fn schema(tool: &Tool) -> Value {
    let none = json!({"type": "object", "properties": {}, "additionalProperties": false});
    let mut schema = tool.parameters.clone().unwrap_or(none);
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
        assert!(lark.starts_with("start: (call_0)\n"), "{lark}");
        assert!(lark.contains(r#"call_0: "<tool_call>\n{\"name\": \"b\", \"arguments\": " arguments_0 "}\n</tool_call>""#), "{lark}");
    }

    #[test]
    fn a_demand_allows_each_function_and_several_calls() {
        let required = forced(&families::GENERIC, &tools(ToolChoice::Required));
        let Some(Grammar::LarkGrammar(lark)) = required else { panic!("{required:?}") };
        assert!(
            lark.starts_with("start: (call_0 | call_1) (\"\\n\" (call_0 | call_1)){0,7}\n"),
            "{lark}"
        );
    }
}
