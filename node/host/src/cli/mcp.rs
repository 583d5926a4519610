//! `gaia-node mcp`: the tools of a running node over standard input and output, for editors that start
//! their servers themselves.
//!
//! ```text
//! standard input ── a line, a message ── Exchange: a request to /mcp ── lines ── standard output
//! ```
//!
//! Each message is a request of its own, so a node that restarts is found again. Nothing but messages
//! is written to standard output. Exchanges are tasks of one set; what a client does not want any more
//! is aborted, which ends its connection and with that the node's work.

mod exchange;

use std::collections::HashMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use futures_util::future::try_join;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;

use self::exchange::Node;
use super::client::Connection;

/// Bytes of a message at most, as rmcp's own stdio has it.
const LINE_BYTES_MAX: u64 = 16 << 20;
/// Requests at once; one more is answered with an error.
const EXCHANGES_MAX: usize = 64;
/// Lines that wait for a slow reader; then exchanges wait.
const LINES_MAX: usize = 64;

/// When standard input has ended, what was asked before has so long to be answered.
const LAST_GRACE: Duration = Duration::from_secs(5);

/// Where the node is.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    connection: Connection,
}

/// Runs until standard input ends.
pub async fn run(arguments: Arguments) -> Result<ExitCode> {
    let node = Arc::new(Node::new(arguments.connection.open()?));
    let (input, output) = rmcp::transport::stdio();
    let (lines, written) = mpsc::channel(LINES_MAX);
    let bridge = Bridge { node, lines, exchanges: JoinSet::new(), running: HashMap::new() };
    let ended = try_join(bridge.run(BufReader::new(input)), write(output, written)).await;
    let is_broken = ended.is_err();
    if let Err(error) = ended {
        eprintln!("gaia-node: {error:#}");
    }
    // The thread that reads standard input can't be told to stop.
    std::process::exit(i32::from(is_broken))
}

/// Writes lines until nobody sends any.
async fn write(
    mut output: impl AsyncWrite + Unpin,
    mut lines: mpsc::Receiver<String>,
) -> Result<()> {
    while let Some(mut line) = lines.recv().await {
        line.push('\n');
        output.write_all(line.as_bytes()).await.context("writing to standard output")?;
        output.flush().await.context("writing to standard output")?;
    }
    Ok(())
}

struct Bridge {
    node: Arc<Node>,
    lines: mpsc::Sender<String>,
    exchanges: JoinSet<()>,
    /// The exchanges that answer a request, by its id.
    running: HashMap<String, AbortHandle>,
}

impl Bridge {
    async fn run(mut self, mut input: impl AsyncRead + AsyncBufReadExt + Unpin) -> Result<()> {
        loop {
            let mut line = vec![];
            let read = (&mut input).take(LINE_BYTES_MAX).read_until(b'\n', &mut line).await;
            if read.context("reading standard input")? == 0 {
                let last = async { while self.exchanges.join_next().await.is_some() {} };
                // What is still running then is ended with the set.
                let _ = timeout(LAST_GRACE, last).await;
                return Ok(());
            }
            anyhow::ensure!(
                line.ends_with(b"\n") || (line.len() as u64) < LINE_BYTES_MAX,
                "a message is longer than {LINE_BYTES_MAX} bytes"
            );
            if !line.trim_ascii().is_empty() {
                self.take(&line).await;
            }
        }
    }

    async fn take(&mut self, line: &[u8]) {
        while self.exchanges.try_join_next().is_some() {}
        self.running.retain(|_, exchange| !exchange.is_finished());
        let Ok(message) = serde_json::from_slice::<Value>(line) else {
            return self.refuse(&Value::Null, (-32700, "the line is no JSON")).await;
        };
        if message["method"] == "notifications/cancelled" {
            let id = message["params"]["requestId"].to_string();
            if let Some(exchange) = self.running.remove(&id) {
                exchange.abort();
            }
            return;
        }
        let id = message.get("id").cloned();
        if self.exchanges.len() >= EXCHANGES_MAX {
            let reason = "too many requests at once: wait for an answer";
            return self.refuse(&id.unwrap_or_default(), (-32000, reason)).await;
        }
        let (node, lines) = (Arc::clone(&self.node), self.lines.clone());
        let exchange = self.exchanges.spawn(async move { node.exchange(message, &lines).await });
        if let Some(id) = id {
            self.running.insert(id.to_string(), exchange);
        }
    }

    async fn refuse(&self, id: &Value, (code, reason): (i32, &str)) {
        let error = json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": reason}});
        // Who does not read any more has gone: the writer ends the command.
        let _ = self.lines.send(error.to_string()).await;
    }
}
