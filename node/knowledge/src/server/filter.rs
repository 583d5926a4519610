//! Filters, as Qdrant writes them. Both must choose the same points: `Filter::holds` says
//! which.

use gaia_core::KnowledgeError;
use gaia_core::knowledge::{Bounds, Comparison, Filter, PointId};
use qdrant_client::qdrant::condition::ConditionOneOf;
use qdrant_client::qdrant::r#match::MatchValue;
use qdrant_client::qdrant::{
    Condition, FieldCondition, Filter as Wire, HasIdCondition, Match, Range, RepeatedIntegers,
    RepeatedStrings,
};

use super::convert;
use crate::paths::quoted;

/// A filter as Qdrant's.
///
/// # Errors
/// [`KnowledgeError::Invalid`]: it is too large, or a field's name can't be written in a path.
pub(super) fn filter(filter: &Filter) -> Result<Wire, KnowledgeError> {
    let wrong = |what: String| KnowledgeError::invalid(format!("filter: {what}"));
    filter.check().map_err(wrong)?;
    Ok(Wire { must: vec![condition(filter).map_err(wrong)?], ..Wire::default() })
}

fn condition(filter: &Filter) -> Result<Condition, String> {
    let list = |list: &[Filter]| list.iter().map(condition).collect::<Result<Vec<_>, _>>();
    let wire = match filter {
        Filter::All(inner) => Wire { must: list(inner)?, ..Wire::default() },
        // Without conditions Qdrant's `should` holds always, and this never.
        Filter::Any(inner) if inner.is_empty() => return Ok(one_of(ids(&[]))),
        Filter::Any(inner) => Wire { should: list(inner)?, ..Wire::default() },
        Filter::Not(inner) => Wire { must_not: vec![condition(inner)?], ..Wire::default() },
        Filter::Ids(list) => return Ok(one_of(ids(list))),
        Filter::Field { path: name, comparison } => {
            let key = quoted(name)?;
            return Ok(one_of(ConditionOneOf::Field(field(key, comparison))));
        }
    };
    Ok(one_of(ConditionOneOf::Filter(wire)))
}

fn one_of(condition: ConditionOneOf) -> Condition {
    Condition { condition_one_of: Some(condition) }
}

fn ids(list: &[PointId]) -> ConditionOneOf {
    let has_id = list.iter().copied().map(convert::id_to_wire).collect();
    ConditionOneOf::HasId(HasIdCondition { has_id })
}

fn field(key: String, comparison: &Comparison) -> FieldCondition {
    let field = FieldCondition { key, ..FieldCondition::default() };
    let value = match comparison {
        Comparison::TextIn(list) => MatchValue::Keywords(RepeatedStrings { strings: list.clone() }),
        Comparison::NumberIn(list) => {
            MatchValue::Integers(RepeatedIntegers { integers: list.clone() })
        }
        Comparison::Bool(wanted) => MatchValue::Boolean(*wanted),
        Comparison::Range(Bounds { gt, gte, lt, lte }) => {
            let range = Range { gt: *gt, gte: *gte, lt: *lt, lte: *lte };
            return FieldCondition { range: Some(range), ..field };
        }
    };
    FieldCondition { r#match: Some(Match { match_value: Some(value) }), ..field }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_that_cannot_be_written_are_refused() {
        for name in ["a\"b", "a\\b", ""] {
            assert!(filter(&Filter::text(name, "x")).is_err(), "{name:?}");
        }
        assert!(filter(&Filter::All(vec![Filter::text("a", "b"); 100])).is_err());
    }

    #[test]
    fn any_of_nothing_is_nothing() {
        let wire = filter(&Filter::Any(vec![])).expect("a filter");
        let Some(ConditionOneOf::HasId(ids)) = &wire.must[0].condition_one_of else {
            panic!("{wire:?}")
        };
        assert!(ids.has_id.is_empty());
    }
}
