//! Our words and the engine's for the same things.

use super::reason::told;
use gaia_core::KnowledgeError;
use gaia_core::knowledge::{Comparison, Distance, Filter, Point, PointId};
use qdrant_edge::external::ordered_float::OrderedFloat;
use qdrant_edge::external::uuid::Uuid;
use qdrant_edge::{self as edge, Condition, FieldCondition, JsonPath, Match, OperationError};

pub fn point_id(id: PointId) -> edge::PointId {
    match id {
        PointId::Number(number) => edge::PointId::NumId(number),
        PointId::Uuid(bits) => edge::PointId::Uuid(Uuid::from_u128(bits)),
    }
}

pub fn own_id(id: edge::PointId) -> PointId {
    match id {
        edge::PointId::NumId(number) => PointId::Number(number),
        edge::PointId::Uuid(uuid) => PointId::Uuid(uuid.as_u128()),
    }
}

pub fn distance(distance: Distance) -> edge::Distance {
    match distance {
        Distance::Cosine => edge::Distance::Cosine,
        Distance::Dot => edge::Distance::Dot,
        Distance::Euclid => edge::Distance::Euclid,
        Distance::Manhattan => edge::Distance::Manhattan,
    }
}

pub fn own_distance(distance: edge::Distance) -> Distance {
    match distance {
        edge::Distance::Cosine => Distance::Cosine,
        edge::Distance::Dot => Distance::Dot,
        edge::Distance::Euclid => Distance::Euclid,
        edge::Distance::Manhattan => Distance::Manhattan,
    }
}

/// A filter in the engine's words.
///
/// # Errors
/// It is too large, or a field's name can't be written in a path.
pub fn filter(whole: &Filter) -> Result<edge::Filter, KnowledgeError> {
    let wrong = |what: String| KnowledgeError::invalid(format!("filter: {what}"));
    whole.check().map_err(wrong)?;
    part(whole)
}

fn part(filter: &Filter) -> Result<edge::Filter, KnowledgeError> {
    let all = |list: &[Filter]| list.iter().map(condition).collect::<Result<Vec<_>, _>>();
    Ok(match filter {
        Filter::All(list) => edge::Filter { must: Some(all(list)?), ..edge::Filter::new() },
        // The engine takes an empty list for no condition; none of nothing holds.
        Filter::Any(list) if list.is_empty() => nothing(),
        Filter::Any(list) => edge::Filter { should: Some(all(list)?), ..edge::Filter::new() },
        Filter::Not(inner) => edge::Filter::new_must_not(condition(inner)?),
        Filter::Ids(_) | Filter::Field { .. } => edge::Filter::new_must(condition(filter)?),
    })
}

fn nothing() -> edge::Filter {
    edge::Filter::new_must(Condition::HasId(Vec::<edge::PointId>::new().into_iter().collect()))
}

fn condition(inner: &Filter) -> Result<Condition, KnowledgeError> {
    match inner {
        Filter::Ids(ids) => Ok(Condition::HasId(ids.iter().copied().map(point_id).collect())),
        Filter::Field { path, comparison } => field(path, comparison).map(Condition::Field),
        _ => part(inner).map(Condition::Filter),
    }
}

fn field(path: &str, comparison: &Comparison) -> Result<FieldCondition, KnowledgeError> {
    let written = crate::paths::quoted(path);
    let parsed = written.ok().and_then(|path| path.parse::<JsonPath>().ok());
    let parsed = parsed.ok_or_else(|| {
        KnowledgeError::invalid(format!("filter: {path:?} is no path of a payload field"))
    })?;
    Ok(match comparison {
        Comparison::TextIn(list) => FieldCondition::new_match(parsed, Match::from(list.clone())),
        Comparison::NumberIn(list) => FieldCondition::new_match(parsed, Match::from(list.clone())),
        Comparison::Bool(wanted) => {
            let value = edge::ValueVariants::Bool(*wanted);
            FieldCondition::new_match(parsed, Match::new_value(value))
        }
        Comparison::Range(bounds) => FieldCondition::new_range(
            parsed,
            edge::Range {
                lt: bounds.lt.map(OrderedFloat),
                gt: bounds.gt.map(OrderedFloat),
                gte: bounds.gte.map(OrderedFloat),
                lte: bounds.lte.map(OrderedFloat),
            },
        ),
    })
}

/// An engine's record as a point; `vector` is the name of its dense vector.
pub fn own_point(record: edge::Record, vector: &str) -> Point {
    let payload = record.payload.map(|payload| payload.0).unwrap_or_default();
    let vector = record.vector.and_then(|all| dense(all, vector)).unwrap_or_default();
    Point { id: own_id(record.id), vector, payload }
}

fn dense(all: edge::VectorStructInternal, name: &str) -> Option<Vec<f32>> {
    match all {
        edge::VectorStructInternal::Single(vector) => Some(vector),
        edge::VectorStructInternal::Named(mut named) => match named.remove(name)? {
            edge::VectorInternal::Dense(vector) => Some(vector),
            _ => None,
        },
        edge::VectorStructInternal::MultiDense(_) => None,
    }
}

/// What went wrong, in our words.
pub fn error(error: OperationError) -> KnowledgeError {
    let message = error.to_string();
    if message.contains("No space left") || message.contains("os error 28") {
        return KnowledgeError::DiskFull;
    }
    match error {
        OperationError::WrongVectorDimension { .. }
        | OperationError::VectorNameNotExists { .. }
        | OperationError::ValidationError { .. }
        | OperationError::TypeError { .. }
        | OperationError::WrongSparse
        | OperationError::WrongMulti => KnowledgeError::Invalid { message },
        _ => {
            tracing::warn!(error = message, "the embedded engine failed");
            KnowledgeError::Unavailable { message: told(&message) }
        }
    }
}
