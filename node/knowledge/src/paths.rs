//! Paths of payload fields, as both engines read them.

/// A path in Qdrant's grammar: what is no plain name stands in quotes, so that brackets are no index.
///
/// # Errors
/// A name that can't be quoted.
pub(crate) fn quoted(path: &str) -> Result<String, String> {
    let is_plain = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    let name = |name: &str| match name {
        name if !name.is_empty() && name.chars().all(is_plain) => Ok(name.to_owned()),
        name if name.contains(['"', '\\']) => {
            Err(format!("{path:?}: no field with a quote or a backslash can be searched"))
        }
        name => Ok(format!("\"{name}\"")),
    };
    Ok(path.split('.').map(name).collect::<Result<Vec<_>, _>>()?.join("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_and_blanks_are_no_grammar() {
        assert_eq!(quoted("a.b-c_d").as_deref(), Ok("a.b-c_d"));
        assert_eq!(quoted("a[].b c").as_deref(), Ok("\"a[]\".\"b c\""));
        assert_eq!(quoted("größe").as_deref(), Ok("größe"));
        assert_eq!(quoted("a..b").as_deref(), Ok("a.\"\".b"));
    }
}
