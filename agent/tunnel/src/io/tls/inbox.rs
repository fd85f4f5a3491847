//! Records on their way from the socket.

use std::io;
use std::task::{Context, Poll, ready};

use tokio::io::ReadBuf;
use tokio::net::TcpStream;

use super::TlsError;
use super::record::{self, ALERT, DATA, HANDSHAKE, HEADER, Key, TAG};
use crate::io::buffer::{Buffer, SIZE};

/// With less room than this behind what was read, it moves to the front before the next read.
const MIN_READ: usize = 64 * 1024;
/// A handshake message after the handshake is a ticket or a key update; both are small.
const MAX_MESSAGE: usize = 16 * 1024;
/// Records without data in a row. rustls allows as many.
const MAX_IDLE: u8 = 32;

/// What a record other than data asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Notice {
    /// The peer will send no more.
    Closed,
    /// The peer's next record is sealed with its next key; with `true` it wants ours replaced too.
    KeyUpdate(bool),
}

/// Reads records in bulk and opens them into the reader's memory.
pub(super) struct Inbox {
    key: Key,
    /// Held only while something in it is not read.
    buffer: Option<Buffer>,
    /// `start..end` are records as they came.
    start: usize,
    end: usize,
    /// Content of an opened record that the reader had no room for, in the buffer before `start`.
    content: std::ops::Range<usize>,
    /// Content that came with the handshake, before this record layer took over.
    early: Vec<u8>,
    /// A handshake message that is not complete yet.
    message: Vec<u8>,
    /// Records without data since the last one with data.
    idle: u8,
}

impl Inbox {
    /// `unread` are bytes that the handshake read from the socket and did not use.
    pub(super) fn new(key: Key, early: Vec<u8>, unread: &[u8]) -> Self {
        let mut inbox = Self {
            key,
            buffer: None,
            start: 0,
            end: unread.len(),
            content: 0..0,
            early,
            message: Vec::new(),
            idle: 0,
        };
        if !unread.is_empty() {
            let mut buffer = Buffer::take();
            buffer[..unread.len()].copy_from_slice(unread);
            inbox.buffer = Some(buffer);
        }
        inbox
    }

    pub(super) fn set_key(&mut self, key: Key) {
        self.key = key;
    }

    /// Opens what is there into `out`. Stops at a notice, when `out` is full or when no record is whole.
    pub(super) fn open(&mut self, out: &mut ReadBuf<'_>) -> Result<Option<Notice>, TlsError> {
        self.give_early(out);
        loop {
            self.give_content(out);
            let Some(buffer) = &mut self.buffer else {
                return Ok(None);
            };
            if out.remaining() == 0 || !self.content.is_empty() {
                return Ok(None);
            }
            let waiting = &mut buffer[self.start..self.end];
            let Some(len) = record::sealed_len(waiting)?.filter(|l| HEADER + l <= waiting.len()) else {
                return Ok(None);
            };
            let record = &mut waiting[..HEADER + len];
            let start = self.start + HEADER;
            self.start += HEADER + len;
            let room = len - TAG;
            if out.remaining() >= room {
                let (kind, n) = self.key.open(record, out.initialize_unfilled_to(room))?;
                if kind == DATA {
                    out.advance(n);
                    self.check_data(n)?;
                    continue;
                }
                let message = out.initialize_unfilled_to(n).to_vec();
                if let Some(notice) = self.notice(kind, &message)? {
                    return Ok(Some(notice));
                }
            } else {
                let (kind, n) = self.key.open_in_place(record)?;
                if kind == DATA {
                    self.content = start..start + n;
                    self.check_data(n)?;
                    continue;
                }
                let message = record[HEADER..HEADER + n].to_vec();
                if let Some(notice) = self.notice(kind, &message)? {
                    return Ok(Some(notice));
                }
            }
        }
    }

    /// Reads more from the socket: how many bytes, 0 at its end. Waiting costs no buffer.
    pub(super) fn poll_fill(&mut self, socket: &TcpStream, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.start == self.end && self.content.is_empty() {
            (self.buffer, self.start, self.end) = (None, 0, 0);
        }
        loop {
            ready!(socket.poll_read_ready(cx))?;
            let buffer = self.buffer.get_or_insert_with(Buffer::take);
            if SIZE - self.end < MIN_READ {
                buffer.copy_within(self.start..self.end, 0);
                (self.start, self.end) = (0, self.end - self.start);
            }
            match crate::io::tcp::try_read(socket, &mut buffer[self.end..]) {
                Ok(n) => {
                    self.end += n;
                    return Poll::Ready(Ok(n));
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    if self.start == self.end {
                        (self.buffer, self.start, self.end) = (None, 0, 0);
                    }
                }
                Err(e) => return Poll::Ready(Err(e)),
            }
        }
    }

    fn give_early(&mut self, out: &mut ReadBuf<'_>) {
        if !self.early.is_empty() {
            let n = self.early.len().min(out.remaining());
            out.put_slice(&self.early[..n]);
            self.early.drain(..n);
        }
    }

    fn give_content(&mut self, out: &mut ReadBuf<'_>) {
        if let Some(buffer) = self.buffer.as_ref().filter(|_| !self.content.is_empty()) {
            let n = self.content.len().min(out.remaining());
            out.put_slice(&buffer[self.content.start..self.content.start + n]);
            self.content.start += n;
        }
    }

    /// Section 5.1: nothing comes between the parts of a handshake message.
    fn check_data(&mut self, n: usize) -> Result<(), TlsError> {
        if !self.message.is_empty() {
            return Err(TlsError::Protocol("data within a handshake message"));
        }
        match n {
            0 => self.count_idle(),
            _ => {
                self.idle = 0;
                Ok(())
            }
        }
    }

    /// A key update makes us derive a key, an empty record makes us turn: a peer may not keep us busy so.
    fn count_idle(&mut self) -> Result<(), TlsError> {
        self.idle += 1;
        match self.idle <= MAX_IDLE {
            true => Ok(()),
            false => Err(TlsError::Protocol("too many records without data")),
        }
    }

    /// RFC 8446 sections 4.6 and 6. Tickets are passed over: tunnels are not resumed.
    fn notice(&mut self, kind: u8, content: &[u8]) -> Result<Option<Notice>, TlsError> {
        self.count_idle()?;
        match (kind, content) {
            (HANDSHAKE, []) => Err(TlsError::Protocol("an empty handshake record")),
            (ALERT, [_, 0]) => Ok(Some(Notice::Closed)),
            (ALERT, [_, alert]) => Err(TlsError::Alert(*alert)),
            (HANDSHAKE, _) if self.message.len() + content.len() <= MAX_MESSAGE => {
                self.message.extend_from_slice(content);
                self.take_message()
            }
            _ => Err(TlsError::Protocol("an unexpected record")),
        }
    }

    fn take_message(&mut self) -> Result<Option<Notice>, TlsError> {
        while let [kind, a, b, c, rest @ ..] = &self.message[..] {
            let len = u32::from_be_bytes([0, *a, *b, *c]) as usize;
            if rest.len() < len {
                break;
            }
            match (*kind, &rest[..len], rest.len() == len) {
                (NEW_SESSION_TICKET, ..) => drop(self.message.drain(..4 + len)),
                // The key changes at the record's end, so nothing may follow in it.
                (KEY_UPDATE, &[asked @ 0..=1], true) => {
                    self.message.clear();
                    return Ok(Some(Notice::KeyUpdate(asked == 1)));
                }
                _ => return Err(TlsError::Protocol("an unexpected handshake message")),
            }
        }
        Ok(None)
    }
}

const NEW_SESSION_TICKET: u8 = 4;
pub(super) const KEY_UPDATE: u8 = 24;
