//! The port to a model, over a server.

use std::sync::Arc;

use anyhow::Result;
use gaia_core::{EventStream, Model, ModelReport, ModelStatus, ReportFuture, ServeError};
use gaia_protocol::{ModelKind, Task};

use super::server::Server;
use super::{chat, complete, probe, text, vectors};
use crate::config::UpstreamConfig;

/// A model that another server holds.
pub struct Upstream {
    server: Arc<Server>,
}

impl Upstream {
    /// Reads the key and makes the client; nothing is sent yet.
    ///
    /// # Errors
    /// The key can't be read, or a header can't be sent.
    pub fn open(config: UpstreamConfig) -> Result<Self> {
        Ok(Self { server: Arc::new(Server::open(config)?) })
    }

    /// Asks the server whether it is there; what can be told of it.
    ///
    /// # Errors
    /// It can't be used: the message is for the operator.
    pub async fn probe(&self) -> Result<String> {
        probe::probe(&self.server).await?;
        let config = self.server.config();
        Ok(format!("{} at {} answers", config.model, config.url))
    }

    pub(super) fn server(&self) -> &Arc<Server> {
        &self.server
    }
}

impl Model for Upstream {
    fn name(&self) -> &str {
        &self.server.config().name
    }

    fn kind(&self) -> ModelKind {
        self.server.config().kind
    }

    fn status(&self) -> ModelStatus {
        self.server.status()
    }

    fn report(&self) -> ReportFuture<'_> {
        let stats = self.server.stats();
        Box::pin(async move { ModelReport { stats, restarts: 0 } })
    }

    fn is_required(&self) -> bool {
        self.server.config().required
    }

    fn has_tokenizer(&self) -> bool {
        false
    }

    fn is_own(&self) -> bool {
        false
    }

    fn takes_pictures(&self) -> bool {
        self.server.config().pictures
    }

    fn start(&self, task: Task) -> Result<EventStream, ServeError> {
        let server = &self.server;
        match task {
            Task::Chat(task) => {
                let pictures = task.picture_urls.clone();
                let body = chat::body(server.config(), task)?;
                text::stream(server, server.call("/chat/completions", body), pictures)
            }
            Task::Complete(task) => {
                let body = complete::body(server.config(), task)?;
                text::stream(server, server.call("/completions", body), vec![])
            }
            Task::Embed(task) => vectors::stream(server, task),
            // The config takes no reranker of another server.
            Task::Rank(_) => Err(no_ranking(&server.config().name)),
            Task::Tokenize(_) => Err(no_tokenizer(&server.config().name)),
        }
    }
}

fn no_ranking(name: &str) -> ServeError {
    let message = format!("`{name}` is served by another server, which is asked for no ranking");
    ServeError::Invalid { message, param: Some("model".into()) }
}

fn no_tokenizer(name: &str) -> ServeError {
    let message = format!(
        "`{name}` is served by another server, whose tokenizer is out of reach: name a model of this \
         node's own"
    );
    ServeError::Invalid { message, param: Some("model".into()) }
}
