//! Takes an object inside a request apart, so that each refusal names the whole path of its field.

use serde_json::{Map, Value};

use super::error::ApiError;
use super::fields::must_be;

/// The fields of an object that nobody has taken yet.
pub struct Object {
    path: String,
    map: Map<String, Value>,
}

impl Object {
    /// The object that stands at `path`.
    pub fn new(path: &str, value: Value) -> Result<Self, ApiError> {
        let Value::Object(map) = value else { return Err(must_be(path, "an object")) };
        Ok(Self { path: path.to_owned(), map })
    }

    /// The path of one of its fields.
    pub fn path(&self, name: &str) -> String {
        format!("{}.{name}", self.path)
    }

    /// Takes a field; null counts as absent.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        self.map.remove(name).filter(|value| !value.is_null())
    }

    /// Takes a field that must be there.
    pub fn required(&mut self, name: &str) -> Result<Value, ApiError> {
        let path = self.path(name);
        self.take(name).ok_or_else(|| ApiError::invalid(&path, format!("`{path}` is missing")))
    }

    /// Takes a string.
    pub fn string(&mut self, name: &str) -> Result<Option<String>, ApiError> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(must_be(&self.path(name), "a string")),
        }
    }

    /// Takes a string that must be there and not be empty.
    pub fn name(&mut self, name: &str) -> Result<String, ApiError> {
        match self.string(name)? {
            Some(text) if !text.is_empty() => Ok(text),
            _ => Err(must_be(&self.path(name), "a string that is not empty")),
        }
    }

    /// Takes a boolean.
    pub fn flag(&mut self, name: &str) -> Result<Option<bool>, ApiError> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(_) => Err(must_be(&self.path(name), "true or false")),
        }
    }

    /// Drops fields that change nothing here.
    pub fn ignore(&mut self, names: &[&str]) {
        self.map.retain(|name, _| !names.contains(&name.as_str()));
    }

    /// Refuses what nobody has taken.
    pub fn finish(self) -> Result<(), ApiError> {
        let Some(name) = self.map.iter().find(|(_, value)| !value.is_null()).map(|(name, _)| name)
        else {
            return Ok(());
        };
        let path = self.path(name);
        let message = format!("this node does not support `{path}`; leave it out");
        Err(ApiError::invalid(&path, message).with_code("unsupported_parameter"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object() -> Object {
        Object::new("a[0]", json!({"b": {}, "c": "", "d": null})).expect("an object")
    }

    #[test]
    fn refusals_name_the_whole_path() {
        assert_eq!(Object::new("a", json!([])).err().and_then(|e| e.param), Some("a".into()));
        for error in [
            object().string("b").err(),
            object().name("b").err(),
            object().flag("b").err(),
            object().finish().err(),
        ] {
            assert_eq!(error.expect("refused").param.as_deref(), Some("a[0].b"));
        }
        assert_eq!(object().name("c").expect_err("empty").param.as_deref(), Some("a[0].c"));
        assert_eq!(object().required("d").expect_err("null").param.as_deref(), Some("a[0].d"));
    }

    #[test]
    fn what_is_ignored_or_null_may_be_left() {
        let mut object = object();
        object.ignore(&["b", "c"]);
        assert!(object.finish().is_ok());
    }
}
