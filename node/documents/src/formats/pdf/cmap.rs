//! What a font's map of characters (a ToUnicode CMap) will take once `lopdf` has read it.
//!
//! `lopdf` lists every code of every range, and looks through all ranges of codes for each byte of a text;
//! it bounds neither. So a map is looked through here before it gets it. Its sections are read as it reads
//! them (`1 beginbfchar <41> <0041> endbfchar`), and wherever they begin: one that seems to lie in a comment
//! or a string counts too, so that none can hide.

/// Codes that a map may name. Those of two bytes are half as many; some are named twice.
const CODES_MAX: usize = 1 << 17;
/// Ranges of codes that exist at all. Fonts have one, those for Asian texts a few.
const CODESPACES_MAX: usize = 256;
/// What `lopdf` keeps of a code, beside its text.
const CODE_BYTES: usize = 128;
/// What it keeps of each text in a list.
const LISTED_BYTES: usize = 64;

const BEGIN: &[u8] = b"begin";
const END: &[u8] = b"end";
const KINDS: [(Kind, &[u8]); 3] =
    [(Kind::Codespaces, b"codespacerange"), (Kind::Chars, b"bfchar"), (Kind::Ranges, b"bfrange")];

#[derive(Clone, Copy)]
enum Kind {
    Codespaces,
    Chars,
    Ranges,
}

/// Bytes of memory that a map will take; None if it can't be read, or would take beyond all measure.
pub fn bytes(map: &[u8]) -> Option<usize> {
    let mut weight = Weight::default();
    let mut rest = map;
    while let Some(at) = find(rest, BEGIN) {
        rest = &rest[at + BEGIN.len()..];
        let Some((kind, name)) = KINDS.iter().find(|(_, name)| rest.starts_with(name)) else {
            continue;
        };
        let mut tokens = Tokens { rest: &rest[name.len()..] };
        while !tokens.end(name)? {
            weight.entry(*kind, &mut tokens)?;
        }
        rest = tokens.rest;
    }
    (!weight.overlaps()).then_some(weight.bytes)
}

#[derive(Default)]
struct Weight {
    codespaces: usize,
    codes: usize,
    bytes: usize,
    ranges: Vec<Range>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Range {
    /// Codes of different lengths are different codes.
    digits: usize,
    first: u32,
    last: u32,
    /// Its texts are a list, not one that counts up.
    listed: bool,
}

impl Weight {
    fn entry(&mut self, kind: Kind, tokens: &mut Tokens<'_>) -> Option<()> {
        let (digits, first) = tokens.code()?;
        match kind {
            Kind::Codespaces => {
                tokens.code()?;
                self.codespaces += 1;
                (self.codespaces <= CODESPACES_MAX).then_some(())
            }
            Kind::Chars => {
                let bytes = tokens.text()?;
                self.range(Range { digits, first, last: first, listed: false }, bytes)
            }
            Kind::Ranges => {
                let (_, last) = tokens.code()?;
                let (texts, bytes) = tokens.texts()?;
                self.range(Range { digits, first, last, listed: texts > 1 }, bytes)
            }
        }
    }

    /// Counts a range whose text, or list of texts, has so many bytes.
    fn range(&mut self, range: Range, bytes: usize) -> Option<()> {
        let codes = usize::try_from(range.last.checked_sub(range.first)?).ok()?.saturating_add(1);
        self.codes = self.codes.saturating_add(codes);
        if self.codes > CODES_MAX {
            return None;
        }
        let texts = if range.listed { 2 } else { codes + 1 };
        self.bytes = self.bytes.checked_add(codes * CODE_BYTES + texts * bytes)?;
        self.ranges.push(range);
        Some(())
    }

    /// Whether a range with a list shares codes with another: `lopdf` cuts the range there and copies
    /// the whole list, each time.
    fn overlaps(&mut self) -> bool {
        self.ranges.sort_unstable();
        let (mut last, mut last_listed) = (None, None);
        for range in &self.ranges {
            let start = Some((range.digits, range.first));
            if last_listed >= start || (range.listed && last >= start) {
                return true;
            }
            let end = Some((range.digits, range.last));
            last = last.max(end);
            if range.listed {
                last_listed = last_listed.max(end);
            }
        }
        false
    }
}

/// What a section is made of.
struct Tokens<'m> {
    rest: &'m [u8],
}

impl<'m> Tokens<'m> {
    /// Whether the section of this kind ends here; it is passed then.
    fn end(&mut self, name: &[u8]) -> Option<bool> {
        self.skip_space()?;
        let Some(rest) = self.rest.strip_prefix(END) else { return Some(false) };
        self.rest = rest.strip_prefix(name)?;
        Some(true)
    }

    /// A code, and by how many digits it is written: `<0041>`.
    fn code(&mut self) -> Option<(usize, u32)> {
        let digits = self.hex()?;
        let value = u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        Some((digits.len(), value))
    }

    /// A text, and the bytes that are kept of it.
    fn text(&mut self) -> Option<usize> {
        Some(self.hex()?.len() / 2)
    }

    /// A text or a list of them, `[<0041> <0042>]`: how many, and the bytes that are kept of them.
    fn texts(&mut self) -> Option<(usize, usize)> {
        if !self.pass(b'[')? {
            return Some((1, self.text()?));
        }
        let (mut texts, mut bytes) = (0, 0);
        while !self.pass(b']')? {
            texts += 1;
            bytes += self.text()? + LISTED_BYTES;
        }
        Some((texts, bytes))
    }

    fn hex(&mut self) -> Option<&'m [u8]> {
        if !self.pass(b'<')? {
            return None;
        }
        let end = self.rest.iter().position(|byte| *byte == b'>')?;
        let (digits, rest) = self.rest.split_at(end);
        self.rest = &rest[1..];
        let known =
            digits.iter().all(|byte| byte.is_ascii_hexdigit() || byte.is_ascii_whitespace());
        known.then_some(digits)
    }

    /// Whether this stands next; it is passed then.
    fn pass(&mut self, byte: u8) -> Option<bool> {
        self.skip_space()?;
        let Some(rest) = self.rest.strip_prefix(&[byte]) else { return Some(false) };
        self.rest = rest;
        Some(true)
    }

    /// Skips white space and comments; None if a comment could hide a section.
    fn skip_space(&mut self) -> Option<()> {
        loop {
            self.rest = self.rest.trim_ascii_start();
            let Some(comment) = self.rest.strip_prefix(b"%") else { return Some(()) };
            let end = comment.iter().position(|byte| matches!(byte, b'\r' | b'\n'))?;
            let (comment, rest) = comment.split_at(end);
            if find(comment, BEGIN).is_some() {
                return None;
            }
            self.rest = rest;
        }
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(kind: &str, entries: &str) -> Option<usize> {
        bytes(format!("x 1 begin{kind}\n{entries}\nend{kind}\nend").as_bytes())
    }

    #[test]
    fn codes_and_their_texts_are_counted() {
        assert_eq!(bytes(b"begincmap endcmap"), Some(0));
        assert_eq!(section("bfchar", "<41> <0041>\n<42><00 41 00 42>"), Some(2 * 128 + 4 + 10));
        assert_eq!(section("bfrange", "<00> <0F> <0041>"), Some(16 * 128 + 17 * 2));
        assert_eq!(section("bfrange", "<00> <0F> [<0041>]"), Some(16 * 128 + 17 * 66));
        assert_eq!(section("bfrange", "<00> <01> [<0041> <0042>]"), Some(2 * 128 + 2 * 132));
        assert_eq!(section("codespacerange", "<0000> <FFFF>"), Some(0));
        assert_eq!(section("bfchar", "% a glyph: <0>\n<41> % another\n <0041>"), Some(132));
        assert!(section("bfrange", "<0000> <FFFF> <0000>").is_some());
    }

    #[test]
    fn what_grows_beyond_all_measure_is_refused() {
        assert_eq!(section("bfrange", "<00000000> <FFFFFFFF> <0041>"), None);
        assert_eq!(section("bfrange", &"<0000> <FFFF> <0041>\n".repeat(3)), None);
        assert!(section("codespacerange", &"<0000> <FFFF>\n".repeat(CODESPACES_MAX)).is_some());
        assert_eq!(section("codespacerange", &"<0000> <FFFF>\n".repeat(CODESPACES_MAX + 1)), None);
    }

    #[test]
    fn lists_that_would_be_copied_over_and_over_are_refused() {
        let list = "<0010> <0020> [<0041> <0042>]";
        for other in ["<0010> <0010> <0041>", "<0000> <FFFF> <0041>", "<0020> <0021> [<41> <42>]"] {
            assert_eq!(section("bfrange", &format!("{list} {other}")), None, "{other}");
            assert_eq!(section("bfrange", &format!("{other} {list}")), None, "{other}");
        }
        for other in ["<10> <20> <0041>", "<0021> <0021> <0041>", "<0000> <000F> [<41> <42>]"] {
            assert!(section("bfrange", &format!("{list} {other}")).is_some(), "{other}");
        }
    }

    #[test]
    fn nothing_hides() {
        let bomb = "1 beginbfrange <00000000> <FFFFFFFF> <0041>\nendbfrange";
        for before in ["(1 beginbfchar %) ", "% ", "1 beginbfchar % ", "(1 beginbfrange %) ", "( "]
        {
            assert_eq!(bytes(format!("{before}{bomb}\nendbfchar endcmap").as_bytes()), None);
        }
        for wrong in ["<41>", "<41> 7", "<4> <41", "<> <41>", "<123456789> <41>", "[", "<41> % end"]
        {
            assert_eq!(section("bfchar", wrong), None, "{wrong}");
            assert_eq!(section("bfrange", wrong), None, "{wrong}");
        }
        assert_eq!(section("bfrange", "<42> <41> <0041>"), None);
    }
}
