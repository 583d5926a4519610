//! What stands between a call's mark and its arguments: the function's name, and signs.

use gaia_app_sdk::Tool;

use super::call::is_tool;

/// Bytes of a header at most: a name has 64, and the signs have less. More is no call.
pub const BYTES_MAX: usize = 512;

/// What may stand before a name.
const BEFORE: &[&str] = &["functions.", "function<｜tool▁sep｜>", ""];

/// What may stand behind a name, in any order.
const BEHIND: &[&str] = &[
    "[ARGS]",
    "<|constrain|>",
    "<|channel|>",
    "<|message|>",
    "<｜tool▁sep｜>",
    "commentary",
    "json",
    "code",
    "```",
    ":",
];

/// Behind this one stand nine letters and digits that mean nothing here.
const CALL_ID: &str = "[CALL_ID]";

/// The name in a header; `None`: it names no function, or says more than a header does.
pub fn name(header: &str, tools: &[Tool]) -> Option<String> {
    let header = header.trim();
    BEFORE.iter().find_map(|before| {
        let rest = header.strip_prefix(before)?.trim_start();
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let (name, behind) = rest.split_at(rest.find(|c| !is_name(c)).unwrap_or(rest.len()));
        (is_tool(tools, name) && is_behind(behind)).then(|| name.to_owned())
    })
}

/// Whether this is nothing but what may stand behind a name.
fn is_behind(mut text: &str) -> bool {
    loop {
        text = text.trim_start();
        if text.is_empty() {
            return true;
        }
        if let Some(rest) = text.strip_prefix(CALL_ID) {
            text = rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric());
            continue;
        }
        match BEHIND.iter().find_map(|sign| text.strip_prefix(sign)) {
            Some(rest) => text = rest,
            None => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tools() -> Vec<Tool> {
        ["weather", "function", "functions", "json"]
            .map(|name| Tool {
                name: name.into(),
                description: None,
                parameters: None,
                strict: false,
            })
            .to_vec()
    }

    #[test]
    fn prose_is_no_header() {
        for header in ["", " ", "use weather", "weather is", "weathers", "wéather", "weather[", "☃"]
        {
            assert_eq!(name(header, &tools()), None, "{header}");
        }
    }

    #[test]
    fn every_header_that_models_write_names_its_function() {
        for header in [
            "weather",
            " weather [ARGS]",
            "weather[CALL_ID]a1B2c3D4e[ARGS]",
            "functions.weather <|constrain|>json<|message|>",
            "functions.weather<|channel|>commentary json<|message|>",
            "function<｜tool▁sep｜>weather\n```json\n",
            "weather<｜tool▁sep｜>",
        ] {
            assert_eq!(name(header, &tools()).as_deref(), Some("weather"), "{header}");
        }
    }

    #[test]
    fn a_function_may_be_called_like_a_sign() {
        for (header, expected) in [
            ("functions.functions <|message|>", "functions"),
            ("function<｜tool▁sep｜>function\n```json\n", "function"),
            ("json[ARGS]", "json"),
            ("function[ARGS]", "function"),
        ] {
            assert_eq!(name(header, &tools()).as_deref(), Some(expected), "{header}");
        }
    }
}
