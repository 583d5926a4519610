//! A node of its own for each test: its own config, its own port, gone when the test ends.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::http::Client;
use crate::parts;
use crate::process::{self, wait_until};

/// Loading the small models takes about a second; a busy machine may take many.
const START_PATIENCE: Duration = Duration::from_secs(120);

/// One node at a time: two would compute on the same few cores, and each step of each waits for all
/// of its threads.
static TURN: Mutex<()> = Mutex::new(());

/// What a test's node serves.
#[derive(Clone, Debug, Default)]
pub struct NodeOptions {
    /// TOML put into `[server]`.
    pub server: String,
    /// TOML tables put at the end, `[auth]` for example.
    pub more: String,
    /// TOML put into `[knowledge]`.
    pub knowledge: String,
    /// TOML put into the chat model.
    pub chat: String,
    /// The chat model's app instead of `chat`.
    pub chat_app: Option<PathBuf>,
    /// TOML tables put in the place of both models.
    pub instead: Option<String>,
    /// Variables of the environment of the node and its workers.
    pub environment: Vec<(String, String)>,
}

/// A running node. Dropping it kills it.
pub struct Node {
    child: Child,
    address: String,
    log: Arc<Mutex<String>>,
    folder: PathBuf,
    environment: Vec<(String, String)>,
    /// None has a node that computes nothing.
    _turn: Option<MutexGuard<'static, ()>>,
}

impl Node {
    /// Starts a node with both small models and waits until it is ready.
    ///
    /// # Panics
    /// It does not start; the message holds what it said.
    #[must_use]
    pub fn start(options: &NodeOptions) -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        Self::with(options, Some(turn))
    }

    /// Starts a node without models of its own beside another one.
    ///
    /// # Panics
    /// As [`Node::start`], or it has models of its own.
    #[must_use]
    pub fn start_beside(_other: &Self, options: &NodeOptions) -> Self {
        assert!(options.instead.is_some(), "two nodes would compute on the same few cores");
        Self::with(options, None)
    }

    fn with(options: &NodeOptions, turn: Option<MutexGuard<'static, ()>>) -> Self {
        let folder = fresh_folder();
        let config = folder.join("config.toml");
        std::fs::write(&config, config_text(options, &folder)).expect("the folder is ours");
        let log = Arc::default();
        let environment = options.environment.clone();
        let (child, address) = launch(&config, &environment, &log);
        let node = Self { child, address, log, folder, environment, _turn: turn };
        wait_until("the node is ready", || node.client().get("/ready").status == 200);
        node
    }

    /// Ends it as a crash does, at once, and starts it anew in its folder.
    ///
    /// # Panics
    /// As [`Node::start`].
    pub fn crash_and_start(&mut self) {
        self.child.kill().expect("it is our child");
        self.child.wait().expect("it is our child");
        let config = self.config();
        (self.child, self.address) = launch(&config, &self.environment, &self.log);
        wait_until("the node is ready again", || self.client().get("/ready").status == 200);
    }

    /// Its config.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.folder.join("config.toml")
    }

    /// A client of this node.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::new(self.address.clone())
    }

    /// `http://host:port`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A folder of the test's own, whose snapshots the node may read and write.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The host's process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The workers' processes.
    #[must_use]
    pub fn workers(&self) -> Vec<u32> {
        process::children(self.pid())
    }

    /// What the node has said so far.
    ///
    /// # Panics
    /// The thread that reads it panicked.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.lock().expect("the reader does not panic").clone()
    }

    /// The sum of a metric over all its labels that hold `label`.
    #[must_use]
    pub fn metric(&self, name: &str, label: &str) -> f64 {
        let metrics = self.client().get("/metrics").body;
        let lines = metrics.lines().filter(|line| line.starts_with(name) && line.contains(label));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    /// Waits for the process to end by itself; its exit code.
    ///
    /// # Panics
    /// It does not end within a minute.
    pub fn wait_for_exit(&mut self) -> Option<i32> {
        let mut status = None;
        wait_until("the node exits", || {
            status = self.child.try_wait().expect("it is our child");
            status.is_some()
        });
        status.and_then(|status| status.code())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the node's log ---\n{}", self.log());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The process, and where it listens.
fn launch(
    config: &Path,
    environment: &[(String, String)],
    log: &Arc<Mutex<String>>,
) -> (Child, String) {
    let mut child = Command::new(parts::binary("gaia-node"))
        .args(["start", "--listen", "127.0.0.1:0", "--config"])
        .arg(config)
        .envs(environment.iter().cloned())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let (found, address) = sync_channel(1);
    let stderr = child.stderr.take().expect("it is piped");
    std::thread::spawn({
        let log = Arc::clone(log);
        move || follow(stderr, &log, &found)
    });
    let address = wait_for_address(&address, log);
    (child, address)
}

fn fresh_folder() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("gaia-test-{}-{count}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("the temporary folder is writable");
    folder
}

fn config_text(options: &NodeOptions, folder: &Path) -> String {
    format!(
        "[server]\n{server}\n\
         [knowledge]\nfolder = {knowledge:?}\nsnapshot_dirs = [{folder:?}]\n{knowledge_more}\n\
         {models}\n{more}\n",
        server = options.server,
        knowledge = folder.join("knowledge"),
        knowledge_more = options.knowledge,
        models = options.instead.clone().unwrap_or_else(|| both_models(options)),
        more = options.more,
    )
}

fn both_models(options: &NodeOptions) -> String {
    let chat_app = options.chat_app.clone().unwrap_or_else(|| parts::app("chat"));
    format!(
        "[[models]]\nname = \"chat\"\nkind = \"chat\"\npath = {chat:?}\napp = {chat_app:?}\n{chat_more}\n\
         [[models]]\nname = \"embed\"\nkind = \"embedding\"\npath = {embed:?}\napp = {embed_app:?}\n",
        chat = parts::chat_model(),
        chat_more = options.chat,
        embed = parts::embedding_model(),
        embed_app = parts::app("embed"),
    )
}

/// Keeps what the node says, and passes its address on once.
fn follow(stderr: ChildStderr, log: &Mutex<String>, found: &SyncSender<String>) {
    for line in BufReader::new(stderr).lines().map_while(Result::ok) {
        if let Some((_, rest)) = line.split_once("http://127.0.0.1:") {
            let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
            // Only the first is waited for.
            let _ = found.try_send(format!("127.0.0.1:{port}"));
        }
        let mut log = log.lock().expect("no other thread panics with it");
        log.push_str(&line);
        log.push('\n');
    }
}

fn wait_for_address(address: &Receiver<String>, log: &Mutex<String>) -> String {
    address.recv_timeout(START_PATIENCE).unwrap_or_else(|error| {
        panic!("no address ({error}); the node said:\n{}", log.lock().expect("readable"))
    })
}
