//! Points are written, listed and removed.

use gaia_core::knowledge::{Change, Comparison, Filter, Point, PointId, Scan};
use gaia_core::{Knowledge, KnowledgeError};
use serde_json::json;

use super::{animals, count, fill, near, object, page, point, scan_all, upsert, with};

pub async fn a_vector_of_another_dimension_is_refused_and_nothing_written(engine: &dyn Knowledge) {
    fill(engine, vec![]).await;
    for length in [0, 3, 5] {
        let mut points = animals();
        points[2].vector = vec![1.0; length];
        let refused = upsert(engine, points).await;
        assert!(matches!(refused, Err(KnowledgeError::Invalid { .. })), "{refused:?}");
    }
    assert_eq!(count(engine).await, 0);
}

pub async fn a_vector_of_no_numbers_is_refused(engine: &dyn Knowledge) {
    fill(engine, vec![]).await;
    for value in [f32::NAN, f32::INFINITY] {
        let refused = upsert(engine, vec![point(1, [value, 0.0, 0.0, 1.0], "x")]).await;
        assert!(matches!(refused, Err(KnowledgeError::Invalid { .. })), "{refused:?}");
    }
    assert_eq!(count(engine).await, 0);
}

pub async fn a_point_written_twice_is_one(engine: &dyn Knowledge) {
    fill(engine, animals()).await;
    upsert(engine, animals()).await.expect("they are written again");
    assert_eq!(count(engine).await, 3);
    let changed = with(2, [0.0, 0.0, 0.0, 1.0], json!({"source": "A cat.", "new": true}));
    upsert(engine, vec![changed.clone()]).await.expect("it is written");
    assert_eq!(count(engine).await, 3);
    let found = near(engine, [0.0, 0.0, 0.0, 1.0]).await.expect("it searches");
    assert_eq!(found[0].id, PointId::Number(2));
    assert_eq!(found[0].payload, changed.payload);
}

pub async fn payloads_come_back_as_they_were_written(engine: &dyn Knowledge) {
    let payload = json!({
        "source": "Fuchs, 狐, 🦊\n\"quoted\" \\",
        "heading": "",
        "numbers": [0, -1, 1.5, 9_007_199_254_740_993_i64],
        "nested": {"a": {"b": [null, true, {}]}, "key with blank": []},
    });
    fill(engine, vec![with(7, [1.0, 0.0, 0.0, 0.0], payload.clone())]).await;
    assert_eq!(page(engine, 1).await.points[0].payload, object(payload.clone()));
    let found = near(engine, [1.0, 0.0, 0.0, 0.0]).await.expect("it searches");
    assert_eq!(found[0].payload, object(payload));
}

fn many() -> Vec<Point> {
    let numbers = (0..20).map(|n| PointId::Number(n * 7 % 20));
    let uuids = (1..6).map(|n| PointId::Uuid(u128::MAX / n));
    let ids = uuids.chain(numbers).chain([PointId::Number(u64::MAX), PointId::Uuid(0)]);
    let even = |id: PointId| id.to_string().len().is_multiple_of(2);
    let payload = |id| object(json!({"source": format!("point {id}"), "even": even(id)}));
    ids.map(|id| Point { id, vector: vec![1.0, 0.0, 0.0, 0.0], payload: payload(id) }).collect()
}

pub async fn pages_come_in_order_and_hold_each_point_once(engine: &dyn Knowledge) {
    let points = many();
    fill(engine, points.clone()).await;
    let mut wanted: Vec<_> = points.iter().map(|point| point.id).collect();
    wanted.sort();
    for limit in [1, 7, 27, 1000] {
        let scan = Scan { collection: "c".into(), limit, ..Scan::default() };
        let found = scan_all(engine, scan).await;
        assert_eq!(found.iter().map(|point| point.id).collect::<Vec<_>>(), wanted, "by {limit}");
        assert!(found.iter().all(|point| point.vector.is_empty()));
    }
    let is_even = Comparison::Bool(true);
    let filter = Filter::Field { path: "even".into(), comparison: is_even };
    let filtered =
        Scan { collection: "c".into(), limit: 3, filter: Some(filter.clone()), ..Scan::default() };
    let found: Vec<_> = scan_all(engine, filtered).await.iter().map(|point| point.id).collect();
    let mut wanted: Vec<_> = points
        .iter()
        .filter(|point| filter.holds(point.id, &point.payload))
        .map(|p| p.id)
        .collect();
    wanted.sort();
    assert_eq!(found, wanted);
}

pub async fn vectors_come_if_they_are_wanted(engine: &dyn Knowledge) {
    fill(engine, animals()).await;
    let scan = Scan { collection: "c".into(), limit: 10, with_vectors: true, ..Scan::default() };
    assert_eq!(scan_all(engine, scan).await, animals());
}

pub async fn removed_points_are_gone(engine: &dyn Knowledge) {
    fill(engine, animals()).await;
    let gone = vec![PointId::Number(2), PointId::Number(99), PointId::Uuid(1)];
    engine.change("c", Change::Remove(gone)).await.expect("it is removed");
    engine.change("c", Change::Remove(vec![])).await.expect("nothing is removed");
    assert_eq!(count(engine).await, 2);
    let left: Vec<_> = page(engine, 10).await.points.iter().map(|point| point.id).collect();
    assert_eq!(left, [PointId::Number(1), PointId::Number(3)]);
    assert_eq!(super::words(engine, "lazy dog").await, Vec::<u64>::new());
}

pub async fn optimizing_changes_no_point(engine: &dyn Knowledge) {
    fill(engine, animals()).await;
    engine.change("c", Change::Optimize).await.expect("it is optimized");
    assert_eq!(count(engine).await, 3);
    let found = near(engine, [1.0, 0.0, 0.0, 0.0]).await.expect("it searches");
    assert_eq!(found[0].id, PointId::Number(1));
}
