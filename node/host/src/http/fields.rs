//! Takes a JSON object apart field by field, so that each refusal names its field.

use serde_json::{Map, Value};

use super::error::ApiError;

/// The fields of a request's body that nobody has taken yet.
pub struct Fields {
    map: Map<String, Value>,
}

/// A known field that this node does not honour, and the value (besides null) that asks nothing.
pub type Unsupported = (&'static str, fn(&Value) -> bool);

impl Fields {
    /// Parses a body.
    pub fn parse(body: &[u8]) -> Result<Self, ApiError> {
        let value: Value = serde_json::from_slice(body).map_err(|error| {
            ApiError::new(
                axum::http::StatusCode::BAD_REQUEST,
                format!("body is not valid JSON: {error}"),
            )
        })?;
        match value {
            Value::Object(map) => Ok(Self { map }),
            _ => Err(ApiError::new(
                axum::http::StatusCode::BAD_REQUEST,
                "body must be a JSON object",
            )),
        }
    }

    /// All fields, for a route whose fields are those of another format.
    pub fn into_map(self) -> Map<String, Value> {
        self.map
    }

    /// Takes a field; null counts as absent.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        self.map.remove(name).filter(|value| !value.is_null())
    }

    /// Takes a field that must be there.
    pub fn required(&mut self, name: &str) -> Result<Value, ApiError> {
        self.take(name).ok_or_else(|| ApiError::invalid(name, format!("`{name}` is missing")))
    }

    /// Takes a string.
    pub fn string(&mut self, name: &str) -> Result<Option<String>, ApiError> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(must_be(name, "a string")),
        }
    }

    /// Takes a boolean; absent is false.
    pub fn flag(&mut self, name: &str) -> Result<bool, ApiError> {
        match self.take(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(_) => Err(must_be(name, "true or false")),
        }
    }

    /// Takes a number for which `fits` holds; `range` says which do.
    pub fn number(
        &mut self,
        name: &str,
        range: &str,
        fits: fn(f64) -> bool,
    ) -> Result<Option<f32>, ApiError> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let number = value.as_f64().filter(|number| fits(*number));
        let number = number.ok_or_else(|| must_be(name, &format!("a number {range}")))?;
        #[expect(clippy::cast_possible_truncation, reason = "sampling computes in f32")]
        Ok(Some(number as f32))
    }

    /// Takes an integer from 1 on. A number over 32 bits is as good as none: no context holds it.
    pub fn count(&mut self, name: &str) -> Result<Option<u32>, ApiError> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let count = value.as_u64().filter(|count| *count >= 1);
        let count = count.ok_or_else(|| must_be(name, "an integer of at least 1"))?;
        Ok(Some(u32::try_from(count).unwrap_or(u32::MAX)))
    }

    /// Refuses what nobody has taken: a field that asks for something unsupported, or an unknown
    /// one.
    pub fn finish(self, unsupported: &[Unsupported]) -> Result<(), ApiError> {
        for (name, value) in &self.map {
            let Some((_, asks_nothing)) = unsupported.iter().find(|(known, _)| known == name)
            else {
                let message = format!("`{name}` is not a parameter of this route");
                return Err(ApiError::invalid(name, message).with_code("unknown_parameter"));
            };
            if !value.is_null() && !asks_nothing(value) {
                let message = format!("this node does not support `{name}`; leave it out");
                return Err(ApiError::invalid(name, message).with_code("unsupported_parameter"));
            }
        }
        Ok(())
    }
}

/// The refusal of a value of the wrong type or range.
pub fn must_be(param: &str, what: &str) -> ApiError {
    ApiError::invalid(param, format!("`{param}` must be {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(json: &str) -> Fields {
        Fields::parse(json.as_bytes()).expect("an object")
    }

    #[test]
    fn a_body_that_is_no_object_is_refused() {
        for (body, said) in [
            ("", "body is not valid JSON: EOF"),
            ("{", "body is not valid JSON: EOF"),
            ("[]", "body must be a JSON object"),
            ("{}x", "body is not valid JSON: trailing"),
        ] {
            let error = Fields::parse(body.as_bytes()).err().expect("refused");
            assert!(error.message.starts_with(said), "{}", error.message);
            assert_eq!(error.param, None);
        }
        let deep = "[".repeat(1 << 20);
        assert!(Fields::parse(deep.as_bytes()).is_err(), "depth is limited");
    }

    #[test]
    fn wrong_types_name_the_field() {
        let all = r#"{"a": {}}"#;
        for error in [
            fields(all).string("a").err(),
            fields(all).flag("a").err(),
            fields(all).number("a", "above 0", |x| x > 0.0).err(),
            fields(all).count("a").err(),
            fields(r#"{"a": 0}"#).count("a").err(),
            fields(r#"{"a": 1.5}"#).count("a").err(),
            fields(r#"{"a": -1}"#).number("a", "above 0", |x| x > 0.0).err(),
            fields(r#"{"a": null}"#).required("a").err(),
        ] {
            assert_eq!(error.expect("refused").param.as_deref(), Some("a"));
        }
    }

    #[test]
    fn what_is_left_is_refused_unless_it_asks_nothing() {
        let table: &[Unsupported] = &[("n", |value| *value == 1)];
        let code = |json: &str| fields(json).finish(table).err().and_then(|error| error.code);
        assert_eq!(code(r#"{"m": null}"#), Some("unknown_parameter"));
        assert_eq!(code(r#"{"n": 2}"#), Some("unsupported_parameter"));
        assert!(fields(r#"{"n": 1}"#).finish(table).is_ok());
        assert!(fields(r#"{"n": null}"#).finish(table).is_ok());
    }

    #[test]
    fn null_is_absent() {
        assert_eq!(fields(r#"{"a": null}"#).count("a").expect("absent"), None);
        assert_eq!(fields(r#"{"a": 5000000000}"#).count("a").expect("large"), Some(u32::MAX));
    }
}
