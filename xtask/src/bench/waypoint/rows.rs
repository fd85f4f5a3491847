//! The rows of the table. docs/benchmark-method.md says how each is measured.

use clap::ValueEnum;

use super::super::metric::{Metric, alone, difference, ratio};

/// How many routes a proxy has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Routes {
    #[value(name = "1")]
    One,
    #[value(name = "100")]
    Hundred,
    #[value(name = "10000")]
    TenThousand,
}

/// What is asked of a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Load {
    /// HTTP/1.1, so many connections with a request at a time each.
    Http1 { connections: u32 },
    /// HTTP/2, 32 requests at a time on 4 connections.
    Http2,
}

/// The numbers of one load.
#[derive(Clone, Copy)]
pub(super) struct Rows {
    pub(super) rate: Metric,
    pub(super) p50: Metric,
    pub(super) p99: Metric,
    /// Requests per second of the proxy's processor time.
    pub(super) per_cpu: Metric,
    /// The same, the other way round.
    pub(super) cpu: Metric,
}

impl Routes {
    pub(super) const ALL: [Self; 3] = [Self::One, Self::Hundred, Self::TenThousand];

    pub(super) fn count(self) -> u32 {
        match self {
            Self::One => 1,
            Self::Hundred => 100,
            Self::TenThousand => 10_000,
        }
    }

    /// Its numbers of a load.
    pub(super) fn rows(self, load: Load) -> Rows {
        let [one, many, http2] = match self {
            Self::One => [R1_HTTP1_1, R1_HTTP1_32, R1_HTTP2],
            Self::Hundred => [R100_HTTP1_1, R100_HTTP1_32, R100_HTTP2],
            Self::TenThousand => [R10000_HTTP1_1, R10000_HTTP1_32, R10000_HTTP2],
        };
        match load {
            Load::Http1 { connections: 1 } => one,
            Load::Http1 { .. } => many,
            Load::Http2 => http2,
        }
    }
}

impl Load {
    pub(super) const ALL: [Load; 3] = [ONE, MANY, Load::Http2];
}

/// HTTP/1.1 on one connection.
pub(super) const ONE: Load = Load::Http1 { connections: 1 };
/// HTTP/1.1 on 32 connections: what the goals are about.
pub(super) const MANY: Load = Load::Http1 { connections: 32 };

macro_rules! rows {
    ($($name:ident: $key:literal, $title:literal;)*) => {$(
        const $name: Rows = Rows {
            rate: ratio(concat!($key, "_per_s"), $title, "req/s"),
            p50: difference(concat!($key, "_p50_us"), "  p50", "us"),
            p99: difference(concat!($key, "_p99_us"), "  p99", "us"),
            per_cpu: ratio(concat!($key, "_per_cpu_s"), "  requests per CPU second of the proxy", "req/s"),
            cpu: alone(concat!($key, "_cpu_s_per_1000"), "  CPU of the proxy per 1000 requests", "s"),
        };
    )*};
}

rows! {
    R1_HTTP1_1: "routes_1_http1_1", "1 route: HTTP/1.1, 1 connection";
    R1_HTTP1_32: "routes_1_http1_32", "1 route: HTTP/1.1, 32 connections";
    R1_HTTP2: "routes_1_http2", "1 route: HTTP/2, 4 connections, 32 streams";
    R100_HTTP1_1: "routes_100_http1_1", "100 routes: HTTP/1.1, 1 connection";
    R100_HTTP1_32: "routes_100_http1_32", "100 routes: HTTP/1.1, 32 connections";
    R100_HTTP2: "routes_100_http2", "100 routes: HTTP/2, 4 connections, 32 streams";
    R10000_HTTP1_1: "routes_10000_http1_1", "10,000 routes: HTTP/1.1, 1 connection";
    R10000_HTTP1_32: "routes_10000_http1_32", "10,000 routes: HTTP/1.1, 32 connections";
    R10000_HTTP2: "routes_10000_http2", "10,000 routes: HTTP/2, 4 connections, 32 streams";
}

pub(super) const RSS: Metric = alone("rss_mib", "memory of an idle proxy, 1 route", "MiB");
pub(super) const RSS_IDLE: Metric = alone("rss_idle_kib", "  per idle client, of 10,000", "KiB");
pub(super) const RSS_ROUTES: Metric = alone("rss_10000_routes_mib", "  with 10,000 routes", "MiB");
