//! Structured logs: text for people, JSON for machines, and a level that can be changed while running.

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry, fmt, reload};

use crate::config::Log;

/// Changes what is logged while the agent runs (`POST /logging?level=`).
#[derive(Clone)]
pub(crate) struct LogLevel {
    handle: reload::Handle<EnvFilter, Registry>,
    initial: String,
}

/// Starts logging to standard error; `log` records (aya's, rustls's) arrive too.
pub(crate) fn start(config: &Log) -> anyhow::Result<LogLevel> {
    let (filter, handle) = reload::Layer::new(parse(&config.filter)?);
    let output = fmt::layer().with_writer(std::io::stderr);
    let registry = tracing_subscriber::registry().with(filter);
    match config.json {
        true => registry.with(output.json().flatten_event(true)).init(),
        false => registry.with(output.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))).init(),
    }
    Ok(LogLevel { handle, initial: config.filter.clone() })
}

impl LogLevel {
    /// The directives in force.
    pub(crate) fn current(&self) -> String {
        self.handle.with_current(ToString::to_string).unwrap_or_default()
    }

    /// Puts new directives in force; what does not parse is refused and nothing changes.
    pub(crate) fn set(&self, directives: &str) -> anyhow::Result<()> {
        Ok(self.handle.reload(parse(directives)?)?)
    }

    /// Back to what the agent was started with.
    pub(crate) fn reset(&self) -> anyhow::Result<()> {
        self.set(&self.initial)
    }
}

fn parse(directives: &str) -> anyhow::Result<EnvFilter> {
    let filter = EnvFilter::builder().parse(directives);
    filter.map_err(|error| anyhow::anyhow!("log: {directives:?}: {error}; a level (info) or target=level pairs joined by commas are understood"))
}
