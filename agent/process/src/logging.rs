//! Structured logs: text for people, JSON for machines, and a level that can be changed while running.

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry, fmt, reload};

/// Changes what is logged while the process runs (`POST /logging?level=`).
#[derive(Clone)]
pub struct LogLevel {
    handle: reload::Handle<EnvFilter, Registry>,
    initial: String,
}

impl LogLevel {
    /// Starts logging to standard error, as text or as JSON; `log` records (aya's, rustls's) arrive too.
    ///
    /// # Errors
    /// The filter does not parse; the message says what would.
    pub fn start(filter: &str, json: bool) -> anyhow::Result<Self> {
        let initial = filter.to_owned();
        let (filter, handle) = reload::Layer::new(parse(filter)?);
        let output = fmt::layer().with_writer(std::io::stderr);
        let registry = tracing_subscriber::registry().with(filter);
        match json {
            true => registry.with(output.json().flatten_event(true)).init(),
            false => {
                registry.with(output.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))).init()
            }
        }
        Ok(Self { handle, initial })
    }

    /// The directives in force.
    pub fn current(&self) -> String {
        self.handle.with_current(ToString::to_string).unwrap_or_default()
    }

    /// Puts new directives in force; what does not parse is refused and nothing changes.
    ///
    /// # Errors
    /// What does not parse.
    pub fn set(&self, directives: &str) -> anyhow::Result<()> {
        Ok(self.handle.reload(parse(directives)?)?)
    }

    /// Back to what the process was started with.
    ///
    /// # Errors
    /// The subscriber is gone.
    pub fn reset(&self) -> anyhow::Result<()> {
        self.set(&self.initial)
    }
}

fn parse(directives: &str) -> anyhow::Result<EnvFilter> {
    let filter = EnvFilter::builder().parse(format!("{QUIET},{directives}"));
    filter.map_err(|error| anyhow::anyhow!("log: {directives:?}: {error}; a level (info) or target=level pairs joined by commas are understood"))
}

/// What a library says at the level of errors before its caller says it with what was done and what comes of it. Whoever wants to read it
/// names it.
const QUIET: &str = "kube_client::client::builder=off";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_quiet_can_be_asked_for() {
        assert_eq!(parse("info").unwrap().to_string(), "kube_client::client::builder=off,info");
        let asked = parse("kube_client::client::builder=debug,info").unwrap();
        assert_eq!(asked.to_string(), "kube_client::client::builder=debug,info");
        assert!(parse("nonsense[").is_err());
    }
}
