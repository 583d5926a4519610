//! What a request says its answer's text must look like.

use gaia_protocol::Format;
use serde_json::Value;

use super::error::ApiError;
use super::fields::{Fields, missing, must_be};
use super::openapi::Schema;

/// A grammar or a schema in bytes: far above what a person writes, far below what a parser chokes on.
const BYTES_MAX: usize = 256 << 10;

/// OpenAI's limit on the names of functions and schemas.
const NAME_BYTES_MAX: usize = 64;

/// Takes OpenAI's `response_format` and llama-server's `grammar`.
pub fn take(fields: &mut Fields) -> Result<Format, ApiError> {
    let format = take_response_format(fields)?;
    let Some(grammar) = fields.string("grammar")?.filter(|grammar| !grammar.is_empty()) else {
        return Ok(format);
    };
    if grammar.len() > BYTES_MAX {
        return Err(must_be("grammar", &format!("at most {BYTES_MAX} bytes long")));
    }
    if format != Format::Text {
        let message = "`grammar` and `response_format` both shape the answer; give one of them";
        return Err(ApiError::invalid("grammar", message));
    }
    Ok(Format::Grammar(grammar))
}

/// Describes both.
pub fn describe(body: Schema) -> Schema {
    let named = Schema::object()
        .needs("name", Schema::text().says(NAME_RULE))
        .may("description", Schema::text())
        .may("strict", Schema::flag())
        .may("schema", Schema::open().says("The JSON Schema of the answer."));
    let format = Schema::object()
        .needs("type", Schema::words(&["text", "json_object", "json_schema"]))
        .may("json_schema", named)
        .may(
            "schema",
            Schema::open().says("With json_object: a JSON Schema, as llama-server has it."),
        );
    body.may("response_format", format.says("What the answer's text must look like."))
        .may("grammar", Schema::text().says("A GBNF or Lark grammar that the answer obeys."))
}

fn take_response_format(fields: &mut Fields) -> Result<Format, ApiError> {
    let Some(mut given) = fields.object("response_format")? else { return Ok(Format::Text) };
    let kind = given.word("type", &["text", "json_object", "json_schema"])?;
    let format = match kind {
        None => return Err(missing("response_format.type")),
        Some("json_schema") => json_schema(&mut given)?,
        // llama-server takes a schema here too.
        Some("json_object") => {
            take_schema(&mut given)?.map_or(Format::JsonObject, Format::JsonSchema)
        }
        Some(_) => Format::Text,
    };
    given.finish(&[])?;
    Ok(format)
}

/// A schema is always obeyed, strict or not: constrained sampling has no lesser way.
fn json_schema(given: &mut Fields) -> Result<Format, ApiError> {
    let inner = given.object("json_schema")?;
    let mut inner = inner.ok_or_else(|| missing("response_format.json_schema"))?;
    let name = inner.required("name")?;
    if !name.as_str().is_some_and(is_name) {
        return Err(must_be(&inner.at("name"), NAME_RULE));
    }
    inner.string("description")?;
    inner.flag("strict")?;
    let schema = take_schema(&mut inner)?;
    inner.finish(&[])?;
    Ok(schema.map_or(Format::JsonObject, Format::JsonSchema))
}

fn take_schema(fields: &mut Fields) -> Result<Option<Value>, ApiError> {
    fields.take("schema").map(|schema| check_schema(&fields.at("schema"), schema)).transpose()
}

/// A schema that is an object of fair size.
pub fn check_schema(param: &str, schema: Value) -> Result<Value, ApiError> {
    if !schema.is_object() {
        return Err(must_be(param, "a JSON schema: an object"));
    }
    if schema.to_string().len() > BYTES_MAX {
        return Err(must_be(param, &format!("at most {BYTES_MAX} bytes long")));
    }
    Ok(schema)
}

/// What [`is_name`] asks for, in words.
pub const NAME_RULE: &str = "1 to 64 letters, digits, underscores and dashes";

/// Whether OpenAI takes this as a function's or a schema's name.
pub fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(body: &Value) -> Result<Format, ApiError> {
        take(&mut Fields::parse(body.to_string().as_bytes()).expect("an object"))
    }

    fn schema(json_schema: &Value) -> Value {
        json!({"response_format": {"type": "json_schema", "json_schema": json_schema}})
    }

    #[test]
    fn each_wrong_field_is_named() {
        let object = json!({"type": "object"});
        for (body, param) in [
            (json!({"response_format": "json"}), "response_format"),
            (json!({"response_format": {}}), "response_format.type"),
            (json!({"response_format": {"type": "xml"}}), "response_format.type"),
            (json!({"response_format": {"type": "text", "more": 1}}), "response_format.more"),
            (json!({"response_format": {"type": "json_schema"}}), "response_format.json_schema"),
            (schema(&json!({})), "response_format.json_schema.name"),
            (schema(&json!({"name": "a b"})), "response_format.json_schema.name"),
            (schema(&json!({"name": "a".repeat(65)})), "response_format.json_schema.name"),
            (schema(&json!({"name": "a", "schema": 7})), "response_format.json_schema.schema"),
            (
                schema(&json!({"name": "a", "schema": {"d": "x".repeat(BYTES_MAX)}})),
                "response_format.json_schema.schema",
            ),
            (schema(&json!({"name": "a", "strict": 7})), "response_format.json_schema.strict"),
            (
                schema(&json!({"name": "a", "description": 7})),
                "response_format.json_schema.description",
            ),
            (schema(&json!({"name": "a", "more": 7})), "response_format.json_schema.more"),
            (json!({"grammar": 7}), "grammar"),
            (json!({"grammar": "x".repeat(BYTES_MAX + 1)}), "grammar"),
            (json!({"grammar": "x", "response_format": {"type": "json_object"}}), "grammar"),
            (
                json!({"response_format": {"type": "json_object", "schema": [object]}}),
                "response_format.schema",
            ),
        ] {
            let error = parse(&body).expect_err("refused");
            assert_eq!(error.param.as_deref(), Some(param), "{body}");
        }
    }

    #[test]
    fn good_formats_are_taken() {
        let object = json!({"type": "object"});
        let full = json!({"name": "a-b_1", "schema": object, "strict": true, "description": "d"});
        for (body, wanted) in [
            (json!({}), Format::Text),
            (json!({"response_format": {"type": "text"}, "grammar": ""}), Format::Text),
            (json!({"response_format": {"type": "json_object"}}), Format::JsonObject),
            (
                json!({"response_format": {"type": "json_object", "schema": object}}),
                Format::JsonSchema(object.clone()),
            ),
            (schema(&json!({"name": "a"})), Format::JsonObject),
            (schema(&full), Format::JsonSchema(object.clone())),
            (json!({"grammar": "root ::= \"a\""}), Format::Grammar("root ::= \"a\"".into())),
        ] {
            assert_eq!(parse(&body).expect("good"), wanted, "{body}");
        }
    }
}
