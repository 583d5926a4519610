//! Points, ids and payloads: Qdrant's messages and ours.

use std::collections::{BTreeMap, HashMap};

use gaia_core::knowledge::{Point, PointId};
use qdrant_client::qdrant::point_id::PointIdOptions;
use qdrant_client::qdrant::vectors::VectorsOptions;
use qdrant_client::qdrant::{
    DenseVector, NamedVectors, PointId as WireId, PointStruct, RetrievedPoint, SparseVector, Value,
    Vector, Vectors, VectorsOutput, vector, vector_output, vectors_output,
};
use serde_json::Map;

use super::failure::Failure;
use super::words::KEYWORDS;

/// An id as Qdrant's.
pub(super) fn id_to_wire(id: PointId) -> WireId {
    let options = match id {
        PointId::Number(number) => PointIdOptions::Num(number),
        PointId::Uuid(_) => PointIdOptions::Uuid(id.to_string()),
    };
    WireId { point_id_options: Some(options) }
}

/// An id of Qdrant's.
pub(super) fn id(wire: Option<WireId>) -> Result<PointId, Failure> {
    match wire.and_then(|id| id.point_id_options) {
        Some(PointIdOptions::Num(number)) => Ok(PointId::Number(number)),
        Some(PointIdOptions::Uuid(text)) => uuid(&text).ok_or(Failure::broken("an id is no UUID")),
        None => Err(Failure::broken("a point has no id")),
    }
}

fn uuid(text: &str) -> Option<PointId> {
    let hex: String = text.chars().filter(|c| *c != '-').collect();
    let is_hex = hex.len() == 32 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    let bits = is_hex.then(|| u128::from_str_radix(&hex, 16).ok())??;
    Some(PointId::Uuid(bits))
}

/// A payload of Qdrant's; its keys come in no order there and are sorted here.
pub(super) fn payload(wire: HashMap<String, Value>) -> Map<String, serde_json::Value> {
    let sorted: BTreeMap<_, _> = wire.into_iter().collect();
    sorted.into_iter().map(|(key, value)| (key, value.into())).collect()
}

/// A point as Qdrant's: its vector under its name, its words beside.
pub(super) fn point_to_wire(
    point: Point,
    vector: Option<&str>,
    words: Option<(Vec<u32>, Vec<f32>)>,
) -> PointStruct {
    let dense = dense(point.vector);
    let options = match (vector, words) {
        (None, None) => VectorsOptions::Vector(dense),
        (name, words) => {
            // The vector without a name has the empty one where there are several.
            let mut vectors = HashMap::from([(name.unwrap_or_default().to_owned(), dense)]);
            vectors.extend(words.map(|words| (KEYWORDS.to_owned(), sparse(words))));
            VectorsOptions::Vectors(NamedVectors { vectors })
        }
    };
    let payload = point.payload.into_iter().map(|(key, value)| (key, value.into()));
    PointStruct {
        id: Some(id_to_wire(point.id)),
        payload: payload.collect(),
        vectors: Some(Vectors { vectors_options: Some(options) }),
    }
}

fn dense(data: Vec<f32>) -> Vector {
    Vector { vector: Some(vector::Vector::Dense(DenseVector { data })), ..Vector::default() }
}

fn sparse((indices, values): (Vec<u32>, Vec<f32>)) -> Vector {
    let sparse = SparseVector { values, indices };
    Vector { vector: Some(vector::Vector::Sparse(sparse)), ..Vector::default() }
}

/// A point of Qdrant's; without its vector if none came.
pub(super) fn point(wire: RetrievedPoint, name: Option<&str>) -> Result<Point, Failure> {
    let vector = wire.vectors.and_then(|vectors| of_name(vectors, name)).unwrap_or_default();
    Ok(Point { id: id(wire.id)?, vector, payload: payload(wire.payload) })
}

fn of_name(vectors: VectorsOutput, name: Option<&str>) -> Option<Vec<f32>> {
    let output = match vectors.vectors_options? {
        vectors_output::VectorsOptions::Vector(one) => one,
        vectors_output::VectorsOptions::Vectors(mut named) => {
            named.vectors.remove(name.unwrap_or_default())?
        }
    };
    match output.into_vector() {
        vector_output::Vector::Dense(dense) => Some(dense.data),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ids_that_are_none_are_refused() {
        assert!(id(None).is_err());
        assert!(id(Some(WireId { point_id_options: None })).is_err());
        for text in ["", "7", "00000000-0000-0000-0000-00000000000g"] {
            let options = PointIdOptions::Uuid(text.into());
            assert!(id(Some(WireId { point_id_options: Some(options) })).is_err(), "{text}");
        }
    }

    #[test]
    fn ids_come_back_as_they_went() {
        let digits = u128::from_str_radix("12345678901234567890123456789012", 16);
        let uuid = PointId::Uuid(digits.expect("hexadecimal"));
        for one in [PointId::Number(0), PointId::Number(u64::MAX), uuid, PointId::Uuid(u128::MAX)] {
            assert_eq!(id(Some(id_to_wire(one))).expect("an id"), one);
        }
    }

    #[test]
    fn payloads_come_back_as_they_went() {
        let value = json!({"a": [1, "x", null, {"b": 1.5}], "n": -7, "ok": true});
        let map = value.as_object().cloned().expect("an object");
        let point = Point { id: PointId::Number(1), vector: vec![1.0], payload: map.clone() };
        let wire = point_to_wire(point, None, None);
        assert_eq!(payload(wire.payload), map);
    }

    #[test]
    fn a_vector_without_a_name_stands_beside_words_under_the_empty_one() {
        let point = Point { id: PointId::Number(1), vector: vec![1.0], payload: Map::new() };
        let wire = point_to_wire(point, None, Some((vec![3], vec![0.5])));
        let Some(VectorsOptions::Vectors(named)) = wire.vectors.and_then(|v| v.vectors_options)
        else {
            panic!("named vectors")
        };
        assert!(named.vectors.contains_key("") && named.vectors.contains_key(KEYWORDS));
    }
}
