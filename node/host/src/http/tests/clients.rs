//! The official client reads everything that a model can say.

use std::path::Path;

use gaia_protocol::TokenText;
use tokio::process::Command;

use super::responses::everything;
use super::*;

/// The client of `scripts/setup`; without it only the end-to-end tests, which demand it, fail.
#[expect(clippy::disallowed_methods, reason = "scripts/test tells the tests by environment")]
fn python() -> Option<std::ffi::OsString> {
    std::env::var_os("GAIA_TEST_PYTHON")
}

#[tokio::test]
async fn openais_types_fit_every_answer() {
    let Some(python) = python() else { return };
    let token = TokenText { id: 0, bytes: b"word".into() };
    let tokens = Event::Tokens { tokens: vec![token; 60] };
    let embed =
        FakeModel::new("embed", ModelKind::Embedding).answering(vec![Ok(tokens), finish(0)]);
    let chat = FakeModel::new("chat", ModelKind::Chat).answering(everything());
    let folder = std::env::temp_dir().join(crate::http::ids::new_id("gaia-http-"));
    let storage = storage_of(FilesConfig::in_folder(folder.clone()));
    let (config, auth) = (ServerConfig::default(), AuthConfig::default());
    let state = State::new(&config, &auth, vec![Arc::new(chat), Arc::new(embed)], storage);
    let server = Server::serving(state).await;
    let script = Path::new(env!("CARGO_MANIFEST_DIR"));
    let script = script.join("../../tests/clients/openai_responses.py");
    let output = Command::new(python).arg(script).arg(server.client.url()).output().await;
    let _ = std::fs::remove_dir_all(folder);
    let output = output.expect("the interpreter starts");
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
}
