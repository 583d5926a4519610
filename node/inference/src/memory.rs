//! How much memory this process may still take, and how much a model needs.

use std::path::Path;

use crate::EngineConfig;
use crate::ffi::{Model, Sizes};

/// Bytes that can be taken without swapping or being killed: what the machine has, or what is left
/// of the smallest limit of the process's control groups. `None`: the system does not say.
pub(crate) fn available_bytes() -> Option<u64> {
    let machine = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        number_after(&text, "MemAvailable:").map(|kibibytes| kibibytes.saturating_mul(1024))
    });
    let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let group = group_headroom(Path::new("/sys/fs/cgroup"), &groups);
    machine.into_iter().chain(group).min()
}

/// The names that a version of control groups gives its files and numbers.
struct Names {
    limit: &'static str,
    usage: &'static str,
    /// Cached file pages that are given back when memory is short, in `memory.stat`.
    reclaimable: &'static str,
}

const V1: Names = Names {
    limit: "memory.limit_in_bytes",
    usage: "memory.usage_in_bytes",
    reclaimable: "total_inactive_file ",
};
const V2: Names =
    Names { limit: "memory.max", usage: "memory.current", reclaimable: "inactive_file " };

/// The least that any control group of the process has left.
fn group_headroom(root: &Path, groups: &str) -> Option<u64> {
    groups.lines().filter_map(|line| line_headroom(root, line)).min()
}

/// `line` is one of `/proc/self/cgroup`: number, controllers, path.
fn line_headroom(root: &Path, line: &str) -> Option<u64> {
    let mut fields = line.splitn(3, ':').skip(1);
    let (controllers, path) = (fields.next()?, fields.next()?);
    let (base, names) = match controllers {
        "" => (root.to_path_buf(), V2),
        list if list.split(',').any(|name| name == "memory") => (root.join("memory"), V1),
        _ => return None,
    };
    let group = base.join(path.trim_start_matches('/'));
    // A limit of any group above holds too. In a container the path may be the host's, and the
    // files lie at the root.
    let parents = group.ancestors().take_while(|group| group.starts_with(&base));
    parents.filter_map(|group| headroom(group, &names)).min()
}

fn headroom(group: &Path, names: &Names) -> Option<u64> {
    let read = |name: &str| std::fs::read_to_string(group.join(name)).ok();
    // No limit is the word `max`, which is no number.
    let limit: u64 = read(names.limit)?.trim().parse().ok()?;
    let usage: u64 = read(names.usage)?.trim().parse().ok()?;
    let stat = read("memory.stat").unwrap_or_default();
    let reclaimable = number_after(&stat, names.reclaimable).unwrap_or(0);
    Some(limit.saturating_sub(usage.saturating_sub(reclaimable)))
}

/// The number behind `name` at the start of a line.
fn number_after(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

/// What a context takes beside the weights.
pub(crate) struct Shape {
    pub(crate) sequences_max: u32,
    pub(crate) context_tokens: u32,
    pub(crate) batch_tokens: u32,
}

/// Bytes that a context of this shape is going to take, by estimate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ContextBytes {
    /// Keys and values of all layers.
    pub(crate) cache: u64,
    /// Buffers of a step.
    pub(crate) step: u64,
}

impl ContextBytes {
    pub(crate) fn sum(self) -> u64 {
        self.cache.saturating_add(self.step)
    }
}

/// What a context of this shape is going to take.
pub(crate) fn context_bytes(model: &Model, config: &EngineConfig, shape: &Shape) -> ContextBytes {
    let cells = u64::from(shape.sequences_max) * u64::from(shape.context_tokens);
    let cell = if model.is_recurrent() { 0.0 } else { cell_bytes(model, config) };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an estimate of a positive number"
    )]
    let cache = (cells as f64 * cell) as u64;
    let step = step_bytes(&model.sizes(), model.vocabulary_tokens(), shape);
    ContextBytes { cache, step }
}

/// Bytes of one token in the key and value caches of all layers.
fn cell_bytes(model: &Model, config: &EngineConfig) -> f64 {
    let sizes = model.sizes();
    let head = |name: &str| {
        let architecture = model.metadata("general.architecture").unwrap_or_default();
        let length = model.metadata(&format!("{architecture}.attention.{name}"));
        let default = sizes.hidden / sizes.heads;
        f64::from(length.and_then(|length| length.parse().ok()).unwrap_or(default))
    };
    let keys = head("key_length") * config.cache_type_k.bytes();
    let values = head("value_length") * config.cache_type_v.bytes();
    f64::from(sizes.layers) * f64::from(sizes.heads_kv) * (keys + values)
}

/// Logits, and about eight rows of the hidden state's width times four per token, as measured on
/// small models.
fn step_bytes(sizes: &Sizes, vocabulary_tokens: u32, shape: &Shape) -> u64 {
    let logits = u64::from(shape.sequences_max) * u64::from(vocabulary_tokens) * 4 * 2;
    let rows = u64::from(shape.batch_tokens) * u64::from(sizes.hidden) * 4 * 32;
    logits + rows
}

#[cfg(test)]
#[path = "memory_tests.rs"]
mod tests;
