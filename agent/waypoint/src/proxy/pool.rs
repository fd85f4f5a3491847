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
use std::time::Duration;

use futures_util::future::LocalBoxFuture;

use super::connect::{ConnectError, Permit};
use super::wire::Stream;
use host::Host;
pub(crate) use lease::Lease;

/// All connections of a worker.
#[derive(Default)]
pub(crate) struct Pool {
    hosts: RefCell<HashMap<Key, Rc<Host>>>,
}

/// What connections are told apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    /// The cluster's number: its settings are those of the connection.
    pub(crate) cluster: u64,
    pub(crate) address: SocketAddr,
    pub(crate) version: Version,
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
pub(crate) type Open = Box<dyn FnOnce() -> LocalBoxFuture<'static, Result<(Stream, Permit), ConnectError>>>;

impl Pool {
    /// A connection for one request: one that is there, or a new one.
    ///
    /// # Errors
    /// There is none and none can be made.
    pub(crate) async fn lease(
        self: &Rc<Self>,
        key: Key,
        limits: Limits,
        open: impl FnOnce() -> Open,
    ) -> Result<Lease, ConnectError> {
        let host = self.host(key);
        match key.version {
            Version::Http1 => match host.idle() {
                Some(lease) => Ok(lease),
                None => host.connect_http1(limits, open()).await,
            },
            Version::Http2 => host.http2(limits, open).await,
        }
    }

    /// A new connection, whatever there is: for a try after one that an old connection spoiled.
    pub(crate) async fn fresh(
        self: &Rc<Self>,
        key: Key,
        limits: Limits,
        open: Open,
    ) -> Result<Lease, ConnectError> {
        let host = self.host(key);
        match key.version {
            Version::Http1 => host.connect_http1(limits, open).await,
            Version::Http2 => host.http2(limits, || open).await,
        }
    }

    /// Closes what is idle; what is in use is closed when it is done.
    pub(crate) fn close(&self) {
        for host in self.hosts.borrow_mut().drain().map(|(_, host)| host) {
            host.close();
        }
    }

    /// Connections that are open, of all endpoints.
    pub(crate) fn count(&self) -> usize {
        self.hosts.borrow().values().map(|host| host.open()).sum()
    }

    fn host(self: &Rc<Self>, key: Key) -> Rc<Host> {
        let new = || Rc::new(Host::new(Rc::downgrade(self), key));
        self.hosts.borrow_mut().entry(key).or_insert_with(new).clone()
    }

    /// The last connection to it is gone.
    fn forget(&self, host: &Host) {
        let mut hosts = self.hosts.borrow_mut();
        if hosts
            .get(&host.key)
            .is_some_and(|known| std::ptr::eq(&raw const **known, host) && host.is_unused())
        {
            hosts.remove(&host.key);
        }
    }
}
