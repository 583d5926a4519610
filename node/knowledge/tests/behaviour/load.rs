//! Many requests at a time.

use futures_util::future::{join, join_all};
use gaia_core::{Knowledge, KnowledgeError};

use super::{animals, count, fill, near, point, upsert, words};

pub async fn searches_answer_while_points_are_written(engine: &dyn Knowledge) {
    fill(engine, animals()).await;
    let writing = async {
        for batch in 0..10 {
            let ids = 100 + batch * 50..150 + batch * 50;
            let points = ids.map(|id| point(id, [0.0, 0.1, 0.1, 1.0], "One of the many wolves."));
            upsert(engine, points.collect()).await.expect("they are written");
        }
    };
    let searching = async {
        for _ in 0..50 {
            let searches = (0..8).map(|_| near(engine, [1.0, 0.0, 0.0, 0.0]));
            for found in join_all(searches).await {
                let found = found.expect("it searches");
                assert_eq!(found[0].payload["source"], "The quick fox jumps.");
            }
            assert_eq!(words(engine, "dog").await, [2]);
        }
    };
    join(writing, searching).await;
    assert_eq!(count(engine).await, 503);
    assert_eq!(words(engine, "wolves").await.len(), 10);
}

pub async fn too_many_requests_are_answered_or_overloaded(engine: &dyn Knowledge) {
    fill(engine, animals()).await;
    let searches = (0..2000).map(|_| near(engine, [1.0, 0.0, 0.0, 0.0]));
    let answers = join_all(searches).await;
    for answer in &answers {
        match answer {
            Ok(found) => assert_eq!(found.len(), 3),
            Err(error) => assert_eq!(*error, KnowledgeError::Overloaded),
        }
    }
    assert!(answers.iter().any(Result::is_ok));
    assert_eq!(near(engine, [1.0, 0.0, 0.0, 0.0]).await.expect("it is over").len(), 3);
}
