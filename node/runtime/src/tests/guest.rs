//! What the tests share: a folder with one app, a pool over it, and a sink that listens.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use gaia_protocol::{AppConfig, Outcome};

use crate::nn::Model;
use crate::nn::fake::FakeModel;
use crate::{AppError, AppPool, Emit, EventSink, RequestHandle};

/// Imports, a memory of two pages, and helpers. `take` puts the request at 1024 and its length at
/// 0; `reply` emits it.
const PRELUDE: &str = r#"
  (import "gaia_app" "next_request" (func $next (param i32 i32 i32) (result i32)))
  (import "gaia_app" "emit" (func $emit (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff"
    (func $poll (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 2)
  (func $take (result i32) (call $next (i32.const 1024) (i32.const 65536) (i32.const 0)))
  (func $reply (drop (call $emit (i32.const 1024) (i32.load (i32.const 0)))))
  (func $say (param $number i32)
    (i32.store (i32.const 512) (local.get $number))
    (drop (call $emit (i32.const 512) (i32.const 4))))
"#;

/// A module with the prelude and this `_start`, which may be followed by more functions.
pub(super) fn module(start: &str) -> Vec<u8> {
    let text = format!("(module {PRELUDE} (func (export \"_start\") {start}))");
    wat::parse_str(&text).expect("the test's guest is well-formed")
}

/// A folder that is gone when the test is over.
pub(super) struct Folder(pub(super) PathBuf);

impl Folder {
    pub(super) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("gaia-runtime-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a temporary folder");
        Self(path)
    }

    /// An app in this folder, with limits that no honest test meets.
    pub(super) fn app(&self, wasm: &[u8]) -> AppConfig {
        let path = self.0.join("guest.wasm");
        std::fs::write(&path, wasm).expect("the app is written");
        AppConfig {
            path,
            cache_dir: self.0.join("cache"),
            instances_warm: 1,
            instances_max: 4,
            memory_bytes_max: 4 << 20,
            time_ms_max: 60_000,
            instructions_max: None,
            event_bytes_max: 4096,
            window_events: 8,
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// Far more than any test's guest says before its test listens.
const MESSAGES_MAX: usize = 1024;

/// One app in its folder, and a pool that runs it.
pub(super) struct Node {
    pub(super) pool: AppPool,
    _folder: Folder,
}

impl Node {
    pub(super) fn start(start: &str) -> Self {
        Self::with(start, |_| {})
    }

    pub(super) fn with(start: &str, change: impl FnOnce(&mut AppConfig)) -> Self {
        Self::try_with(&module(start), change).expect("the app starts")
    }

    pub(super) fn try_with(
        wasm: &[u8],
        change: impl FnOnce(&mut AppConfig),
    ) -> Result<Self, AppError> {
        Self::try_over(FakeModel::says("hi"), wasm, change)
    }

    pub(super) fn try_over(
        model: Arc<dyn Model>,
        wasm: &[u8],
        change: impl FnOnce(&mut AppConfig),
    ) -> Result<Self, AppError> {
        let folder = Folder::new();
        let mut config = folder.app(wasm);
        change(&mut config);
        let pool = AppPool::start_with(model, &config, "tiny")?;
        Ok(Self { pool, _folder: folder })
    }

    pub(super) fn submit(&self, body: &[u8]) -> Client {
        self.submit_to(body, u32::MAX)
    }

    /// A request whose client has room for so many events.
    pub(super) fn submit_to(&self, body: &[u8], room: u32) -> Client {
        let (sender, messages) = sync_channel(MESSAGES_MAX);
        let sink = ChannelSink { sender, room };
        let handle = self.pool.submit(body.to_vec(), Box::new(sink));
        Client { handle, messages }
    }

    /// A request's events and end.
    pub(super) fn ask(&self, body: &[u8]) -> (Vec<Vec<u8>>, Outcome) {
        self.submit(body).finish()
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Message {
    Event(Vec<u8>),
    /// An event was offered and there was no room.
    Full,
    End(Outcome),
}

pub(super) struct Client {
    pub(super) handle: RequestHandle,
    pub(super) messages: Receiver<Message>,
}

impl Client {
    pub(super) fn next(&self) -> Message {
        self.messages.recv().expect("a request that has not ended says something")
    }

    /// All events, and the one end, after which nothing may come.
    pub(super) fn finish(self) -> (Vec<Vec<u8>>, Outcome) {
        let mut events = Vec::new();
        let outcome = loop {
            match self.next() {
                Message::Event(event) => events.push(event),
                Message::Full => {}
                Message::End(outcome) => break outcome,
            }
        };
        assert!(self.messages.recv().is_err(), "nothing may follow the end");
        (events, outcome)
    }
}

struct ChannelSink {
    sender: SyncSender<Message>,
    room: u32,
}

impl EventSink for ChannelSink {
    fn emit(&mut self, event: &[u8], wait: Duration) -> Emit {
        if self.room == 0 {
            std::thread::sleep(wait);
            // The test may have stopped listening.
            drop(self.sender.try_send(Message::Full));
            return Emit::Full;
        }
        match self.sender.try_send(Message::Event(event.to_vec())) {
            Ok(()) => {
                self.room -= 1;
                Emit::Continue
            }
            Err(TrySendError::Full(_)) => {
                std::thread::sleep(wait);
                Emit::Full
            }
            Err(TrySendError::Disconnected(_)) => Emit::Stop,
        }
    }

    fn end(self: Box<Self>, outcome: Outcome) {
        // The test may have stopped listening. One that listens takes the end in the end.
        drop(self.sender.send(Message::End(outcome)));
    }
}

/// The number in an event of the guests' `$say`.
pub(super) fn number(event: &[u8]) -> i32 {
    i32::from_le_bytes(event.try_into().expect("four bytes"))
}
