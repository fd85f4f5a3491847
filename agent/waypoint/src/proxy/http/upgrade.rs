//! From HTTP to another protocol on the same connection or stream: `upgrade` (WebSocket and others), CONNECT, and the
//! extended CONNECT of HTTP/2 (RFC 8441). Each side asks and agrees in the words of its own version.

use std::cell::Cell;
use std::rc::Rc;

use http::request::Parts;
use http::{HeaderValue, Method, Request, StatusCode, header};
use hyper::ext::Protocol;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt as _;
use tracing::debug;

use super::check::{extended_connect, wanted_upgrade};
use super::websocket;
use crate::proxy::connection::copy;
use crate::proxy::pool::Version;
use crate::proxy::report::Account;
use crate::proxy::wire::{Gate, Io, Prefixed, Stream};

/// A change of protocol that the client asks for.
#[derive(Clone)]
pub(crate) struct Upgrade {
    /// `None` for CONNECT.
    protocol: Option<HeaderValue>,
    /// Asked by an extended CONNECT (RFC 8441).
    extended: bool,
    /// What a client of WebSocket over HTTP/1 wants answered.
    key: Option<HeaderValue>,
    granted: Rc<Cell<bool>>,
    client: OnUpgrade,
}

impl Upgrade {
    /// What the request asks for, if anything. An extended CONNECT becomes the GET that it would be in HTTP/1: rules and
    /// policies know no other.
    pub(crate) fn take(parts: &mut Parts) -> Option<Self> {
        let extended = extended_connect(parts);
        let asked = extended.clone().or_else(|| wanted_upgrade(parts));
        if asked.is_none() && parts.method != Method::CONNECT {
            return None;
        }
        if extended.is_some() {
            parts.method = Method::GET;
        }
        let key = parts.headers.get(header::SEC_WEBSOCKET_KEY).cloned();
        // hyper keeps its end of the matter in the request's extensions.
        let mut request = Request::new(());
        std::mem::swap(request.extensions_mut(), &mut parts.extensions);
        let client = hyper::upgrade::on(&mut request);
        std::mem::swap(request.extensions_mut(), &mut parts.extensions);
        Some(Self { protocol: asked, extended: extended.is_some(), key, granted: Rc::default(), client })
    }

    /// A success would tell the client that its protocol is spoken from here on, whoever says it.
    pub(crate) fn takes_success_for_consent(&self) -> bool {
        self.extended
    }

    /// Whether HTTP/2 has to be asked for something that it need not know.
    pub(crate) fn needs_extended_connect(&self) -> bool {
        self.protocol.is_some()
    }

    /// The request to the backend asks for the same. `random` becomes the key of a client that has none.
    pub(crate) fn ask<B>(&self, request: &mut Request<B>, version: Version, random: u128) {
        let Some(protocol) = &self.protocol else { return };
        if version == Version::Http2 {
            *request.method_mut() = Method::CONNECT;
            request.headers_mut().remove(header::SEC_WEBSOCKET_KEY);
            if let Ok(protocol) = protocol.to_str() {
                request.extensions_mut().insert(Protocol::from(protocol));
            }
            return;
        }
        let headers = request.headers_mut();
        headers.insert(header::UPGRADE, protocol.clone());
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        if self.extended && is_websocket(protocol) {
            headers.insert(header::SEC_WEBSOCKET_KEY, websocket::key(random));
        }
    }

    /// The backend agrees.
    pub(crate) fn is_granted(&self, version: http::Version, status: StatusCode) -> bool {
        match self.protocol {
            // hyper hands out the stream for this alone.
            _ if version == http::Version::HTTP_2 => status == StatusCode::OK,
            Some(_) => status == StatusCode::SWITCHING_PROTOCOLS,
            None => status.is_success(),
        }
    }

    /// Whether it has come about.
    pub(crate) fn was_granted(&self) -> bool {
        self.granted.get()
    }

    /// The backend's consent in the words of the client's version; `agreed` is the `upgrade` of its answer.
    pub(crate) fn grant(&self, head: &mut http::response::Parts, agreed: Option<HeaderValue>) {
        self.granted.set(true);
        let Some(protocol) = &self.protocol else { return };
        if self.extended {
            head.status = StatusCode::OK;
            head.headers.remove(header::SEC_WEBSOCKET_ACCEPT);
            return;
        }
        head.status = StatusCode::SWITCHING_PROTOCOLS;
        head.headers.insert(header::UPGRADE, agreed.unwrap_or_else(|| protocol.clone()));
        head.headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        if is_websocket(protocol)
            && let Some(key) = &self.key
            && !head.headers.contains_key(header::SEC_WEBSOCKET_ACCEPT)
        {
            head.headers.insert(header::SEC_WEBSOCKET_ACCEPT, websocket::accept(key.as_bytes()));
        }
    }

    /// It is not to be. Should hyper hand out the connection all the same (it does if the answer ends it), it is closed as
    /// any other.
    pub(crate) fn refused(self) {
        tokio::task::spawn_local(async move {
            if let Ok(upgraded) = self.client.await {
                // Whether the client still listens is no matter.
                let _ = open::<Gate>(upgraded).shutdown().await;
            }
        });
    }

    /// Carries bytes both ways until both ends are done; `held` is what the request holds as long.
    pub(crate) async fn bridge<T>(
        self,
        backend: OnUpgrade,
        account: Account,
        idle: std::time::Duration,
        held: T,
    ) {
        let (client, backend) = match tokio::try_join!(self.client, backend) {
            Ok(both) => both,
            Err(error) => return debug!(%error, "an upgrade did not come about"),
        };
        let (client, backend) = (open::<Gate>(client), open::<Stream>(backend));
        copy(client, backend, &account.received, &account.sent, idle, |_| ()).await;
        drop(held);
    }
}

fn is_websocket(protocol: &HeaderValue) -> bool {
    protocol.as_bytes().eq_ignore_ascii_case(b"websocket")
}

/// The connection below hyper, if it is one of ours; a stream of HTTP/2 stays hyper's.
fn open<T: Io + 'static>(upgraded: Upgraded) -> Stream {
    match upgraded.downcast::<TokioIo<T>>() {
        Ok(parts) => Prefixed::put_back(parts.read_buf.as_ref().into(), Box::new(parts.io.into_inner())),
        Err(upgraded) => Box::new(TokioIo::new(upgraded)),
    }
}

impl Io for TokioIo<Upgraded> {
    /// hyper resets a stream that is dropped before its end.
    fn abort(&mut self) {}
}
