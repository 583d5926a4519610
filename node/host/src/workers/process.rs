//! A worker as a process: how it is started, and what it prints.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::net::UnixStream;
use tokio::process::{Child, ChildStderr, Command};

use crate::config::Config;

/// A longer line is logged in pieces.
const LINE_BYTES_MAX: u64 = 8 << 10;

/// A worker that has closed its socket exits within this time, or is killed.
const EXIT_GRACE: Duration = Duration::from_secs(2);

/// How workers are started.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The program.
    pub binary: PathBuf,
    /// What it logs.
    pub log_filter: String,
}

/// A running worker. Dropping it kills it.
pub struct Process {
    child: Child,
}

impl Launch {
    /// As the config says.
    ///
    /// # Errors
    /// It can't be told where the worker's program is.
    pub fn new(config: &Config) -> Result<Self> {
        Ok(Self { binary: config.worker_binary()?, log_filter: config.log.filter.clone() })
    }

    /// Starts a worker; its standard input is the other end of the returned socket.
    ///
    /// # Errors
    /// The program can't be started: the message names it.
    pub fn start(&self) -> Result<(Process, UnixStream, ChildStderr)> {
        let (ours, theirs) = UnixStream::pair().context("making a socket pair")?;
        let theirs: OwnedFd = theirs.into_std()?.into();
        // The worker reads and writes it with blocking calls.
        let theirs = std::os::unix::net::UnixStream::from(theirs);
        theirs.set_nonblocking(false)?;
        let mut child = Command::new(&self.binary)
            .env("GAIA_LOG", &self.log_filter)
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            // A person's Ctrl-C is for the host, which lets the workers finish.
            .process_group(0)
            .spawn()
            .with_context(|| self.advice("starting"))?;
        let stderr = child.stderr.take().expect("it is piped");
        Ok((Process { child }, ours, stderr))
    }

    pub(super) fn advice(&self, attempt: &str) -> String {
        let binary = self.binary.display();
        format!("{attempt} {binary}: build gaia-worker, or set worker.binary in the config")
    }
}

impl Process {
    /// Waits a moment for the exit of a worker whose connection has ended, else kills it. What
    /// became of it, in words.
    pub async fn end(mut self) -> String {
        if let Ok(Ok(status)) = tokio::time::timeout(EXIT_GRACE, self.child.wait()).await {
            return status.to_string();
        }
        self.kill().await
    }

    /// Kills it now and waits until it is gone.
    pub async fn kill(mut self) -> String {
        match self.child.kill().await {
            Ok(()) => "killed".into(),
            Err(error) => format!("it could not be killed: {error}"),
        }
    }
}

/// Logs what a worker prints until it prints no more.
pub async fn log_lines(model: &str, stderr: impl AsyncRead + Unpin) {
    let mut stderr = BufReader::new(stderr);
    let mut line = vec![];
    loop {
        line.clear();
        match (&mut stderr).take(LINE_BYTES_MAX).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => log_line(model, String::from_utf8_lossy(&line).trim()),
        }
    }
}

/// A worker's line starts with its level.
fn log_line(model: &str, line: &str) {
    let (level, rest) = line.split_once(' ').unwrap_or((line, ""));
    match level {
        "ERROR" => tracing::error!(model, "{rest}"),
        "WARN" => tracing::warn!(model, "{rest}"),
        "INFO" => tracing::info!(model, "{rest}"),
        "DEBUG" => tracing::debug!(model, "{rest}"),
        "TRACE" => tracing::trace!(model, "{rest}"),
        _ if line.is_empty() => {}
        _ => tracing::info!(model, "{line}"),
    }
}
