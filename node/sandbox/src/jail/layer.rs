//! The layers of defence by name, and how they are reported.

use std::fmt;

/// One layer of defence.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Layer {
    /// A user without rights, another one for each job.
    Uid,
    /// User, pid, ipc, uts, cgroup and mount namespaces; no further ones inside.
    Namespaces,
    /// The system, the toolchain and the crates are read-only; nothing else of the host is there.
    ReadOnly,
    /// One sized tmpfs, bytes and number of files.
    Disk,
    /// No network, not even the host's loopback.
    Network,
    /// No capability, and none to be had.
    Capabilities,
    /// The filter of system calls.
    Seccomp,
    /// The kernel's path rules, and signals that stay inside.
    Landlock,
    /// A limit of memory for all processes together, without swap.
    Memory,
    /// A limit of processes.
    Processes,
    /// Less weight than the serving processes when cores are short.
    CpuWeight,
    /// Limits of each process: file size, open files, no core files.
    Rlimits,
    /// A job ends with all that it started.
    Kill,
}

impl Layer {
    /// All of them, in the order of reports.
    pub const ALL: [Self; 13] = [
        Self::Uid,
        Self::Namespaces,
        Self::ReadOnly,
        Self::Disk,
        Self::Network,
        Self::Capabilities,
        Self::Seccomp,
        Self::Landlock,
        Self::Memory,
        Self::Processes,
        Self::CpuWeight,
        Self::Rlimits,
        Self::Kill,
    ];

    /// As configs and reports write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Uid => "uid",
            Self::Namespaces => "namespaces",
            Self::ReadOnly => "read-only",
            Self::Disk => "disk",
            Self::Network => "network",
            Self::Capabilities => "capabilities",
            Self::Seccomp => "seccomp",
            Self::Landlock => "landlock",
            Self::Memory => "memory",
            Self::Processes => "processes",
            Self::CpuWeight => "cpu-weight",
            Self::Rlimits => "rlimits",
            Self::Kill => "kill",
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// How much a layer holds, as tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It held.
    Enforced,
    /// It holds in part.
    Degraded {
        /// What is lacking.
        why: String,
        /// What brings it back.
        fix: String,
    },
    /// It does not hold.
    Missing {
        /// What went wrong.
        why: String,
        /// What brings it back.
        fix: String,
    },
}

/// One line of the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerReport {
    /// Which layer.
    pub layer: Layer,
    /// How much it holds.
    pub state: State,
}

/// All layers, as tried on this machine by this user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// In the order of [`Layer::ALL`].
    pub layers: Vec<LayerReport>,
}

impl Report {
    /// Does every layer hold fully?
    pub fn is_whole(&self) -> bool {
        self.layers.iter().all(|line| line.state == State::Enforced)
    }

    /// The layers that are missing and not accepted by name: each of them is a reason not to serve.
    pub fn unacceptable<'a>(
        &'a self,
        accepted: &'a [Layer],
    ) -> impl Iterator<Item = &'a LayerReport> {
        let missing = |line: &&LayerReport| matches!(line.state, State::Missing { .. });
        self.layers.iter().filter(missing).filter(|line| !accepted.contains(&line.layer))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for LayerReport { layer, state } in &self.layers {
            match state {
                State::Enforced => {
                    writeln!(formatter, "{layer:<13}enforced", layer = layer.name())?
                }
                State::Degraded { why, fix } => {
                    writeln!(formatter, "{:<13}degraded: {why}; {fix}", layer.name())?;
                }
                State::Missing { why, fix } => {
                    writeln!(formatter, "{:<13}missing: {why}; {fix}", layer.name())?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(layer: Layer, state: State) -> LayerReport {
        LayerReport { layer, state }
    }

    fn missing() -> State {
        State::Missing { why: "not there".into(), fix: "bring it".into() }
    }

    #[test]
    fn a_missing_layer_is_unacceptable_unless_named() {
        let layers = vec![line(Layer::Uid, State::Enforced), line(Layer::Memory, missing())];
        let report = Report { layers };
        assert!(!report.is_whole());
        assert_eq!(report.unacceptable(&[]).count(), 1);
        assert_eq!(report.unacceptable(&[Layer::Disk]).count(), 1);
        assert_eq!(report.unacceptable(&[Layer::Memory]).count(), 0);
    }

    #[test]
    fn a_report_reads_as_lines() {
        let report = Report { layers: vec![line(Layer::Memory, missing())] };
        assert_eq!(report.to_string(), "memory       missing: not there; bring it\n");
    }

    #[test]
    fn names_are_those_of_configs() {
        for layer in Layer::ALL {
            let json = serde_json::to_string(&layer).expect("a name");
            assert_eq!(json, format!("\"{layer}\""));
        }
    }
}
