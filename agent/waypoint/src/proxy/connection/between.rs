//! The bytes of one connection, both ways, and what is said of them.

use std::rc::Rc;
use std::sync::Arc;

use tracing::debug;

use super::copy::{Ended, copy};
use crate::proxy::choice::Choice;
use crate::proxy::report::{Account, Flags, PairLabels, TcpSeries};
use crate::proxy::serve::Client;
use crate::proxy::wire::Stream;

/// Copies until both ends are done.
pub(super) async fn between(
    client: &Rc<Client>,
    stream: Stream,
    server: Stream,
    choice: Choice,
    mut account: Account,
) {
    let config = &client.worker.config;
    let series = client.worker.metrics.connections(&labels(client, &account, Flags::default()));
    series.opened.inc();
    let received = account.received.clone();
    let mut reported = Reported { series: &series, received: 0, sent: 0 };
    let idle = choice.idle_time().unwrap_or(config.tcp_idle_time);
    let sent = &account.sent;
    let copied = copy(stream, server, &received, sent, idle, |_| reported.to(received.bytes(), sent.bytes()));
    let ended = match choice.longest_life() {
        Some(life) => tokio::time::timeout(life, copied).await.ok(),
        None => Some(copied.await),
    };
    reported.to(account.received.bytes(), account.sent.bytes());
    let (flags, details) = match &ended {
        Some(Ended::Closed) => (Flags::default(), ""),
        Some(Ended::Broken { by_client: true, .. }) => (Flags::DOWNSTREAM_DISCONNECT, "downstream_reset"),
        Some(Ended::Broken { by_client: false, .. }) => {
            (Flags::UPSTREAM_CONNECTION_TERMINATION, "upstream_reset")
        }
        Some(Ended::Idle) => (Flags::STREAM_IDLE_TIMEOUT, "idle_timeout"),
        None => (Flags::DURATION_TIMEOUT, "max_connection_duration"),
    };
    if let Some(Ended::Broken { error, .. }) = &ended {
        account.reason = Some(error.to_string());
        debug!(%error, "a connection broke");
    }
    account.flags |= flags;
    account.details = details;
    client.worker.metrics.connections(&labels(client, &account, account.flags)).closed.inc();
}

/// Keeps the counters of a connection that is open up to date, which may be for days.
struct Reported<'a> {
    series: &'a TcpSeries,
    received: u64,
    sent: u64,
}

impl Reported<'_> {
    fn to(&mut self, received: u64, sent: u64) {
        self.series.received.inc_by(received - std::mem::replace(&mut self.received, received));
        self.series.sent.inc_by(sent - std::mem::replace(&mut self.sent, sent));
    }
}

/// A connection that came to nothing.
pub(super) fn count_failed(client: &Client, account: &Account) {
    let series = client.worker.metrics.connections(&labels(client, account, account.flags));
    series.opened.inc();
    series.closed.inc();
}

fn labels(client: &Client, account: &Account, flags: Flags) -> PairLabels {
    PairLabels {
        source: client.arrival.source.party.clone(),
        destination: Arc::clone(&account.destination),
        service: client.arrival.service.name.clone(),
        protocol: "tcp",
        mutual_tls: client.arrival.source.identity.is_some(),
        flags,
    }
}
