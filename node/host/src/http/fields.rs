//! Takes a JSON object apart field by field, so that each refusal names its field.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use super::error::ApiError;
use super::ignored::Ignored;

/// The fields of a request's body that nobody has taken yet.
pub struct Fields {
    map: Map<String, Value>,
    /// Where the object stands in the body: empty, or ending in a point.
    path: String,
    ignored: Ignored,
    /// What the route has asked for, where this is the whole body: who sends another is told these.
    asked: Vec<String>,
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
            Value::Object(map) => {
                Ok(Self { map, path: String::new(), ignored: Ignored::default(), asked: vec![] })
            }
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

    /// The same, where the operator lets some fields pass unheeded.
    pub fn ignoring(self, ignored: Ignored) -> Self {
        Self { ignored, ..self }
    }

    /// The fields of an object inside this one, found at `place`.
    pub fn nested(&self, place: &str, value: Value) -> Result<Self, ApiError> {
        let param = self.at(place);
        let Value::Object(map) = value else { return Err(must_be(&param, "an object")) };
        let (path, ignored) = (format!("{param}."), self.ignored.clone());
        Ok(Self { map, path, ignored, asked: vec![] })
    }

    /// Takes an object.
    pub fn object(&mut self, name: &str) -> Result<Option<Self>, ApiError> {
        self.take(name).map(|value| self.nested(name, value)).transpose()
    }

    /// Takes a list.
    pub fn list(&mut self, name: &str) -> Result<Option<Vec<Value>>, ApiError> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Array(list)) => Ok(Some(list)),
            Some(_) => Err(must_be(&self.at(name), "a list")),
        }
    }

    /// How a refusal names a field of this object.
    pub fn at(&self, name: &str) -> String {
        format!("{}{name}", self.path)
    }

    /// Takes a field; null counts as absent.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        if self.path.is_empty() {
            self.asked.push(name.to_owned());
        }
        self.map.remove(name).filter(|value| !value.is_null())
    }

    /// Takes a field if it says just this, and tells whether it did.
    pub fn take_if(&mut self, name: &str, says: fn(&Value) -> bool) -> bool {
        let found = self.map.get(name).is_some_and(says);
        found && self.map.remove(name).is_some()
    }

    /// Takes a field that must be there.
    pub fn required(&mut self, name: &str) -> Result<Value, ApiError> {
        self.take(name).ok_or_else(|| missing(&self.at(name)))
    }

    /// Takes a string.
    pub fn string(&mut self, name: &str) -> Result<Option<String>, ApiError> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(must_be(&self.at(name), "a string")),
        }
    }

    /// Takes a boolean; absent is false.
    pub fn flag(&mut self, name: &str) -> Result<bool, ApiError> {
        Ok(self.maybe_flag(name)?.unwrap_or(false))
    }

    /// Takes a boolean that means something else when it is absent.
    pub fn maybe_flag(&mut self, name: &str) -> Result<Option<bool>, ApiError> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(_) => Err(must_be(&self.at(name), "true or false")),
        }
    }

    /// Takes an integer of this range.
    pub fn integer(
        &mut self,
        name: &str,
        range: RangeInclusive<u32>,
    ) -> Result<Option<u32>, ApiError> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let integer = whole(&value).and_then(|integer| u32::try_from(integer).ok());
        let wrong = || {
            let (least, most) = (range.start(), range.end());
            must_be(&self.at(name), &format!("an integer from {least} to {most}"))
        };
        integer.filter(|integer| range.contains(integer)).ok_or_else(wrong).map(Some)
    }

    /// Takes one of these words.
    pub fn word(
        &mut self,
        name: &str,
        words: &[&'static str],
    ) -> Result<Option<&'static str>, ApiError> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let found = words.iter().find(|word| value == **word);
        let wrong = || must_be(&self.at(name), &format!("one of \"{}\"", words.join("\", \"")));
        found.copied().ok_or_else(wrong).map(Some)
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
        let number = number.ok_or_else(|| must_be(&self.at(name), &format!("a number {range}")))?;
        #[expect(clippy::cast_possible_truncation, reason = "sampling computes in f32")]
        Ok(Some(number as f32))
    }

    /// Takes an integer from 1 on. A number over 32 bits is as good as none: no context holds it.
    pub fn count(&mut self, name: &str) -> Result<Option<u32>, ApiError> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let count = whole(&value).filter(|count| *count >= 1);
        let count = count.ok_or_else(|| must_be(&self.at(name), "an integer of at least 1"))?;
        Ok(Some(u32::try_from(count).unwrap_or(u32::MAX)))
    }

    /// Refuses what nobody has taken: a field that asks for something unsupported, or an unknown
    /// one.
    pub fn finish(self, unsupported: &[Unsupported]) -> Result<(), ApiError> {
        for (name, value) in &self.map {
            let known = unsupported.iter().find(|(known, _)| known == name);
            // Clients send back what another server answered, nulls included.
            let is_inside = !self.path.is_empty();
            let null = value.is_null() && (is_inside || known.is_some());
            let asks_nothing = null || known.is_some_and(|(_, nothing)| nothing(value));
            let param = self.at(name);
            if asks_nothing || self.ignored.covers(name, &param) {
                continue;
            }
            return Err(if known.is_some() { not_supported(&param) } else { self.unknown(&param) });
        }
        Ok(())
    }

    fn unknown(&self, param: &str) -> ApiError {
        let mut error = unknown(param);
        if !self.asked.is_empty() {
            error.message += &format!("; it takes `{}`", self.asked.join("`, `"));
        }
        error
    }
}

/// A number from 0 on without a fraction. Some languages write `8.0` for it, and JSON Schema calls that
/// an integer, too.
pub fn whole(value: &Value) -> Option<u64> {
    /// Above, not every integer is an `f64`.
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    let is_whole = |number: &f64| number.fract() == 0.0 && (0.0..=EXACT_MAX).contains(number);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is whole and from 0 to 2^53"
    )]
    let of_float = || value.as_f64().filter(is_whole).map(|number| number as u64);
    value.as_u64().or_else(of_float)
}

/// The refusal of a field that nobody knows.
pub fn unknown(param: &str) -> ApiError {
    let message = format!("`{param}` is not a parameter of this route");
    ApiError::invalid(param, message).with_code("unknown_parameter")
}

/// The refusal of a field that is known and asks for what this node has not.
pub fn not_supported(param: &str) -> ApiError {
    let message = format!("this node does not support `{param}`; leave it out");
    ApiError::invalid(param, message).with_code("unsupported_parameter")
}

/// The refusal of a request without this field.
pub fn missing(param: &str) -> ApiError {
    ApiError::invalid(param, format!("`{param}` is missing"))
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
            fields(all).list("a").err(),
            fields(all).word("a", &["b"]).err(),
            fields(r#"{"a": []}"#).object("a").err(),
            fields(r#"{"a": 3}"#).integer("a", 1..=2).err(),
            fields(r#"{"a": "c"}"#).word("a", &["b"]).err(),
            fields(all).count("a").err(),
            fields(r#"{"a": 0}"#).count("a").err(),
            fields(r#"{"a": 1.5}"#).count("a").err(),
            fields(r#"{"a": 1e300}"#).count("a").err(),
            fields(r#"{"a": -2.0}"#).count("a").err(),
            fields(r#"{"a": 2.5}"#).integer("a", 1..=9).err(),
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
    fn only_what_the_operator_lists_is_ignored() {
        let table: &[Unsupported] = &[("n", |_| false)];
        let ignored = Ignored::new(&vec!["m".to_owned(), "n".to_owned()].into());
        let all = |json: &str| fields(json).ignoring(ignored.clone()).finish(table);
        assert!(all(r#"{"m": 1, "n": 2}"#).is_ok());
        assert_eq!(all(r#"{"o": 1}"#).expect_err("refused").param.as_deref(), Some("o"));
        let inside = r#"{"a": [{"m": 1, "x": null}, {"m": 1, "o": 1}]}"#;
        let outer = fields(inside).ignoring(ignored);
        let place = |index: usize| {
            let value = outer.map["a"][index].clone();
            outer.nested(&format!("a[{index}]"), value).expect("an object")
        };
        assert!(place(0).finish(&[]).is_ok(), "null asks nothing of anybody inside");
        let error = place(1).finish(&[]).expect_err("refused");
        assert_eq!(error.param.as_deref(), Some("a[1].o"));
        assert_eq!(outer.ignored.seen(), ["m", "n", "a[0].m", "a[1].m"]);
    }

    #[test]
    fn a_number_without_a_fraction_is_an_integer() {
        assert_eq!(fields(r#"{"a": 8.0}"#).count("a").expect("whole"), Some(8));
        assert_eq!(fields(r#"{"a": 0.0}"#).integer("a", 0..=1).expect("whole"), Some(0));
        assert_eq!(fields(r#"{"a": 1e3}"#).integer("a", 0..=1000).expect("whole"), Some(1000));
    }

    #[test]
    fn null_is_absent() {
        assert_eq!(fields(r#"{"a": null}"#).count("a").expect("absent"), None);
        assert_eq!(fields(r#"{"a": 5000000000}"#).count("a").expect("large"), Some(u32::MAX));
    }
}
