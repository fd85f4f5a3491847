//! `weir-agent hold`: keeps the pods' listening sockets open while the agent restarts.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;

use weir_process::{LogLevel, Signals};

use crate::cli::HoldOptions;

/// Runs until it is ended; what it holds is closed with it.
pub(crate) fn run(options: &HoldOptions) -> anyhow::Result<()> {
    LogLevel::start(&options.log, false)?;
    let socket = Path::new(&options.socket);
    let stop = Arc::new(AtomicBool::default());
    let told = stop.clone();
    // The first process of a container, as which it runs on Kubernetes, is not ended by a signal that it does not take.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut signals = runtime.block_on(async { Signals::new() })?;
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        let signal = runtime.block_on(signals.next());
        tracing::info!(signal, "letting the listeners go");
        told.store(true, Ordering::Relaxed);
    })?;
    weir_datapath::hold(socket, || stop.load(Ordering::Relaxed))
        .with_context(|| format!("cannot hold sockets at {}", socket.display()))
}
