use std::sync::Arc;

use gaia_protocol::{Event, FinishReason, ModelKind, Usage};
use serde_json::json;

use super::*;
use crate::coder::Symptom;
use crate::fakes::{FakeKnowledge, FakeModel, block_on};
use crate::knowledge::Scan;
use crate::{Admission, Model, Models};

fn symptom(snippet: &str) -> Symptom {
    let message = "borrow of moved value: `_`".to_owned();
    Symptom { code: Some("E0382".into()), message, snippet: snippet.into() }
}

fn fix(before: &str) -> Fix {
    Fix {
        code: Some("E0382".into()),
        message: symptom("").message,
        before: before.into(),
        after: format!("{before}.clone()"),
        explanation: "Clone it.".into(),
        ..Fix::default()
    }
}

fn asker(owner: &str) -> Asker {
    Asker { owner: owner.into(), trusted: owner == "ada" }
}

/// A model that makes the same vector for every text, of as many values as its card says.
fn embedder(name: &str) -> Arc<dyn Model> {
    let vector: Vec<_> = std::iter::once(1.0).chain(std::iter::repeat_n(0.0, 575)).collect();
    let vector = |index| Ok(Event::Embedding { index, vector: vector.clone(), tokens: 1 });
    let finish = Ok(Event::finish(FinishReason::Stop, Usage::default()));
    let model = FakeModel::new(name, ModelKind::Embedding);
    Arc::new(model.answering(vec![vector(0), finish]))
}

fn node(knowledge: &Arc<FakeKnowledge>, models: Vec<Arc<dyn Model>>) -> Node {
    let knowledge = Some(Arc::clone(knowledge) as Arc<dyn crate::Knowledge>);
    Node { models: Models::new(models), admission: Admission::new(4), knowledge }
}

fn settings(fixes_max: usize, seeds: Vec<Fix>) -> FixSettings {
    FixSettings { name: "coder".into(), fixes_max, seeds }
}

fn open(knowledge: &Arc<FakeKnowledge>) -> FixStore {
    block_on(FixStore::open(node(knowledge, vec![]), settings(100, vec![]))).expect("opens")
}

fn empty() -> Arc<FakeKnowledge> {
    Arc::new(FakeKnowledge::default())
}

fn remember(store: &FixStore, owner: &str, fix: Fix) {
    block_on(store.remember(&asker(owner), fix)).expect("kept");
}

fn similar(store: &FixStore, owner: &str) -> Vec<Fix> {
    block_on(store.similar(&asker(owner), &symptom("let b = a;"), 9)).expect("found")
}

fn befores(fixes: &[Fix]) -> Vec<&str> {
    fixes.iter().map(|fix| fix.before.as_str()).collect()
}

fn judge(store: &FixStore, owner: &str, (id, helped): (&str, bool)) {
    block_on(store.judge(&asker(owner), id, helped)).expect("counted");
}

#[test]
fn what_can_be_no_fix_is_refused_with_its_field() {
    let store = open(&empty());
    for (wrong, field) in [
        (Fix { before: String::new(), ..fix("a") }, "before"),
        (Fix { after: "a".into(), ..fix("a") }, "after"),
        (fix(&"a".repeat(TEXT_BYTES_MAX + 1)), "before"),
        (Fix { explanation: "\u{202e}".into(), ..fix("a") }, "explanation"),
    ] {
        let error = block_on(store.remember(&asker("ada"), wrong)).expect_err(field);
        assert!(matches!(error, ServeError::Invalid { param: Some(p), .. } if p == field));
    }
    for id in ["", "x", "../a"] {
        assert!(block_on(store.judge(&asker("ada"), id, true)).is_err(), "{id}");
        assert!(block_on(store.forget(None, id)).is_err(), "{id}");
        assert!(block_on(store.list(None, Some(id), 1)).is_err(), "{id}");
    }
    assert_eq!(block_on(store.list(None, None, 9)).expect("none").fixes, []);
}

#[test]
fn a_strangers_fix_is_his_own_until_it_has_helped_twice() {
    let store = open(&empty());
    let lies = Fix { used: 9, helped: 9, trusted: true, origin: "seed".into(), ..fix("a") };
    remember(&store, "eve", lies);
    let own = similar(&store, "eve");
    assert_eq!((own[0].used, own[0].helped, own[0].trusted), (0, 0, false));
    assert_eq!(own[0].origin, "eve");
    assert_eq!(similar(&store, "ada"), []);
    judge(&store, "bob", (&own[0].id, true));
    assert_eq!(similar(&store, "eve")[0].used, 0, "who can't see it can't judge it");
    judge(&store, "eve", (&own[0].id, true));
    assert_eq!(similar(&store, "bob"), []);
    judge(&store, "eve", (&own[0].id, true));
    assert_eq!(similar(&store, "bob")[0].helped, 2);
    assert!(!block_on(store.forget(Some(&asker("bob")), &own[0].id)).expect("asked"));
    assert!(block_on(store.forget(Some(&asker("eve")), &own[0].id)).expect("asked"));
    assert_eq!(similar(&store, "bob"), []);
}

#[test]
fn the_same_fix_twice_is_one_and_gains_trust() {
    let store = open(&empty());
    for _ in 0..3 {
        remember(&store, "eve", fix("a"));
    }
    let list = || block_on(store.list(None, None, 9)).expect("listed").fixes;
    assert_eq!((list().len(), list()[0].helped), (1, 0));
    remember(&store, "bob", fix("a"));
    assert_eq!((list()[0].used, list()[0].helped), (1, 1), "he found it for himself");
    remember(&store, "ada", fix("a"));
    assert_eq!((list().len(), list()[0].trusted, list()[0].helped), (1, true, 2));
    remember(&store, "ada", fix("a"));
    assert_eq!(list()[0].helped, 2);
}

#[test]
fn what_helps_comes_first_and_what_never_does_is_forgotten() {
    let store = open(&empty());
    for before in ["let b = a;", "let b = a; // 2", "let b = a; // 3"] {
        remember(&store, "ada", fix(before));
    }
    let id = |before: &str| {
        let all = similar(&store, "bob");
        all.into_iter().find(|fix| fix.before == before).map(|fix| fix.id)
    };
    let (good, bad) = (id("let b = a; // 2").expect("one"), id("let b = a; // 3").expect("one"));
    for _ in 0..3 {
        judge(&store, "bob", (&good, true));
        judge(&store, "bob", (&bad, false));
    }
    let order = ["let b = a; // 2", "let b = a;", "let b = a; // 3"];
    assert_eq!(befores(&similar(&store, "bob")), order);
    for _ in 0..5 {
        judge(&store, "bob", (&bad, false));
    }
    assert_eq!(id("let b = a; // 3"), None);
    judge(&store, "bob", (&bad, true));
}

#[test]
fn the_same_code_comes_first_and_a_message_stands_in_for_it() {
    let store = open(&empty());
    remember(&store, "ada", fix("let b = a;"));
    let other = Fix { code: Some("E0505".into()), ..fix("let b = a;") };
    remember(&store, "ada", other.clone());
    remember(&store, "ada", Fix { code: None, message: "expected `_`".into(), ..other });
    assert_eq!(similar(&store, "ada").len(), 1);
    let syntax = Symptom { code: None, message: "expected `_`".into(), snippet: "x".into() };
    let found = block_on(store.similar(&asker("ada"), &syntax, 9)).expect("found");
    assert_eq!((found.len(), &found[0].code), (1, &None));
    let nothing = Symptom { message: String::new(), ..syntax };
    assert_eq!(block_on(store.similar(&asker("ada"), &nothing, 9)), Ok(vec![]));
    assert_eq!(block_on(store.similar(&asker("ada"), &symptom("a"), 0)), Ok(vec![]));
}

#[test]
fn by_meaning_near_fixes_of_other_errors_follow() {
    let knowledge = empty();
    let node = node(&knowledge, vec![embedder("e")]);
    let store = block_on(FixStore::open(node.clone(), settings(100, vec![]))).expect("opens");
    assert_eq!(store.embedder(), Some("e"));
    remember(&store, "ada", Fix { code: Some("E0505".into()), ..fix("let b = a;") });
    remember(&store, "ada", fix("let c = d;"));
    assert_eq!(befores(&similar(&store, "bob")), ["let c = d;", "let b = a;"]);
    node.models.remove("e");
    assert_eq!(befores(&similar(&store, "bob")), ["let c = d;"], "by code and words");
    let error = block_on(store.remember(&asker("ada"), fix("let e = f;")));
    assert!(matches!(error, Err(ServeError::UnknownModel { .. })), "{error:?}");
}

#[test]
fn an_import_takes_no_strangers_word() {
    let store = open(&empty());
    let lies = Fix { used: 5, helped: 5, trusted: true, id: "x".into(), ..fix("a") };
    let wrong = Fix { after: "a\0".into(), ..fix("b") };
    let fixes = vec![lies.clone(), wrong, lies.clone(), Fix { helped: 9, ..lies.clone() }];
    let done = block_on(store.import(&asker("bob"), ("club", false), fixes)).expect("done");
    let reason = "`after` holds the character '\\0', which can't be seen".to_owned();
    let refused = vec![NotTaken { place: 1, reason }];
    assert_eq!(done, Imported { new: 1, known: 2, refused, refused_count: 1 });
    let own = &similar(&store, "bob")[0];
    assert_eq!((own.origin.as_str(), own.used, own.trusted), ("club", 0, false));
    assert_eq!(similar(&store, "eve"), []);
    let store = open(&empty());
    let wrong = Fix { helped: 9, ..lies.clone() };
    let done = block_on(store.import(&asker("ada"), ("home", true), vec![lies, wrong]));
    assert_eq!(done.map(|done| (done.new, done.refused_count)), Ok((1, 1)));
    assert_eq!((similar(&store, "eve")[0].used, similar(&store, "eve")[0].trusted), (5, true));
}

#[test]
fn an_import_beyond_the_limit_is_refused_whole() {
    let store = open(&empty());
    let many: Vec<_> = (0..101).map(|n| fix(&format!("line {n}"))).collect();
    let error = block_on(store.import(&asker("ada"), ("club", true), many.clone()));
    assert!(error.expect_err("too many").to_string().contains("coder.fixes_max"));
    assert_eq!(similar(&store, "ada"), []);
    let done = block_on(store.import(&asker("ada"), ("club", true), many[1..].to_vec()));
    assert_eq!(done.expect("they fit").new, 100);
    remember(&store, "eve", fix("one more"));
    let left = block_on(store.list(None, None, 500)).expect("listed").fixes;
    assert_eq!(left.len(), 100);
    assert!(befores(&left).contains(&"one more"));
}

#[test]
fn pages_hold_what_one_may_see() {
    let store = open(&empty());
    (0..5).for_each(|n| remember(&store, "ada", fix(&format!("ada's {n}"))));
    remember(&store, "eve", fix("eve's"));
    let (mut seen, mut after) = (vec![], None);
    loop {
        let page = block_on(store.list(Some(&asker("bob")), after.as_deref(), 2)).expect("listed");
        assert!(page.fixes.len() <= 2);
        seen.extend(page.fixes);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), 5);
    assert_eq!(block_on(store.list(None, None, 99)).expect("listed").fixes.len(), 6);
}

#[test]
fn seeds_are_loaded_once_and_forgotten_ones_stay_forgotten() {
    let knowledge = empty();
    let seeds = vec![fix("a"), fix("b")];
    let open = |seeds: &[Fix]| {
        let node = node(&knowledge, vec![]);
        block_on(FixStore::open(node, settings(100, seeds.to_vec()))).expect("opens")
    };
    let store = open(&seeds);
    let found = similar(&store, "eve");
    assert_eq!((found.len(), found[0].origin.as_str(), found[0].trusted), (2, SEED, true));
    judge(&store, "eve", (&found[0].id, true));
    assert!(block_on(store.forget(None, &found[1].id)).expect("there"));
    assert_eq!(similar(&open(&seeds), "eve").len(), 1);
    let more = [&seeds[..], &[fix("c")]].concat();
    let found = similar(&open(&more), "eve");
    assert_eq!((found.len(), found[0].helped), (3, 1), "a new version brings what is missing");
}

#[test]
fn another_embedding_model_takes_all_over() {
    let knowledge = empty();
    let store = open(&knowledge);
    remember(&store, "eve", fix("a"));
    judge(&store, "eve", (&similar(&store, "eve")[0].id, true));
    let other = vec![point_of("not ours")];
    let spec = crate::knowledge::CollectionSpec { dimension: 1, ..Default::default() };
    let create = crate::knowledge::Change::Create(spec);
    let upsert = crate::knowledge::Change::Upsert(other);
    for change in [create, upsert] {
        let name = "fixes_other_0123456789ab";
        block_on(crate::Knowledge::change(&*knowledge, name, change)).expect("made");
    }
    let with = node(&knowledge, vec![embedder("e")]);
    let store = block_on(FixStore::open(with, settings(100, vec![]))).expect("opens");
    assert_eq!(similar(&store, "eve")[0].helped, 1);
    assert_eq!(similar(&store, "bob"), []);
    let names: Vec<_> = block_on(crate::Knowledge::collections(&*knowledge))
        .expect("listed")
        .into_iter()
        .map(|one| one.name)
        .collect();
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(names.iter().all(|name| is_memory_name(name)));
    let scan = Scan { collection: store.collection.clone(), limit: 9, ..Scan::default() };
    let points = block_on(crate::Knowledge::scan(&*knowledge, scan)).expect("listed").points;
    assert_eq!(points.len(), 1);
}

fn point_of(text: &str) -> crate::knowledge::Point {
    let payload = json!({"source": text}).as_object().cloned().expect("an object");
    crate::knowledge::Point { id: PointId::Number(7), vector: vec![1.0], payload }
}

#[test]
fn only_memories_have_their_names() {
    for name in ["fixes_coder_0123456789ab", "fixes__0123456789ab"] {
        assert!(is_memory_name(name), "{name}");
    }
    for name in ["fixes_0123456789ab", "fixes_coder", "fixes_coder_0123456789ag", "rust", ""] {
        assert!(!is_memory_name(name), "{name}");
    }
}
