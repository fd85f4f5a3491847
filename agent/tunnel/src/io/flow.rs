//! One connection as metrics and the access log see it.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use slab::Slab;
use tokio::time::Instant;

use weir_model::{Identity, Workload};

use super::admission::Admitted;
use super::outbound::Destination;
use crate::access::{AccessLog, Direction, Moment, Record};
use crate::limits::Permit;
use crate::metrics::{CounterCache, Counters, Ends, Metrics, Reporter};
use crate::open::OpenConnection;
use crate::{Shared, TunnelError};

/// Where reports go.
pub(crate) struct Reports {
    pub(crate) shared: Arc<Shared>,
    pub(crate) counters: CounterCache,
    /// What is open, for who asks.
    pub(crate) open: RefCell<Slab<Rc<Open>>>,
}

impl Reports {
    fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }

    fn log(&self) -> &dyn AccessLog {
        &*self.shared.access_log
    }

    /// All that is open; a connection of two pods of this node is there from both ends.
    pub(crate) fn connections(&self) -> Vec<OpenConnection> {
        let open = self.open.borrow();
        let lines = open.iter().flat_map(|(_, open)| {
            let bytes = (open.up.get(), open.down.get());
            let ends = std::iter::once(&open.line).chain(open.other.as_deref());
            ends.map(move |line| line.record(Moment::Opened, bytes, None).into())
        });
        lines.collect()
    }
}

/// An open connection. Its end is reported when it is dropped, as given up or let in no more, unless [`Flow::end`] came
/// first.
pub(crate) struct Flow {
    reports: Rc<Reports>,
    open: Rc<Open>,
    /// Its place among those that are open.
    key: usize,
    counters: Rc<Counters>,
    /// Of the other end, if that is on this node.
    other: Option<Rc<Counters>>,
    /// Its place among those that may have to go, if it came in to a pod of this node.
    admitted: Option<Admitted>,
    /// Its line's.
    permit: Option<Permit>,
    ended: bool,
}

/// What is known of an open connection.
pub(crate) struct Open {
    line: Line,
    /// The same connection as the destination's node sees it, if that is this node.
    other: Option<Box<Line>>,
    up: Cell<u64>,
    down: Cell<u64>,
}

/// Who, where from, where to, since when.
pub(crate) struct Line {
    pub(crate) ends: Box<Ends>,
    pub(crate) src_addr: SocketAddr,
    pub(crate) dst_addr: SocketAddr,
    pub(crate) hbone_addr: Option<SocketAddr>,
    /// For whom a waypoint asks.
    pub(crate) origin: Option<Box<Identity>>,
    pub(crate) since: Instant,
    /// Its place among the connections that a DestinationRule counts.
    pub(crate) permit: Option<Permit>,
}

impl Flow {
    /// Reports a connection as open.
    pub(crate) fn open(
        reports: &Rc<Reports>,
        mut line: Line,
        other: Option<Line>,
        admitted: Option<Admitted>,
    ) -> Self {
        let permit = line.permit.take();
        let counters = |line: &Line| {
            let counters = reports.counters.get(reports.metrics(), &line.ends);
            counters.opened.inc();
            counters.sockets.inc();
            if reports.log().wants(Moment::Opened) {
                reports.log().write(&line.record(Moment::Opened, (0, 0), None));
            }
            counters
        };
        let first = counters(&line);
        let second = other.as_ref().map(counters);
        let open =
            Rc::new(Open { line, other: other.map(Box::new), up: Cell::default(), down: Cell::default() });
        let key = reports.open.borrow_mut().insert(open.clone());
        Self {
            reports: reports.clone(),
            open,
            key,
            counters: first,
            other: second,
            admitted,
            permit,
            ended: false,
        }
    }

    /// Bytes in the direction of the request.
    pub(crate) fn count_up(&self, n: usize) {
        self.open.up.set(self.open.up.get() + n as u64);
        self.each(|counters| {
            counters.received.inc_by(n as u64);
        });
    }

    /// Bytes in the direction of the response.
    pub(crate) fn count_down(&self, n: usize) {
        self.open.down.set(self.open.down.get() + n as u64);
        self.each(|counters| {
            counters.sent.inc_by(n as u64);
        });
    }

    /// Bytes that this node's application sent into a tunnel.
    pub(crate) fn count_from_app(&self, n: usize) {
        match self.open.line.ends.reporter {
            Reporter::source => self.count_up(n),
            Reporter::destination => self.count_down(n),
        }
    }

    /// Bytes for this node's application that came out of a tunnel.
    pub(crate) fn count_from_peer(&self, n: usize) {
        match self.open.line.ends.reporter {
            Reporter::source => self.count_down(n),
            Reporter::destination => self.count_up(n),
        }
    }

    /// Bytes so far, both directions.
    pub(crate) fn total(&self) -> u64 {
        self.open.up.get() + self.open.down.get()
    }

    /// Reports the end.
    pub(crate) fn end(mut self, error: Option<&TunnelError>) {
        self.report_end(error);
    }

    fn report_end(&mut self, error: Option<&TunnelError>) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        // Who reads of the end finds room for another.
        self.permit = None;
        self.report_line(&self.open.line, &self.counters, error);
        if let (Some(line), Some(counters)) = (&self.open.other, &self.other) {
            self.report_line(line, counters, error);
        }
    }

    fn report_line(&self, line: &Line, counters: &Counters, error: Option<&TunnelError>) {
        counters.closed.inc();
        counters.sockets.dec();
        let flags = error.map_or("-", TunnelError::flags);
        if flags != "-" {
            self.reports.metrics().fail(&line.ends, flags);
        }
        let log = self.reports.log();
        if log.wants(Moment::Complete) {
            let bytes = (self.open.up.get(), self.open.down.get());
            log.write(&line.record(Moment::Complete, bytes, error));
        }
    }

    fn each(&self, count: impl Fn(&Counters)) {
        count(&self.counters);
        if let Some(counters) = &self.other {
            count(counters);
        }
    }
}

impl Drop for Flow {
    fn drop(&mut self) {
        let ended = self.admitted.as_ref().and_then(Admitted::ended);
        self.report_end(Some(ended.as_deref().unwrap_or(&TunnelError::GivenUp)));
        self.reports.open.borrow_mut().try_remove(self.key);
    }
}

impl Line {
    /// A connection that begins now, of which only the addresses are known.
    pub(crate) fn new(reporter: Reporter, src_addr: SocketAddr, dst_addr: SocketAddr) -> Self {
        let ends = Box::new(Ends::new(reporter));
        Self { ends, src_addr, dst_addr, hbone_addr: None, origin: None, since: Instant::now(), permit: None }
    }

    /// The connection goes to a workload of the mesh.
    pub(crate) fn aim(&mut self, source: &Workload, to: &Destination) {
        self.hbone_addr = Some(to.addr);
        self.dst_addr = to.tunnel_addr();
        let ends = &mut self.ends;
        ends.source_identity = Some(source.identity());
        ends.destination_identity = Some(to.workload.identity());
        ends.destination = Some(to.workload.clone());
        ends.service = to.service.clone();
        ends.mutual_tls = true;
    }

    /// The same connection, reported by the other end.
    pub(crate) fn seen_by(&self, reporter: Reporter) -> Self {
        let ends = Box::new(Ends { reporter, ..Ends::clone(&self.ends) });
        Self { ends, origin: None, permit: None, ..*self }
    }

    /// Reports a connection that never was one.
    pub(crate) fn fail(&self, reports: &Reports, error: &TunnelError) {
        reports.metrics().fail(&self.ends, error.flags());
        if reports.log().wants(Moment::Failed) {
            reports.log().write(&self.record(Moment::Failed, (0, 0), Some(error)));
        }
    }

    fn record<'a>(
        &'a self,
        moment: Moment,
        (up, down): (u64, u64),
        error: Option<&'a TunnelError>,
    ) -> Record<'a> {
        let ends = &self.ends;
        let proved = |identity| if ends.mutual_tls { identity } else { None };
        // The local workload sends the request if it is the source and the response if it is not.
        let (direction, bytes_sent, bytes_recv) = match ends.reporter {
            Reporter::source => (Direction::Outbound, up, down),
            Reporter::destination => (Direction::Inbound, down, up),
        };
        Record {
            moment,
            src_addr: self.src_addr,
            src: ends.source.as_deref(),
            src_identity: proved(ends.source_identity.as_ref()),
            origin: self.origin.as_deref(),
            dst_addr: self.dst_addr,
            hbone_addr: self.hbone_addr,
            service: ends.service.as_deref(),
            dst: ends.destination.as_deref(),
            dst_identity: proved(ends.destination_identity.as_ref()),
            direction,
            bytes_sent,
            bytes_recv,
            duration: self.since.elapsed(),
            error,
        }
    }
}
