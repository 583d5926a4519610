//! The memory at work: over the embedded engine on a real disk, and over fakes.

use std::path::PathBuf;
use std::sync::Arc;
use std::task::Poll;

use gaia_core::coder::fixes::{Asker, FixSettings};
use gaia_core::coder::{Fix, Memory, Symptom};
use gaia_core::fakes::{FakeKnowledge, FakeModel};
use gaia_core::{Admission, Knowledge, Models, Node, ServeError};
use gaia_knowledge::{Embedded, SnapshotLimits};
use gaia_protocol::{Event, FinishReason, ModelKind, Usage};
use tokio::task::{JoinSet, unconstrained, yield_now};

use super::*;
use crate::ids::new_id;

fn node(knowledge: Arc<dyn Knowledge>, model: Option<FakeModel>) -> Node {
    let models = Models::new(model.into_iter().map(|model| Arc::new(model) as _).collect());
    Node { models, admission: Admission::new(64), knowledge: Some(knowledge) }
}

fn settings(seeds: Vec<Fix>) -> FixSettings {
    FixSettings { name: "coder".into(), fixes_max: 1000, seeds }
}

fn embedder() -> FakeModel {
    let vector: Vec<_> = std::iter::once(1.0).chain(std::iter::repeat_n(0.0, 575)).collect();
    let vector = |index| Ok(Event::Embedding { index, vector: vector.clone(), tokens: 1 });
    let script = |count| {
        let finish = Ok(Event::finish(FinishReason::Stop, Usage::default()));
        (0..count).map(vector).chain([finish]).collect::<Vec<_>>()
    };
    FakeModel::new("e", ModelKind::Embedding).answering(script(1))
}

fn symptom() -> Symptom {
    Symptom { code: Some("E0382".into()), message: "moved".into(), snippet: "let b = a;".into() }
}

fn fix(before: &str) -> Fix {
    Fix {
        code: symptom().code,
        message: symptom().message,
        before: before.into(),
        after: "let b = &a;".into(),
        ..Fix::default()
    }
}

fn ada() -> Asker {
    Asker { owner: "ada".into(), trusted: true }
}

struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        Self(std::env::temp_dir().join(new_id("gaia-fixes-")))
    }

    fn engine(&self) -> Arc<dyn Knowledge> {
        let limits = SnapshotLimits { bytes_max: 1 << 30 };
        Arc::new(Embedded::open(&self.0, limits).expect("nobody else has it open"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Waits until the task of a keeper that was dropped has let the engine go, and closes it.
async fn closed(engine: Arc<dyn Knowledge>) {
    while Arc::strong_count(&engine) > 1 {
        yield_now().await;
    }
    drop(engine);
}

async fn found(keeper: &FixKeeper) -> Vec<Fix> {
    let store = keeper.store().await.expect("it opens");
    store.similar(&ada(), &symptom(), 32).await.expect("found")
}

#[tokio::test(flavor = "multi_thread")]
async fn no_count_is_lost_among_many_judges_and_none_by_a_restart() {
    let folder = Folder::new();
    let engine = folder.engine();
    {
        let keeper =
            FixKeeper::start(node(Arc::clone(&engine), Some(embedder())), settings(vec![]));
        let keeper = Arc::new(keeper);
        let memory = OwnersMemory::new(Arc::clone(&keeper), ada());
        memory.remember(fix("let b = a;")).await.expect("kept");
        memory.remember(fix("let c = a;")).await.expect("kept");
        let id = found(&keeper).await[0].id.clone();
        let mut judges = JoinSet::new();
        for n in 0..40 {
            let (memory, id) = (OwnersMemory::new(Arc::clone(&keeper), ada()), id.clone());
            judges.spawn(async move { memory.judge(&id, n % 4 != 0).await });
        }
        assert!(judges.join_all().await.iter().all(Result::is_ok));
        let first = &found(&keeper).await[0];
        assert_eq!((&first.id, first.used, first.helped), (&id, 40, 30));
    }
    closed(engine).await;
    let keeper = FixKeeper::start(node(folder.engine(), Some(embedder())), settings(vec![]));
    let found = found(&keeper).await;
    assert_eq!((found.len(), found[0].used, found[0].helped), (2, 40, 30));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_seeds_come_in_once_and_are_found_by_code_and_words() {
    let folder = Folder::new();
    for _ in 0..2 {
        let engine = folder.engine();
        let keeper = FixKeeper::start(node(Arc::clone(&engine), None), settings(seeds()));
        let store = keeper.store().await.expect("it opens");
        let moved = Symptom {
            code: Some("E0382".into()),
            message: "borrow of moved value: `_`".into(),
            snippet: "    for item in list {\n        total += item;\n    }".into(),
        };
        let found = store.similar(&Asker::default(), &moved, 3).await.expect("found");
        assert_eq!(found[0].before, "    for item in list {", "{found:?}");
        assert!(found.iter().all(|fix| fix.code == moved.code && fix.trusted));
        let all = store.list(None, None, 500).await.expect("listed");
        assert_eq!(all.fixes.len(), seeds().len());
        drop((store, keeper));
        closed(engine).await;
    }
}

#[tokio::test]
async fn changes_beyond_the_line_are_refused_and_those_in_it_are_done() {
    let knowledge = Arc::new(FakeKnowledge::default());
    let keeper = FixKeeper::start(node(knowledge, None), settings(vec![fix("let b = a;")]));
    let id = found(&keeper).await[0].id.clone();
    // Nothing runs but this test until it waits, so that the line fills.
    let judge = |_| Box::pin(unconstrained(keeper.judge(ada(), &id, true)));
    let mut waiting: Vec<_> = (0..=WAITING_MAX).map(judge).collect();
    let mut refused = 0;
    for judge in &mut waiting {
        match futures_util::poll!(judge.as_mut()) {
            Poll::Ready(Err(ServeError::Overloaded { .. })) => refused += 1,
            Poll::Ready(other) => panic!("{other:?}"),
            Poll::Pending => {}
        }
    }
    assert_eq!(refused, 1);
    // Who goes away takes nothing along.
    drop(waiting);
    keeper.judge(ada(), &id, true).await.unwrap_or_default();
    yield_now().await;
    keeper.judge(ada(), &id, true).await.expect("there is room again");
    assert!(found(&keeper).await[0].used >= u32::try_from(WAITING_MAX).expect("small"));
}

#[tokio::test(start_paused = true)]
async fn a_memory_that_can_not_be_opened_says_why_until_it_can() {
    let model = Arc::new(embedder());
    let loading = gaia_core::ModelStatus::Loading { share: 0.5 };
    let ready = gaia_core::Model::status(&*model);
    model.set_status(loading);
    let models = Models::new(vec![Arc::clone(&model) as _]);
    let knowledge: Arc<dyn Knowledge> = Arc::new(FakeKnowledge::default());
    let node = Node { models, admission: Admission::new(4), knowledge: Some(knowledge) };
    let keeper = FixKeeper::start(node, settings(vec![]));
    let error = keeper.store().await.err().expect("not yet");
    assert!(matches!(&error, ServeError::Unavailable { .. }), "{error}");
    assert!(error.to_string().contains("loading"), "{error}");
    model.set_status(ready);
    assert!(keeper.store().await.is_ok());
}
