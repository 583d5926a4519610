//! Reads one TOML table key by key and notes every problem instead of stopping at the first.

use std::fmt::Display;
use std::ops::RangeInclusive;

use serde::de::DeserializeOwned;
use toml::{Table, Value};

/// A timeout above a day is a mistake in the unit.
const TIME_MS: RangeInclusive<u64> = 1..=86_400_000;

/// One thing that is wrong with a config, ready to be read by a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key at fault, such as `server.listen` or `models[0].path`.
    pub key: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl Display for Problem {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}: {}", self.key, self.message)
    }
}

/// A table while it is read. [`Reader::finish`] must end it: it reports the keys nobody asked for.
pub struct Reader<'a> {
    path: String,
    table: Table,
    known: Vec<String>,
    problems: &'a mut Vec<Problem>,
}

impl<'a> Reader<'a> {
    /// Reads `table`, which stands at `path` (empty for the whole file).
    pub fn new(path: &str, table: Table, problems: &'a mut Vec<Problem>) -> Self {
        Self { path: path.to_owned(), table, known: vec![], problems }
    }

    /// The value of `key`, or the default where it is absent or wrong.
    pub fn value<T: DeserializeOwned>(&mut self, key: &str, default: T) -> T {
        self.optional(key).unwrap_or(default)
    }

    /// The value of `key`, `None` where it is absent or wrong.
    pub fn optional<T: DeserializeOwned>(&mut self, key: &str) -> Option<T> {
        self.known.push(key.to_owned());
        match self.table.remove(key)?.try_into() {
            Ok(value) => Some(value),
            Err(error) => {
                self.wrong(key, error.to_string().trim());
                None
            }
        }
    }

    /// The value of `key`, which must be there.
    pub fn required<T: DeserializeOwned>(&mut self, key: &str, advice: &str) -> Option<T> {
        if self.table.contains_key(key) {
            return self.optional(key);
        }
        self.known.push(key.to_owned());
        self.wrong(key, &format!("is missing: {advice}"));
        None
    }

    /// A number that must lie in `range`.
    pub fn within<T>(&mut self, key: &str, default: T, range: RangeInclusive<T>) -> T
    where
        T: DeserializeOwned + PartialOrd + Display,
    {
        let value = self.value(key, default);
        self.check(key, &value, &range);
        value
    }

    /// A number that must lie in `range` if it is there.
    pub fn optional_within<T>(&mut self, key: &str, range: RangeInclusive<T>) -> Option<T>
    where
        T: DeserializeOwned + PartialOrd + Display,
    {
        let value = self.optional(key)?;
        self.check(key, &value, &range);
        Some(value)
    }

    /// Milliseconds: at least one, at most a day.
    pub fn time(&mut self, key: &str, default: u64) -> u64 {
        self.within(key, default, TIME_MS)
    }

    /// A table inside this one; empty where it is absent.
    pub fn table(&mut self, key: &str) -> Reader<'_> {
        let table: Table = self.value(key, Table::new());
        Reader::new(&self.key(key), table, self.problems)
    }

    /// The tables of `[[key]]`, with the path of each.
    pub fn tables(&mut self, key: &str) -> Vec<(String, Table)> {
        let values: Vec<Value> = self.value(key, vec![]);
        let mut tables = vec![];
        for (index, value) in values.into_iter().enumerate() {
            match value {
                Value::Table(table) => tables.push((format!("{}[{index}]", self.key(key)), table)),
                _ => self.wrong(key, "write each one as a table: [[models]]"),
            }
        }
        tables
    }

    /// Notes that `key` is wrong.
    pub fn wrong(&mut self, key: &str, message: &str) {
        let problem = Problem { key: self.key(key), message: message.to_owned() };
        self.problems.push(problem);
    }

    /// Where problems are noted.
    pub fn problems(&mut self) -> &mut Vec<Problem> {
        self.problems
    }

    /// Notes every key that was never asked for.
    pub fn finish(self) {
        let known = self.known.join(", ");
        for name in self.table.keys() {
            let key =
                if self.path.is_empty() { name.clone() } else { format!("{}.{name}", self.path) };
            let message = format!("unknown key; the keys here are: {known}");
            self.problems.push(Problem { key, message });
        }
    }

    fn check<T: PartialOrd + Display>(&mut self, key: &str, value: &T, range: &RangeInclusive<T>) {
        if !range.contains(value) {
            let (least, most) = (range.start(), range.end());
            self.wrong(key, &format!("{value} is out of range: choose {least} to {most}"));
        }
    }

    fn key(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }
}
