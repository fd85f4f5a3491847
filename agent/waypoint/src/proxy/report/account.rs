//! What is known of one request, written down as it is learnt and settled once, when the account is dropped: however
//! the request ends, it is counted and logged.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::SystemTime;

use http::{HeaderMap, HeaderName};
use tokio::time::Instant;

use super::labels::{PairLabels, RequestLabels};
use super::log::{AccessLog, Field, write_line};
use super::meter::Meter;
use super::seen::{FORWARDED_FOR, Seen};
use super::{Flags, Metrics, Party, SeriesCache, ServiceName};
use crate::balance::Address;
use crate::proxy::choice::Choice;

/// What all requests of a connection have in common.
pub(crate) struct Ledger {
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) log: Option<Arc<AccessLog>>,
    pub(crate) series: SeriesCache,
    pub(crate) source: Arc<Party>,
    pub(crate) service: Arc<ServiceName>,
    pub(crate) mutual_tls: bool,
    pub(crate) client: SocketAddr,
    pub(crate) destination: SocketAddr,
    /// Of TLS that is passed through.
    pub(crate) server_name: Option<String>,
}

/// One request.
pub(crate) struct Account {
    ledger: Rc<Ledger>,
    started: Instant,
    request: Option<Box<Seen>>,
    grpc: bool,
    kind: Kind,
    pub(crate) received: Rc<Meter>,
    pub(crate) sent: Meter,
    /// 0 until there is an answer.
    pub(crate) code: u16,
    pub(crate) grpc_status: Option<u32>,
    pub(crate) flags: Flags,
    /// Envoy's word for where the answer comes from.
    pub(crate) details: &'static str,
    /// More of it, or why no connection could be made.
    pub(crate) reason: Option<String>,
    pub(crate) destination: Arc<Party>,
    pub(crate) upstream: Option<Address>,
    pub(crate) upstream_time: Option<std::time::Duration>,
    pub(crate) route: Option<Arc<str>>,
    pub(crate) cluster: Option<Arc<str>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Request,
    Connection,
    Unsaid,
}

impl Account {
    pub(crate) fn open(ledger: &Rc<Ledger>, request: &http::request::Parts, grpc: bool) -> Self {
        let mut account = Self::blank(ledger);
        account.grpc = grpc;
        account.received.add(head_size(&request.headers) + request.uri.path().len() + 16);
        account.request = ledger.log.is_some().then(|| Box::new(Seen::of(request)));
        account
    }

    /// For what never became a request.
    pub(crate) fn blank(ledger: &Rc<Ledger>) -> Self {
        Self {
            ledger: ledger.clone(),
            started: Instant::now(),
            request: None,
            grpc: false,
            kind: Kind::Request,
            received: Rc::default(),
            sent: Meter::default(),
            code: 0,
            grpc_status: None,
            flags: Flags::default(),
            details: "",
            reason: None,
            destination: Arc::default(),
            upstream: None,
            upstream_time: None,
            route: None,
            cluster: None,
        }
    }

    /// For a connection that is copied: it is logged, and counted elsewhere.
    pub(crate) fn of_connection(ledger: &Rc<Ledger>) -> Self {
        let mut account = Self::blank(ledger);
        account.kind = Kind::Connection;
        account
    }

    /// Somebody else will say what there is to say.
    pub(crate) fn unsaid(&mut self) {
        self.kind = Kind::Unsaid;
    }

    /// An endpoint is about to be asked.
    pub(crate) fn chose(&mut self, choice: &Choice) {
        self.destination = choice.party().clone();
        self.upstream = Some(choice.address().clone());
        self.cluster = Some(choice.cluster_name().clone());
    }

    /// What was wrong with the last try is not what is wrong with the next.
    pub(crate) fn retried(&mut self) {
        self.reason = None;
    }

    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    pub(crate) fn is_grpc(&self) -> bool {
        self.grpc
    }

    /// What went to the backend is logged as the client's request: its id among it.
    pub(crate) fn forwarded(&mut self, headers: &HeaderMap, id: &HeaderName) {
        if let Some(seen) = &mut self.request {
            seen.request_id = headers.get(id).cloned();
            seen.forwarded_for = headers.get(FORWARDED_FOR).cloned();
        }
    }

    /// The head of the answer is known.
    pub(crate) fn answered(&mut self, response: &http::response::Parts) {
        self.code = response.status.as_u16();
        self.sent.add(head_size(&response.headers) + 15);
        if self.grpc {
            self.trailers(&response.headers);
        }
    }

    /// The answer's last words, which are gRPC's result.
    pub(crate) fn trailers(&mut self, trailers: &HeaderMap) {
        let status = trailers.get("grpc-status").and_then(|status| status.to_str().ok());
        self.grpc_status = status.and_then(|status| status.parse().ok()).or(self.grpc_status);
    }

    fn labels(&self) -> RequestLabels {
        let ledger = &self.ledger;
        let pair = PairLabels {
            source: ledger.source.clone(),
            destination: self.destination.clone(),
            service: ledger.service.clone(),
            protocol: if self.grpc { "grpc" } else { "http" },
            mutual_tls: ledger.mutual_tls,
            flags: self.flags,
        };
        RequestLabels { pair, code: self.code, grpc_status: self.grpc_status }
    }

    fn count(&self, took: std::time::Duration) {
        let bytes = [self.received.bytes(), self.sent.bytes()];
        let messages = [self.received.messages(), self.sent.messages()];
        let ledger = &self.ledger;
        ledger.series.with(self.labels(), &ledger.metrics, |series| series.count(took, bytes, messages));
    }

    fn write(&self, log: &AccessLog, took: std::time::Duration) {
        let seen = self.request.as_deref();
        let headers =
            seen.map_or([None; 3], |s| [&s.forwarded_for, &s.user_agent, &s.request_id].map(Option::as_ref));
        let [forwarded, agent, id] =
            headers.map(|value| value.map(|value| String::from_utf8_lossy(value.as_bytes())));
        let millis = |time: std::time::Duration| Field::Number(time.as_millis() as u64);
        let ledger = &self.ledger;
        write_line(
            log,
            seen.map_or_else(SystemTime::now, |s| s.at),
            &[
                Field::text(seen.map(|s| s.method.as_str())),
                Field::text(seen.map(|s| s.path.as_str())),
                Field::text(seen.map(Seen::version)),
                Field::Number(self.code.into()),
                Field::Shown(&self.flags),
                Field::text(Some(self.details)),
                Field::None,
                Field::text(self.reason.as_deref()),
                Field::Number(self.received.bytes()),
                Field::Number(self.sent.bytes()),
                millis(took),
                self.upstream_time.map_or(Field::None, millis),
                Field::text(forwarded.as_deref()),
                Field::text(agent.as_deref()),
                Field::text(id.as_deref()),
                Field::text(seen.map(|s| s.authority.as_str())),
                Field::shown(self.upstream.as_ref().map(|address| address as _)),
                Field::text(self.cluster.as_deref()),
                Field::None,
                Field::Shown(&ledger.destination),
                Field::Shown(&ledger.client),
                Field::text(ledger.server_name.as_deref()),
                Field::text(self.route.as_deref()),
            ],
        );
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        if self.kind == Kind::Unsaid {
            return;
        }
        let took = self.started.elapsed();
        if self.code == 0 && self.kind == Kind::Request {
            // Nobody waited for the answer.
            self.flags |= Flags::DOWNSTREAM_DISCONNECT;
            self.details = "downstream_remote_disconnect";
        }
        if self.kind == Kind::Request {
            self.count(took);
        }
        if let Some(log) = &self.ledger.log {
            self.write(log, took);
        }
    }
}

fn head_size(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum()
}
