//! Which points of a collection count, by their payload.

use serde_json::Value;

use super::PointId;

/// Conditions within one filter at most, and how deep they nest.
const CONDITIONS_MAX: usize = 64;
const DEPTH_MAX: usize = 8;

/// A condition on a point's payload.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// All of these hold.
    All(Vec<Filter>),
    /// At least one of these holds.
    Any(Vec<Filter>),
    /// This does not hold.
    Not(Box<Filter>),
    /// The point is one of these.
    Ids(Vec<PointId>),
    /// A field compares so with a value. A path such as `metadata.lang` names a field of a field.
    Field {
        /// The field's path.
        path: String,
        /// How it compares.
        comparison: Comparison,
    },
}

/// How a payload field compares. A field that is a list holds if one of its values does.
#[derive(Clone, Debug, PartialEq)]
pub enum Comparison {
    /// It is one of these texts.
    TextIn(Vec<String>),
    /// It is one of these whole numbers.
    NumberIn(Vec<i64>),
    /// It is this.
    Bool(bool),
    /// It lies between these; an open end is no limit.
    Range(Bounds),
}

/// The ends of a range of numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bounds {
    /// Greater than.
    pub gt: Option<f64>,
    /// At least.
    pub gte: Option<f64>,
    /// Less than.
    pub lt: Option<f64>,
    /// At most.
    pub lte: Option<f64>,
}

impl Filter {
    /// A point's text field is `value`.
    #[must_use]
    pub fn text(path: &str, value: &str) -> Self {
        let comparison = Comparison::TextIn(vec![value.to_owned()]);
        Self::Field { path: path.to_owned(), comparison }
    }

    /// Whether it is small enough to be looked at for each point.
    ///
    /// # Errors
    /// What is too large.
    pub fn check(&self) -> Result<(), String> {
        let mut left = CONDITIONS_MAX;
        self.count(&mut left, DEPTH_MAX)
    }

    fn count(&self, left: &mut usize, depth: usize) -> Result<(), String> {
        *left = left.checked_sub(1).ok_or(format!("more than {CONDITIONS_MAX} conditions"))?;
        let depth = depth.checked_sub(1).ok_or(format!("nested deeper than {DEPTH_MAX}"))?;
        match self {
            Self::All(list) | Self::Any(list) => {
                list.iter().try_for_each(|inner| inner.count(left, depth))
            }
            Self::Not(inner) => inner.count(left, depth),
            Self::Ids(_) => Ok(()),
            Self::Field { comparison, path } => {
                let values = match comparison {
                    Comparison::TextIn(list) => list.len(),
                    Comparison::NumberIn(list) => list.len(),
                    Comparison::Bool(_) | Comparison::Range(_) => 1,
                };
                *left = left.checked_sub(values / 16).ok_or("too many values".to_owned())?;
                if path.is_empty() || path.len() > 256 {
                    return Err(format!("{path:?} is no field"));
                }
                Ok(())
            }
        }
    }

    /// Whether it holds for a point: what engines must agree with.
    #[must_use]
    pub fn holds(&self, id: PointId, payload: &serde_json::Map<String, Value>) -> bool {
        match self {
            Self::All(list) => list.iter().all(|inner| inner.holds(id, payload)),
            Self::Any(list) => list.iter().any(|inner| inner.holds(id, payload)),
            Self::Not(inner) => !inner.holds(id, payload),
            Self::Ids(ids) => ids.contains(&id),
            Self::Field { path, comparison } => match field(payload, path) {
                Some(Value::Array(list)) => list.iter().any(|value| comparison.holds(value)),
                Some(value) => comparison.holds(value),
                None => false,
            },
        }
    }
}

impl Comparison {
    fn holds(&self, value: &Value) -> bool {
        match self {
            Self::TextIn(list) => value.as_str().is_some_and(|v| list.iter().any(|one| one == v)),
            Self::NumberIn(list) => value.as_i64().is_some_and(|v| list.contains(&v)),
            Self::Bool(wanted) => value.as_bool() == Some(*wanted),
            Self::Range(bounds) => value.as_f64().is_some_and(|v| bounds.hold(v)),
        }
    }
}

impl Bounds {
    fn hold(&self, value: f64) -> bool {
        self.gt.is_none_or(|end| value > end)
            && self.gte.is_none_or(|end| value >= end)
            && self.lt.is_none_or(|end| value < end)
            && self.lte.is_none_or(|end| value <= end)
    }
}

fn field<'a>(payload: &'a serde_json::Map<String, Value>, path: &str) -> Option<&'a Value> {
    let (first, rest) = path.split_once('.').map_or((path, None), |(a, b)| (a, Some(b)));
    match (payload.get(first)?, rest) {
        (value, None) => Some(value),
        (Value::Object(inner), Some(rest)) => field(inner, rest),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: PointId = PointId::Number(1);

    fn payload(value: Value) -> serde_json::Map<String, Value> {
        value.as_object().cloned().expect("an object")
    }

    #[test]
    fn a_filter_that_is_too_deep_or_too_long_is_refused() {
        let mut deep = Filter::text("a", "b");
        for _ in 0..DEPTH_MAX {
            deep = Filter::Not(Box::new(deep));
        }
        assert!(deep.check().is_err());
        assert!(Filter::All(vec![Filter::text("a", "b"); CONDITIONS_MAX]).check().is_err());
        let values = Comparison::NumberIn((0..5000).collect());
        assert!(Filter::Field { path: "n".into(), comparison: values }.check().is_err());
        assert!(Filter::text("", "b").check().is_err());
        assert!(Filter::text("a", "b").check().is_ok());
    }

    #[test]
    fn fields_are_found_in_objects_and_lists() {
        let p = payload(json!({"a": "x", "m": {"lang": ["rust", "c"]}, "n": 7, "ok": true}));
        assert!(Filter::text("m.lang", "c").holds(ID, &p));
        assert!(!Filter::text("m.lang", "go").holds(ID, &p));
        assert!(!Filter::text("a.b", "x").holds(ID, &p));
        let range =
            |bounds| Filter::Field { path: "n".into(), comparison: Comparison::Range(bounds) };
        assert!(range(Bounds { gte: Some(7.0), lt: Some(8.0), ..Bounds::default() }).holds(ID, &p));
        assert!(!range(Bounds { gt: Some(7.0), ..Bounds::default() }).holds(ID, &p));
        let ok = Filter::Field { path: "ok".into(), comparison: Comparison::Bool(true) };
        assert!(Filter::All(vec![ok.clone(), Filter::text("a", "x")]).holds(ID, &p));
        assert!(!Filter::Not(Box::new(ok)).holds(ID, &p));
        assert!(Filter::Any(vec![Filter::text("a", "y"), Filter::text("a", "x")]).holds(ID, &p));
    }
}
