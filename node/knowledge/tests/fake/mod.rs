//! A Qdrant server inside the test, stricter than the real one: what Qdrant would refuse is refused,
//! and what it would take but we must never send (a write without waiting) is refused too.
//!
//! It really stores, filters and ranks. Faults can be put in front of any method.

mod collections;
mod points;
mod rank;
mod rest;
mod snapshots;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gaia_core::knowledge::PointId;
use gaia_knowledge::server::ServerSettings;
use qdrant_client::qdrant as wire;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

/// The key that every request must have.
pub const KEY: &str = "the-secret-key";

/// A vector's size and distance, as Qdrant numbers it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Dense {
    pub size: u64,
    pub distance: i32,
}

/// A stored point.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Stored {
    pub dense: BTreeMap<String, Vec<f32>>,
    pub sparse: BTreeMap<String, Vec<(u32, f32)>>,
    pub payload: Map<String, Value>,
}

/// A stored collection; the vector without a name has the empty one.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Shelf {
    pub dense: BTreeMap<String, Dense>,
    /// Whether rare words count more, by the vector's name.
    pub sparse: BTreeMap<String, bool>,
    pub metadata: Map<String, Value>,
    pub indexed: BTreeSet<String>,
    #[serde(with = "by_id")]
    pub points: BTreeMap<PointId, Stored>,
}

/// Ids are text in JSON.
mod by_id {
    use super::{BTreeMap, Deserialize, PointId, Stored};
    use serde::{Deserializer, Serialize, Serializer, de::Error};

    pub fn serialize<S: Serializer>(
        points: &BTreeMap<PointId, Stored>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        let list: Vec<_> = points.iter().map(|(id, point)| (id.to_string(), point)).collect();
        list.serialize(to)
    }

    pub fn deserialize<'a, D: Deserializer<'a>>(
        from: D,
    ) -> Result<BTreeMap<PointId, Stored>, D::Error> {
        let list = Vec::<(String, Stored)>::deserialize(from)?;
        let parse =
            |(id, point): (String, Stored)| Ok((id.parse().map_err(D::Error::custom)?, point));
        list.into_iter().map(parse).collect()
    }
}

/// What happens to a request instead of what it asks for.
pub enum Fault {
    /// It is refused so.
    Refuse(Status),
    /// It is never answered.
    Stall,
    /// It is carried out, and its answer is lost.
    Lose,
}

/// All that the server holds.
#[derive(Default)]
pub struct State {
    pub collections: BTreeMap<String, Shelf>,
    pub aliases: BTreeMap<String, String>,
    /// Snapshots by their collection and name.
    pub snapshots: BTreeMap<(String, String), Vec<u8>>,
    /// How often each method was asked.
    pub asked: HashMap<String, usize>,
    pub faults: HashMap<String, VecDeque<Fault>>,
    /// Methods whose next answer is lost.
    losing: BTreeSet<String>,
    /// Spoils the next download.
    pub spoil_download: bool,
    pub version: String,
}

impl State {
    /// A collection by its own name or an alias.
    pub fn shelf(&mut self, name: &str) -> Result<&mut Shelf, Status> {
        let physical = self.aliases.get(name).map_or(name, String::as_str).to_owned();
        let unknown =
            || Status::not_found(format!("Not found: Collection `{name}` doesn't exist!"));
        self.collections.get_mut(&physical).ok_or_else(unknown)
    }

    /// Lets an answer out, unless it is to be lost.
    fn leave(&mut self, method: &str) -> Result<(), Status> {
        match self.losing.remove(method) {
            true => Err(Status::unavailable("connection reset")),
            false => Ok(()),
        }
    }
}

/// The server; it ends when it is dropped.
pub struct Fake {
    qdrant: Qdrant,
    grpc: SocketAddr,
    rest: SocketAddr,
    _tasks: JoinSet<()>,
}

/// The services' shared state.
#[derive(Clone, Default)]
pub struct Qdrant(Arc<Mutex<State>>);

impl Fake {
    /// A server without collections.
    pub async fn start() -> Self {
        let qdrant = Qdrant::default();
        qdrant.state().version = "1.18.0".into();
        let grpc = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let rest = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let (grpc_at, rest_at) = (address(&grpc), address(&rest));
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(qdrant.clone(), grpc));
        tasks.spawn(rest::serve(qdrant.clone(), rest));
        Self { qdrant, grpc: grpc_at, rest: rest_at, _tasks: tasks }
    }

    /// How to reach it.
    pub fn settings(&self) -> ServerSettings {
        ServerSettings {
            api_key: Some(KEY.into()),
            rest_url: Some(format!("http://{}", self.rest)),
            bm25: Some(Arc::new(|_| Ok(crate::words::bm25()))),
            ..ServerSettings::new(format!("http://{}", self.grpc))
        }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.qdrant.state()
    }

    /// Puts a fault before the next request of a method.
    pub fn fault(&self, method: &str, fault: Fault) {
        self.state().faults.entry(method.into()).or_default().push_back(fault);
    }

    /// How often a method was asked.
    pub fn asked(&self, method: &str) -> usize {
        self.state().asked.get(method).copied().unwrap_or_default()
    }
}

fn address(listener: &TcpListener) -> SocketAddr {
    listener.local_addr().expect("an address")
}

async fn serve(qdrant: Qdrant, listener: TcpListener) {
    let points = wire::points_server::PointsServer::new(qdrant.clone());
    let collections = wire::collections_server::CollectionsServer::new(qdrant.clone());
    let snapshots = wire::snapshots_server::SnapshotsServer::new(qdrant.clone());
    let root = wire::qdrant_server::QdrantServer::new(qdrant);
    let server = tonic::transport::Server::builder()
        .add_service(points.max_decoding_message_size(usize::MAX))
        .add_service(collections)
        .add_service(snapshots)
        .add_service(root);
    server.serve_with_incoming(TcpIncoming::from(listener)).await.expect("it serves");
}

impl Qdrant {
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a request in: counts it, checks its key, meets its fault.
    async fn enter<T>(&self, method: &str, request: Request<T>) -> Result<T, Status> {
        let fault = {
            let mut state = self.state();
            *state.asked.entry(method.into()).or_default() += 1;
            state.faults.get_mut(method).and_then(VecDeque::pop_front)
        };
        match fault {
            Some(Fault::Refuse(status)) => return Err(status),
            Some(Fault::Stall) => std::future::pending::<()>().await,
            Some(Fault::Lose) => {
                self.state().losing.insert(method.into());
            }
            None => {}
        }
        if request.metadata().get("api-key").is_none_or(|key| key != KEY) {
            return Err(Status::unauthenticated("Invalid API key or JWT"));
        }
        Ok(request.into_inner())
    }
}

#[tonic::async_trait]
impl wire::qdrant_server::Qdrant for Qdrant {
    async fn health_check(
        &self,
        request: Request<wire::HealthCheckRequest>,
    ) -> Result<Response<wire::HealthCheckReply>, Status> {
        self.enter("health_check", request).await?;
        let version = self.state().version.clone();
        Ok(Response::new(wire::HealthCheckReply { title: "qdrant".into(), version, commit: None }))
    }
}

/// What an absent method answers.
type Absent<'a, T> = Pin<Box<dyn Future<Output = Result<Response<T>, Status>> + Send + 'a>>;

/// Methods that nobody here may ask for.
macro_rules! absent {
    ($($name:ident($request:ident) -> $response:ident;)*) => {$(
        fn $name<'a, 'b>(
            &'a self,
            _: tonic::Request<wire::$request>,
        ) -> crate::fake::Absent<'b, wire::$response>
        where
            'a: 'b,
            Self: 'b,
        {
            Box::pin(async { Err(tonic::Status::unimplemented(stringify!($name))) })
        }
    )*};
}
use absent;
pub use snapshots::tar;
