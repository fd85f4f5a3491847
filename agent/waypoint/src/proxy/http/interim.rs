//! Interim responses (1xx) of a backend, on their way to the client while the request is under way (RFC 9110 15.2).
//!
//! From HTTP/1 to HTTP/1 alone: hyper neither shows those of an HTTP/2 backend nor sends any to an HTTP/2 client. 100 is not
//! among them: whoever awaits it, hyper answers as soon as the body is wanted.

use std::pin::Pin;
use std::task::Poll;

use bytes::{BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, Request, StatusCode, Version, header};

use super::hops;
use crate::proxy::serve::Client;
use crate::proxy::wire::Turn;

/// One try's way to tell the client; `None` for a client that cannot be told.
pub(super) fn turn(client: &Client, asked: Version) -> Option<Turn> {
    // RFC 9110 15.2: no interim responses to HTTP/1.0.
    if asked != Version::HTTP_11 {
        return None;
    }
    Some(client.watch.get()?.turn())
}

/// Has hyper hand over what comes before the response.
pub(super) fn listen<B>(request: &mut Request<B>, turn: &Turn) {
    let say = turn.speaker();
    hyper::ext::on_informational(request, move |response| {
        if response.status() != StatusCode::CONTINUE {
            say(written(response.status(), response.headers()));
        }
    });
}

/// Waits for the response; it is not handed on before what came ahead of it.
pub(super) async fn after<T>(mut work: Pin<&mut impl Future<Output = T>>, turn: Option<&Turn>) -> T {
    let mut done = None;
    std::future::poll_fn(|cx| {
        if done.is_none() {
            done = match work.as_mut().poll(cx) {
                Poll::Ready(result) => Some(result),
                Poll::Pending => None,
            };
        }
        // Asked even while nothing is done: so the client's task knows when there is something to say.
        let said = turn.is_none_or(|turn| turn.poll_said(cx).is_ready());
        done.take_if(|_| said).map_or(Poll::Pending, Poll::Ready)
    })
    .await
}

fn written(status: StatusCode, headers: &HeaderMap) -> Bytes {
    let mut headers = headers.clone();
    hops::remove(&mut headers);
    headers.remove(header::CONTENT_LENGTH);
    let mut message = BytesMut::with_capacity(256);
    message.put_slice(b"HTTP/1.1 ");
    message.put_slice(status.as_str().as_bytes());
    message.put_u8(b' ');
    message.put_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    message.put_slice(b"\r\n");
    for (name, value) in &headers {
        message.put_slice(name.as_ref());
        message.put_slice(b": ");
        message.put_slice(value.as_bytes());
        message.put_slice(b"\r\n");
    }
    message.put_slice(b"\r\n");
    message.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_it_is_written() {
        let mut headers = HeaderMap::new();
        for (name, value) in
            [("link", "</a>"), ("link", "</b>"), ("connection", "x"), ("content-length", "5")]
        {
            headers.append(name, value.parse().unwrap());
        }
        headers.insert("x", "y".parse().unwrap());
        let text = written(StatusCode::EARLY_HINTS, &headers);
        assert_eq!(text, "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\nlink: </b>\r\n\r\n");
        let unknown = written(StatusCode::from_u16(199).unwrap(), &HeaderMap::new());
        assert_eq!(unknown, "HTTP/1.1 199 \r\n\r\n");
    }
}
