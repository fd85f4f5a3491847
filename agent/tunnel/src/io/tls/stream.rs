//! The stream that h2 reads from and writes to.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::handshake::Schedule;
use super::inbox::{Inbox, KEY_UPDATE, Notice};
use super::outbox::Outbox;
use super::record::Key;
use super::{Established, TlsError};

/// What the peer is read in one turn of the tunnel's task before the streams get theirs: reading a whole
/// window ahead would push it out of the processor's cache before anybody uses it.
const READ_PER_TURN: usize = 256 * 1024;

/// A TLS connection with two handles: h2 has one, the tunnel's task the other.
///
/// `poll_flush` does nothing. h2 flushes after every frame; the task sends what all frames of a turn left in
/// the outbox with one system call, by [`TlsStream::poll_send`].
#[derive(Clone)]
pub(crate) struct TlsStream(Rc<RefCell<Channel>>);

struct Channel {
    socket: TcpStream,
    schedule: Box<dyn Schedule>,
    inbox: Inbox,
    outbox: Outbox,
    /// Our sending key must be replaced.
    owes_key_update: bool,
    /// The peer said that it will send no more.
    closed: bool,
    /// We said so.
    said_close: bool,
    /// h2 wanted to write and there was no room.
    blocked: bool,
    read_this_turn: usize,
}

impl TlsStream {
    /// Takes over after the handshake.
    ///
    /// # Errors
    /// A suite that the record layer does not have.
    pub(crate) fn new(established: Established) -> Result<Self, TlsError> {
        let Established { socket, secrets, schedule, early, unread, unsent, .. } = established;
        Ok(Self(Rc::new(RefCell::new(Channel {
            socket,
            schedule,
            inbox: Inbox::new(Key::new(secrets.rx)?, early, &unread),
            outbox: Outbox::new(Key::new(secrets.tx)?, &unsent),
            owes_key_update: false,
            closed: false,
            said_close: false,
            blocked: false,
            read_this_turn: 0,
        }))))
    }

    /// A new turn of the task: reading may go on.
    pub(crate) fn start_turn(&self) {
        self.0.borrow_mut().read_this_turn = 0;
    }

    /// Sends what was written. Ready with `true` if h2 was refused room before and should write again.
    pub(crate) fn poll_send(&self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let channel = &mut *self.0.borrow_mut();
        channel.update_key()?;
        ready!(channel.outbox.poll_send(&channel.socket, cx))?;
        Poll::Ready(Ok(std::mem::take(&mut channel.blocked)))
    }

    #[cfg(test)]
    pub(crate) fn write_raw(&self, bytes: &[u8]) {
        self.0.borrow().socket.try_write(bytes).unwrap();
    }

    #[cfg(test)]
    pub(crate) fn write_record(&self, kind: u8, content: &[u8]) {
        self.0.borrow_mut().outbox.write_record(kind, content).unwrap();
    }

    #[cfg(test)]
    pub(crate) fn owe_key_update(&self) {
        self.0.borrow_mut().owes_key_update = true;
    }

    /// Says that no more comes and hands the kernel what it takes at once.
    pub(crate) fn close(&self) {
        let cx = &mut Context::from_waker(std::task::Waker::noop());
        let _ = self.0.borrow_mut().poll_close(cx);
    }
}

impl Channel {
    fn update_key(&mut self) -> Result<(), TlsError> {
        if !(self.owes_key_update || self.outbox.is_worn()) || self.outbox.room() < 64 {
            return Ok(());
        }
        self.owes_key_update = false;
        self.outbox.write_handshake(&[KEY_UPDATE, 0, 0, 1, 0])?;
        self.outbox.set_key(Key::new(self.schedule.next_sending()?)?);
        Ok(())
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !std::mem::replace(&mut self.said_close, true) {
            self.outbox.write_alert(CLOSE_NOTIFY)?;
        }
        self.outbox.poll_send(&self.socket, cx)
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = out.filled().len();
        // What comes behind close_notify is ignored (RFC 8446 section 6.1).
        if self.closed {
            return Poll::Ready(Ok(()));
        }
        loop {
            match self.inbox.open(out)? {
                Some(Notice::Closed) => self.closed = true,
                Some(Notice::KeyUpdate(asked)) => {
                    let next = self.schedule.next_receiving().map_err(TlsError::from)?;
                    self.inbox.set_key(Key::new(next)?);
                    self.owes_key_update |= asked;
                    continue;
                }
                None => {}
            }
            if self.closed || out.filled().len() > before || out.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
            if self.read_this_turn >= READ_PER_TURN {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            match ready!(self.inbox.poll_fill(&self.socket, cx))? {
                // Without close_notify this may be anybody's FIN.
                0 => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
                n => self.read_this_turn += n,
            }
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.update_key()?;
        let mut taken = 0;
        for slice in slices {
            while self.outbox.is_full() {
                match self.outbox.poll_send(&self.socket, cx)? {
                    Poll::Ready(()) => {}
                    Poll::Pending if taken > 0 => return Poll::Ready(Ok(taken)),
                    Poll::Pending => {
                        self.blocked = true;
                        return Poll::Pending;
                    }
                }
            }
            let n = self.outbox.write(slice)?;
            taken += n;
            if n < slice.len() {
                break;
            }
        }
        Poll::Ready(Ok(taken))
    }
}

impl AsyncRead for TlsStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.0.borrow_mut().poll_read(cx, out)
    }
}

impl AsyncWrite for TlsStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.borrow_mut().poll_write(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.borrow_mut().poll_write(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.borrow_mut().poll_close(cx)
    }
}

/// Warning, close_notify (RFC 8446 section 6.1).
const CLOSE_NOTIFY: [u8; 2] = [1, 0];
