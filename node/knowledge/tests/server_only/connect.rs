//! Connections that can't be made.

use gaia_core::knowledge::{Change, CollectionSpec, Restore};
use gaia_core::{Knowledge, KnowledgeError};
use gaia_knowledge::server::{Server, ServerSettings};

use super::connect;
use crate::behaviour::spec;
use crate::fake::Fake;

async fn refused(settings: ServerSettings) -> String {
    match Server::connect(settings).await {
        Err(KnowledgeError::Unavailable { message }) => message,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it connects"),
    }
}

#[tokio::test]
async fn a_wrong_key_is_refused_and_never_shown() {
    let fake = Fake::start().await;
    for api_key in [None, Some("wrong-key".to_owned())] {
        let message = refused(ServerSettings { api_key, ..fake.settings() }).await;
        assert!(message.contains("api_key"), "{message}");
        assert!(!message.contains("wrong-key"), "{message}");
    }
}

#[tokio::test]
async fn a_key_that_is_none_is_refused_and_never_shown() {
    let fake = Fake::start().await;
    let api_key = Some("line\nbreak".to_owned());
    let refused = Server::connect(ServerSettings { api_key, ..fake.settings() }).await;
    let message = refused.err().expect("it is refused").to_string();
    assert!(message.contains("api_key") && !message.contains("break"), "{message}");
    assert_eq!(fake.asked("health_check"), 0);
}

#[tokio::test]
async fn nobody_there_is_named_after_three_attempts() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let nobody = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let message = refused(ServerSettings::new(nobody)).await;
    assert!(message.to_lowercase().contains("connect"), "{message}");
}

#[tokio::test]
async fn a_server_without_tls_is_not_spoken_to_with_tls() {
    let fake = Fake::start().await;
    let settings = fake.settings();
    let url = settings.url.replace("http:", "https:");
    let rest_url = None;
    refused(ServerSettings { url, rest_url, ..settings }).await;
    assert_eq!(fake.asked("health_check"), 0);
}

#[tokio::test]
async fn what_is_no_qdrant_is_refused() {
    let fake = Fake::start().await;
    let settings = fake.settings();
    let url = settings.rest_url.clone().expect("it has one");
    refused(ServerSettings { url, ..settings }).await;
    fake.state().version = "nonsense".into();
    let message = refused(fake.settings()).await;
    assert!(message.contains("nonsense"), "{message}");
}

#[tokio::test]
async fn an_old_server_is_given_nothing_that_it_would_forget() {
    let fake = Fake::start().await;
    fake.state().version = "1.14.1".into();
    let server = connect(&fake).await;
    let known = CollectionSpec { embedder: Some("e".into()), ..spec() };
    let refused = server.change("c", Change::Create(known)).await.expect_err("it is old");
    assert!(refused.to_string().contains("1.16"), "{refused}");
    server.change("c", Change::Create(spec())).await.expect("it is made");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("c.snapshot");
    server.snapshot("c", file.clone()).await.expect("it is made");
    let embedder = Some("e".to_owned());
    let restore = Restore { collection: "d".into(), file, embedder, dimension: None };
    let restored = server.restore(restore).await.expect("it is restored");
    assert_eq!(restored.spec, spec());
    assert_eq!(fake.asked("update_collection"), 0);
}
