//! A call in tags: `<function=f><parameter=a>…</parameter></function>`.

use gaia_app_sdk::Tool;
use serde_json::Value;
use serde_json::value::RawValue;

/// How such a call begins.
pub const START: &str = "<function=";

/// How it ends.
pub const END: &str = "</function>";

/// The function's name and the JSON of its arguments, of a whole call. `None`: it is none.
pub fn read(text: &str, tools: &[Tool]) -> Option<(String, String)> {
    let inner = text.strip_prefix(START)?.strip_suffix(END)?;
    let (name, mut rest) = inner.split_once('>')?;
    let tool = tools.iter().find(|tool| tool.name == name.trim())?;
    let mut arguments = String::new();
    while let Some((_, after)) = rest.split_once("<parameter=") {
        let (key, after) = after.split_once('>')?;
        let (value, after) = after.split_once("</parameter>")?;
        let value = value.strip_prefix('\n').unwrap_or(value);
        let value = value.strip_suffix('\n').unwrap_or(value);
        let gap = if arguments.is_empty() { "" } else { "," };
        let key = key.trim();
        arguments += &format!("{gap}{}:{}", Value::from(key), typed(tool, key, value));
        rest = after;
    }
    Some((tool.name.clone(), format!("{{{arguments}}}")))
}

/// The JSON of a value: a string if the function's schema says so, else what was written if that is
/// JSON, else a string.
fn typed(tool: &Tool, key: &str, text: &str) -> String {
    let schema = tool.parameters.as_ref().map(|schema| &schema["properties"][key]["type"]);
    let is_text = match schema {
        Some(Value::String(kind)) => kind == "string",
        Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == "string"),
        _ => false,
    };
    let written = if is_text { None } else { serde_json::from_str::<&RawValue>(text).ok() };
    written.map_or_else(|| Value::from(text).to_string(), |written| written.get().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn tools() -> Vec<Tool> {
        let parameters =
            json!({"properties": {"s": {"type": ["null", "string"]}, "n": {"type": "integer"}}});
        vec![Tool {
            name: "f".into(),
            description: None,
            parameters: Some(parameters),
            strict: false,
        }]
    }

    fn arguments(inner: &str) -> Option<String> {
        let text = format!("{START}f>{inner}{END}");
        read(&text, &tools()).map(|(_, arguments)| arguments)
    }

    #[test]
    fn half_a_tag_is_no_call() {
        for inner in ["<parameter=", "<parameter=a", "<parameter=a>", "<parameter=a>1<parameter>"] {
            assert_eq!(arguments(inner), None, "{inner}");
        }
        for text in ["", "<function=", "<function=f</function>", "<function=é></function>"] {
            assert_eq!(read(text, &tools()), None, "{text}");
        }
    }

    #[test]
    fn values_are_what_was_written() {
        let big = "123456789012345678901234567890";
        for (key, value, expected) in [
            ("n", big, big),
            ("s", "1", "\"1\""),
            ("\"é", "{\"a\":  [1e400]}", "{\"a\":  [1e400]}"),
            ("n", "☃\n", "\"☃\""),
            ("n", "\n 7 \n", "7"),
        ] {
            let written = arguments(&format!("<parameter={key}>{value}</parameter>"));
            assert_eq!(written, Some(format!("{{{}:{expected}}}", Value::from(key))));
        }
    }
}
