//! GBNF, llama.cpp's grammar language, as the Lark that llguidance reads. Pure.
//!
//! `name ::= alternatives` becomes `name: alternatives`; character classes become regular
//! expressions; literals, groups and repetitions are the same but for their spelling. A rule may go
//! over several lines: it ends where the next `name ::=` begins.

/// Converts a grammar whose start is the rule `root`.
///
/// # Errors
/// What is wrong, with its place in the text.
pub(crate) fn to_lark(gbnf: &str) -> Result<String, String> {
    let tokens = tokens(gbnf)?;
    let mut lark = String::new();
    let mut has_root = false;
    for (index, token) in tokens.iter().enumerate() {
        match token {
            Part::Name(name) if tokens.get(index + 1) == Some(&Part::Defines) => {
                has_root |= name == "root";
                lark.push_str(&format!("\n{}:", rule(name)));
            }
            Part::Name(name) => lark.push_str(&format!(" {}", rule(name))),
            Part::Defines
                if matches!(index.checked_sub(1).map(|i| &tokens[i]), Some(Part::Name(_))) => {}
            Part::Defines => return Err("`::=` without a rule's name before it".into()),
            Part::Verbatim(text) => {
                lark.push(' ');
                lark.push_str(text);
            }
            Part::Repeat(text) => lark.push_str(text),
        }
    }
    if has_root { Ok(lark) } else { Err("there is no rule `root`".into()) }
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Name(String),
    Defines,
    Verbatim(String),
    Repeat(String),
}

/// A rule's name in Lark: lower case, digits and underscores. Both alphabets map one to one.
fn rule(name: &str) -> String {
    if name == "root" {
        return "start".into();
    }
    let spelled = name.chars().map(|c| match c {
        'a'..='z' | '0'..='9' => c.to_string(),
        other => format!("_{:x}_", u32::from(other)),
    });
    format!("r_{}", spelled.collect::<String>())
}

fn tokens(gbnf: &str) -> Result<Vec<Part>, String> {
    let mut parts = vec![];
    let mut rest = gbnf;
    while let Some(first) = rest.chars().next() {
        let used = match first {
            c if c.is_whitespace() => c.len_utf8(),
            '#' => rest.find('\n').unwrap_or(rest.len()),
            '"' => literal(rest, '"', &mut parts)?,
            '[' => class(rest, &mut parts)?,
            '.' => push(&mut parts, Part::Verbatim("/(.|\\n)/".into()), 1),
            '(' | ')' | '|' => push(&mut parts, Part::Verbatim(first.into()), 1),
            '*' | '+' | '?' => push(&mut parts, Part::Repeat(first.into()), 1),
            '{' => repeat(rest, &mut parts)?,
            ':' if rest.starts_with("::=") => push(&mut parts, Part::Defines, 3),
            c if is_name(c) => {
                let end = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
                push(&mut parts, Part::Name(rest[..end].into()), end)
            }
            other => {
                let place = gbnf.len() - rest.len();
                return Err(format!("unexpected {other:?} at byte {place}"));
            }
        };
        rest = &rest[used..];
    }
    Ok(parts)
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-' || c == '_'
}

fn push(parts: &mut Vec<Part>, part: Part, used: usize) -> usize {
    parts.push(part);
    used
}

/// The end of what `close` closes, backslashes minded.
fn closing(text: &str, close: char) -> Result<usize, String> {
    let mut escaped = false;
    for (index, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == close => return Ok(index),
            _ => {}
        }
    }
    Err(format!("{} is never closed", text.chars().take(20).collect::<String>()))
}

fn literal(text: &str, close: char, parts: &mut Vec<Part>) -> Result<usize, String> {
    let end = closing(text, close)?;
    let plain = unescape(&text[1..end])?;
    Ok(push(parts, Part::Verbatim(quoted(&plain)), end + 1))
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a string is JSON")
}

fn class(text: &str, parts: &mut Vec<Part>) -> Result<usize, String> {
    let end = closing(text, ']')?;
    let inner = &text[1..end];
    let (negated, inner) = match inner.strip_prefix('^') {
        Some(inner) => ("^", inner),
        None => ("", inner),
    };
    let mut regex = String::new();
    let mut characters = inner.chars();
    let mut is_first = true;
    while let Some(c) = characters.next() {
        let is_range = c == '-' && !is_first && !characters.as_str().is_empty();
        is_first = false;
        match c {
            '-' if is_range => regex.push('-'),
            '\\' => regex.push_str(&escaped(unescaped(&mut characters)?)),
            c => regex.push_str(&escaped(c)),
        }
    }
    if regex.is_empty() {
        return Err("an empty character class".into());
    }
    Ok(push(parts, Part::Verbatim(format!("/[{negated}{regex}]/")), end + 1))
}

/// A character inside a class of a regular expression between slashes.
fn escaped(c: char) -> String {
    if c.is_ascii_alphanumeric() { c.into() } else { format!("\\x{{{:x}}}", u32::from(c)) }
}

fn unescape(text: &str) -> Result<String, String> {
    let mut plain = String::new();
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        plain.push(if c == '\\' { unescaped(&mut characters)? } else { c });
    }
    Ok(plain)
}

/// What stands behind a backslash.
fn unescaped(characters: &mut std::str::Chars<'_>) -> Result<char, String> {
    let digits = match characters.next() {
        Some('n') => return Ok('\n'),
        Some('r') => return Ok('\r'),
        Some('t') => return Ok('\t'),
        Some('x') => 2,
        Some('u') => 4,
        Some('U') => 8,
        Some(c @ ('"' | '\\' | '[' | ']' | '-' | '^' | '/' | '.')) => return Ok(c),
        other => {
            return Err(format!(
                "an unknown escape: \\{}",
                other.map_or(String::new(), String::from)
            ));
        }
    };
    let hex: String = characters.by_ref().take(digits).collect();
    let code = u32::from_str_radix(&hex, 16).ok().filter(|_| hex.len() == digits);
    code.and_then(char::from_u32).ok_or_else(|| format!("\\{hex} is no character"))
}

fn repeat(text: &str, parts: &mut Vec<Part>) -> Result<usize, String> {
    let end = text.find('}').ok_or("a { without }")?;
    let inner: String = text[1..end].chars().filter(|c| !c.is_whitespace()).collect();
    let is_count = |text: &str| text.parse::<u32>().is_ok();
    let fits = match inner.split_once(',') {
        None => is_count(&inner),
        Some((least, most)) => is_count(least) && (most.is_empty() || is_count(most)),
    };
    if !fits {
        return Err(format!("{{{inner}}} is no repetition"));
    }
    Ok(push(parts, Part::Repeat(format!("{{{inner}}}")), end + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_grammar_is_refused_with_its_place() {
        for (gbnf, words) in [
            ("", "no rule `root`"),
            ("a ::= \"b\"", "no rule `root`"),
            ("::= \"b\"", "without a rule's name"),
            ("root ::= \"b", "never closed"),
            ("root ::= [a", "never closed"),
            ("root ::= []", "empty character class"),
            ("root ::= \"\\q\"", "unknown escape"),
            ("root ::= \"\\x9\"", "no character"),
            ("root ::= \"a\"{b}", "no repetition"),
            ("root ::= \"a\"{1", "a { without }"),
            ("root ::= ;", "unexpected ';' at byte 9"),
        ] {
            let error = to_lark(gbnf).expect_err(gbnf);
            assert!(error.contains(words), "{gbnf}: {error}");
        }
    }

    #[test]
    fn rules_literals_classes_and_repetitions_are_converted() {
        let gbnf =
            "# a list\nroot ::= (item-1 \"\\n\")+ | [^a-c\\]] \"x\"{2,3}\nitem-1 ::= \"- \" .*\n";
        let lark = "\nstart: ( r_item_2d_1 \"\\n\" )+ | /[^a-c\\x{5d}]/ \"x\"{2,3}\
                    \nr_item_2d_1: \"- \" /(.|\\n)/*";
        assert_eq!(to_lark(gbnf).as_deref(), Ok(lark));
    }
}
