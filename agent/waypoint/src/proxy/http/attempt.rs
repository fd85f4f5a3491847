//! One try of a request: an endpoint, a connection, the head of a response.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use http::{Method, Request, Response, Uri, header};
use hyper::body::Incoming;
use tokio::time::Instant;

use super::body::RequestBody;
use super::ended::{Ended, Late};
use super::failure::{self, Failure, Kind};
use super::interim;
use super::relay::Ends;
use super::upgrade::Upgrade;
use super::upload::Upload;
use crate::balance::Endpoint;
use crate::proxy::choice::{Choice, NoChoice, Wish, choose};
use crate::proxy::connect::ConnectError;
use crate::proxy::pool::{Lease, LeaseError, Version};
use crate::proxy::report::Account;
use crate::proxy::serve::Client;
use crate::route::BackendRef;

/// What is sent.
#[derive(Clone, Copy)]
pub(super) struct Outgoing<'a> {
    pub(super) parts: &'a Parts,
    pub(super) upload: Option<&'a Upload>,
    pub(super) upgrade: Option<&'a Upgrade>,
    pub(super) ends: Ends,
    pub(super) wish: Wish<'a>,
}

/// A backend has answered.
pub(super) struct Replied {
    pub(super) response: Response<Incoming>,
    pub(super) lease: Lease,
    pub(super) choice: Choice,
    pub(super) ends: Ends,
}

/// Sends a request to one endpoint of the backend.
pub(super) async fn attempt(
    client: &Rc<Client>,
    account: &mut Account,
    backend: &BackendRef,
    outgoing: Outgoing<'_>,
    last: &mut Option<Arc<Endpoint>>,
) -> Result<Replied, Ended> {
    let mut choice = choose(client, backend, outgoing.wish).map_err(Ended::NoChoice)?;
    account.chose(&choice);
    *last = Some(choice.endpoint().clone());
    let sending = send(client, &mut choice, outgoing);
    let result = within(outgoing.ends, account, sending).await;
    let ended = match result {
        Ok(Ok((response, lease, took))) => {
            account.upstream_time = Some(took);
            choice.responded(response.status(), response.headers());
            return Ok(Replied { response, lease, choice, ends: outgoing.ends });
        }
        Ok(Err(ended)) => ended,
        Err(late) => Ended::Late(late),
    };
    let ended = match outgoing.upload {
        Some(upload) if upload.has_failed() => Ended::Client,
        _ => ended,
    };
    match &ended {
        Ended::NotConnected { reason, .. } => {
            account.reason = Some(reason.clone());
            choice.failed();
        }
        Ended::Failed { .. } | Ended::Late(_) => choice.failed(),
        Ended::NoChoice(_) | Ended::Client | Ended::NoUpgrade => {}
    }
    Err(ended)
}

/// A connection that was kept may be closing this moment. What was not taken there is sent on another one: that is the
/// pool's affair, and no try of the route's.
async fn send(
    client: &Rc<Client>,
    choice: &mut Choice,
    outgoing: Outgoing<'_>,
) -> Result<(Response<Incoming>, Lease, Duration), Ended> {
    let mut spoiled = false;
    loop {
        let leased = choice.lease(&client.worker, spoiled).await;
        let mut lease = leased.map_err(|error| match error {
            LeaseError::Overflow(_) => Ended::NoChoice(NoChoice::Overflow),
            LeaseError::Connect(error) => {
                let late = matches!(error, ConnectError::Timeout(_));
                Ended::NotConnected { late, reason: error.to_string() }
            }
        })?;
        if choice.version() == Version::Http2 && !outgoing.fits_http2(&lease).await {
            if !choice.turn_to_http1() {
                return Err(Ended::NoUpgrade);
            }
            continue;
        }
        let began = Instant::now();
        let mut request = outgoing.request(choice);
        let turn = match choice.version() {
            Version::Http1 => interim::turn(client, outgoing.parts.version),
            Version::Http2 => None,
        };
        if let Some(turn) = &turn {
            interim::listen(&mut request, turn);
        }
        let sent = {
            let mut sending = std::pin::pin!(lease.send(request));
            interim::after(sending.as_mut(), turn.as_ref()).await
        };
        match sent {
            Ok(response) => return Ok((response, lease, began.elapsed())),
            Err(unsent) => {
                let failure = failure::of(&unsent.error);
                tracing::debug!(error = %unsent.error, untouched = unsent.untouched, "a try failed");
                let again = lease.is_reused() && !spoiled && outgoing.can_go_again(failure, unsent.untouched);
                if !again {
                    return Err(Ended::Failed { failure, sent: !unsent.untouched });
                }
                // Whatever is wrong with it, nobody else should find out.
                lease.retire();
                spoiled = true;
            }
        }
    }
}

impl Outgoing<'_> {
    /// RFC 9112 9.3.1: what changes nothing may be sent again without asking, and so may what was not read.
    fn can_go_again(&self, failure: Failure, untouched: bool) -> bool {
        let whole = self.upload.is_none_or(Upload::is_whole);
        let safe = self.parts.method.is_idempotent() && self.upgrade.is_none();
        whole && (untouched || (safe && failure.kind == Kind::Closed))
    }

    /// Whether this connection can carry it, if it is one of HTTP/2.
    async fn fits_http2(&self, lease: &Lease) -> bool {
        match self.upgrade {
            Some(upgrade) if upgrade.needs_extended_connect() => {
                self.upload.is_none() && lease.takes_extended_connect().await
            }
            _ => true,
        }
    }

    fn request(&self, choice: &Choice) -> Request<RequestBody> {
        let version = choice.version();
        let body = match self.upload {
            Some(upload) => RequestBody::Try(upload.read()),
            None => RequestBody::Empty,
        };
        let mut request = request(self.parts, version, choice.scheme(), body);
        if let Some(upgrade) = self.upgrade {
            upgrade.ask(&mut request, version, self.wish.random);
        }
        request
    }
}

/// The head in the form of a version, and a body.
pub(super) fn request(
    parts: &Parts,
    version: Version,
    scheme: &str,
    body: RequestBody,
) -> Request<RequestBody> {
    let mut request = Request::new(body);
    *request.method_mut() = parts.method.clone();
    *request.uri_mut() = parts.uri.clone();
    *request.headers_mut() = parts.headers.clone();
    if version == Version::Http2 {
        *request.version_mut() = http::Version::HTTP_2;
        if let Some(host) = request.headers_mut().remove(header::HOST)
            && parts.method != Method::CONNECT
            && let Some(uri) = absolute(&parts.uri, scheme, host.as_bytes())
        {
            *request.uri_mut() = uri;
        }
    }
    request
}

/// HTTP/2 says the authority in its target.
fn absolute(uri: &Uri, scheme: &str, host: &[u8]) -> Option<Uri> {
    let path = uri.path_and_query()?.clone();
    Uri::builder().scheme(scheme).authority(host).path_and_query(path).build().ok()
}

/// Waits within the limits of a try.
async fn within<T>(ends: Ends, account: &Account, work: impl Future<Output = T>) -> Result<T, Late> {
    let mut work = std::pin::pin!(work);
    loop {
        let (sent, received) = (account.sent.moved(), account.received.moved());
        let moved = [sent, received].into_iter().flatten().max().unwrap_or(account.started());
        let idle = ends.idle.map(|idle| moved + idle);
        let Some(end) = [ends.deadline, idle].into_iter().flatten().min() else { return Ok(work.await) };
        if let Ok(done) = tokio::time::timeout_at(end, work.as_mut()).await {
            return Ok(done);
        }
        if ends.whole.is_some_and(|whole| whole <= end) {
            return Err(Late::Request);
        }
        if ends.deadline.is_some_and(|deadline| deadline <= end) {
            return Err(Late::Try);
        }
        // Something moved meanwhile: then the limit is later now.
        if account.received.moved().unwrap_or(moved) <= moved {
            return Err(Late::Idle);
        }
    }
}

impl Replied {
    /// Another try takes its place.
    pub(super) fn discard(self) {
        use hyper::body::Body as _;
        let (response, lease) = (self.response, self.lease);
        self.choice.completed(crate::route::grpc::status_of(response.headers()));
        if response.body().is_end_stream() {
            lease.finish();
        }
    }
}
