//! Which points a filter chooses, and how near they are. Written apart from the code under test, after
//! Qdrant's documentation.

use std::collections::{BTreeMap, HashMap};

use gaia_core::knowledge::PointId;
use qdrant_client::qdrant as wire;
use serde_json::{Map, Value};
use tonic::Status;
use wire::condition::ConditionOneOf;
use wire::r#match::MatchValue;
use wire::{query, vector_input};

use super::points::{bad, check_dense, check_sparse, id};
use super::{Shelf, Stored};

/// The points of a query, best first.
pub fn rank(shelf: &Shelf, request: &wire::QueryPoints) -> Result<Vec<(PointId, f32)>, Status> {
    let variant = request.query.clone().and_then(|query| query.variant);
    let Some(query::Variant::Nearest(input)) = variant else {
        return Err(Status::unimplemented("only the nearest points"));
    };
    let using = request.using.clone().unwrap_or_default();
    let (scores, more_is_nearer) = match input.variant {
        Some(vector_input::Variant::Dense(dense)) => near(shelf, &using, dense.data)?,
        Some(vector_input::Variant::Sparse(sparse)) => {
            (words(shelf, &using, check_sparse(shelf, &using, sparse)?), true)
        }
        _ => return Err(Status::unimplemented("other vectors")),
    };
    let mut ranked = vec![];
    for (id, score) in scores {
        if holds(request.filter.as_ref(), id, &shelf.points[&id].payload)? {
            ranked.push((id, score));
        }
    }
    ranked.sort_by(|(_, one), (_, other)| match more_is_nearer {
        true => other.total_cmp(one),
        false => one.total_cmp(other),
    });
    ranked.truncate(usize::try_from(request.limit()).unwrap_or(usize::MAX));
    Ok(ranked)
}

fn near(
    shelf: &Shelf,
    using: &str,
    data: Vec<f32>,
) -> Result<(BTreeMap<PointId, f32>, bool), Status> {
    let wanted = check_dense(shelf, using, data)?;
    let distance = wire::Distance::try_from(shelf.dense[using].distance);
    let distance = distance.map_err(|_| bad("distance"))?;
    let pairs = |one: &[f32], of: fn(f32, f32) -> f32| -> f32 {
        one.iter().zip(&wanted).map(|(a, b)| of(*a, *b)).sum()
    };
    let score = |vector: &Vec<f32>| match distance {
        wire::Distance::Euclid => pairs(vector, |a, b| (a - b) * (a - b)).sqrt(),
        wire::Distance::Manhattan => pairs(vector, |a, b| (a - b).abs()),
        _ => pairs(vector, |a, b| a * b),
    };
    let scored = shelf.points.iter().filter_map(|(id, point)| {
        let vector = point.dense.get(using)?;
        Some((*id, score(vector)))
    });
    let more_is_nearer = matches!(distance, wire::Distance::Cosine | wire::Distance::Dot);
    Ok((scored.collect(), more_is_nearer))
}

fn words(shelf: &Shelf, using: &str, wanted: Vec<(u32, f32)>) -> BTreeMap<PointId, f32> {
    let of = |point: &Stored| point.sparse.get(using).cloned().unwrap_or_default();
    let mut holders: HashMap<u32, f32> = HashMap::new();
    for (word, _) in shelf.points.values().flat_map(of) {
        *holders.entry(word).or_default() += 1.0;
    }
    let points = shelf.points.len() as f32;
    let weigh = |word: u32| {
        let holders = holders.get(&word).copied().unwrap_or_default();
        if shelf.sparse[using] { ((points - holders + 0.5) / (holders + 0.5)).ln_1p() } else { 1.0 }
    };
    let mut scores = BTreeMap::new();
    for (id, point) in &shelf.points {
        let weights: HashMap<_, _> = of(point).into_iter().collect();
        let shared = wanted
            .iter()
            .filter_map(|(word, weight)| Some(weights.get(word)? * weight * weigh(*word)));
        let shared: Vec<f32> = shared.collect();
        if !shared.is_empty() {
            scores.insert(*id, shared.iter().sum());
        }
    }
    scores
}

/// Whether a filter chooses a point.
pub fn holds(
    filter: Option<&wire::Filter>,
    point: PointId,
    payload: &Map<String, Value>,
) -> Result<bool, Status> {
    let Some(filter) = filter else { return Ok(true) };
    if filter.min_should.is_some() {
        return Err(Status::unimplemented("min_should"));
    }
    let each = |list: &[wire::Condition]| {
        list.iter().map(|one| condition(one, point, payload)).collect::<Result<Vec<bool>, _>>()
    };
    let (must, must_not) = (each(&filter.must)?, each(&filter.must_not)?);
    let should = each(&filter.should)?;
    Ok(must.iter().all(|holds| *holds)
        && !must_not.iter().any(|holds| *holds)
        && (should.is_empty() || should.iter().any(|holds| *holds)))
}

fn condition(
    condition: &wire::Condition,
    point: PointId,
    payload: &Map<String, Value>,
) -> Result<bool, Status> {
    match condition.condition_one_of.as_ref().ok_or_else(|| bad("empty condition"))? {
        ConditionOneOf::Filter(filter) => holds(Some(filter), point, payload),
        ConditionOneOf::HasId(list) => {
            let ids = list.has_id.iter().map(|wanted| id(Some(wanted)));
            Ok(ids.collect::<Result<Vec<_>, _>>()?.contains(&point))
        }
        ConditionOneOf::Field(field) => {
            let path = path(&field.key)?;
            let values = values(payload, &path);
            let compare = compare(field)?;
            Ok(values.into_iter().any(compare))
        }
        _ => Err(Status::unimplemented("other conditions")),
    }
}

/// One value of a field, compared.
type Compare<'a> = Box<dyn Fn(&Value) -> bool + 'a>;

fn compare(field: &wire::FieldCondition) -> Result<Compare<'_>, Status> {
    match (field.r#match.as_ref(), field.range) {
        (None, Some(range)) => Ok(Box::new(move |value: &Value| {
            let Some(value) = value.as_f64() else { return false };
            range.gt.is_none_or(|end| value > end)
                && range.gte.is_none_or(|end| value >= end)
                && range.lt.is_none_or(|end| value < end)
                && range.lte.is_none_or(|end| value <= end)
        })),
        (Some(matched), None) => match matched.match_value.as_ref() {
            Some(MatchValue::Keywords(list)) => Ok(Box::new(|value: &Value| {
                value.as_str().is_some_and(|text| list.strings.iter().any(|one| one == text))
            })),
            Some(MatchValue::Integers(list)) => Ok(Box::new(|value: &Value| {
                value.as_i64().is_some_and(|number| list.integers.contains(&number))
            })),
            Some(MatchValue::Boolean(wanted)) => {
                Ok(Box::new(move |value: &Value| value.as_bool() == Some(*wanted)))
            }
            _ => Err(Status::unimplemented("other matches")),
        },
        _ => Err(bad("Bad condition: exactly one of match and range")),
    }
}

/// A path's names, by Qdrant's grammar; without its indices, which nobody here may send.
fn path(text: &str) -> Result<Vec<String>, Status> {
    let wrong = || bad(&format!("Invalid json path: {text:?}"));
    let (mut names, mut rest) = (vec![], text);
    loop {
        let (name, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').ok_or_else(wrong)?,
            None => {
                let is_plain = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
                let end = rest.find(|c: char| !is_plain(c)).unwrap_or(rest.len());
                if end == 0 {
                    return Err(wrong());
                }
                rest.split_at(end)
            }
        };
        if name.contains('\\') {
            return Err(wrong());
        }
        names.push(name.to_owned());
        match after.strip_prefix('.') {
            Some(next) => rest = next,
            None if after.is_empty() => return Ok(names),
            None => return Err(wrong()),
        }
    }
}

/// The values at a path; a list's own ones.
fn values<'a>(payload: &'a Map<String, Value>, path: &[String]) -> Vec<&'a Value> {
    let Some((first, rest)) = path.split_first() else { return vec![] };
    match (payload.get(first), rest) {
        (Some(Value::Array(list)), []) => list.iter().collect(),
        (Some(value), []) => vec![value],
        (Some(Value::Object(inner)), rest) => values(inner, rest),
        _ => vec![],
    }
}
