//! JSON that is not whole yet.

/// Looks for the end of one JSON object.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scan {
    depth: u32,
    in_string: bool,
    escaped: bool,
}

impl Scan {
    /// Takes the next character; true: the object ends with it.
    pub fn ends_with(&mut self, character: char) -> bool {
        if self.in_string {
            match character {
                _ if self.escaped => self.escaped = false,
                '\\' => self.escaped = true,
                '"' => self.in_string = false,
                _ => {}
            }
            return false;
        }
        match character {
            '"' => self.in_string = true,
            '{' | '[' => self.depth += 1,
            '}' | ']' => self.depth = self.depth.saturating_sub(1),
            _ => return false,
        }
        self.depth == 0 && matches!(character, '}' | ']')
    }
}

/// What the beginning of a call's object says.
#[derive(Debug, PartialEq, Eq)]
pub enum Head {
    /// Not enough to tell.
    Unknown,
    /// The function's name.
    Named {
        /// The name.
        name: String,
        /// Where its arguments begin, if they have begun.
        arguments: Option<usize>,
    },
}

/// Reads the beginning of `{"name": …, "arguments": {…`, whose keys may come in any order; arguments
/// before the name are not told.
pub fn head(object: &str) -> Head {
    let mut name = None;
    let mut reader = Reader { text: object, at: 0 };
    if !reader.skip('{') {
        return Head::Unknown;
    }
    while let Some(key) = reader.string() {
        if !reader.skip(':') {
            break;
        }
        match (key.as_str(), &name) {
            ("name", None) => match reader.string() {
                Some(value) => name = Some(value),
                None => break,
            },
            ("arguments" | "parameters", Some(name)) => {
                let arguments = reader.rest().starts_with('{').then_some(reader.at);
                return Head::Named { name: name.clone(), arguments };
            }
            _ => {
                if !reader.value() {
                    break;
                }
            }
        }
        if !reader.skip(',') {
            break;
        }
    }
    name.map_or(Head::Unknown, |name| Head::Named { name, arguments: None })
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn blanks(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    /// Passes over one sign and the blanks around it.
    fn skip(&mut self, sign: char) -> bool {
        self.blanks();
        let is_there = self.rest().starts_with(sign);
        if is_there {
            self.at += sign.len_utf8();
            self.blanks();
        }
        is_there
    }

    /// A whole string.
    fn string(&mut self) -> Option<String> {
        let mut scan = Scan::default();
        if !self.rest().starts_with('"') {
            return None;
        }
        for (index, character) in self.rest().char_indices() {
            scan.ends_with(character);
            if index > 0 && !scan.in_string {
                let end = self.at + index + 1;
                let value = serde_json::from_str(&self.text[self.at..end]).ok();
                self.at = end;
                return value;
            }
        }
        None
    }

    /// Passes over a whole value of a kind that does not matter.
    fn value(&mut self) -> bool {
        if self.rest().starts_with('"') {
            return self.string().is_some();
        }
        let mut scan = Scan::default();
        let is_nested = self.rest().starts_with(['{', '[']);
        let mut end = None;
        for (index, character) in self.rest().char_indices() {
            let ends = scan.ends_with(character);
            if is_nested && ends {
                end = Some(index + 1);
                break;
            }
            if !is_nested && matches!(character, ',' | '}') {
                end = Some(index);
                break;
            }
        }
        self.at += end.unwrap_or(0);
        end.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str, arguments: Option<usize>) -> Head {
        Head::Named { name: name.into(), arguments }
    }

    #[test]
    fn too_little_tells_nothing() {
        for text in [
            "",
            "{",
            "{\"na",
            "{\"name\"",
            "{\"name\": \"f",
            "{\"arguments\": {\"a\": 1}",
            "[",
            "x",
        ] {
            assert_eq!(head(text), Head::Unknown, "{text}");
        }
    }

    #[test]
    fn a_name_is_told_as_soon_as_it_is_whole_and_arguments_as_soon_as_they_begin() {
        assert_eq!(head("{\"name\": \"f\""), named("f", None));
        assert_eq!(head("{\"name\": \"f\", \"argum"), named("f", None));
        assert_eq!(head("{\"name\": \"f\", \"arguments\": {"), named("f", Some(27)));
        assert_eq!(
            head("{\"id\": [1, {}], \"name\":\"f\",\"parameters\":{\"a"),
            named("f", Some(40))
        );
        assert_eq!(head("{\"type\": \"function\", \"name\": \"g\\u0041\", "), named("gA", None));
        assert_eq!(head("{\"n\": 1, \"name\": \"f\""), named("f", None));
    }

    #[test]
    fn the_end_of_an_object_is_found_through_strings() {
        let text = r#"{"a": "}\"{", "b": [{}]} rest"#;
        let mut scan = Scan::default();
        let end = text.chars().position(|character| scan.ends_with(character));
        assert_eq!(end, Some(23));
    }
}
