//! Keeps a connection going until it ends, or nobody has used it for too long.

use std::cell::{Cell, OnceCell};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Poll, Waker};

use tokio::time::{Instant, sleep_until};
use tracing::debug;

use super::Limits;
use super::host::{Connection1, Connection2};
use crate::proxy::http::RequestBody;

/// What is known of a connection's use.
pub(super) struct Usage {
    limits: Limits,
    opened: Instant,
    busy: Cell<u32>,
    served: Cell<u32>,
    retired: Cell<bool>,
    idle_since: Cell<Instant>,
    /// Streams that the endpoint allows.
    allowed: Cell<u32>,
    /// The endpoint takes extended CONNECTs.
    extended: Cell<bool>,
    /// Of the task that keeps the connection going.
    driver: OnceCell<Waker>,
}

impl Usage {
    pub(super) fn new(limits: Limits) -> Rc<Self> {
        let now = Instant::now();
        let allowed = Cell::new(FIRST_STREAMS);
        let (busy, served, retired, extended) = Default::default();
        let (idle_since, driver) = (Cell::new(now), OnceCell::new());
        Rc::new(Self { limits, opened: now, busy, served, retired, idle_since, allowed, extended, driver })
    }

    pub(super) fn served(&self) -> u32 {
        self.served.get()
    }

    pub(super) fn take(&self) {
        self.busy.set(self.busy.get() + 1);
        self.served.set(self.served.get().saturating_add(1));
    }

    pub(super) fn give_back(&self) {
        self.busy.set(self.busy.get().saturating_sub(1));
        self.rest();
    }

    pub(super) fn rest(&self) {
        self.idle_since.set(Instant::now());
    }

    pub(super) fn has_room(&self) -> bool {
        let own = self.limits.streams.unwrap_or(u32::MAX);
        self.busy.get() < own.min(self.allowed.get())
    }

    /// Waits for the endpoint to say that it takes extended CONNECTs, which it may never do. hyper wakes nobody when
    /// settings come, so it is asked again and again.
    pub(super) async fn extended(&self) {
        while !self.extended.get() {
            if let Some(driver) = self.driver.get() {
                driver.wake_by_ref();
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    fn settings(&self, streams: usize, extended: bool) {
        self.allowed.set(u32::try_from(streams).unwrap_or(u32::MAX));
        self.extended.set(extended);
    }

    pub(super) fn retire(&self) {
        self.retired.set(true);
    }

    /// It has served as much, or as long, as a connection may.
    pub(super) fn is_old(&self) -> bool {
        self.retired.get()
            || self.limits.requests.is_some_and(|most| self.served.get() >= most)
            || self.limits.age.is_some_and(|age| self.opened.elapsed() >= age)
    }

    /// When it may be too long without use; `None` if it is so now.
    fn next_look(&self, now: Instant) -> Option<Instant> {
        let ends = [
            self.limits
                .idle
                .map(|idle| if self.busy.get() > 0 { now + idle } else { self.idle_since.get() + idle }),
            self.limits.age.map(|age| self.opened + age).filter(|end| self.busy.get() == 0 || *end > now),
        ];
        let next = ends.into_iter().flatten().min().unwrap_or(now + FAR);
        (next > now).then_some(next)
    }
}

pub(super) async fn drive_http1(connection: Connection1<RequestBody>, usage: Rc<Usage>) {
    let mut connection = pin!(connection.with_upgrades());
    until_unused(usage, |cx| connection.as_mut().poll(cx)).await;
}

pub(super) async fn drive_http2(connection: Connection2<RequestBody>, usage: Rc<Usage>) {
    let mut connection = pin!(connection);
    let streams = usage.clone();
    until_unused(usage, |cx| {
        // A task's waker stays the same.
        streams.driver.get_or_init(|| cx.waker().clone());
        let polled = connection.as_mut().poll(cx);
        let extended = connection.is_extended_connect_protocol_enabled();
        streams.settings(connection.current_max_send_streams(), extended);
        polled
    })
    .await;
}

async fn until_unused(
    usage: Rc<Usage>,
    mut poll: impl FnMut(&mut std::task::Context<'_>) -> Poll<hyper::Result<()>>,
) {
    let mut timer = pin!(sleep_until(Instant::now() + usage.limits.idle.unwrap_or(FAR).min(FAR)));
    std::future::poll_fn(|cx| {
        if let Poll::Ready(ended) = poll(cx) {
            if let Err(error) = ended {
                debug!(%error, "a connection to an endpoint ended");
            }
            return Poll::Ready(());
        }
        while timer.as_mut().poll(cx).is_ready() {
            match usage.next_look(Instant::now()) {
                Some(next) => timer.as_mut().reset(next),
                None => return Poll::Ready(()),
            }
        }
        Poll::Pending
    })
    .await;
}

/// Before the endpoint has said how many streams it allows (RFC 9113 6.5.2 asks for no fewer).
const FIRST_STREAMS: u32 = 100;
const LOOK_AGAIN: std::time::Duration = std::time::Duration::from_millis(2);
const FAR: std::time::Duration = std::time::Duration::from_secs(24 * 3600);
