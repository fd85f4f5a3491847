//! Sealed records on their way to the socket.

use std::io;
use std::task::{Context, Poll};

use tokio::net::TcpStream;

use super::TlsError;
use super::record::{DATA, HANDSHAKE, HEADER, Key, MAX_PLAIN, TRAILER};
use crate::io::buffer::{Buffer, SIZE};

/// Plaintext shorter than this is collected into a shared record; longer is sealed from where it lies.
const COLLECT_BELOW: usize = 4096;
/// With less room than this the buffer is full: the rest is for alerts and key updates, not for tiny records.
const MIN_ROOM: usize = 2048;

/// Seals what is written and sends it when told, or when the buffer is full.
pub(super) struct Outbox {
    key: Key,
    /// Held only while there is something to send.
    buffer: Option<Buffer>,
    /// `..sent` is in the kernel, `sent..sealed` waits for it, then comes the record that is being collected.
    sent: usize,
    sealed: usize,
    /// Plaintext of the open record, behind room for its header.
    collected: usize,
}

impl Outbox {
    /// `unsent` are bytes of the handshake that leave first.
    pub(super) fn new(key: Key, unsent: &[u8]) -> Self {
        let mut outbox = Self { key, buffer: None, sent: 0, sealed: 0, collected: 0 };
        if !unsent.is_empty() {
            let mut buffer = Buffer::take();
            buffer[..unsent.len()].copy_from_slice(unsent);
            outbox.buffer = Some(buffer);
            outbox.sealed = unsent.len();
        }
        outbox
    }

    /// Takes as much of `plain` as there is room for; 0 means full.
    pub(super) fn write(&mut self, plain: &[u8]) -> Result<usize, TlsError> {
        let mut taken = 0;
        while taken < plain.len() {
            let rest = &plain[taken..];
            let room = self.room();
            if room < MIN_ROOM {
                break;
            }
            if rest.len() >= COLLECT_BELOW {
                self.seal_collected()?;
                let n = rest.len().min(MAX_PLAIN).min(self.room());
                self.seal(DATA, &rest[..n])?;
                taken += n;
            } else {
                let n = rest.len().min(MAX_PLAIN - self.collected).min(room);
                self.collect(&rest[..n]);
                taken += n;
                if self.collected == MAX_PLAIN {
                    self.seal_collected()?;
                }
            }
        }
        Ok(taken)
    }

    /// Sends a handshake message, behind everything written before. There must be room for it.
    pub(super) fn write_handshake(&mut self, message: &[u8]) -> Result<(), TlsError> {
        self.seal_collected()?;
        self.seal(HANDSHAKE, message)
    }

    /// Sends an alert, if there is room.
    pub(super) fn write_alert(&mut self, alert: [u8; 2]) -> Result<(), TlsError> {
        self.seal_collected()?;
        if self.room() < alert.len() {
            return Ok(());
        }
        self.seal(super::record::ALERT, &alert)
    }

    #[cfg(test)]
    pub(super) fn write_record(&mut self, kind: u8, content: &[u8]) -> Result<(), TlsError> {
        self.seal_collected()?;
        self.seal(kind, content)
    }

    /// Everything written after this is sealed with the new key.
    pub(super) fn set_key(&mut self, key: Key) {
        self.key = key;
    }

    pub(super) fn is_worn(&self) -> bool {
        self.key.is_worn()
    }

    /// Whether [`Outbox::write`] would take nothing.
    pub(super) fn is_full(&self) -> bool {
        self.room() < MIN_ROOM
    }

    /// Plaintext that one more record can take.
    pub(super) fn room(&self) -> usize {
        let used = self.sealed + self.collected;
        // A collected record will need its own header and trailer, and so will the next one.
        let overhead = if self.collected > 0 { 2 * (HEADER + TRAILER) } else { HEADER + TRAILER };
        SIZE.saturating_sub(used + overhead)
    }

    /// Hands everything to the kernel. Ready when all of it is there; the buffer is then given back.
    pub(super) fn poll_send(&mut self, socket: &TcpStream, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.seal_collected()?;
        let Some(buffer) = &self.buffer else {
            return Poll::Ready(Ok(()));
        };
        while self.sent < self.sealed {
            match socket.try_write(&buffer[self.sent..self.sealed]) {
                Ok(n) => self.sent += n,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    std::task::ready!(socket.poll_write_ready(cx))?;
                }
                Err(e) => return Poll::Ready(Err(e)),
            }
        }
        (self.buffer, self.sent, self.sealed) = (None, 0, 0);
        Poll::Ready(Ok(()))
    }

    fn collect(&mut self, plain: &[u8]) {
        let start = self.sealed + HEADER + self.collected;
        let buffer = self.buffer.get_or_insert_with(Buffer::take);
        buffer[start..start + plain.len()].copy_from_slice(plain);
        self.collected += plain.len();
    }

    fn seal_collected(&mut self) -> Result<(), TlsError> {
        let Some(buffer) = self.buffer.as_mut().filter(|_| self.collected > 0) else {
            return Ok(());
        };
        let end = self.sealed + HEADER + self.collected + TRAILER;
        self.key.seal_in_place(DATA, &mut buffer[self.sealed..end])?;
        (self.sealed, self.collected) = (end, 0);
        Ok(())
    }

    fn seal(&mut self, kind: u8, plain: &[u8]) -> Result<(), TlsError> {
        let end = self.sealed + HEADER + plain.len() + TRAILER;
        let buffer = self.buffer.get_or_insert_with(Buffer::take);
        self.key.seal(kind, plain, &mut buffer[self.sealed..end])?;
        self.sealed = end;
        Ok(())
    }
}
