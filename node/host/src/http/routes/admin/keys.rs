//! The keys of `[[models]]` as JSON: the same names and values; null is the default.

use crate::config::Changes;
use crate::http::error::ApiError;
use crate::http::fields::{Fields, must_be};

/// Takes every field; which of them are keys is for the config's reader to say.
pub fn changes(fields: Fields) -> Result<Changes, ApiError> {
    let mut changes = Changes::default();
    for (key, value) in fields.into_map() {
        if value.is_null() {
            changes.reset.push(key);
            continue;
        }
        let value = toml::Value::try_from(value)
            .map_err(|_| must_be(&key, "a value that TOML has: no null, no number over 63 bits"))?;
        changes.set.insert(key, value);
    }
    Ok(changes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Changes, ApiError> {
        changes(Fields::parse(json.as_bytes()).expect("an object"))
    }

    #[test]
    fn what_toml_lacks_is_refused_by_name() {
        for json in [r#"{"a": 18446744073709551615}"#, r#"{"a": [null]}"#] {
            assert_eq!(parse(json).expect_err(json).param.as_deref(), Some("a"));
        }
    }

    #[test]
    fn values_are_set_and_null_is_the_default() {
        let changes =
            parse(r#"{"a": 1, "b": [0.5], "c": null, "d": {"e": "f"}}"#).expect("it is good");
        let table = "a = 9\nc = 9\ng = 9\n".parse().expect("TOML");
        let wanted = "a = 1\nb = [0.5]\nd = { e = \"f\" }\ng = 9\n".parse::<toml::Table>();
        assert_eq!(changes.apply(table), wanted.expect("TOML"));
    }
}
