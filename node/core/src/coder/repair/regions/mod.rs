//! Places that a model is asked to write anew: the items that the errors are in, or, where no item can
//! be told, the lines around an error. A small model copies lines badly and whole files slowly; an
//! item it writes in one go, and that it is exactly this item is checked here.

mod find;
mod replace;
#[cfg(test)]
mod tests;

pub(super) use self::find::{names_in, regions};
pub(super) use self::replace::{code, replaced};

use crate::build::Files;
use crate::coder::items::What;

/// Some lines of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Region {
    pub(super) path: String,
    /// The first line, counted from 0, and the one behind the last.
    pub(super) lines: (usize, usize),
    /// The item that they are, by kind and name; none: they are just lines.
    pub(super) item: Option<(What, String)>,
}

impl Region {
    /// Its text, without the blanks that all its lines begin with.
    pub(super) fn text(&self, files: &Files) -> String {
        let text = files.get(&self.path).map_or("", String::as_str);
        let lines: Vec<_> = text.lines().skip(self.lines.0).take(self.count()).collect();
        shifted(&lines, "")
    }

    /// How many lines it has.
    pub(super) fn count(&self) -> usize {
        self.lines.1.saturating_sub(self.lines.0)
    }

    fn meets(&self, other: &Self) -> bool {
        self.path == other.path && self.lines.0 < other.lines.1 && other.lines.0 < self.lines.1
    }
}

/// The blanks that all lines begin with.
fn indent(lines: &[&str]) -> String {
    let blanks = |line: &&str| line[..line.len() - line.trim_start().len()].to_owned();
    let written = lines.iter().filter(|line| !line.trim().is_empty());
    written.map(blanks).min_by_key(String::len).unwrap_or_default()
}

/// The lines with these blanks before them instead of those that all of them have.
fn shifted(lines: &[&str], blanks: &str) -> String {
    let own = indent(lines).len();
    let mut text = String::new();
    for line in lines {
        if !line.trim().is_empty() {
            text.push_str(blanks);
            text.push_str(line.get(own..).unwrap_or(line.trim_start()).trim_end());
        }
        text.push('\n');
    }
    text
}
