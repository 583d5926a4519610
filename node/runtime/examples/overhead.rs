//! What WebAssembly costs: `cargo run --release -p gaia-runtime --example overhead -- MODEL.gguf
//! [APP.wasm REQUEST.json]`.
//!
//! Prints the time from a request's submission to its first event, warm and cold, the time of one
//! host call, and the time of a loop with and without counted instructions. With an app and a
//! request, also that app's time to its first event and to its end, counted and not.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use gaia_inference::{Engine, EngineConfig};
use gaia_protocol::{AppConfig, Outcome};
use gaia_runtime::{AppPool, Emit, EventSink};

/// Host calls of the guest that counts.
const CALLS: u32 = 1_000_000;
/// Turns of the guest that loops.
const TURNS: u32 = 50_000_000;
/// Requests per figure.
const REQUESTS: usize = 200;

const PRELUDE: &str = r#"
  (import "gaia_app" "next_request" (func $next (param i32 i32 i32) (result i32)))
  (import "gaia_app" "emit" (func $emit (param i32 i32) (result i32)))
  (import "wasi_ephemeral_nn" "fini_single" (func $fini (param i32) (result i32)))
  (memory (export "memory") 2)
  (func $take (drop (call $next (i32.const 1024) (i32.const 65536) (i32.const 0))))
  (func $reply (drop (call $emit (i32.const 1024) (i32.load (i32.const 0)))))
"#;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let model = arguments.next().context("usage: overhead MODEL.gguf [APP.wasm REQUEST.json]")?;
    let kind = gaia_inference::kind_of(model.as_ref())?;
    let config = EngineConfig { queue_max: 1024, ..EngineConfig::new(model, kind) };
    let engine = Engine::load(&config, Box::new(|_| true))?;
    let folder = std::env::temp_dir().join(format!("gaia-overhead-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let measured = guests(&engine, &folder);
    let app = arguments.next().map(PathBuf::from).zip(arguments.next());
    let measured = measured.and_then(|()| match app {
        Some((app, request)) => own_app(&engine, &folder, &app, &std::fs::read(request)?),
        None => Ok(()),
    });
    std::fs::remove_dir_all(&folder)?;
    measured
}

fn guests(engine: &Engine, folder: &Path) -> Result<()> {
    let echo = write(folder, "echo", "(call $take) (call $reply)")?;
    for (name, warm) in [("warm", 4), ("cold", 0)] {
        let mut config = config(folder, &echo);
        config.instances_warm = warm;
        let pool = AppPool::start(engine.clone(), &config, "model")?;
        let mut first: Vec<Duration> = (0..REQUESTS)
            .map(|_| {
                // Lets the next instance warm up, as requests of people do.
                std::thread::sleep(Duration::from_millis(2));
                request(&pool, b"{}").map(|times| times.first)
            })
            .collect::<Result<_>>()?;
        first.sort();
        say(&format!("{name}: submit to first event, median"), first[REQUESTS / 2]);
    }
    let calls = write(folder, "calls", &looped(CALLS, "(drop (call $fini (i32.const 9)))"))?;
    let turns = write(folder, "turns", &looped(TURNS, WORK))?;
    for (name, limit) in [("free", None), ("counted", Some(u64::MAX))] {
        for (what, path, count) in [("host call", &calls, CALLS), ("loop turn", &turns, TURNS)] {
            let mut config = config(folder, path);
            config.instructions_max = limit;
            let pool = AppPool::start(engine.clone(), &config, "model")?;
            let best = best(&pool, b"{}", 3)?;
            say(&format!("{name}: one {what}"), best.end / count);
        }
    }
    Ok(())
}

/// An app of ours, counted and not.
fn own_app(engine: &Engine, folder: &Path, app: &Path, body: &[u8]) -> Result<()> {
    for (name, limit) in [("free", None), ("counted", Some(u64::MAX))] {
        let mut config = config(folder, app);
        config.instructions_max = limit;
        let pool = AppPool::start(engine.clone(), &config, "model")?;
        let best = best(&pool, body, 5)?;
        say(&format!("{name}: {} to first event", app.display()), best.first);
        say(&format!("{name}: {} to end", app.display()), best.end);
    }
    Ok(())
}

/// Work that no compiler removes.
const WORK: &str = "(i32.store (i32.const 900)
    (i32.xor (i32.mul (i32.load (i32.const 900)) (i32.const 31)) (local.get $left)))";

fn looped(count: u32, body: &str) -> String {
    format!(
        "(local $left i32) (call $take) (local.set $left (i32.const {count}))
         (loop $again {body}
           (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
         (call $reply)"
    )
}

fn write(folder: &Path, name: &str, start: &str) -> Result<PathBuf> {
    let text = format!("(module {PRELUDE} (func (export \"_start\") {start}))");
    let path = folder.join(format!("{name}.wasm"));
    std::fs::write(&path, wat::parse_str(text)?)?;
    Ok(path)
}

fn config(folder: &Path, app: &Path) -> AppConfig {
    AppConfig {
        path: app.to_owned(),
        cache_dir: folder.join("cache"),
        instances_warm: 1,
        instances_max: 8,
        memory_bytes_max: 256 << 20,
        time_ms_max: 600_000,
        instructions_max: None,
        event_bytes_max: 1 << 20,
        window_events: 64,
    }
}

#[derive(Clone, Copy)]
struct Times {
    first: Duration,
    end: Duration,
}

struct Clock {
    started: Instant,
    first: Option<Duration>,
    told: SyncSender<(Outcome, Times)>,
}

impl EventSink for Clock {
    fn emit(&mut self, _: &[u8], _: Duration) -> Emit {
        self.first.get_or_insert_with(|| self.started.elapsed());
        Emit::Continue
    }

    fn end(self: Box<Self>, outcome: Outcome) {
        let end = self.started.elapsed();
        let times = Times { first: self.first.unwrap_or(end), end };
        // The receiver waits for exactly this.
        drop(self.told.send((outcome, times)));
    }
}

fn request(pool: &AppPool, body: &[u8]) -> Result<Times> {
    let (told, told_of) = sync_channel(1);
    let clock = Clock { started: Instant::now(), first: None, told };
    pool.submit(body.to_vec(), Box::new(clock));
    let (outcome, times) = told_of.recv()?;
    anyhow::ensure!(outcome == Outcome::Done, "the request ended with {outcome:?}");
    Ok(times)
}

fn best(pool: &AppPool, body: &[u8], tries: usize) -> Result<Times> {
    let mut best = request(pool, body)?;
    for _ in 1..tries {
        let times = request(pool, body)?;
        best = Times { first: best.first.min(times.first), end: best.end.min(times.end) };
    }
    Ok(best)
}

#[expect(clippy::print_stdout, reason = "the figures are this program's output")]
fn say(what: &str, time: Duration) {
    println!("{what}: {time:?}");
}
