//! Schemas as clients of every kind read them.

use rmcp::model::JsonObject;
use schemars::Schema;
use schemars::transform::{RecursiveTransform, Transform};
use serde_json::Value;

/// A schema without what some clients warn of, at each call, or can't read: the widths of Rust's
/// numbers, which are no formats of JSON Schema, and `null` beside another type. What is not there is
/// left out of answers, and a `null` among arguments is taken all the same.
pub fn portable(schema: &JsonObject) -> JsonObject {
    let mut schema = Schema::from(schema.clone());
    RecursiveTransform(plain).transform(&mut schema);
    schema.ensure_object().clone()
}

fn plain(part: &mut Schema) {
    part.remove("format");
    if let Some(Value::Array(types)) = part.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            part.insert("type".into(), only);
        }
    }
}

#[cfg(test)]
mod tests {
    use schemars::JsonSchema;
    use serde_json::json;

    use super::*;

    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "its schema is looked at")]
    struct Example {
        /// A property of that name stays.
        format: Option<String>,
        lines: Vec<Option<u64>>,
    }

    #[test]
    fn widths_and_nulls_go_and_names_stay() {
        let schema = portable(schemars::schema_for!(Example).as_object().expect("an object"));
        assert_eq!(schema["properties"]["format"]["type"], "string");
        let items = &schema["properties"]["lines"]["items"];
        assert_eq!(*items, json!({"type": "integer", "minimum": 0}));
    }
}
