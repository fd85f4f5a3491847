//! The connections to one endpoint.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use futures_util::FutureExt as _;
use futures_util::future::{LocalBoxFuture, Shared};
use hyper_util::rt::{TokioIo, TokioTimer};

use super::drive::{Usage, drive_http1, drive_http2};
use super::lease::{Http1, Http2, Lease, Sender};
use super::{ConnectError, Key, Limits, Open, Permit, Pool, Stream};
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
        }
    }

    pub(super) fn open(&self) -> usize {
        self.open.get()
    }

    pub(super) fn is_unused(&self) -> bool {
        self.open.get() == 0 && self.coming.borrow().is_none()
    }

    pub(super) fn close(&self) {
        self.idle.borrow_mut().clear();
        self.http2.borrow_mut().clear();
    }

    /// A connection is back, if it can be used again.
    pub(super) fn put_back(&self, connection: Http1) {
        connection.usage.rest();
        self.idle.borrow_mut().push(connection);
    }

    /// An HTTP/1 connection that nobody uses.
    pub(super) fn idle(self: &Rc<Self>) -> Option<Lease> {
        loop {
            let connection = self.idle.borrow_mut().pop()?;
            if connection.sender.is_ready() && !connection.usage.is_old() {
                return Some(Lease::new(self, Sender::Http1(connection), true));
            }
        }
    }

    pub(super) async fn connect_http1(
        self: Rc<Self>,
        limits: Limits,
        open: Open,
    ) -> Result<Lease, ConnectError> {
        let limit = limits.connect;
        let (stream, permit) =
            tokio::time::timeout(limit, open()).await.map_err(|_| ConnectError::Timeout(limit))??;
        let mut builder = hyper::client::conn::http1::Builder::new();
        builder.max_header_size(MAX_HEAD).max_buf_size(2 * MAX_HEAD);
        let handshake = builder.handshake(TokioIo::new(stream)).await;
        let (sender, connection) = handshake.map_err(|error| ConnectError::Handshake(Rc::new(error)))?;
        let usage = Usage::new(limits);
        tokio::task::spawn_local(self.clone().watch(
            permit,
            usage.clone(),
            drive_http1(connection, usage.clone()),
        ));
        Ok(Lease::new(&self, Sender::Http1(Http1 { sender, usage }), false))
    }

    pub(super) async fn http2(
        self: Rc<Self>,
        limits: Limits,
        open: impl FnOnce() -> Open,
    ) -> Result<Lease, ConnectError> {
        if let Some(lease) = self.with_room() {
            return Ok(lease);
        }
        let waiting = self.coming.borrow().clone();
        let mut open = Some(open);
        if let Some(coming) = waiting {
            coming.await?;
            if let Some(lease) = self.with_room() {
                return Ok(lease);
            }
        }
        // Whoever comes after a handshake whose streams are all taken begins the next one.
        loop {
            let coming = self.coming.borrow().clone();
            let coming = match (coming, open.take()) {
                (Some(coming), kept) => {
                    open = kept;
                    coming
                }
                (None, Some(open)) => self.begin(limits, open()),
                (None, None) => return Err(ConnectError::Unsupported("it allows no streams")),
            };
            coming.await?;
            if let Some(lease) = self.with_room() {
                return Ok(lease);
            }
        }
    }

    /// An HTTP/2 connection that takes another stream.
    fn with_room(self: &Rc<Self>) -> Option<Lease> {
        let mut connections = self.http2.borrow_mut();
        connections.retain(|connection| !connection.sender.is_closed() && !connection.usage.is_old());
        let with_room = connections.iter().find(|connection| connection.usage.has_room())?;
        Some(Lease::new(self, Sender::Http2(with_room.clone()), with_room.usage.served() > 0))
    }

    /// Begins a connection. It goes on if the one who began it goes away: others may wait for it.
    fn begin(self: &Rc<Self>, limits: Limits, open: Open) -> Coming {
        let host = self.clone();
        let (done, ready) = tokio::sync::oneshot::channel();
        tokio::task::spawn_local(async move {
            let limit = limits.connect;
            let made = tokio::time::timeout(limit, host.clone().connect_http2(limits, open)).await;
            host.coming.replace(None);
            let _ = done.send(made.unwrap_or(Err(ConnectError::Timeout(limit))));
        });
        let ended = Err(ConnectError::Unsupported("the worker ended"));
        let coming = ready.map(move |made| made.unwrap_or(ended)).boxed_local().shared();
        self.coming.replace(Some(coming.clone()));
        coming
    }

    async fn connect_http2(self: Rc<Self>, limits: Limits, open: Open) -> Result<(), ConnectError> {
        let (stream, permit) = open().await?;
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
        tokio::task::spawn_local(self.clone().watch(permit, usage.clone(), drive_http2(connection, usage)));
        Ok(())
    }

    /// Counts a connection as long as it is driven.
    async fn watch(self: Rc<Self>, permit: Permit, usage: Rc<Usage>, driven: impl Future<Output = ()>) {
        self.open.set(self.open.get() + 1);
        driven.await;
        drop(permit);
        self.open.set(self.open.get() - 1);
        self.idle.borrow_mut().retain(|connection| !Rc::ptr_eq(&connection.usage, &usage));
        self.http2.borrow_mut().retain(|connection| !Rc::ptr_eq(&connection.usage, &usage));
        if let Some(pool) = self.pool.upgrade() {
            pool.forget(&self);
        }
    }
}

/// What an endpoint may send ahead of the client's reading.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;

pub(super) type Connection1<B> = hyper::client::conn::http1::Connection<TokioIo<Stream>, B>;
pub(super) type Connection2<B> = hyper::client::conn::http2::Connection<TokioIo<Stream>, B, LocalSpawn>;
