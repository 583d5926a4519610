//! Looks at a page's operands before they are read: all of one operation are in memory at once, and a
//! packed page of a hundred kilobytes may have a hundred million of them.

/// Operands of one operation at most, more or less. Arrays of text have some thousands.
const OPERANDS_MAX: usize = 2 << 20;

/// Bytes of an operator at most.
const OPERATOR_BYTES_MAX: usize = 3;

/// Whether an operation may have more operands than any that draws text.
pub fn are_too_many(content: &[u8]) -> bool {
    let (mut rest, mut count) = (content, 0_usize);
    while let Some(token) = next(rest) {
        count = if token.is_operator { 0 } else { count + token.operands };
        if count > OPERANDS_MAX {
            return true;
        }
        rest = &rest[token.bytes..];
    }
    false
}

/// What a page's content goes on with.
struct Token {
    bytes: usize,
    is_operator: bool,
    /// As many operands as it may be read as.
    operands: usize,
}

fn next(rest: &[u8]) -> Option<Token> {
    let (bytes, operands) = match rest {
        [] => return None,
        [b'%', ..] => (until(rest, |byte| matches!(byte, b'\n' | b'\r')), 0),
        [b'(', ..] => (string(rest), 1),
        [b'<', b'<', ..] => (2, 1),
        [b'<', ..] => (until(rest, |byte| byte == b'>'), 1),
        [b'/', ..] => (1 + until(&rest[1..], |byte| !is_regular(byte)), 1),
        [b'[', ..] => (1, 1),
        [first, ..] if is_regular(*first) => return Some(word(rest)),
        _ => (1, 0),
    };
    Some(Token { bytes, is_operator: false, operands })
}

/// An operator, or numbers and such: `1-1-1` is three.
fn word(rest: &[u8]) -> Token {
    let bytes = until(rest, |byte| !is_regular(byte));
    let is_sign = |byte: &u8| byte.is_ascii_alphabetic() || matches!(byte, b'\'' | b'"');
    let is_operator = bytes <= OPERATOR_BYTES_MAX && is_sign(&rest[0]);
    // What begins otherwise is a picture's, or a mistake, behind which nothing is read.
    let is_read = is_sign(&rest[0]) || matches!(rest[0], b'0'..=b'9' | b'+' | b'-' | b'.');
    Token { bytes, is_operator, operands: if is_read { 1 + bytes / 2 } else { 0 } }
}

/// Bytes before the one that ends it, which is at least the second.
fn until(rest: &[u8], is_end: impl Fn(u8) -> bool) -> usize {
    let end = rest.iter().skip(1).position(|byte| is_end(*byte));
    end.map_or(rest.len(), |end| end + 1)
}

/// Bytes of a string in brackets, which may hold brackets.
fn string(rest: &[u8]) -> usize {
    let (mut depth, mut is_escaped) = (0_usize, false);
    for (at, byte) in rest.iter().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'(' => depth += 1,
            b')' if depth == 1 => return at + 1,
            b')' => depth -= 1,
            _ => {}
        }
    }
    rest.len()
}

fn is_regular(byte: u8) -> bool {
    !matches!(
        byte,
        0 | b'\t'
            | b'\n'
            | 12
            | b'\r'
            | b' '
            | b'('
            | b')'
            | b'<'
            | b'>'
            | b'['
            | b']'
            | b'{'
            | b'}'
            | b'/'
            | b'%'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operands_without_end_are_seen_however_they_are_written() {
        for part in
            ["0 ", "null", "1-1", "/A", "(a(b)\\)c)", "<41>", "[]", "<< >>", "true ", "% x\n0 "]
        {
            let many = format!("BT [{}] TJ ET", part.repeat(3 << 20));
            assert!(are_too_many(many.as_bytes()), "{part}");
        }
    }

    #[test]
    fn much_text_and_large_pictures_are_read() {
        let lines = "BT /F 12 Tf [(He) -20 (llo)] TJ 1 0 0 1 5 5 Tm ET\n".repeat(200_000);
        let picture = [b"q BI /W 2000 ID ", &[0xFF; 3 << 20][..], b" EI Q"].concat();
        let text = format!("({}) Tj", "a b ".repeat(1 << 20));
        for content in
            [lines.as_bytes(), &picture, text.as_bytes(), b"(", b"<", b"/", b"%", b"((\\"]
        {
            assert!(!are_too_many(content));
        }
    }
}
