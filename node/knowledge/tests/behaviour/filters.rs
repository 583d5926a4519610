//! Filters of every kind choose what `Filter::holds` says.

use gaia_core::knowledge::{Bounds, By, Comparison, Filter, Point, PointId, Scan, Search};
use gaia_core::{Knowledge, KnowledgeError};
use serde_json::json;

use super::{animals, fill, scan_all, with};

fn points() -> Vec<Point> {
    let payloads = [
        json!({"source": "fox", "document": "a.md", "year": 1999, "ok": true}),
        json!({"source": "fox", "document": "b.md", "year": 2005, "ok": false, "tags": ["x", "y"]}),
        json!({"source": "fox", "document": "a.md", "year": 2005.5, "meta": {"lang": "rust", "n": [1, 2]}}),
        json!({"source": "fox", "tags": "x", "year": "2005", "meta": {"lang": ["c", "rust"]}}),
        json!({"source": "fox", "tags": [], "meta": [{"lang": "rust"}], "ok": [false, true]}),
        json!({"source": "fox", "a b": "blank", "größe": {"x-y_z": "dash"}, "ok": null, "w[]": "index"}),
    ];
    let place = |(id, payload)| with(id, [1.0, 0.0, 0.0, 0.0], payload);
    (1..).zip(payloads).map(place).collect()
}

fn field(path: &str, comparison: Comparison) -> Filter {
    Filter::Field { path: path.into(), comparison }
}

fn texts(path: &str, texts: &[&str]) -> Filter {
    field(path, Comparison::TextIn(texts.iter().map(|text| (*text).to_owned()).collect()))
}

fn range(path: &str, bounds: Bounds) -> Filter {
    field(path, Comparison::Range(bounds))
}

fn simple() -> Vec<Filter> {
    let open = Bounds::default();
    vec![
        Filter::Ids(vec![PointId::Number(2), PointId::Number(77), PointId::Uuid(2)]),
        Filter::Ids(vec![]),
        texts("document", &["a.md"]),
        texts("document", &["b.md", "none"]),
        texts("document", &[]),
        texts("missing", &["a.md"]),
        texts("tags", &["x"]),
        texts("year", &["2005"]),
        texts("meta.lang", &["rust"]),
        texts("a b", &["blank"]),
        texts("größe.x-y_z", &["dash"]),
        texts("w[]", &["index"]),
        texts("source.inner", &["fox"]),
        field("year", Comparison::NumberIn(vec![2005, 1])),
        field("year", Comparison::NumberIn(vec![])),
        field("meta.n", Comparison::NumberIn(vec![2])),
        field("ok", Comparison::Bool(true)),
        field("ok", Comparison::Bool(false)),
        range("year", open),
        range("year", Bounds { gt: Some(1999.0), ..open }),
        range("year", Bounds { gte: Some(1999.0), lt: Some(2005.0), ..open }),
        range("year", Bounds { gt: Some(2005.0), lte: Some(2005.5), ..open }),
        range("meta.n", Bounds { lte: Some(1.0), ..open }),
    ]
}

fn all() -> Vec<Filter> {
    let (a, ok) = (texts("document", &["a.md"]), field("ok", Comparison::Bool(true)));
    let not = |filter: &Filter| Filter::Not(Box::new(filter.clone()));
    let mut filters = simple();
    filters.extend(simple().iter().map(not).collect::<Vec<_>>());
    filters.extend([
        Filter::All(vec![]),
        Filter::Any(vec![]),
        not(&Filter::All(vec![])),
        not(&Filter::Any(vec![])),
        Filter::All(vec![a.clone(), ok.clone()]),
        Filter::Any(vec![a.clone(), ok.clone()]),
        Filter::All(vec![not(&a), Filter::Any(vec![ok.clone(), texts("tags", &["y"])])]),
        not(&Filter::Any(vec![a.clone(), Filter::All(vec![ok, not(&a)])])),
    ]);
    filters
}

pub async fn filters_that_are_too_large_are_refused(engine: &dyn Knowledge) {
    fill(engine, animals()).await;
    let mut deep = texts("document", &["a.md"]);
    for _ in 0..20 {
        deep = Filter::Not(Box::new(deep));
    }
    let wide = Filter::All(vec![texts("document", &["a.md"]); 100]);
    for filter in [deep, wide, texts("", &["a.md"])] {
        let by = By::Vector(vec![1.0; 4]);
        let filter = Some(filter);
        let scan =
            Scan { collection: "c".into(), limit: 1, filter: filter.clone(), ..Scan::default() };
        let refused = engine.scan(scan).await;
        assert!(matches!(refused, Err(KnowledgeError::Invalid { .. })), "{refused:?}");
        let search = Search { collection: "c".into(), by, limit: 1, filter };
        let refused = engine.search(search).await;
        assert!(matches!(refused, Err(KnowledgeError::Invalid { .. })), "{refused:?}");
    }
}

pub async fn filters_choose_the_same_points_as_the_port_says(engine: &dyn Knowledge) {
    let points = points();
    fill(engine, points.clone()).await;
    for filter in all() {
        let holds = |point: &&Point| filter.holds(point.id, &point.payload);
        let wanted: Vec<_> = points.iter().filter(holds).map(|point| point.id).collect();
        let scan = Scan {
            collection: "c".into(),
            limit: 4,
            filter: Some(filter.clone()),
            ..Scan::default()
        };
        let found: Vec<_> = scan_all(engine, scan).await.iter().map(|point| point.id).collect();
        assert_eq!(found, wanted, "{filter:?}");
    }
}

pub async fn filters_narrow_searches(engine: &dyn Knowledge) {
    let points = points();
    fill(engine, points.clone()).await;
    for filter in all() {
        let holds = |point: &&Point| filter.holds(point.id, &point.payload);
        let wanted: Vec<_> = points.iter().filter(holds).map(|point| point.id).collect();
        for by in [By::Vector(vec![1.0, 0.0, 0.0, 0.0]), By::Words("fox".into())] {
            let narrow = Some(filter.clone());
            let search = Search { collection: "c".into(), by, limit: 10, filter: narrow };
            let ranked = engine.search(search).await.expect("it searches");
            let mut found: Vec<_> = ranked.iter().map(|ranked| ranked.id).collect();
            found.sort();
            assert_eq!(found, wanted, "{filter:?}");
        }
    }
}
