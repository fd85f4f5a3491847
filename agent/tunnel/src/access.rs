//! The access log: one line per connection, with Istio's field names in Istio's order.

use std::net::SocketAddr;
use std::time::Duration;

use tracing::{Level, event, event_enabled};
use weir_model::{Identity, Service, Workload};

/// What a line is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Bytes may flow.
    Opened,
    /// It is over.
    Complete,
    /// It never began: refused, or the other side could not be reached.
    Failed,
}

/// Direction as seen from the local workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Direction {
    Inbound,
    Outbound,
}

/// One connection. What is `None` is left out of the line.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// What the line is about.
    pub moment: Moment,
    /// Address of the client.
    pub src_addr: SocketAddr,
    /// The client's workload.
    pub src: Option<&'a Workload>,
    /// What the client proved.
    pub src_identity: Option<&'a Identity>,
    /// For whom the client, a waypoint, asked. What it proved itself is `src_identity`.
    pub origin: Option<&'a Identity>,
    /// Where the connection went.
    pub dst_addr: SocketAddr,
    /// The application's address within a tunnel, if `dst_addr` is the tunnel's.
    pub hbone_addr: Option<SocketAddr>,
    /// The service that was dialled.
    pub service: Option<&'a Service>,
    /// The server's workload.
    pub dst: Option<&'a Workload>,
    /// What the server proved.
    pub dst_identity: Option<&'a Identity>,
    /// Seen from the local workload.
    pub direction: Direction,
    /// Bytes that the local workload sent.
    pub bytes_sent: u64,
    /// Bytes that the local workload received.
    pub bytes_recv: u64,
    /// From accept to now.
    pub duration: Duration,
    /// Why it is not well.
    pub error: Option<&'a crate::TunnelError>,
}

/// Where lines go.
pub trait AccessLog: Send + Sync + 'static {
    /// Whether anybody reads lines of this moment; if not, none is made.
    fn wants(&self, moment: Moment) -> bool;

    /// Writes a line.
    fn write(&self, record: &Record<'_>);
}

/// The access log as `tracing` events with target `access`.
#[derive(Debug, Clone, Copy, Default)]
pub struct TracingLog;

impl AccessLog for TracingLog {
    fn wants(&self, moment: Moment) -> bool {
        match moment {
            Moment::Opened => event_enabled!(target: "access", Level::DEBUG),
            Moment::Complete => event_enabled!(target: "access", Level::ERROR),
            Moment::Failed => event_enabled!(target: "access", Level::WARN),
        }
    }

    fn write(&self, record: &Record<'_>) {
        match (record.moment, record.error) {
            (Moment::Opened, _) => line!(DEBUG, record, "connection opened"),
            (Moment::Complete, None) => line!(INFO, record, "connection complete"),
            (Moment::Complete, Some(_)) => line!(ERROR, record, "connection complete"),
            (Moment::Failed, _) => line!(WARN, record, "connection failed"),
        }
    }
}

/// A level is part of an event's static description, hence a macro.
macro_rules! line {
    ($level:ident, $r:ident, $message:literal) => {{
        let (src, dst) = ($r.src, $r.dst);
        let began = $r.moment != Moment::Opened;
        event!(
            target: "access",
            Level::$level,
            src.addr = %$r.src_addr,
            src.workload = src.map(|w| &*w.name),
            src.namespace = src.map(|w| &*w.namespace),
            src.identity = $r.src_identity.map(tracing::field::display),
            src.cluster = src.map(|w| &*w.cluster_id),
            dst.addr = %$r.dst_addr,
            dst.hbone_addr = $r.hbone_addr.map(tracing::field::display),
            dst.service = $r.service.map(|s| &*s.key.hostname),
            dst.workload = dst.map(|w| &*w.name),
            dst.namespace = dst.map(|w| &*w.namespace),
            dst.identity = $r.dst_identity.map(tracing::field::display),
            dst.cluster = dst.map(|w| &*w.cluster_id),
            direction = $r.direction.name(),
            bytes_sent = began.then_some($r.bytes_sent),
            bytes_recv = began.then_some($r.bytes_recv),
            duration = began.then(|| format!("{}ms", $r.duration.as_millis())),
            origin.identity = $r.origin.map(tracing::field::display),
            policy = $r.error.and_then(crate::TunnelError::policy),
            error = $r.error.map(tracing::field::display),
            $message
        )
    }};
}
use line;

impl Direction {
    fn name(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
        }
    }
}
