//! What moved.

use std::cell::Cell;

use tokio::time::Instant;

/// Bytes, gRPC messages, and when something moved last.
#[derive(Default)]
pub(crate) struct Meter {
    bytes: Cell<u64>,
    messages: Cell<u64>,
    moved: Cell<Option<Instant>>,
}

impl Meter {
    pub(crate) fn add(&self, bytes: usize) {
        self.bytes.set(self.bytes.get() + bytes as u64);
    }

    pub(crate) fn add_messages(&self, messages: u64) {
        self.messages.set(self.messages.get() + messages);
    }

    /// Remembers that something moved now.
    pub(crate) fn touch(&self) {
        self.moved.set(Some(Instant::now()));
    }

    pub(crate) fn moved(&self) -> Option<Instant> {
        self.moved.get()
    }

    pub(crate) fn messages(&self) -> u64 {
        self.messages.get()
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.get()
    }
}
