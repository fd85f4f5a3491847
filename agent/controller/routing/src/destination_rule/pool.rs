//! Connections to endpoints, and how much of everything there may be.

use weir_proto::l7::{self, UpstreamProtocol};

use super::cluster::Context;
use super::level::At;
use super::spec::{ConnectionPool, H2UpgradePolicy, Http, Tcp};
use crate::part::Place;
use crate::problem::{Effect, Problems};

pub(super) struct Pool {
    /// `None`: nothing is said.
    pub(super) form: Option<l7::ConnectionPool>,
    pub(super) protocol: UpstreamProtocol,
}

pub(super) fn pool(context: &Context<'_>, at: &At<'_, ConnectionPool>, problems: &mut Problems) -> Pool {
    let effect = Effect::Ignored;
    let given =
        at.as_ref().and_then(|(part, field)| Some((part.get(&Place { field, effect }, problems)?, field)));
    let Some((given, field)) = given else {
        return Pool { form: None, protocol: protocol(context, None, "", problems) };
    };
    // Reported.
    let _ = given.unknown.report(&Place { field, effect }, problems);
    let (tcp_field, http_field) = (format!("{field}.tcp"), format!("{field}.http"));
    let mut form = l7::ConnectionPool::default();
    let mut idle = [None, None];
    if let Some(given) = given.tcp.get(&Place { field: &tcp_field, effect }, problems) {
        idle[1] = tcp(given, &tcp_field, &mut form, problems);
    }
    let http_given = given.http.get(&Place { field: &http_field, effect }, problems);
    if let Some(given) = http_given {
        idle[0] = http(given, &http_field, &mut form, problems);
    }
    let [http_idle, tcp_idle] = idle;
    form.idle_timeout = if context.port.is_http() { http_idle.or(tcp_idle) } else { tcp_idle };
    Pool { form: Some(form), protocol: protocol(context, http_given, &http_field, problems) }
}

/// What is said of TCP alone.
pub(super) fn of_tcp(at: &At<'_, ConnectionPool>, problems: &mut Problems) -> l7::ConnectionPool {
    let effect = Effect::Ignored;
    let mut form = l7::ConnectionPool::default();
    let given =
        at.as_ref().and_then(|(part, field)| Some((part.get(&Place { field, effect }, problems)?, field)));
    if let Some((pool, field)) = given {
        let field = format!("{field}.tcp");
        if let Some(given) = pool.tcp.get(&Place { field: &field, effect }, problems) {
            tcp(given, &field, &mut form, problems);
        }
    }
    form
}

/// Fills in what is said of TCP; the answer is its idle timeout.
fn tcp(
    given: &Tcp,
    field: &str,
    form: &mut l7::ConnectionPool,
    problems: &mut Problems,
) -> Option<prost_types::Duration> {
    let effect = Effect::Ignored;
    // Reported.
    let _ = given.unknown.report(&Place { field, effect }, problems);
    macro_rules! get {
        ($part:ident, $name:literal) => {
            given.$part.get(&Place { field: &format!("{field}.{}", $name), effect }, problems)
        };
    }
    form.max_connections = get!(max_connections, "maxConnections").map_or(0, |limit| limit.0);
    form.connect_timeout = get!(connect_timeout, "connectTimeout").map(|d| d.wire());
    form.tcp_keepalive = get!(tcp_keepalive, "tcpKeepalive").map(|keepalive| l7::TcpKeepalive {
        probes: keepalive.probes,
        time: keepalive.time.map(|d| d.wire()),
        interval: keepalive.interval.map(|d| d.wire()),
    });
    form.max_connection_duration = get!(max_connection_duration, "maxConnectionDuration").map(|d| d.wire());
    get!(idle_timeout, "idleTimeout").map(|d| d.wire())
}

/// Fills in what is said of HTTP; the answer is its idle timeout.
fn http(
    given: &Http,
    field: &str,
    form: &mut l7::ConnectionPool,
    problems: &mut Problems,
) -> Option<prost_types::Duration> {
    let effect = Effect::Ignored;
    // Reported.
    let _ = given.unknown.report(&Place { field, effect }, problems);
    macro_rules! get {
        ($part:ident, $name:literal) => {
            given.$part.get(&Place { field: &format!("{field}.{}", $name), effect }, problems)
        };
    }
    form.max_pending_requests =
        get!(http1_max_pending_requests, "http1MaxPendingRequests").map_or(0, |n| n.0);
    form.max_requests = get!(http2_max_requests, "http2MaxRequests").map_or(0, |n| n.0);
    form.max_requests_per_connection =
        get!(max_requests_per_connection, "maxRequestsPerConnection").map_or(0, |n| n.0);
    form.max_retries = get!(max_retries, "maxRetries").map_or(0, |n| n.0);
    form.max_concurrent_streams = get!(max_concurrent_streams, "maxConcurrentStreams").map_or(0, |n| n.0);
    form.http2_keepalive = get!(http2_keep_alive, "http2KeepAlive").map(|keepalive| l7::Http2Keepalive {
        interval: keepalive.interval.map(|d| d.wire()),
        timeout: keepalive.timeout.map(|d| d.wire()),
    });
    get!(idle_timeout, "idleTimeout").map(|d| d.wire())
}

/// What is spoken to the endpoints: what the port says, unless the rule says something else.
fn protocol(
    context: &Context<'_>,
    http: Option<&Http>,
    field: &str,
    problems: &mut Problems,
) -> UpstreamProtocol {
    let effect = Effect::Ignored;
    let said = http.and_then(|http| {
        let policy = format!("{field}.h2UpgradePolicy");
        let upgrade = http.h2_upgrade_policy.get(&Place { field: &policy, effect }, problems).copied();
        let client = format!("{field}.useClientProtocol");
        let client = http.use_client_protocol.get(&Place { field: &client, effect }, problems).copied();
        match (upgrade, client) {
            (Some(H2UpgradePolicy::Upgrade), Some(true)) => {
                problems.notice(policy, "has no effect beside useClientProtocol");
                Some(Wish::Client)
            }
            (_, Some(true)) => Some(Wish::Client),
            (Some(H2UpgradePolicy::Upgrade), _) => Some(Wish::Upgrade),
            (Some(H2UpgradePolicy::DoNotUpgrade), _) => Some(Wish::Keep),
            _ => None,
        }
    });
    let said = said.unwrap_or(if context.mesh.h2_upgrade { Wish::Upgrade } else { Wish::Keep });
    match (context.port.protocol, said) {
        (l7::Protocol::Tls | l7::Protocol::Tcp, _) => UpstreamProtocol::Same,
        (_, Wish::Client) => UpstreamProtocol::Same,
        (l7::Protocol::Http2 | l7::Protocol::Grpc, _) => UpstreamProtocol::UpstreamHttp2,
        (l7::Protocol::Http, Wish::Upgrade) => UpstreamProtocol::UpstreamHttp2,
        (l7::Protocol::Http, Wish::Keep) => UpstreamProtocol::UpstreamHttp1,
        (l7::Protocol::Detect, _) => UpstreamProtocol::Same,
    }
}

enum Wish {
    Client,
    Upgrade,
    Keep,
}
