//! `[mcp]`: the tools for editors and agents.

use std::time::Duration;

use super::reader::Reader;

/// `[mcp]`: the tools for editors and agents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct McpConfig {
    /// Whether there are any.
    pub enabled: bool,
    /// Names of the node in requests, beside `localhost` and addresses; `*` is every name.
    pub allowed_hosts: Vec<String>,
    /// A call is answered in this time: with its answer, or with a job to wait for.
    pub answer_time: Duration,
    /// Calls that are being done.
    pub jobs: McpJobsConfig,
    /// Streams of `/sse`.
    pub sessions: SessionsConfig,
}

/// Calls that are being done, and answers that wait to be fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct McpJobsConfig {
    /// All of them at most.
    pub max: usize,
    /// Of these, calls of one key that are being done.
    pub per_key_max: usize,
    /// An answer that was not fetched is kept so long.
    pub keep: Duration,
}

/// Streams of `/sse`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionsConfig {
    /// Streams at most.
    pub max: usize,
    /// Of these, streams of one key.
    pub per_key_max: usize,
    /// A stream on which nothing was posted for so long ends.
    pub idle: Duration,
}

impl Default for McpConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            allowed_hosts: vec![],
            answer_time: Duration::from_secs(50),
            jobs: McpJobsConfig { max: 128, per_key_max: 32, keep: Duration::from_secs(600) },
            sessions: SessionsConfig { max: 64, per_key_max: 32, idle: Duration::from_secs(3600) },
        }
    }
}

impl McpConfig {
    pub(super) fn read(mut table: Reader<'_>) -> Self {
        let default = Self::default();
        let read = Self {
            enabled: table.value("enabled", default.enabled),
            allowed_hosts: table.value("allowed_hosts", default.allowed_hosts),
            answer_time: time(&mut table, "answer_time_ms", default.answer_time),
            jobs: McpJobsConfig {
                max: table.within("jobs_max", default.jobs.max, 1..=10_000),
                per_key_max: table.within("jobs_per_key_max", default.jobs.per_key_max, 1..=10_000),
                keep: time(&mut table, "jobs_keep_ms", default.jobs.keep),
            },
            sessions: SessionsConfig {
                max: table.within("sessions_max", default.sessions.max, 0..=10_000),
                per_key_max: {
                    let default = default.sessions.per_key_max;
                    table.within("sessions_per_key_max", default, 0..=10_000)
                },
                idle: time(&mut table, "session_idle_ms", default.sessions.idle),
            },
        };
        for (index, host) in read.allowed_hosts.iter().enumerate() {
            if host.is_empty() || host.contains(['/', ' ', '@']) {
                let key = format!("allowed_hosts[{index}]");
                table.wrong(
                    &key,
                    "write a name such as \"node.example.org\", or \"*\" for every name",
                );
            }
        }
        table.finish();
        read
    }
}

fn time(table: &mut Reader<'_>, key: &str, default: Duration) -> Duration {
    let default_ms = u64::try_from(default.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(table.time(key, default_ms))
}
