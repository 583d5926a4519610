//! The connection to a Qdrant server: gRPC, the key, time limits, repetition.

use std::future::Future;
use std::time::Duration;

use gaia_core::KnowledgeError;
use qdrant_client::qdrant::collections_client::CollectionsClient;
use qdrant_client::qdrant::points_client::PointsClient;
use qdrant_client::qdrant::qdrant_client::QdrantClient;
use qdrant_client::qdrant::snapshots_client::SnapshotsClient;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};
use tonic::{Request, Response, Status};

use super::ServerSettings;
use super::failure::{Failure, Secret};

/// Bytes of one answer at most: a page of a thousand long texts with their vectors has a tenth.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// Waits before a request is repeated; so many times it is.
const BACK_OFF: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(500)];

/// An idle connection is tried so often, and given up if nothing comes back within the second.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// A channel that sends the key with every request.
pub(super) type Service = InterceptedService<Channel, Key>;

/// What a request is to the server: how long it may take, and whether it may be sent again.
#[derive(Clone, Copy, Debug)]
pub(super) enum Effort {
    /// Changes nothing.
    Read,
    /// Ends in the same state however often it is sent.
    Write,
    /// Must not be sent twice.
    Once,
    /// As long as a snapshot takes, and not twice.
    Snapshot,
}

/// A connection to a server; clones share it.
#[derive(Clone)]
pub(super) struct Client {
    service: Service,
    secret: Secret,
    timeout: Duration,
    write_timeout: Duration,
    snapshot_timeout: Duration,
}

impl Client {
    /// A client that connects when it is first used, and again whenever the connection is lost.
    pub(super) fn new(settings: &ServerSettings) -> Result<Self, KnowledgeError> {
        let channel = endpoint(settings)?.connect_lazy();
        let key = Key(settings.api_key.as_deref().map(key).transpose()?);
        Ok(Self {
            service: InterceptedService::new(channel, key),
            secret: Secret::new(settings.api_key.as_deref()),
            timeout: settings.timeout,
            write_timeout: settings.write_timeout,
            snapshot_timeout: settings.snapshot_timeout,
        })
    }

    pub(super) fn points(&self) -> PointsClient<Service> {
        PointsClient::new(self.service.clone()).max_decoding_message_size(ANSWER_BYTES_MAX)
    }

    pub(super) fn collections(&self) -> CollectionsClient<Service> {
        CollectionsClient::new(self.service.clone()).max_decoding_message_size(ANSWER_BYTES_MAX)
    }

    pub(super) fn snapshots(&self) -> SnapshotsClient<Service> {
        SnapshotsClient::new(self.service.clone())
    }

    pub(super) fn root(&self) -> QdrantClient<Service> {
        QdrantClient::new(self.service.clone())
    }

    /// Sends a request within its time; again, after a while, where that does no harm. Requests of
    /// generated code are large futures and live on the heap.
    pub(super) async fn call<T, F>(
        &self,
        effort: Effort,
        request: impl Fn() -> F,
    ) -> Result<T, Failure>
    where
        F: Future<Output = Result<Response<T>, Status>>,
    {
        let mut failure = match self.attempt(effort, Box::pin(request())).await {
            Err(failure) if effort.may_repeat() && failure.is_transient() => failure,
            done => return done,
        };
        for wait in BACK_OFF {
            tokio::time::sleep(wait).await;
            match self.attempt(effort, Box::pin(request())).await {
                Err(again) if again.is_transient() => failure = again,
                done => return done,
            }
        }
        Err(failure)
    }

    async fn attempt<T>(
        &self,
        effort: Effort,
        request: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<T, Failure> {
        let limit = match effort {
            Effort::Read => self.timeout,
            Effort::Write | Effort::Once => self.write_timeout,
            Effort::Snapshot => self.snapshot_timeout,
        };
        let answer = tokio::time::timeout(limit, request).await.map_err(|_| Failure::late())?;
        answer.map(Response::into_inner).map_err(|status| self.secret.failure(&status))
    }
}

impl Effort {
    fn may_repeat(self) -> bool {
        matches!(self, Self::Read | Self::Write)
    }
}

/// Puts the key into a request.
#[derive(Clone)]
pub(super) struct Key(Option<MetadataValue<Ascii>>);

impl Interceptor for Key {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(key) = &self.0 {
            request.metadata_mut().insert("api-key", key.clone());
        }
        Ok(request)
    }
}

fn key(text: &str) -> Result<MetadataValue<Ascii>, KnowledgeError> {
    let mut value = text.parse::<MetadataValue<Ascii>>().map_err(|_| {
        KnowledgeError::invalid("api_key: it has characters that no key has: use visible ASCII")
    })?;
    value.set_sensitive(true);
    Ok(value)
}

fn endpoint(settings: &ServerSettings) -> Result<Endpoint, KnowledgeError> {
    let uri = settings.grpc()?;
    let encrypted = uri.scheme_str() == Some("https");
    let endpoint = Endpoint::from(uri)
        .connect_timeout(settings.connect_timeout)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT);
    if !encrypted {
        return Ok(endpoint);
    }
    let tls = ClientTlsConfig::new().with_native_roots();
    let failed = |error| KnowledgeError::unavailable(format!("TLS can't be set up: {error}"));
    endpoint.tls_config(tls).map_err(failed)
}
