//! The connections to one endpoint.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use futures_util::FutureExt as _;
use futures_util::future::{LocalBoxFuture, Shared};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::Notify;

use super::drive::{Usage, drive_http1, drive_http2};
use super::lease::{Http1, Http2, Lease, Sender};
use super::{ConnectError, Key, Limits, Open, Pool, Stream, Version};
use crate::balance::Permit;
use crate::proxy::http::{LocalSpawn, MAX_HEAD};

pub(super) struct Host {
    pub(super) key: Key,
    pool: Weak<Pool>,
    /// The last one that was used is used first, so that those that are not needed grow old.
    idle: RefCell<Vec<Http1>>,
    http2: RefCell<Vec<Http2>>,
    /// A handshake that several requests wait for.
    coming: RefCell<Option<Coming>>,
    open: Cell<usize>,
    /// Connections are not kept any more.
    closed: Cell<bool>,
    freed: Notify,
}

type Coming = Shared<LocalBoxFuture<'static, Result<(), ConnectError>>>;

impl Host {
    pub(super) fn new(pool: Weak<Pool>, key: Key) -> Self {
        Self {
            key,
            pool,
            idle: RefCell::default(),
            http2: RefCell::default(),
            coming: RefCell::default(),
            open: Cell::default(),
            closed: Cell::default(),
            freed: Notify::new(),
        }
    }

    pub(super) fn open(&self) -> usize {
        self.open.get()
    }

    pub(super) fn is_unused(&self) -> bool {
        self.open.get() == 0 && self.coming.borrow().is_none()
    }

    /// Nothing is kept from now on: what is in use ends when it is done.
    pub(super) fn close(&self) {
        self.closed.set(true);
        self.idle.borrow_mut().clear();
        self.http2.borrow_mut().clear();
    }

    /// A connection is back, if it can be used again.
    pub(super) fn put_back(&self, connection: Http1) {
        connection.usage.rest();
        if !self.closed.get() {
            self.idle.borrow_mut().push(connection);
        }
        self.free();
    }

    /// There is room for one more request.
    pub(super) fn free(&self) {
        self.freed.notify_one();
    }

    /// Waits for room that somebody else makes.
    pub(super) async fn freed(&self) {
        self.freed.notified().await;
    }

    /// A connection that is there and has room.
    pub(super) fn ready(self: &Rc<Self>) -> Option<Lease> {
        match self.key.version {
            Version::Http1 => self.idle(),
            Version::Http2 => self.with_room(),
        }
    }

    /// A new connection. `None`: it was made, and others have taken all of its room.
    pub(super) async fn connect(
        self: &Rc<Self>,
        limits: Limits,
        permit: Option<Permit>,
        open: Open,
    ) -> Result<Option<Lease>, ConnectError> {
        if self.key.version == Version::Http1 {
            return self.connect_http1(limits, Counted::new(self, permit), open).await.map(Some);
        }
        let coming = self.coming.borrow().clone();
        coming.unwrap_or_else(|| self.begin(limits, Counted::new(self, permit), open)).await?;
        Ok(self.with_room())
    }

    fn idle(self: &Rc<Self>) -> Option<Lease> {
        loop {
            let connection = self.idle.borrow_mut().pop()?;
            if connection.sender.is_ready() && !connection.usage.is_old() {
                return Some(Lease::new(self, Sender::Http1(connection), true));
            }
        }
    }

    async fn connect_http1(
        self: &Rc<Self>,
        limits: Limits,
        counted: Counted,
        open: Open,
    ) -> Result<Lease, ConnectError> {
        let limit = limits.connect;
        let stream =
            tokio::time::timeout(limit, open()).await.map_err(|_| ConnectError::Timeout(limit))??;
        let mut builder = hyper::client::conn::http1::Builder::new();
        builder.max_header_size(MAX_HEAD).max_buf_size(2 * MAX_HEAD);
        let handshake = builder.handshake(TokioIo::new(stream)).await;
        let (sender, connection) = handshake.map_err(|error| ConnectError::Handshake(Rc::new(error)))?;
        let usage = Usage::new(limits);
        let driven = drive_http1(connection, usage.clone());
        tokio::task::spawn_local(counted.watch(usage.clone(), driven));
        Ok(Lease::new(self, Sender::Http1(Http1 { sender, usage }), false))
    }

    /// An HTTP/2 connection that takes another stream.
    fn with_room(self: &Rc<Self>) -> Option<Lease> {
        let mut connections = self.http2.borrow_mut();
        connections.retain(|connection| !connection.sender.is_closed() && !connection.usage.is_old());
        let with_room = connections.iter().find(|connection| connection.usage.has_room())?;
        Some(Lease::new(self, Sender::Http2(with_room.clone()), with_room.usage.served() > 0))
    }

    /// Begins a connection. It goes on if the one who began it goes away: others may wait for it.
    fn begin(self: &Rc<Self>, limits: Limits, counted: Counted, open: Open) -> Coming {
        let host = self.clone();
        let (done, ready) = tokio::sync::oneshot::channel();
        tokio::task::spawn_local(async move {
            let limit = limits.connect;
            let made = tokio::time::timeout(limit, host.connect_http2(limits, counted, open)).await;
            host.coming.replace(None);
            let _ = done.send(made.unwrap_or(Err(ConnectError::Timeout(limit))));
            host.free();
        });
        let ended = Err(ConnectError::Unsupported("the worker ended"));
        let coming = ready.map(move |made| made.unwrap_or(ended)).boxed_local().shared();
        self.coming.replace(Some(coming.clone()));
        coming
    }

    async fn connect_http2(
        self: &Rc<Self>,
        limits: Limits,
        counted: Counted,
        open: Open,
    ) -> Result<(), ConnectError> {
        let stream = open().await?;
        let mut builder = hyper::client::conn::http2::Builder::new(LocalSpawn);
        builder
            .timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(MAX_HEAD as u32);
        if let Some((interval, patience)) = limits.pings {
            builder.keep_alive_interval(interval).keep_alive_timeout(patience).keep_alive_while_idle(true);
        }
        let handshake = builder.handshake(TokioIo::new(stream)).await;
        let (sender, connection) = handshake.map_err(|error| ConnectError::Handshake(Rc::new(error)))?;
        let usage = Usage::new(limits);
        self.http2.borrow_mut().push(Http2 { sender, usage: usage.clone() });
        tokio::task::spawn_local(counted.watch(usage.clone(), drive_http2(connection, usage)));
        Ok(())
    }
}

/// A connection, from the moment when it is wanted to its end.
struct Counted {
    host: Rc<Host>,
    _permit: Option<Permit>,
}

impl Counted {
    fn new(host: &Rc<Host>, permit: Option<Permit>) -> Self {
        host.open.set(host.open.get() + 1);
        Self { host: host.clone(), _permit: permit }
    }

    async fn watch(self, usage: Rc<Usage>, driven: impl Future<Output = ()>) {
        driven.await;
        self.host.idle.borrow_mut().retain(|connection| !Rc::ptr_eq(&connection.usage, &usage));
        self.host.http2.borrow_mut().retain(|connection| !Rc::ptr_eq(&connection.usage, &usage));
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.host.open.set(self.host.open.get() - 1);
        self.host.free();
        if let Some(pool) = self.host.pool.upgrade() {
            pool.forget(&self.host);
        }
    }
}

/// What an endpoint may send ahead of the client's reading.
const STREAM_WINDOW: u32 = 256 * 1024;
/// As much for each of a hundred streams: those of clients that do not read do not hold up the others'.
const CONNECTION_WINDOW: u32 = 100 * STREAM_WINDOW;

pub(super) type Connection1<B> = hyper::client::conn::http1::Connection<TokioIo<Stream>, B>;
pub(super) type Connection2<B> = hyper::client::conn::http2::Connection<TokioIo<Stream>, B, LocalSpawn>;
