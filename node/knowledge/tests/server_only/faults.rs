//! A server that fails.

use std::time::Duration;

use futures_util::future::join;
use gaia_core::knowledge::{Change, PointId};
use gaia_core::{Knowledge, KnowledgeError};
use gaia_knowledge::server::{Server, ServerSettings};
use tonic::{Code, Status};

use super::{connect, filled};
use crate::behaviour::{animals, count, near, page, point, spec, upsert};
use crate::fake::{Fake, Fault, KEY};

const ALONG: [f32; 4] = [1.0, 0.0, 0.0, 0.0];

fn refuse(fake: &Fake, method: &str, (code, message): (Code, &str)) {
    fake.fault(method, Fault::Refuse(Status::new(code, message)));
}

#[tokio::test]
async fn a_question_is_asked_three_times_at_most() {
    let (fake, server) = filled().await;
    for _ in 0..2 {
        refuse(&fake, "query", (Code::Unavailable, "starting"));
    }
    assert_eq!(near(&server, ALONG).await.expect("the third time").len(), 3);
    assert_eq!(fake.asked("query"), 3);
    for _ in 0..3 {
        refuse(&fake, "query", (Code::Unavailable, "starting"));
    }
    let failed = near(&server, ALONG).await;
    assert!(matches!(failed, Err(KnowledgeError::Unavailable { .. })), "{failed:?}");
    assert_eq!(fake.asked("query"), 6);
}

#[tokio::test]
async fn what_the_server_finds_wrong_is_told_in_its_words() {
    let (fake, server) = filled().await;
    for _ in 0..2 {
        refuse(&fake, "query", (Code::InvalidArgument, "Wrong input: strict mode"));
    }
    let failed = near(&server, ALONG).await.expect_err("it is refused");
    assert!(failed.to_string().contains("strict mode"), "{failed}");
    assert!(matches!(failed, KnowledgeError::Invalid { .. }), "{failed:?}");
}

#[tokio::test]
async fn the_key_is_hidden_and_long_words_are_cut() {
    let (fake, server) = filled().await;
    let words = format!("the key {KEY} {}", "and so on ".repeat(1000));
    refuse(&fake, "query", (Code::Internal, &words));
    let failed = near(&server, ALONG).await.expect_err("it fails").to_string();
    assert!(failed.contains("[key]") && !failed.contains(KEY), "{failed}");
    assert!(failed.len() < 500, "{failed}");
}

#[tokio::test]
async fn a_write_is_repeated_and_a_creation_is_not() {
    let (fake, server) = filled().await;
    refuse(&fake, "upsert", (Code::Unavailable, "starting"));
    upsert(&server, vec![point(4, ALONG, "x")]).await.expect("the second time");
    assert_eq!(count(&server).await, 4);
    refuse(&fake, "delete", (Code::Unavailable, "starting"));
    let gone = Change::Remove(vec![PointId::Number(4)]);
    server.change("c", gone).await.expect("the second time");
    assert_eq!(count(&server).await, 3);
    refuse(&fake, "create_collection", (Code::Unavailable, "starting"));
    let before = fake.asked("create_collection");
    let failed = server.change("d", Change::Create(spec())).await;
    assert!(matches!(failed, Err(KnowledgeError::Unavailable { .. })), "{failed:?}");
    assert_eq!(fake.asked("create_collection"), before + 1);
}

#[tokio::test]
async fn full_disks_and_busy_servers_have_their_names() {
    let (fake, server) = filled().await;
    refuse(&fake, "upsert", (Code::Internal, "Service internal error: No space left on device"));
    assert_eq!(upsert(&server, animals()).await, Err(KnowledgeError::DiskFull));
    refuse(&fake, "query", (Code::ResourceExhausted, "rate limit"));
    assert_eq!(near(&server, ALONG).await, Err(KnowledgeError::Overloaded));
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_given_up() {
    let (fake, first) = filled().await;
    drop(first);
    let timeout = Duration::from_millis(300);
    let hasty = ServerSettings { timeout, write_timeout: timeout, ..fake.settings() };
    let server = Server::connect(hasty).await.expect("it connects");
    for _ in 0..3 {
        fake.fault("query", Fault::Stall);
        fake.fault("upsert", Fault::Stall);
    }
    for failed in [near(&server, ALONG).await.map(|_| ()), upsert(&server, animals()).await] {
        let message = failed.expect_err("it stalls").to_string();
        assert!(message.contains("too long"), "{message}");
    }
}

#[tokio::test]
async fn who_gets_no_permit_is_overloaded() {
    let (fake, first) = filled().await;
    drop(first);
    let timeout = Duration::from_secs(1);
    let narrow = ServerSettings { requests_max: 1, timeout, ..fake.settings() };
    let server = Server::connect(narrow).await.expect("it connects");
    fake.fault("query", Fault::Stall);
    let (one, other) = join(near(&server, ALONG), near(&server, ALONG)).await;
    assert_eq!(one.expect("the second time").len(), 3);
    assert_eq!(other, Err(KnowledgeError::Overloaded));
    assert_eq!(near(&server, ALONG).await.expect("the permit is free").len(), 3);
}

#[tokio::test]
async fn a_collection_without_its_index_is_not_left_behind() {
    let (fake, server) = filled().await;
    refuse(&fake, "create_field_index", (Code::Internal, "broken"));
    assert!(server.change("d", Change::Create(spec())).await.is_err());
    assert_eq!(fake.state().collections.keys().collect::<Vec<_>>(), ["c"]);
    server.change("d", Change::Create(spec())).await.expect("it is made");
    assert!(fake.state().collections["d"].indexed.contains("document"));
}

#[tokio::test]
async fn a_change_is_finished_though_nobody_waits() {
    let (fake, server) = filled().await;
    let change = upsert(&server, vec![point(4, ALONG, "x")]);
    // It has begun, and is dropped.
    let waiting = tokio::time::timeout(Duration::ZERO, change).await;
    drop(waiting);
    server.close().await;
    assert_eq!(fake.state().collections["c"].points.len(), 4);
}

#[tokio::test]
async fn what_another_process_changed_is_noticed() {
    let (fake, server) = filled().await;
    let other = connect(&fake).await;
    assert_eq!(near(&other, ALONG).await.expect("it searches").len(), 3);
    server.change("c", Change::Delete).await.expect("it is deleted");
    let gone = near(&other, ALONG).await;
    assert!(matches!(gone, Err(KnowledgeError::UnknownCollection { .. })), "{gone:?}");
    let narrow = gaia_core::knowledge::CollectionSpec { dimension: 2, ..spec() };
    server.change("c", Change::Create(narrow)).await.expect("it is made");
    let mut small = point(1, ALONG, "x");
    small.vector.truncate(2);
    upsert(&other, vec![small]).await.expect("it is written");
    assert_eq!(page(&other, 10).await.points.len(), 1);
}
