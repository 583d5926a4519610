//! Points are found by vectors and by words.

use gaia_core::knowledge::{By, Change, CollectionSpec, Distance, Search};
use gaia_core::{Knowledge, KnowledgeError};
use serde_json::json;

use super::{animals, fill, ids, near, point, search, spec, upsert, with, words};

pub async fn a_question_of_another_dimension_is_refused(engine: &dyn Knowledge) {
    fill(engine, animals()).await;
    for vector in [vec![], vec![1.0; 3], vec![1.0; 5], vec![f32::NAN; 4]] {
        let refused = search(engine, By::Vector(vector)).await;
        assert!(matches!(refused, Err(KnowledgeError::Invalid { .. })), "{refused:?}");
    }
}

pub async fn the_nearest_come_first(engine: &dyn Knowledge) {
    fill(engine, animals()).await;
    let found = near(engine, [0.2, 2.0, 1.0, 0.0]).await.expect("it searches");
    assert_eq!(ids(&found), [2, 3, 1]);
    assert!(found.is_sorted_by(|one, next| one.score >= next.score), "{found:?}");
    assert!(found[0].score > 0.8 && found[0].score <= 1.0, "{found:?}");
    assert_eq!(found[0].payload["source"], "The lazy dog sleeps and sleeps.");
}

pub async fn distances_are_given_as_they_are(engine: &dyn Knowledge) {
    let expected = [
        (Distance::Dot, [(3, 6.0), (2, 3.0), (1, 0.0)]),
        (Distance::Euclid, [(2, 0.0), (1, 3.0), (3, 3.0)]),
        (Distance::Manhattan, [(2, 0.0), (1, 3.0), (3, 3.0)]),
    ];
    for (distance, expected) in expected {
        let spec = CollectionSpec { distance, ..spec() };
        engine.change("c", Change::Create(spec)).await.expect("it is made");
        let points = vec![
            point(1, [0.0, 1.0, 1.0, 1.0], "a"),
            point(2, [3.0, 1.0, 1.0, 1.0], "b"),
            point(3, [6.0, 1.0, 1.0, 1.0], "c"),
        ];
        upsert(engine, points).await.expect("they are written");
        let question = match distance {
            Distance::Dot => [1.0, 0.0, 0.0, 0.0],
            _ => [3.0, 1.0, 1.0, 1.0],
        };
        let mut found = near(engine, question).await.expect("it searches");
        // Points that are equally near may come in any order.
        found[1..].sort_by_key(|ranked| match distance {
            Distance::Dot => u64::MAX - ids(std::slice::from_ref(ranked))[0],
            _ => ids(std::slice::from_ref(ranked))[0],
        });
        for (found, (id, score)) in found.iter().zip(expected) {
            assert_eq!(ids(std::slice::from_ref(found)), [id], "{distance:?}");
            assert!((found.score - score).abs() < 1e-3, "{distance:?}: {found:?}");
        }
        engine.change("c", Change::Delete).await.expect("it is deleted");
    }
}

pub async fn points_are_found_by_their_words(engine: &dyn Knowledge) {
    let mut points = animals();
    let payload = json!({"source": "It barks.", "heading": "On wolves"});
    points.push(with(4, [0.0, 0.0, 0.0, 1.0], payload));
    fill(engine, points).await;
    assert_eq!(words(engine, "dog").await, [2]);
    assert_eq!(words(engine, "WOLVES").await, [4]);
    assert_eq!(words(engine, "fox quick").await, [1, 3]);
    let found = search(engine, By::Words("crab".into())).await.expect("it searches");
    assert!(found[0].score > 0.0, "{found:?}");
    assert_eq!(found[0].payload["source"], "The crab walks as no fox does.");
}

pub async fn words_that_no_text_has_find_nothing(engine: &dyn Knowledge) {
    fill(engine, animals()).await;
    for text in ["", " ,;", "xylophone"] {
        assert_eq!(words(engine, text).await, Vec::<u64>::new(), "{text:?}");
    }
}

pub async fn a_point_is_found_by_its_present_words_alone(engine: &dyn Knowledge) {
    fill(engine, animals()).await;
    upsert(engine, vec![point(2, [0.0, 1.0, 0.0, 0.0], "A cat purrs.")]).await.expect("written");
    assert_eq!(words(engine, "cat").await, [2]);
    assert_eq!(words(engine, "dog").await, Vec::<u64>::new());
    upsert(engine, vec![point(2, [0.0, 1.0, 0.0, 0.0], "")]).await.expect("written");
    assert_eq!(words(engine, "cat").await, Vec::<u64>::new());
}

pub async fn no_more_than_the_limit_is_found(engine: &dyn Knowledge) {
    fill(engine, animals()).await;
    for limit in [1, 2] {
        for by in [By::Vector(vec![1.0; 4]), By::Words("fox dog crab".into())] {
            let search = Search { collection: "c".into(), by, limit, filter: None };
            assert_eq!(engine.search(search).await.expect("it searches").len(), limit);
        }
    }
}
