//! JSON that comes character by character.

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

    /// Whether what follows belongs to a string.
    pub fn is_in_string(self) -> bool {
        self.in_string
    }

    /// Whether this is the outermost object, between its strings.
    fn is_outermost(self) -> bool {
        self.depth == 1 && !self.in_string
    }
}

/// What a character of a call's object brought to an end or began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing that matters.
    Nothing,
    /// The function's name is whole.
    Name(String),
    /// An object with the arguments begins with this character, behind the name.
    Arguments,
    /// The object is whole.
    End,
}

/// Reads `{"name": …, "arguments": {…}}`, whose keys may come in any order. Each character is looked at
/// once, and each string once more.
#[derive(Debug, Default)]
pub struct Object {
    text: String,
    scan: Scan,
    string_start: usize,
    /// The last string of the outermost object, which is a key if a colon follows.
    string: Option<String>,
    key: Key,
    value_start: usize,
    has_name: bool,
    /// Where the arguments stand that came before the name, or that are no object.
    arguments: Option<(usize, usize)>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Key {
    #[default]
    None,
    Name,
    Arguments,
    Other,
}

impl Object {
    /// What was read.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What looks for the object's end, as it stood before the last character, which opened a bracket.
    pub fn outside(&self) -> Scan {
        Scan { depth: self.scan.depth - 1, ..self.scan }
    }

    /// Takes the next character.
    pub fn push(&mut self, character: char) -> Found {
        let (before, at) = (self.scan, self.text.len());
        let ends = self.scan.ends_with(character);
        self.text.push(character);
        if ends {
            self.value_ends(at);
            return Found::End;
        }
        match (before.is_outermost(), self.scan.is_outermost()) {
            (true, true) => self.sign(character, at),
            (true, false) if character == '"' => self.string_start = at,
            (true, false) if character == '{' => return self.object_begins(at),
            (false, true) if character == '"' => return self.string_ends(at + 1),
            _ => {}
        }
        Found::Nothing
    }

    /// A whole object's arguments as they were written; text that holds them is taken out of its
    /// quotes. `None`: the object is no JSON.
    pub fn whole_arguments(&self) -> Option<String> {
        serde_json::from_str::<serde::de::IgnoredAny>(&self.text).ok()?;
        let written = self.arguments.map_or("", |(start, end)| self.text[start..end].trim());
        Some(match written {
            "" | "null" => "{}".to_owned(),
            text if text.starts_with('"') => serde_json::from_str(text).ok()?,
            other => other.to_owned(),
        })
    }

    /// A character of the outermost object.
    fn sign(&mut self, character: char, at: usize) {
        match character {
            ':' if self.key == Key::None => {
                self.key = match self.string.take().as_deref() {
                    Some("name") if !self.has_name => Key::Name,
                    Some("arguments" | "parameters") if self.arguments.is_none() => Key::Arguments,
                    _ => Key::Other,
                };
                self.value_start = at + 1;
            }
            ',' => self.value_ends(at),
            _ => {}
        }
    }

    fn object_begins(&self, at: usize) -> Found {
        let is_first = self.text[self.value_start..at].trim().is_empty();
        let is_next = self.key == Key::Arguments && self.has_name && is_first;
        if is_next { Found::Arguments } else { Found::Nothing }
    }

    fn string_ends(&mut self, end: usize) -> Found {
        if matches!(self.key, Key::Other | Key::Arguments) {
            return Found::Nothing;
        }
        self.string = serde_json::from_str(&self.text[self.string_start..end]).ok();
        if self.key == Key::None {
            return Found::Nothing;
        }
        self.key = Key::Other;
        self.has_name = self.string.is_some();
        self.string.take().map_or(Found::Nothing, Found::Name)
    }

    fn value_ends(&mut self, at: usize) {
        if self.key == Key::Arguments {
            self.arguments = Some((self.value_start, at));
        }
        self.key = Key::None;
        self.string = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What each character of a text found, without those that found nothing.
    fn read(text: &str) -> (Object, Vec<(usize, Found)>) {
        let mut object = Object::default();
        let mut found = vec![];
        for (at, character) in text.char_indices() {
            match object.push(character) {
                Found::Nothing => {}
                other => found.push((at, other)),
            }
        }
        (object, found)
    }

    fn name(text: &str) -> Found {
        Found::Name(text.into())
    }

    #[test]
    fn too_little_tells_nothing() {
        for text in
            ["", "{", "{\"na", "{\"name\"", "{\"name\": \"f", "{\"arguments\": {\"name\": \"f\"}"]
        {
            assert_eq!(read(text).1, [], "{text}");
        }
    }

    #[test]
    fn a_name_is_told_as_soon_as_it_is_whole_and_arguments_as_soon_as_they_begin() {
        assert_eq!(read("{\"name\": \"f\"").1, [(11, name("f"))]);
        let text = "{\"name\": \"f\", \"arguments\": {";
        assert_eq!(read(text).1, [(11, name("f")), (27, Found::Arguments)]);
        let text = "{\"id\": [1, {}], \"name\":\"f\",\"parameters\":{\"a";
        assert_eq!(read(text).1, [(25, name("f")), (40, Found::Arguments)]);
        let text = "{\"type\": \"function\", \"name\": \"g\\u0041\", ";
        assert_eq!(read(text).1, [(37, name("gA"))]);
        assert_eq!(read("{\"n\": 1, \"na\\u006de\": \"f\"").1, [(24, name("f"))]);
    }

    #[test]
    fn only_the_first_name_counts_and_no_name_within_a_value() {
        let (_, found) =
            read("{\"x\": \"name\", \"y\": [\"name\"], \"name\": \"f\", \"name\": \"g\"}");
        assert_eq!(found, [(39, name("f")), (53, Found::End)]);
    }

    #[test]
    fn whole_arguments_are_what_was_written() {
        for (written, expected) in [
            (
                "{\"arguments\": {\"n\": 123456789012345678901234567890},\"name\":\"f\"}",
                "{\"n\": 123456789012345678901234567890}",
            ),
            ("{\"name\": \"f\", \"arguments\": \"{\\\"a\\\": \\u00e9}\"}", "{\"a\": é}"),
            ("{\"name\": \"f\", \"parameters\": null}", "{}"),
            ("{\"name\": \"f\"}", "{}"),
            ("{\"name\": \"f\", \"arguments\": [1,  2] }", "[1,  2]"),
        ] {
            assert_eq!(read(written).0.whole_arguments().as_deref(), Some(expected), "{written}");
        }
        assert_eq!(read("{\"name\": \"f\", \"arguments\": x}").0.whole_arguments(), None);
    }

    #[test]
    fn the_end_of_an_object_is_found_through_strings() {
        let text = r#"{"a": "}\"{", "b": [{}]} rest"#;
        let mut scan = Scan::default();
        let end = text.chars().position(|character| scan.ends_with(character));
        assert_eq!(end, Some(23));
    }
}
