//! What is sent to a backend as the body of a request.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use super::echo::Echo;
use super::upload::Reading;

/// What is sent to a backend as the request's body.
pub(crate) enum RequestBody {
    Empty,
    /// One try's reading of the client's body.
    Try(Reading),
    /// What a mirror hears of it.
    Mirror(Echo),
}

/// A body could not be read to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UploadError {
    #[error("the client's body broke off")]
    Client(#[source] hyper::Error),
    #[error("the body was read already and is too large to be kept")]
    Gone,
    #[error("the mirror is slower than the backend by more than is kept for it")]
    Slow,
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = UploadError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, UploadError>>> {
        match self.get_mut() {
            Self::Empty => Poll::Ready(None),
            Self::Try(reading) => reading.poll(cx),
            Self::Mirror(echo) => echo.0.borrow_mut().poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Try(reading) => reading.is_end(),
            Self::Mirror(echo) => echo.is_end(),
        }
    }

    /// The length is the client's header, which goes along; a body without one is chunked.
    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            _ => SizeHint::default(),
        }
    }
}
