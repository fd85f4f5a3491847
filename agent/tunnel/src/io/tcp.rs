//! What every TCP socket of the tunnel needs.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{SockRef, Socket, TcpKeepalive};
use tokio::io::Interest;
use tokio::net::TcpStream;
use weir_model::Keepalive;

/// Reads. A read that was not filled has emptied the socket: its readiness is taken back, so that nobody
/// asks the kernel again only to hear that there is nothing.
pub(crate) fn try_read(socket: &TcpStream, out: &mut [u8]) -> io::Result<usize> {
    let n = socket.try_read(out)?;
    if n < out.len() && n > 0 {
        not_ready(socket, Interest::READABLE);
    }
    Ok(n)
}

/// Writes. A write that was not taken whole has filled the socket.
pub(crate) fn try_write_vectored(socket: &TcpStream, slices: &[io::IoSlice<'_>]) -> io::Result<usize> {
    let n = match slices {
        [one] => socket.try_write(one)?,
        many => socket.try_write_vectored(many)?,
    };
    if n < slices.iter().map(|s| s.len()).sum() {
        not_ready(socket, Interest::WRITABLE);
    }
    Ok(n)
}

/// Closing it from now on is RST, and so is this process's sudden death (SO_LINGER 1, 0).
pub(crate) fn abort_on_close(socket: SockRef<'_>) {
    // It can only fail for something that is no socket.
    let _ = socket.set_linger(Some(Duration::ZERO));
}

/// Both directions ended with FIN: closing it is a clean end again.
pub(crate) fn end_on_close(socket: &TcpStream) {
    let _ = SockRef::from(socket).set_linger(None);
}

/// Keepalive as a user wants it; what he does not say is the system's. Linux counts in whole seconds.
pub(crate) fn keep_alive(socket: SockRef<'_>, keepalive: &Keepalive) -> io::Result<()> {
    let seconds = |time: Duration| Duration::from_secs(time.as_secs().clamp(1, MOST_SECONDS));
    let mut wanted = TcpKeepalive::new();
    if let Some(time) = keepalive.time {
        wanted = wanted.with_time(seconds(time));
    }
    if let Some(interval) = keepalive.interval {
        wanted = wanted.with_interval(seconds(interval));
    }
    if let Some(probes) = keepalive.probes {
        wanted = wanted.with_retries(probes.clamp(1, MOST_PROBES));
    }
    socket.set_tcp_keepalive(&wanted)
}

/// Connects a socket that does not block, with [`abort_on_close`].
///
/// # Errors
/// What the kernel says, or `TimedOut` after `limit`.
pub(crate) async fn connect(socket: Socket, addr: SocketAddr, limit: Duration) -> io::Result<TcpStream> {
    abort_on_close(SockRef::from(&socket));
    let target = addr.into();
    let mut connected = false;
    match socket.connect(&target) {
        Ok(()) => connected = true,
        Err(e) if e.raw_os_error() == Some(EINPROGRESS) => {
            // On loopback the handshake is over when connect() returns: asking again saves the wait.
            match socket.connect(&target) {
                Ok(()) => connected = true,
                Err(e) if matches!(e.raw_os_error(), Some(EALREADY | EINPROGRESS)) => {}
                Err(e) => return Err(e),
            }
        }
        Err(e) => return Err(e),
    }
    let stream = TcpStream::from_std(socket.into())?;
    if connected {
        return Ok(stream);
    }
    tokio::time::timeout(limit, stream.writable())
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    match stream.take_error()? {
        Some(error) => Err(error),
        None => Ok(stream),
    }
}

fn not_ready(socket: &TcpStream, interest: Interest) {
    let would_block = || Err::<(), _>(io::ErrorKind::WouldBlock.into());
    let _ = socket.try_io(interest, would_block);
}

/// `MAX_TCP_KEEPIDLE`, `MAX_TCP_KEEPINTVL` and `MAX_TCP_KEEPCNT` (include/net/tcp.h).
const MOST_SECONDS: u64 = 32767;
const MOST_PROBES: u32 = 127;
const EINPROGRESS: i32 = 115;
const EALREADY: i32 = 114;
