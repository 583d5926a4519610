//! What every engine of knowledge bases does, whatever it is built on.
//!
//! Each function takes an empty engine. [`suite`] makes a test of each: it is given an async function
//! that makes a [`Bench`], and a bench opens the engine, the same one each time.

pub mod collections;
pub mod filters;
pub mod imports;
pub mod load;
pub mod points;
pub mod portable;
pub mod restart;
pub mod search;
pub mod snapshots;

use gaia_core::knowledge::{
    By, Change, Collection, CollectionSpec, Page, Point, PointId, Ranked, Scan, Search,
};
use gaia_core::{Knowledge, KnowledgeError};
use serde_json::{Map, Value, json};

/// An engine under test; it is empty at first, and ends with its bench.
pub trait Bench {
    /// Opens the engine; the one that was opened before is dropped by then.
    async fn open(&self) -> Box<dyn Knowledge>;
}

/// Makes a test of each behaviour.
macro_rules! suite {
    ($bench:expr) => {
        $crate::behaviour::suite! {@ $bench;
            collections::bad_names_are_refused,
            collections::an_unknown_collection_is_named_with_those_there_are,
            collections::a_collection_is_made_once,
            collections::specs_that_make_no_sense_are_refused,
            collections::what_is_known_of_a_collection_is_kept,
            collections::a_deleted_collection_is_gone,
            filters::filters_that_are_too_large_are_refused,
            filters::filters_choose_the_same_points_as_the_port_says,
            filters::filters_narrow_searches,
            imports::batches_become_a_collection,
            imports::what_is_there_is_replaced_only_if_that_is_asked,
            imports::an_import_that_fails_leaves_everything_as_it_was,
            imports::nothing_can_be_imported_too,
            load::searches_answer_while_points_are_written,
            load::too_many_requests_are_answered_or_overloaded,
            points::a_vector_of_another_dimension_is_refused_and_nothing_written,
            points::a_vector_of_no_numbers_is_refused,
            points::a_point_written_twice_is_one,
            points::payloads_come_back_as_they_were_written,
            points::pages_come_in_order_and_hold_each_point_once,
            points::vectors_come_if_they_are_wanted,
            points::removed_points_are_gone,
            points::optimizing_changes_no_point,
            search::a_question_of_another_dimension_is_refused,
            search::the_nearest_come_first,
            search::distances_are_given_as_they_are,
            search::points_are_found_by_their_words,
            search::words_that_no_text_has_find_nothing,
            search::a_point_is_found_by_its_present_words_alone,
            search::no_more_than_the_limit_is_found,
            snapshots::a_snapshot_never_overwrites,
            snapshots::a_snapshot_of_an_unknown_collection_is_refused,
            snapshots::what_is_no_snapshot_is_refused_and_nothing_changed,
            snapshots::a_snapshot_of_another_dimension_is_refused_and_nothing_changed,
            snapshots::a_snapshot_becomes_a_collection,
            snapshots::a_compressed_snapshot_becomes_a_collection,
            snapshots::a_snapshot_replaces_a_collection,
            snapshots::searches_find_something_while_a_snapshot_is_restored,
        }

        $crate::behaviour::suite! {@@ $bench;
            portable::an_export_becomes_the_same_collection,
            portable::another_model_embeds_anew_where_that_is_allowed,
            portable::an_import_whose_waiter_is_gone_leaves_nothing,
            portable::records_that_make_no_sense_are_refused_with_the_reason,
            portable::files_that_are_cut_damaged_or_bombs_are_refused,
            restart::what_was_written_is_there_after_a_restart,
        }
    };
    (@@ $bench:expr; $($module:ident::$name:ident,)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            let bench = $bench().await;
            behaviour::$module::$name(&bench).await;
        }
    )*};
    (@ $bench:expr; $($module:ident::$name:ident,)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            let bench = $bench().await;
            let engine = behaviour::Bench::open(&bench).await;
            behaviour::$module::$name(&*engine).await;
        }
    )*};
}
pub(crate) use suite;

/// What an engine answers.
type Result<T> = std::result::Result<T, KnowledgeError>;

/// A collection of vectors of four values, compared by cosine.
pub fn spec() -> CollectionSpec {
    CollectionSpec { dimension: 4, ..CollectionSpec::default() }
}

/// A point with a text.
pub fn point(id: u64, vector: [f32; 4], text: &str) -> Point {
    with(id, vector, json!({ "source": text }))
}

/// A point with a payload.
pub fn with(id: u64, vector: [f32; 4], payload: Value) -> Point {
    Point { id: PointId::Number(id), vector: vector.to_vec(), payload: object(payload) }
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().cloned().expect("an object")
}

/// Three points that point three ways.
pub fn animals() -> Vec<Point> {
    vec![
        point(1, [1.0, 0.0, 0.0, 0.0], "The quick fox jumps."),
        point(2, [0.0, 1.0, 0.0, 0.0], "The lazy dog sleeps and sleeps."),
        point(3, [0.0, 0.0, 1.0, 0.0], "The crab walks as no fox does."),
    ]
}

/// Makes the collection `c` with these points.
pub async fn fill(engine: &dyn Knowledge, points: Vec<Point>) {
    engine.change("c", Change::Create(spec())).await.expect("it is made");
    upsert(engine, points).await.expect("they are written");
}

pub async fn upsert(engine: &dyn Knowledge, points: Vec<Point>) -> Result<()> {
    engine.change("c", Change::Upsert(points)).await
}

/// A collection as it is now.
pub async fn collection(engine: &dyn Knowledge, name: &str) -> Option<Collection> {
    let collections = engine.collections().await.expect("they are listed");
    collections.into_iter().find(|collection| collection.name == name)
}

/// The points of `c`.
pub async fn count(engine: &dyn Knowledge) -> u64 {
    collection(engine, "c").await.expect("it is there").points
}

pub async fn near(engine: &dyn Knowledge, vector: [f32; 4]) -> Result<Vec<Ranked>> {
    search(engine, By::Vector(vector.to_vec())).await
}

pub async fn words(engine: &dyn Knowledge, text: &str) -> Vec<u64> {
    ids(&search(engine, By::Words(text.into())).await.expect("it searches"))
}

pub async fn search(engine: &dyn Knowledge, by: By) -> Result<Vec<Ranked>> {
    engine.search(Search { collection: "c".into(), by, limit: 10, filter: None }).await
}

/// The numbers of points that were found.
pub fn ids(ranked: &[Ranked]) -> Vec<u64> {
    let number = |ranked: &Ranked| match ranked.id {
        PointId::Number(number) => number,
        PointId::Uuid(_) => panic!("{ranked:?}"),
    };
    ranked.iter().map(number).collect()
}

/// A page of `c` from its beginning.
pub async fn page(engine: &dyn Knowledge, limit: usize) -> Page {
    let scan = Scan { collection: "c".into(), limit, ..Scan::default() };
    engine.scan(scan).await.expect("it is listed")
}

/// All points that a scan lists, page by page.
pub async fn scan_all(engine: &dyn Knowledge, mut scan: Scan) -> Vec<Point> {
    let mut points = vec![];
    loop {
        let page = engine.scan(scan.clone()).await.expect("it is listed");
        assert!(page.points.len() <= scan.limit, "{} points", page.points.len());
        points.extend(page.points);
        match page.next {
            Some(next) => scan.after = Some(next),
            None => return points,
        }
    }
}
