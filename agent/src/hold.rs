//! `weir-agent hold`: keeps the pods' listening sockets open while the agent restarts.

use std::path::Path;

use anyhow::Context;

use weir_process::LogLevel;

use crate::cli::HoldOptions;

/// Runs until it is ended; what it holds is closed with it.
pub(crate) fn run(options: &HoldOptions) -> anyhow::Result<()> {
    LogLevel::start(&options.log, false)?;
    let socket = Path::new(&options.socket);
    weir_datapath::hold(socket).with_context(|| format!("cannot hold sockets at {}", socket.display()))
}
