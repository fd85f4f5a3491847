//! From HTTP to another protocol on the same connection: `upgrade` (WebSocket and others) and CONNECT.

use http::request::Parts;
use http::{HeaderValue, Method, Request, StatusCode, header};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt as _;
use tracing::debug;

use super::check::wanted_upgrade;
use crate::proxy::connection::copy;
use crate::proxy::report::Account;
use crate::proxy::wire::{Gate, Io, Prefixed, Stream};

/// A change of protocol that the client asks for.
#[derive(Clone)]
pub(crate) struct Upgrade {
    /// `None` for CONNECT.
    protocol: Option<HeaderValue>,
    client: OnUpgrade,
}

impl Upgrade {
    /// What the request asks for, if anything.
    pub(crate) fn take(parts: &mut Parts) -> Option<Self> {
        let protocol = wanted_upgrade(parts);
        if protocol.is_none() && parts.method != Method::CONNECT {
            return None;
        }
        // hyper keeps its end of the matter in the request's extensions.
        let mut request = Request::new(());
        std::mem::swap(request.extensions_mut(), &mut parts.extensions);
        let client = hyper::upgrade::on(&mut request);
        std::mem::swap(request.extensions_mut(), &mut parts.extensions);
        Some(Self { protocol, client })
    }

    /// The request to the backend asks for the same.
    pub(crate) fn ask(&self, headers: &mut http::HeaderMap) {
        if let Some(protocol) = &self.protocol {
            headers.insert(header::UPGRADE, protocol.clone());
            headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        }
    }

    /// The backend agrees.
    pub(crate) fn is_granted(&self, status: StatusCode) -> bool {
        match self.protocol {
            Some(_) => status == StatusCode::SWITCHING_PROTOCOLS,
            None => status.is_success(),
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
