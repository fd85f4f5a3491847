//! Connections to endpoints, of one worker: kept by endpoint and protocol, never shared with another thread.
//!
//! ```text
//!   Pool -> Host (endpoint, protocol) -> idle HTTP/1 connections | HTTP/2 connections with room
//!                     ^                                   |
//!                     +---- Lease: one request's use <----+
//! ```

mod drive;
mod host;
mod lease;

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::LocalBoxFuture;

use super::connect::ConnectError;
use super::wire::Stream;
use crate::balance::{Address, Cluster, Limit};
use host::Host;
pub(crate) use lease::Lease;

/// All connections of a worker.
#[derive(Default)]
pub(crate) struct Pool {
    hosts: RefCell<HashMap<Key, Rc<Host>>>,
}

/// What connections are told apart by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    /// The number of the cluster's terms.
    pub(crate) terms: u64,
    /// By which name the server has proved itself, in TLS.
    pub(crate) server: Option<Arc<str>>,
    pub(crate) address: Address,
    pub(crate) version: Version,
    /// Whom the connection was made for, if it serves nobody else.
    pub(crate) client: Option<SocketAddr>,
    /// Whose clients' requests it carries, if the endpoint is told.
    pub(crate) source: Option<Arc<str>>,
}

/// What is spoken to the endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Version {
    Http1,
    Http2,
}

/// A cluster's limits of a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) connect: Duration,
    /// Without requests.
    pub(crate) idle: Option<Duration>,
    pub(crate) age: Option<Duration>,
    /// Over its life.
    pub(crate) requests: Option<u32>,
    /// At a time, of HTTP/2.
    pub(crate) streams: Option<u32>,
    /// Interval and patience of HTTP/2's pings.
    pub(crate) pings: Option<(Duration, Duration)>,
}

/// Makes the connection when one is needed.
pub(crate) type Open = Box<dyn FnOnce() -> LocalBoxFuture<'static, Result<Stream, ConnectError>>>;

/// Why a request has no connection.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum LeaseError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Overflow(#[from] Limit),
}

impl Pool {
    /// A connection for one request: one that is there (unless it has to be `fresh`), or a new one. While the cluster
    /// has as many as it may, the request waits for one of its endpoint's; one for each endpoint and worker may always be
    /// made, so that there is something to wait for.
    pub(crate) async fn lease(
        self: &Rc<Self>,
        key: Key,
        cluster: &Arc<Cluster>,
        limits: &Limits,
        fresh: bool,
        open: impl Fn() -> Open,
    ) -> Result<Lease, LeaseError> {
        let host = self.host(key);
        if !fresh && let Some(lease) = host.ready() {
            return Ok(lease);
        }
        let _waiting = cluster.pending()?;
        loop {
            let permit = match cluster.connection() {
                Ok(permit) => Some(permit),
                Err(_) if host.is_unused() => None,
                Err(_) => {
                    host.freed().await;
                    match host.ready() {
                        Some(lease) => return Ok(lease),
                        None => continue,
                    }
                }
            };
            // Boxed, because it is large and most requests find a connection.
            if let Some(lease) = Box::pin(host.connect(*limits, permit, open())).await? {
                return Ok(lease);
            }
        }
    }

    /// Closes what is idle; what is in use is closed when it is done.
    pub(crate) fn close(&self) {
        for host in self.hosts.borrow_mut().drain().map(|(_, host)| host) {
            host.close();
        }
    }

    /// The terms of this number hold no more: what is idle is closed, and what is in use when it is done.
    pub(crate) fn retire(&self, terms: u64) {
        let old: Vec<Rc<Host>> = {
            let hosts = self.hosts.borrow();
            hosts.iter().filter(|(key, _)| key.terms == terms).map(|(_, host)| host.clone()).collect()
        };
        old.iter().for_each(|host| host.close());
    }

    /// Connections that are open, of all endpoints.
    pub(crate) fn count(&self) -> usize {
        self.hosts.borrow().values().map(|host| host.open()).sum()
    }

    fn host(self: &Rc<Self>, key: Key) -> Rc<Host> {
        let new = |key: &Key| Rc::new(Host::new(Rc::downgrade(self), key.clone()));
        let mut hosts = self.hosts.borrow_mut();
        hosts.entry(key).or_insert_with_key(new).clone()
    }

    /// The last connection to it is gone.
    fn forget(&self, host: &Rc<Host>) {
        let mut hosts = self.hosts.borrow_mut();
        if host.is_unused() && hosts.get(&host.key).is_some_and(|known| Rc::ptr_eq(known, host)) {
            hosts.remove(&host.key);
        }
    }
}
