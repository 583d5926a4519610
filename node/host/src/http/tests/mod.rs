//! The whole of HTTP over a real socket, with fake models.

mod admin;
mod broken;
mod chat;
mod client;
mod clients;
mod coder;
mod compile;
mod connections;
mod file_search;
mod files;
mod fixes;
mod knowledge;
mod messages;
mod openapi;
mod own_stores;
mod pages;
mod portable;
mod refusals;
mod responses;
mod shapes;
mod streams;
mod texts;
mod vector_stores;
mod works;

use std::sync::Arc;

use gaia_core::fakes::FakeModel;
use gaia_core::{Model, ServeError};
use gaia_protocol::{Event, FinishReason, ModelKind, Usage};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use self::client::Client;
use super::{State, Storage, serve};
use crate::config::{AuthConfig, FilesConfig, ResponsesConfig, ServerConfig};
use crate::store::Files;

/// A server on a free port.
struct Server {
    client: Client,
    stop: watch::Sender<bool>,
    serving: JoinSet<()>,
    state: Arc<State>,
}

type Script = Vec<Result<Event, ServeError>>;

impl Server {
    async fn start(server: ServerConfig, auth: AuthConfig, models: Vec<Arc<dyn Model>>) -> Self {
        Self::serving(State::new(&server, &auth, models, storage())).await
    }

    /// As [`Server::start`], with what no config can change.
    async fn start_with(
        server: ServerConfig,
        models: Vec<Arc<dyn Model>>,
        change: impl FnOnce(&mut State),
    ) -> Self {
        let mut state = State::new(&server, &AuthConfig::default(), models, storage());
        change(&mut state);
        Self::serving(state).await
    }

    async fn serving(state: State) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let client = Client::new(listener.local_addr().expect("bound"));
        let state = Arc::new(state);
        let (stop, stopping) = watch::channel(false);
        let mut serving = JoinSet::new();
        serving.spawn(serve(listener, Arc::clone(&state), stopping));
        Self { client, stop, serving, state }
    }

    /// A chat model that plays `script` and an embedding model.
    async fn playing(script: Script) -> Self {
        let chat = Arc::new(FakeModel::new("chat", ModelKind::Chat).answering(script));
        Self::start(ServerConfig::default(), AuthConfig::default(), vec![chat, embed()]).await
    }
}

/// Everything at its default, in a folder that comes to be with the first file.
fn storage() -> Storage {
    let folder = std::env::temp_dir().join(super::ids::new_id("gaia-http-"));
    let files = FilesConfig::in_folder(folder);
    storage_of(files)
}

fn storage_of(files: FilesConfig) -> Storage {
    let files = Files::open(files).expect("there is nothing yet");
    Storage { responses: ResponsesConfig::default(), files }
}

fn embed() -> Arc<FakeModel> {
    let vector = Event::Embedding { index: 0, vector: vec![1.0, -0.5], tokens: 3 };
    Arc::new(FakeModel::new("embed", ModelKind::Embedding).answering(vec![Ok(vector), finish(0)]))
}

fn delta(text: &str) -> Result<Event, ServeError> {
    Ok(Event::text(text, 1))
}

fn finish(completion_tokens: u32) -> Result<Event, ServeError> {
    let usage = Usage { prompt_tokens: 3, completion_tokens, ..Usage::default() };
    Ok(Event::finish(FinishReason::Stop, usage))
}

/// A whole good answer.
fn paris() -> Script {
    vec![Ok(Event::Prompt { tokens: 3, cached_tokens: 0 }), delta("Par"), delta("is"), finish(2)]
}

const QUESTION: &str = r#"{"model":"chat","messages":[{"role":"user","content":"Hi"}]}"#;
const STREAMED: &str =
    r#"{"model":"chat","stream":true,"messages":[{"role":"user","content":"Hi"}]}"#;
