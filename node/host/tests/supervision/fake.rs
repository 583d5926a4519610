//! The other end of a worker's socket, under a test's control. Stricter than a worker: it fails the
//! test when it hears nothing, or something else than it waits for.

use std::sync::Arc;
use std::time::Duration;

use gaia_core::{Model, ModelStatus};
use gaia_host::config::{Config, Places};
use gaia_host::workers::{Connection, Ending, Reporter, Session, WorkerModel};
use gaia_protocol::frame::{HEADER_BYTES, Header, HostFrame, WorkerFrame};
use gaia_protocol::{GuestModel, ModelCard, ModelKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::task::JoinSet;

pub const WINDOW_EVENTS: u32 = 4;
/// Twice `instances_max`.
pub const LIVE_MAX: usize = 4;

const CONFIG: &str = "[[models]]\nname = \"m\"\nkind = \"chat\"\npath = \"m.gguf\"\n\
                      app = \"a.wasm\"\nwindow_events = 4\ninstances_max = 2\n";

/// A worker in this process.
pub struct FakeWorker {
    pub model: Arc<WorkerModel>,
    socket: Option<DuplexStream>,
    connection: JoinSet<Ending>,
}

impl FakeWorker {
    /// One that has not said anything.
    pub fn new() -> Self {
        let model = Arc::new(WorkerModel::new(config().models[0].worker()));
        let (ours, theirs) = tokio::io::duplex(64 << 10);
        let mut connection = JoinSet::new();
        connection.spawn(serve(Arc::clone(&model), theirs));
        Self { model, socket: Some(ours), connection }
    }

    /// One whose model is ready.
    pub async fn ready() -> Self {
        let mut worker = Self::new();
        worker.say(&WorkerFrame::Ready(Box::new(card()))).await;
        while !matches!(worker.model.status(), ModelStatus::Ready(_)) {
            tokio::task::yield_now().await;
        }
        worker
    }

    pub async fn say(&mut self, frame: &WorkerFrame) {
        self.write(&frame.encode()).await;
    }

    pub async fn write(&mut self, bytes: &[u8]) {
        // A connection that has ended meanwhile is what a test may want.
        let _ = self.socket().write_all(bytes).await;
    }

    /// The next frame from the host that is not a ping.
    pub async fn hear(&mut self) -> HostFrame {
        loop {
            match self.next_frame().await {
                HostFrame::Stats => {}
                frame => return frame,
            }
        }
    }

    pub async fn hear_ping(&mut self) {
        assert_eq!(self.next_frame().await, HostFrame::Stats);
    }

    /// The id of the next request.
    pub async fn request(&mut self) -> u64 {
        match self.hear().await {
            HostFrame::Request { id, .. } => id,
            other => panic!("expected a request, not {other:?}"),
        }
    }

    /// Dies.
    pub async fn hang_up(&mut self) -> Ending {
        self.socket = None;
        self.ending().await
    }

    /// How the connection ended.
    pub async fn ending(&mut self) -> Ending {
        self.connection.join_next().await.expect("asked once").expect("it does not panic")
    }

    async fn next_frame(&mut self) -> HostFrame {
        let mut header = [0; HEADER_BYTES];
        self.socket().read_exact(&mut header).await.expect("the host speaks");
        let header = Header::parse(&header).expect("the host speaks the protocol");
        let mut payload = vec![0; header.payload_bytes];
        self.socket().read_exact(&mut payload).await.expect("the host speaks");
        HostFrame::decode(header, payload).expect("the host speaks the protocol")
    }

    fn socket(&mut self) -> &mut DuplexStream {
        self.socket.as_mut().expect("it has not hung up")
    }
}

async fn serve(model: Arc<WorkerModel>, socket: DuplexStream) -> Ending {
    let (session, frames) = Session::new(&model.config().app);
    let session = Arc::new(session);
    let observer = Reporter::new(model, Arc::clone(&session));
    let (read, write) = tokio::io::split(socket);
    let hang_timeout = Duration::from_secs(60);
    let connection =
        Connection { read, write, session: &session, frames, observer: &observer, hang_timeout };
    connection.run().await
}

fn config() -> Config {
    let places = Places {
        node_home: "/node".into(),
        user_home: "/home/ada".into(),
        config_folder: "/etc/gaia".into(),
    };
    Config::parse("the test's config", CONFIG, places).expect("it is valid")
}

pub fn card() -> ModelCard {
    ModelCard {
        name: "m".into(),
        kind: ModelKind::Chat,
        architecture: "llama".into(),
        description: "a model of a test".into(),
        size_bytes: 1,
        parameters: 1,
        context_tokens: 8,
        context_train_tokens: 8,
        embedding_dimension: 1,
        vocabulary_tokens: 2,
        sequences_max: 1,
        queue_max: 1,
        threads: 1,
        gpu_layers: 0,
        gpu_memory_bytes: 0,
        devices: vec![],
        llama_build: "test".into(),
        takes_pictures: false,
        picture_tokens_max: None,
        guest: GuestModel::default(),
    }
}
