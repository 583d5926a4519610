//! What requests may say about knowledge bases.

use gaia_core::knowledge::Filter;
use serde_json::json;

use super::*;

fn wish(body: Value) -> Result<Wish, ApiError> {
    let mut fields = Fields::parse(body.to_string().as_bytes()).expect("an object");
    let wish = Wish::take(&mut fields)?;
    fields.finish(&[])?;
    Ok(wish)
}

fn own() -> Plan {
    let target = Target { collection: "own".into(), limit: 7, score_threshold: Some(0.4) };
    Plan { targets: vec![target], context_window: 2, ..Plan::default() }
}

#[test]
fn each_wrong_field_is_named() {
    for (body, param) in [
        (json!({"knowledge": 7}), "knowledge"),
        (json!({"knowledge": true}), "knowledge"),
        (json!({"knowledge": {"collections": []}}), "knowledge.collections"),
        (json!({"knowledge": {"collections": [7]}}), "knowledge.collections"),
        (json!({"knowledge": {"limit": 0}}), "knowledge.limit"),
        (
            json!({"knowledge": {"collections": ["a", "b", "c"], "limit": [1, 2]}}),
            "knowledge.limit",
        ),
        (json!({"knowledge": {"score_threshold": 2}}), "knowledge.score_threshold"),
        (json!({"knowledge": {"mode": "magic"}}), "knowledge.mode"),
        (json!({"knowledge": {"policy": "x"}}), "knowledge.policy"),
        (
            json!({"knowledge": {"rag_prompt": "x".repeat(PROMPT_BYTES_MAX + 1)}}),
            "knowledge.rag_prompt",
        ),
        (json!({"knowledge": {"agentic": 1}}), "knowledge.agentic"),
        (json!({"knowledge": {"no_such": 1}}), "knowledge.no_such"),
        (json!({"knowledge": {"filter": {"type": "is"}}}), "knowledge.filter.type"),
        (json!({"knowledge": {"filter": {"type": "eq"}}}), "knowledge.filter.key"),
        (json!({"vdb_collection_name": [], "limit": [1]}), "vdb_collection_name"),
        (json!({"vdb_server_url": "http://x"}), "vdb_server_url"),
        (json!({"context_window": 0}), "context_window"),
        (json!({"weighted_alpha": 2}), "weighted_alpha"),
    ] {
        let error = wish(body.clone()).expect_err("refused");
        assert_eq!(error.param.as_deref(), Some(param), "{body}");
    }
}

#[test]
fn what_nobody_says_is_the_models_own() {
    let own = own();
    assert_eq!(wish(json!({})).expect("good").over(Some(&own)).expect("good"), Some(own.clone()));
    assert_eq!(
        wish(json!({"knowledge": false})).expect("good").over(Some(&own)).expect("good"),
        None
    );
    assert_eq!(wish(json!({})).expect("good").over(None).expect("good"), None);
    let changed = wish(json!({"knowledge": {"limit": 2}})).expect("good");
    let plan = changed.over(Some(&own)).expect("good").expect("some");
    assert_eq!((plan.targets[0].limit, plan.targets[0].score_threshold), (2, Some(0.4)));
    assert_eq!((plan.targets[0].collection.as_str(), plan.context_window), ("own", 2));
    let agentic = wish(json!({"knowledge": {"agentic": true}})).expect("good");
    assert!(agentic.over(Some(&own)).expect("good").expect("some").agentic && !plan.agentic);
    for (nameless, param) in [
        (json!({"knowledge": {"limit": 2}}), "knowledge.collections"),
        (json!({"limit": 2}), "vdb_collection_name"),
    ] {
        let error = wish(nameless).expect("good").over(None).expect_err("no");
        assert_eq!(error.param.as_deref(), Some(param));
    }
}

#[test]
fn gaianets_fields_say_the_same() {
    let body = json!({"vdb_collection_name": ["a", "b"], "limit": [1, 2], "score_threshold": [0.1, 0.2],
        "context_window": 3, "weighted_alpha": 0.7});
    let plan = wish(body).expect("good").over(None).expect("good").expect("some");
    let targets: Vec<_> =
        plan.targets.iter().map(|t| (t.collection.as_str(), t.limit, t.score_threshold)).collect();
    assert_eq!(targets, [("a", 1, Some(0.1)), ("b", 2, Some(0.2))]);
    assert_eq!(plan.mode, SearchMode::Hybrid(Fusion::MinMax { words_weight: 0.7 }));
    assert_eq!(plan.context_window, 3);
}

#[test]
fn filters_are_read_as_openai_writes_them() {
    let body = json!({"type": "and", "filters": [
        {"type": "eq", "key": "lang", "value": "rust"},
        {"type": "nin", "field": "year", "value": [2020, 2021]},
        {"type": "gte", "key": "stars", "value": 4.5}]});
    let Filter::All(list) = parse_filter("f", body).expect("good") else { panic!("an and") };
    assert_eq!(list[0], Filter::text("lang", "rust"));
    assert!(matches!(&list[1], Filter::Not(_)));
    for wrong in [
        json!({"type": "eq", "key": "a", "value": {}}),
        json!({"type": "in", "key": "a", "value": ["x", 1]}),
        json!({"type": "gt", "key": "a", "value": "x"}),
        json!({"type": "eq", "key": "a", "value": 1, "more": 2}),
        json!({"type": "and"}),
        json!([]),
    ] {
        assert!(parse_filter("f", wrong.clone()).is_err(), "{wrong}");
    }
    let deep = (0..9).fold(
        json!({"type": "eq", "key": "a", "value": 1}),
        |inner, _| json!({"type": "or", "filters": [inner]}),
    );
    assert!(parse_filter("f", deep).is_err());
}
