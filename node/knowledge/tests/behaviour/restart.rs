//! What was reported as written outlives the engine.

use gaia_core::knowledge::{Change, PointId};

use super::{Bench, animals, collection, count, fill, near, spec, words};

pub async fn what_was_written_is_there_after_a_restart(bench: &impl Bench) {
    let engine = bench.open().await;
    fill(&*engine, animals()).await;
    engine.change("empty", Change::Create(spec())).await.expect("it is made");
    let gone = vec![PointId::Number(3)];
    engine.change("c", Change::Remove(gone)).await.expect("it is removed");
    let before = engine.collections().await.expect("they are listed");
    drop(engine);

    let engine = bench.open().await;
    assert_eq!(engine.collections().await.expect("they are listed"), before);
    assert_eq!(count(&*engine).await, 2);
    let found = near(&*engine, [0.0, 1.0, 0.0, 0.0]).await.expect("it searches");
    assert_eq!(found[0].id, PointId::Number(2));
    assert_eq!(words(&*engine, "quick").await, [1]);
    engine.change("empty", Change::Delete).await.expect("it is deleted");
    drop(engine);

    let engine = bench.open().await;
    assert_eq!(collection(&*engine, "empty").await, None);
    assert_eq!(count(&*engine).await, 2);
}
