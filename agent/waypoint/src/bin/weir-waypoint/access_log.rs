//! Lines of the access log on standard output, by a thread of their own: whoever reads slowly must not stop requests.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, TrySendError, sync_channel};

use weir_waypoint::proxy::{AccessLog, Form};

/// The log. Lines that nobody takes in time are left out, and it is said how many.
pub(crate) fn start(form: Form) -> std::io::Result<Arc<AccessLog>> {
    let (lines, queue) = sync_channel::<String>(QUEUE);
    let lost = Arc::new(AtomicU64::new(0));
    let counted = lost.clone();
    std::thread::Builder::new().name("weir-access-log".into()).spawn(move || write(&queue, &counted))?;
    let sink = move |line: &str| match lines.try_send(format!("{line}\n")) {
        Ok(()) | Err(TrySendError::Disconnected(_)) => {}
        Err(TrySendError::Full(_)) => drop(lost.fetch_add(1, Ordering::Relaxed)),
    };
    Ok(Arc::new(AccessLog::new(form, sink)))
}

fn write(queue: &Receiver<String>, lost: &AtomicU64) {
    let mut out = std::io::stdout().lock();
    while let Ok(line) = queue.recv() {
        let mut text = line;
        text.extend(queue.try_iter().take(AT_ONCE));
        // Without a reader there is nobody to tell.
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        match lost.swap(0, Ordering::Relaxed) {
            0 => {}
            lost => tracing::warn!(lost, "lines of the access log were left out: nobody reads them in time"),
        }
    }
}

const QUEUE: usize = 8192;
const AT_ONCE: usize = 256;
