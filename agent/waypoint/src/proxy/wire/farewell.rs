//! The end of a connection whose client is still sending: closed at once, the kernel would answer what comes with a reset,
//! and the client could lose the answer that it has not read yet. So it is heard out for a moment.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::io::Stream;

/// What is left to do of it.
#[derive(Default)]
pub(super) struct Farewell {
    said: bool,
    heard: usize,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Farewell {
    /// Ends our side; if `waits`, hears out the other.
    pub(super) fn poll(
        &mut self,
        stream: &mut Stream,
        cx: &mut Context<'_>,
        waits: bool,
    ) -> Poll<std::io::Result<()>> {
        if !self.said {
            ready!(Pin::new(&mut *stream).poll_shutdown(cx))?;
            self.said = true;
        }
        if waits {
            ready!(self.hear(stream, cx));
        }
        Poll::Ready(Ok(()))
    }

    fn hear(&mut self, stream: &mut Stream, cx: &mut Context<'_>) -> Poll<()> {
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(LONGEST)));
        if timer.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        let mut room = [0; 4096];
        while self.heard < MOST {
            let mut buffer = ReadBuf::new(&mut room);
            match ready!(Pin::new(&mut *stream).poll_read(cx, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => self.heard += buffer.filled().len(),
                // Its end, or one that is rougher.
                Ok(()) | Err(_) => break,
            }
        }
        Poll::Ready(())
    }
}

/// Envoy's.
const LONGEST: Duration = Duration::from_secs(1);
/// Whoever sends more than this does not listen.
const MOST: usize = 1024 * 1024;
