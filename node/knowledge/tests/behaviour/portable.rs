//! A collection becomes a file, and the file a collection.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gaia_archive::jsonl::{Limits, Writer};
use gaia_core::fakes::{FakeModel, node_of};
use gaia_core::knowledge::{Change, Chunker, CollectionSpec, Point, PointId, Scan};
use gaia_core::{KnowledgeError, Node};
use gaia_knowledge::portable::{ImportOptions, Imported, Rule, Watch, export, import};
use gaia_protocol::{Event, FinishReason, ModelKind, Usage};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Bench, animals, collection, point, scan_all, words};

const BYTES_MAX: u64 = 1 << 20;

/// What is exported here: everything that can be known of a collection is.
fn spec() -> CollectionSpec {
    CollectionSpec {
        dimension: 4,
        embedder: Some("e".into()),
        query_prefix: Some("query: ".into()),
        text_prefix: Some("text: ".into()),
        language: Some("english".into()),
        words_mean: Some(7.5),
        chunker: Some(Chunker { tokens_max: 100, overlap_tokens: 10 }),
        description: Some("animals".into()),
        ..CollectionSpec::default()
    }
}

fn points() -> Vec<Point> {
    let id = PointId::Uuid(0xfedc_ba98_7654_3210_0123_4567_89ab_cdef);
    let last = Point { id, ..point(0, [0.0, 0.0, 0.0, 1.0], "A wolf with a UUID.") };
    [animals(), vec![last]].concat()
}

/// A node over the engine, whose embedding models answer in turn.
async fn node(bench: &impl Bench, model: &str, vectors: &[usize]) -> Node {
    let answer = |count: &usize| {
        let vector = vec![0.0, 1.0];
        let vectors = (0..u32::try_from(*count).expect("few"))
            .map(|index| Ok(Event::Embedding { index, vector: vector.clone(), tokens: 1 }));
        vectors.chain([Ok(Event::finish(FinishReason::Stop, Usage::default()))]).collect()
    };
    let model = FakeModel::new(model, ModelKind::Embedding);
    let (mut node, _) = node_of(match vectors {
        [] => model,
        some => model.answering_in_turn(some.iter().map(answer).collect()),
    });
    node.knowledge = Some(Arc::from(bench.open().await));
    node
}

async fn fill(node: &Node) {
    let knowledge = node.knowledge().expect("it is there");
    knowledge.change("c", Change::Create(spec())).await.expect("it is made");
    knowledge.change("c", Change::Upsert(points())).await.expect("they are written");
}

fn watch() -> Watch {
    Box::new(|_| {})
}

async fn exported(node: &Node, folder: &TempDir) -> PathBuf {
    let file = folder.path().join("c.jsonl.zst");
    let knowledge = node.knowledge().expect("it is there");
    let summary = export(knowledge, "c", (&file, BYTES_MAX), &watch()).await.expect("exported");
    assert_eq!((summary.records, summary.sha256.len()), (4, 64));
    file
}

fn options(collection: &str, file: &Path) -> ImportOptions {
    ImportOptions {
        collection: collection.into(),
        file: file.into(),
        bytes_max: BYTES_MAX,
        rule: Rule::Keep,
        ..ImportOptions::default()
    }
}

async fn take(node: &Node, options: &ImportOptions) -> Result<Imported, KnowledgeError> {
    import(node, options, watch()).await
}

async fn all(node: &Node, name: &str) -> Vec<Point> {
    let scan = Scan { collection: name.into(), limit: 3, with_vectors: true, ..Scan::default() };
    scan_all(node.knowledge().expect("it is there"), scan).await
}

pub async fn an_export_becomes_the_same_collection(bench: &impl Bench) {
    let (folder, node) = (TempDir::new().expect("a folder"), node(bench, "e", &[]).await);
    fill(&node).await;
    let file = exported(&node, &folder).await;
    let imported = take(&node, &options("copy", &file)).await.expect("imported");
    assert_eq!((imported.collection.points, imported.is_embedded_anew), (4, false));
    assert_eq!(imported.collection.spec, spec());
    assert_eq!(all(&node, "copy").await, points());
    let refused = take(&node, &options("copy", &file)).await.expect_err("it is there");
    assert!(matches!(refused, KnowledgeError::CollectionExists { .. }), "{refused}");
    let replacing = ImportOptions { replaces: true, ..options("c", &file) };
    take(&node, &replacing).await.expect("replaced");
    assert_eq!(words(node.knowledge().expect("it is there"), "dog").await, [2]);
    assert_eq!(std::fs::read_dir(folder.path()).expect("read").count(), 1);
}

pub async fn another_model_embeds_anew_where_that_is_allowed(bench: &impl Bench) {
    let folder = TempDir::new().expect("a folder");
    let node = node(bench, "other", &[1, 1, 4]).await;
    fill(&node).await;
    let file = exported(&node, &folder).await;
    let with = |rule| ImportOptions { rule, ..options("anew", &file) };
    let refused = take(&node, &with(Rule::RefuseOther)).await.expect_err("refused").to_string();
    assert!(refused.contains("made by e") && refused.contains("reembed"), "{refused}");
    assert_eq!(collection(node.knowledge().expect("there"), "anew").await, None);
    let imported = take(&node, &with(Rule::IfOther)).await.expect("imported");
    assert!(imported.is_embedded_anew);
    let now = imported.collection.spec;
    assert_eq!((now.dimension, now.embedder.as_deref()), (2, Some("other")));
    assert_eq!((now.text_prefix, now.query_prefix), (None, None), "they were the old model's");
    let points = all(&node, "anew").await;
    assert_eq!(points.len(), 4);
    assert!(points.iter().all(|point| point.vector == [0.0, 1.0]), "{points:?}");
    assert_eq!(words(node.knowledge().expect("there"), "dog").await, [2]);
}

pub async fn an_import_whose_waiter_is_gone_leaves_nothing(bench: &impl Bench) {
    let folder = TempDir::new().expect("a folder");
    let node = node(bench, "other", &[1, 4]).await;
    fill(&node).await;
    let file = exported(&node, &folder).await;
    let anew = ImportOptions { rule: Rule::Anew, ..options("c", &file) };
    let replacing = ImportOptions { replaces: true, ..anew };
    // It ends where the first points are embedded.
    let (told, mut heard) = tokio::sync::mpsc::channel(64);
    let watch: Watch = Box::new(move |step| {
        let _ = told.try_send(step);
    });
    tokio::select! {
        biased;
        Some(_) = heard.recv() => {}
        done = import(&node, &replacing, watch) => panic!("{done:?}"),
    }
    let knowledge = node.knowledge().expect("it is there");
    assert_eq!(knowledge.collections().await.expect("listed").len(), 1);
    assert_eq!(all(&node, "c").await, points());
}

/// A file of these lines; what is not said of the header is as it should be.
fn file(folder: &TempDir, header: &Value, records: &[Value]) -> PathBuf {
    let path = folder.path().join("made.jsonl.zst");
    let mut whole = json!({"kind": "gaia-knowledge", "version": 1, "collection": "c",
        "points": records.len(), "spec": {"dimension": 2}});
    for (key, value) in header.as_object().expect("an object") {
        whole[key] = value.clone();
    }
    let limits = Limits { line_bytes_max: 64 << 20, bytes_max: 1 << 30 };
    let mut writer = Writer::create(&path, &whole, limits).expect("made");
    records.iter().for_each(|record| writer.write(record).expect("written"));
    writer.finish().expect("finished");
    path
}

fn record(id: &str, vector: Value) -> Value {
    json!({"id": id, "vector": vector, "payload": {"source": "text"}})
}

async fn is_refused(node: &Node, path: &Path, why: &str) {
    for name in ["c", "new"] {
        let options = ImportOptions { replaces: true, ..options(name, path) };
        let error = take(node, &options).await.expect_err(why);
        assert!(matches!(error, KnowledgeError::Unreadable { .. }), "{why}: {error:?}");
        assert!(error.to_string().contains(why), "{why}: {error}");
    }
    let knowledge = node.knowledge().expect("it is there");
    assert_eq!(knowledge.collections().await.expect("listed").len(), 1, "{why}");
    assert_eq!(all(node, "c").await, points(), "{why}");
}

pub async fn records_that_make_no_sense_are_refused_with_the_reason(bench: &impl Bench) {
    let (folder, node) = (TempDir::new().expect("a folder"), node(bench, "e", &[]).await);
    fill(&node).await;
    let good = record("1", json!([1.0, 0.0]));
    for (why, bad) in [
        ("record 2: its vector has 3 values", record("2", json!([1, 2, 3]))),
        ("no finite number", record("2", json!([1e39, 0]))),
        ("line 3 is not what", record("2", json!([null, 0]))),
        ("line 3 is not what", json!({"id": "2", "payload": {}, "more": 1})),
        ("line 3 is not what", json!({"id": 2, "payload": {}})),
        ("record 2: its id 1 must be greater", good.clone()),
        ("is no id of a point", record("two", json!([1, 2]))),
        ("1 of its points have no vector", json!({"id": "2", "payload": {"source": "a"}})),
    ] {
        is_refused(&node, &file(&folder, &json!({}), &[good.clone(), bad]), why).await;
    }
    for (why, header) in [
        ("it holds no knowledge base", json!({"kind": "mail"})),
        ("it has version 2", json!({"version": 2, "colour": 1})),
        ("unknown field `colour`", json!({"colour": 1})),
        ("its header", json!({"spec": {"dimension": -1}})),
    ] {
        is_refused(&node, &file(&folder, &header, std::slice::from_ref(&good)), why).await;
    }
}

pub async fn files_that_are_cut_damaged_or_bombs_are_refused(bench: &impl Bench) {
    let (folder, node) = (TempDir::new().expect("a folder"), node(bench, "e", &[]).await);
    fill(&node).await;
    let whole = std::fs::read(exported(&node, &folder).await).expect("read");
    let path = folder.path().join("bad");
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    for (bytes, why) in
        [(&whole[..whole.len() - 20], "cut"), (&flipped, "damaged"), (b"hello", "damaged")]
    {
        std::fs::write(&path, bytes).expect("written");
        is_refused(&node, &path, why).await;
    }
    // Seven megabytes that are some kilobytes.
    let payload = json!({"source": "a".repeat(7 << 20)});
    let bomb = json!({"id": "1", "vector": [1, 2], "payload": payload});
    is_refused(&node, &file(&folder, &json!({}), &[bomb]), "are more than").await;
    let long = json!({"id": "1", "vector": [1, 2], "payload": {"source": "a".repeat(9 << 20)}});
    is_refused(&node, &file(&folder, &json!({}), &[long]), "is longer than").await;
    let other = folder.path().join("other");
    std::fs::File::create(&other).and_then(|mut f| f.write_all(&[])).expect("written");
    is_refused(&node, &other, "").await;
}
