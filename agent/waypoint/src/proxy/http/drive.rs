//! Keeps a client's connection going, within its limits of time. hyper's own limit for a head counts the pause before it,
//! so it is not used.

use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use tokio::time::{Instant, Sleep, sleep_until};

use crate::proxy::serve::Client;
use crate::proxy::wire::Watch;

/// How a connection ended.
pub(super) enum End {
    Closed(hyper::Result<()>),
    /// The client began a head and did not end it in time.
    SlowHead,
}

/// Polls a connection until it ends; ends it gracefully when the worker drains or the client asks nothing for too long.
/// `poll` is told when to begin with that.
pub(super) async fn drive(
    client: &Client,
    watch: Option<&Watch>,
    mut poll: impl FnMut(&mut Context<'_>, bool) -> Poll<hyper::Result<()>>,
) -> End {
    let mut draining = client.worker.draining();
    let mut drained = pin!(draining.wait_for(|draining| *draining));
    let mut timer = pin!(sleep_until(Instant::now() + client.worker.config.idle_time));
    let mut clock = Clock { client, watch, head_began: None, ending: None };
    // Without a GOAWAY, a client learns it from its next answer: closed before that, the connection could end under its next
    // request.
    let is_told_by_answer = watch.is_some();
    let mut close = false;
    std::future::poll_fn(|cx| {
        loop {
            if clock.ending.is_none() && drained.as_mut().poll(cx).is_ready() {
                clock.ending = Some(Instant::now());
            }
            if let Poll::Ready(ended) = poll(cx, close || clock.ending.is_some() && !is_told_by_answer) {
                return Poll::Ready(End::Closed(ended));
            }
            match clock.look(timer.as_mut(), cx) {
                Look::Wait => return Poll::Pending,
                Look::SlowHead => return Poll::Ready(End::SlowHead),
                Look::Idle if is_told_by_answer && !close => {
                    clock.ending = Some(Instant::now());
                    close = true;
                }
                // It was told, and does not go by itself.
                Look::Idle if clock.ending.is_some() => return Poll::Ready(End::Closed(Ok(()))),
                Look::Idle => clock.ending = Some(Instant::now()),
            }
        }
    })
    .await
}

/// The two limits of a connection that nobody answers at this moment, with one timer that moves only when it must.
struct Clock<'a> {
    client: &'a Client,
    watch: Option<&'a Watch>,
    head_began: Option<Instant>,
    /// Since when the client knows that it should go.
    ending: Option<Instant>,
}

enum Look {
    Wait,
    SlowHead,
    Idle,
}

impl Clock<'_> {
    fn look(&mut self, mut timer: Pin<&mut Sleep>, cx: &mut Context<'_>) -> Look {
        let config = &self.client.worker.config;
        let in_head = self.watch.is_some_and(Watch::in_head);
        self.head_began = in_head.then(|| self.head_began.unwrap_or_else(Instant::now));
        let idle = self.client.idle_since();
        loop {
            let (end, look) = match (self.head_began, idle) {
                (Some(began), _) => (began + config.head_time, Look::SlowHead),
                (None, Some(since)) => match self.ending {
                    None => (since + config.idle_time, Look::Idle),
                    Some(told) => (since.max(told) + FAREWELL, Look::Idle),
                },
                (None, None) => return Look::Wait,
            };
            // An end that is later than the timer is looked at when the timer is there.
            if end < timer.deadline() {
                timer.as_mut().reset(end);
            }
            if timer.as_mut().poll(cx).is_pending() {
                return Look::Wait;
            }
            if end <= Instant::now() {
                return look;
            }
            timer.as_mut().reset(end);
        }
    }
}

/// For a client that was told to go (GOAWAY) and asks nothing more, and for one that is to be told when it asks.
pub(crate) const FAREWELL: std::time::Duration = std::time::Duration::from_secs(5);
