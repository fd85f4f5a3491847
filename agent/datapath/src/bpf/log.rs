//! The programs' own log lines, from their ring buffer to the process's log.

use std::{
    os::fd::{AsFd, OwnedFd},
    sync::Arc,
    thread::JoinHandle,
};

use aya::Ebpf;
use aya_log::EbpfLogger;

use super::wake::{self, Wake};

/// A thread that drains AYA_LOGS into the `log` crate (target `weir_ebpf`), which tracing-subscriber takes over.
/// A thread and not a task: log lines must come while a runtime is stuck, too.
#[derive(Debug)]
pub(super) struct LogReader {
    wake: Arc<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

impl LogReader {
    /// Nothing when the ring cannot be read; the programs work without.
    pub(super) fn start(ebpf: &mut Ebpf) -> Option<Self> {
        let mut logger = EbpfLogger::init(ebpf)
            .inspect_err(|error| tracing::warn!(%error, "log lines of the eBPF programs are not read"))
            .ok()?;
        let wake = Arc::new(wake::eventfd().ok()?);
        let stop = Arc::clone(&wake);
        let thread = std::thread::Builder::new()
            .name("weir-ebpf-log".to_owned())
            .spawn(move || {
                while wake::wait(logger.as_fd(), &stop) == Wake::Readable {
                    logger.flush();
                }
                logger.flush();
            })
            .inspect_err(|error| tracing::warn!(%error, "log lines of the eBPF programs are not read"))
            .ok()?;
        Some(Self { wake, thread: Some(thread) })
    }
}

impl Drop for LogReader {
    fn drop(&mut self) {
        wake::wake_up(&self.wake);
        if let Some(thread) = self.thread.take() {
            // A panic of that thread lost log lines, which is no reason for another one here.
            let _ = thread.join();
        }
    }
}
