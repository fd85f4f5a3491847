//! Copies of requests, whose responses nobody reads. Nothing waits for them, and there are only so many at a time.

use std::rc::Rc;
use std::time::Duration;

use http::request::Parts;
use http_body_util::BodyExt as _;
use tracing::debug;

use super::attempt::request;
use super::body::RequestBody;
use super::upload::Upload;
use crate::proxy::choice::{Wish, choose};
use crate::proxy::pool::LeaseError;
use crate::proxy::serve::Client;
use crate::proxy::worker::Worker;
use crate::route::Mirror;

/// Sends a copy of a request that is about to be sent.
pub(super) fn mirror(client: &Rc<Client>, mirror: &Mirror, parts: &Parts, upload: Option<&Upload>) {
    let worker = client.worker.clone();
    if worker.mirrors.get() >= worker.config.max_mirrors {
        return debug!(backend = %mirror.backend.resource, "too many mirrored requests: this one is left out");
    }
    let wish = Wish { request: Some(parts), random: worker.random_wide(), ..Wish::default() };
    let mut choice = match choose(client, &mirror.backend, wish) {
        Ok(choice) => choice,
        Err(none) => return debug!(backend = %mirror.backend.resource, ?none, "nobody to mirror to"),
    };
    let body = upload.map_or(RequestBody::Empty, |upload| RequestBody::Mirror(upload.echo()));
    let request = request(parts, choice.version(), choice.scheme(), body);
    let place = Place::take(worker.clone());
    let work = async move {
        let mut lease = match choice.lease(&worker, false).await {
            Ok(lease) => lease,
            Err(LeaseError::Connect(_)) => return choice.failed(),
            Err(LeaseError::Overflow(_)) => return,
        };
        let Ok(response) = lease.send(request).await else { return choice.failed() };
        choice.responded(response.status(), response.headers());
        let mut body = response.into_body();
        while let Some(frame) = body.frame().await {
            if frame.is_err() {
                return choice.failed();
            }
        }
        lease.finish();
        choice.completed(None);
    };
    tokio::task::spawn_local(async move {
        // Whoever is too slow is let go: the real request has its own limits.
        let _ = tokio::time::timeout(LONGEST, work).await;
        drop(place);
    });
}

/// One of the mirrored requests that may be made at a time.
struct Place(Rc<Worker>);

impl Place {
    fn take(worker: Rc<Worker>) -> Self {
        worker.mirrors.set(worker.mirrors.get() + 1);
        Self(worker)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.mirrors.set(self.0.mirrors.get() - 1);
    }
}

const LONGEST: Duration = Duration::from_secs(60);
