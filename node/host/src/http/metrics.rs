//! What the node counts itself, and the text that `/metrics` shows.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use gaia_core::{ModelReport, Node};
use gaia_protocol::FinishReason;

use super::histogram::Histograms;

/// The node's own counts. What a model counts comes from its worker.
pub struct Metrics {
    requests: Mutex<BTreeMap<(String, u16), u64>>,
    ends: Mutex<BTreeMap<(String, &'static str), u64>>,
    request: Histograms,
    /// From the request to the first text.
    pub first_token: Histograms,
    /// Between two texts, per token.
    pub between_tokens: Histograms,
}

type Line = (&'static str, &'static str, &'static str, fn(&ModelReport) -> u64);

/// Name, type, help and value of each number that a model reports.
const MODEL_LINES: &[Line] = &[
    ("gaia_prompt_tokens_total", "counter", "Prompt tokens computed.", |r| {
        r.stats.prompt_tokens_total
    }),
    ("gaia_cached_tokens_total", "counter", "Prompt tokens found in the cache.", |r| {
        r.stats.cached_tokens_total
    }),
    (
        "gaia_cache_hits_total",
        "counter",
        "Requests that found a part of their prompt cached.",
        |r| r.stats.cache_hits_total,
    ),
    ("gaia_draft_tokens_total", "counter", "Tokens guessed ahead of the model.", |r| {
        r.stats.draft_tokens_total
    }),
    ("gaia_draft_accepted_total", "counter", "Guessed tokens that the model confirmed.", |r| {
        r.stats.draft_accepted_total
    }),
    ("gaia_generated_tokens_total", "counter", "Tokens sampled.", |r| {
        r.stats.generated_tokens_total
    }),
    ("gaia_embeddings_total", "counter", "Texts embedded.", |r| r.stats.embeddings_total),
    ("gaia_decode_steps_total", "counter", "Decode steps.", |r| r.stats.decode_steps_total),
    ("gaia_sequences_active", "gauge", "Sequences in the batch.", |r| {
        r.stats.sequences_active.into()
    }),
    ("gaia_sequences_queued", "gauge", "Requests that wait for a sequence.", |r| {
        r.stats.sequences_queued.into()
    }),
    ("gaia_sequences_cancelled_total", "counter", "Sequences cancelled before their end.", |r| {
        r.stats.cancelled_total
    }),
    ("gaia_pictures_total", "counter", "Pictures, or parts of such, encoded.", |r| {
        r.stats.pictures_total
    }),
    ("gaia_picture_ms_total", "counter", "Milliseconds that this took.", |r| {
        r.stats.picture_ms_total
    }),
    ("gaia_instances_active", "gauge", "App instances at work.", |r| {
        r.stats.instances_active.into()
    }),
    ("gaia_instances_warm", "gauge", "App instances ready for a request.", |r| {
        r.stats.instances_warm.into()
    }),
    ("gaia_traps_total", "counter", "App instances that trapped or ran into a limit.", |r| {
        r.stats.traps_total
    }),
    ("gaia_worker_restarts_total", "counter", "Restarts of the worker.", |r| r.restarts),
    ("gaia_worker_memory_bytes", "gauge", "Resident memory of the worker.", |r| {
        r.stats.memory_bytes
    }),
];

impl Metrics {
    /// Zeros, for models of these names.
    pub fn new<'a>(models: impl Iterator<Item = &'a str>) -> Self {
        let metrics = Self {
            requests: Mutex::default(),
            ends: Mutex::default(),
            request: Histograms::new("gaia_request_seconds", "Time of whole requests.", "route"),
            first_token: Histograms::new(
                "gaia_time_to_first_token_seconds",
                "From the request to the first text.",
                "model",
            ),
            between_tokens: Histograms::new(
                "gaia_time_between_tokens_seconds",
                "Between two texts of an answer, per token.",
                "model",
            ),
        };
        for model in models {
            metrics.first_token.announce(model);
            metrics.between_tokens.announce(model);
        }
        metrics
    }

    /// Counts one request that has ended.
    pub fn count_request(&self, route: &str, status: u16, duration: Duration) {
        self.request.observe(route, duration);
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        *requests.entry((route.to_owned(), status)).or_default() += 1;
    }

    /// Counts one answer that has ended well. A request has one for each of its choices.
    pub fn count_end(&self, model: &str, reason: FinishReason) {
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        *ends.entry((model.to_owned(), reason_word(reason))).or_default() += 1;
    }

    /// All numbers in Prometheus' text format.
    pub async fn text(&self, node: &Node) -> String {
        let mut text = String::new();
        self.write_requests(&mut text);
        self.write_ends(&mut text);
        head(&mut text, "gaia_requests_active", "gauge", "Requests that hold a permit.");
        let _ = writeln!(text, "gaia_requests_active {}", node.admission.active());
        write_models(&mut text, &reports(node).await);
        self.request.write(&mut text);
        self.first_token.write(&mut text);
        self.between_tokens.write(&mut text);
        text
    }

    fn write_requests(&self, text: &mut String) {
        head(text, "gaia_requests_total", "counter", "Requests answered.");
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        for ((route, status), count) in &*requests {
            let labels = format!("route={route:?},status=\"{status}\"");
            let _ = writeln!(text, "gaia_requests_total{{{labels}}} {count}");
        }
    }

    fn write_ends(&self, text: &mut String) {
        head(text, "gaia_answers_total", "counter", "Answers that ended well, by why they ended.");
        let ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        for ((model, reason), count) in &*ends {
            let labels = format!("model={model:?},finish_reason=\"{reason}\"");
            let _ = writeln!(text, "gaia_answers_total{{{labels}}} {count}");
        }
    }
}

/// OpenAI's word for an end.
pub fn reason_word(reason: FinishReason) -> &'static str {
    match reason {
        FinishReason::Stop => "stop",
        FinishReason::Length => "length",
        FinishReason::ToolCalls => "tool_calls",
    }
}

async fn reports(node: &Node) -> Vec<(String, ModelReport)> {
    let report = async |model: &std::sync::Arc<dyn gaia_core::Model>| model.report().await;
    let all = node.models.all();
    let reports = futures_util::future::join_all(all.iter().map(report)).await;
    all.iter().map(|model| model.name().to_owned()).zip(reports).collect()
}

fn write_models(text: &mut String, reports: &[(String, ModelReport)]) {
    for (name, kind, help, value) in MODEL_LINES {
        head(text, name, kind, help);
        for (model, report) in reports {
            let _ = writeln!(text, "{name}{{model={model:?}}} {}", value(report));
        }
    }
}

/// What comes before a metric's numbers.
pub fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
}
