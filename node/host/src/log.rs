//! The log: lines on standard error.

use tracing_subscriber::EnvFilter;

use crate::config::{LogConfig, LogFormat};

/// Starts logging as the config says.
///
/// # Errors
/// Logging has been started already, or the filter is wrong (a checked config's is not).
pub fn start(config: &LogConfig) -> anyhow::Result<()> {
    let mut filter = EnvFilter::try_new(&config.filter)?;
    if !config.filter.contains("rmcp") {
        // It logs what clients say.
        filter = filter.add_directive("rmcp=error".parse()?);
    }
    let builder = tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(filter);
    let started = match config.format {
        LogFormat::Text => builder.with_target(false).with_ansi(is_terminal()).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("starting the log: {error}"))
}

fn is_terminal() -> bool {
    std::io::IsTerminal::is_terminal(&std::io::stderr())
}
