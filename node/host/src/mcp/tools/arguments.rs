//! What the tools take.

use std::sync::Arc;

use rmcp::handler::server::tool::schema_for_input;
use rmcp::model::JsonObject;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::mcp::schema::portable;

/// summary: a line for each message; evidence: the first in full; raw: everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[schemars(inline)]
#[serde(rename_all = "snake_case")]
pub enum Detail {
    Summary,
    #[default]
    Evidence,
    Raw,
}

/// Reads arguments; an error names the one at fault.
pub fn parse<T: DeserializeOwned>(arguments: JsonObject) -> Result<T, String> {
    serde_path_to_error::deserialize(Value::Object(arguments)).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        if path == "." {
            format!("arguments: {inner}")
        } else {
            format!("argument `{path}`: {inner}")
        }
    })
}

/// The schema of a tool's arguments.
pub fn schema<T: JsonSchema + 'static>() -> Arc<JsonObject> {
    let schema = schema_for_input::<T>().expect("arguments are an object");
    let mut schema = portable(&schema);
    schema.remove("$schema");
    Arc::new(schema)
}

/// A text that must hold something.
pub fn text(name: &str, text: &str, bytes_max: usize) -> Result<(), String> {
    match text.len() {
        0 => Err(format!("argument `{name}`: it is empty")),
        _ if text.trim().is_empty() => Err(format!("argument `{name}`: it is blank")),
        bytes if bytes > bytes_max => {
            Err(format!("argument `{name}`: {bytes} bytes are more than {bytes_max}"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Arguments {
        #[expect(dead_code, reason = "its errors are looked at")]
        code: String,
        #[serde(default)]
        #[expect(dead_code, reason = "its errors are looked at")]
        detail: Detail,
    }

    #[test]
    fn the_argument_at_fault_is_named() {
        for (given, name) in [
            (json!({}), "`code`"),
            (json!({"code": 1}), "`code`"),
            (json!({"code": "", "detail": "all"}), "`detail`"),
            (json!({"code": "", "colour": 1}), "`colour`"),
        ] {
            let Value::Object(given) = given else { panic!("an object") };
            let error = parse::<Arguments>(given).expect_err("it is wrong");
            assert!(error.contains(name), "{error}");
        }
        assert!(text("a", " ", 9).is_err_and(|error| error.contains("`a`")));
        assert!(text("a", "abc", 2).is_err());
        assert!(text("a", "abc", 3).is_ok());
    }
}
