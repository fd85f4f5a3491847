//! `GET /trace`: the kernel's connection events joined with pods and identities, one JSON object a line.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::StatusCode;
use hyper::body::Frame;
use serde_json::{Value, json};
use weir_datapath::{Event, EventKind, EventStream, Role};
use weir_process::{Reply, text};

use crate::run::Parts;

/// Subscribes and answers with a body that goes on until the client or the agent leaves.
pub(super) fn open(parts: &Arc<Parts>) -> Reply {
    let events = match parts.datapath.events() {
        Ok(events) => events,
        Err(error) => {
            return text(StatusCode::SERVICE_UNAVAILABLE, format!("no events from this kernel: {error}\n"));
        }
    };
    let lines = stream::unfold((parts.clone(), events), next);
    Reply::new(StreamBody::new(lines).boxed())
}

type Subscription = (Arc<Parts>, EventStream);

async fn next((parts, mut events): Subscription) -> Option<(Result<Frame<Bytes>, Infallible>, Subscription)> {
    let event = events.next().await?;
    let line = format!("{}\n", describe(&parts, &event));
    Some((Ok(Frame::data(line.into())), (parts, events)))
}

fn describe(parts: &Parts, event: &Event) -> Value {
    let directory = parts.store.load();
    let uid = parts.pods.by_cookie.load().get(&event.netns_cookie).cloned();
    let workload = uid.as_ref().and_then(|uid| directory.workload(uid));
    let network = workload.map_or("", |workload| &workload.network);
    let other = match event.role {
        Role::Server => event.source,
        Role::Client | Role::Unknown => Some(event.destination),
    };
    let peer = other.and_then(|other| {
        let known = directory.workload_by_ip(network, other.ip());
        let service = || directory.service_by_vip(network, other.ip(), workload.map_or("", |w| &w.namespace));
        known
            .map(|w| format!("{}/{}", w.namespace, w.name))
            .or_else(|| Some(service()?.key.hostname.to_string()))
    });
    let kind = kind(event.kind);
    json!({
        "time": clock(event),
        "kind": kind,
        "pod": match workload {
            Some(workload) => format!("{}/{}", workload.namespace, workload.name),
            None => format!("netns:{}", event.netns_cookie),
        },
        "identity": workload.map(|workload| workload.identity().to_string()),
        "role": format!("{:?}", event.role).to_lowercase(),
        "pid": event.pid,
        "process": event.comm,
        "cgroup": event.cgroup_id,
        "socket": event.socket_cookie,
        "source": event.source.map_or_else(|| "-".to_owned(), |source| canonical(source).to_string()),
        "destination": canonical(event.destination).to_string(),
        "peer": peer.unwrap_or_default(),
        "rttMicros": event.rtt.map(|rtt| rtt.as_micros() as u64),
        "bytesSent": event.bytes_sent,
        "bytesReceived": event.bytes_received,
        "durationMicros": event.duration.map(|duration| duration.as_micros() as u64),
        "detail": detail(event),
        "lost": event.lost,
    })
}

fn kind(kind: EventKind) -> &'static str {
    match kind {
        EventKind::Captured => "captured",
        EventKind::Exempt(_) => "exempt",
        EventKind::Refused => "refused",
        EventKind::Connect => "connect",
        EventKind::Established => "established",
        EventKind::Closed { established: true } => "closed",
        EventKind::Closed { established: false } => "failed",
        EventKind::Outside => "outside",
    }
}

/// What the table says in its last column.
fn detail(event: &Event) -> String {
    let rtt = event.rtt.map(|rtt| format!("rtt {}", short(rtt)));
    let mut parts: Vec<String> = match event.kind {
        EventKind::Exempt(reason) => vec![reason.as_str().to_owned()],
        EventKind::Outside => vec!["not captured: the process is outside of the pods' cgroup".to_owned()],
        EventKind::Closed { .. } => {
            vec![format!("sent {} B, received {} B", event.bytes_sent, event.bytes_received)]
        }
        _ => Vec::new(),
    };
    parts.extend(rtt);
    parts.extend(event.duration.map(|duration| format!("after {}", short(duration))));
    parts.extend((event.lost > 0).then(|| format!("{} events lost", event.lost)));
    parts.join(", ")
}

fn short(duration: Duration) -> String {
    match duration.as_micros() {
        micros @ 0..10_000 => format!("{micros}us"),
        micros => format!("{}ms", micros / 1000),
    }
}

/// Time of day in UTC, to the millisecond: the table's first column.
fn clock(event: &Event) -> String {
    let since = event.time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (seconds, millis) = (since.as_secs() % 86_400, since.subsec_millis());
    format!("{:02}:{:02}:{:02}.{millis:03}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
