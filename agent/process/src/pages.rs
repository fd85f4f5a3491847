//! Pages that every process has: its metrics, and the level of its log.

use std::sync::Mutex;

use hyper::StatusCode;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

use crate::endpoint::{Reply, text, with_type};
use crate::logging::LogLevel;

/// `GET /metrics`: what is in a registry, for Prometheus.
#[derive(Debug)]
pub struct MetricsPage(Mutex<Registry>);

impl MetricsPage {
    /// The page of all that was registered.
    pub fn new(registry: Registry) -> Self {
        Self(Mutex::new(registry))
    }

    /// The page, with the values of now.
    pub fn reply(&self) -> Reply {
        match self.encode() {
            Ok(page) => with_type(StatusCode::OK, OPEN_METRICS, page),
            Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}\n")),
        }
    }

    fn encode(&self) -> anyhow::Result<String> {
        let registry = self.0.lock().map_err(|_| anyhow::anyhow!("the metrics registry is poisoned"))?;
        let mut page = String::new();
        encode(&mut page, &registry)?;
        Ok(page)
    }
}

/// `POST /logging`: the query `level=FILTER` sets, `reset` undoes, nothing shows.
pub fn logging(level: &LogLevel, query: &str) -> Reply {
    let result = match query.split_once('=') {
        Some(("level", directives)) => level.set(&unescape(directives)),
        None if query == "reset" => level.reset(),
        None if query.is_empty() => Ok(()),
        _ => Err(anyhow::anyhow!("use ?level=FILTER, ?reset, or nothing")),
    };
    match result {
        Ok(()) => text(StatusCode::OK, format!("{}\n", level.current())),
        Err(error) => text(StatusCode::BAD_REQUEST, format!("{error:#}\n")),
    }
}

/// Undoes the percent-encoding that HTTP clients give to `,` and `=`.
fn unescape(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let escaped = (byte == b'%').then(|| {
            let digits = [bytes.next()?, bytes.next()?];
            u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()
        });
        out.push(escaped.flatten().unwrap_or(byte));
    }
    String::from_utf8_lossy(&out).into_owned()
}

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[cfg(test)]
mod tests {
    #[test]
    fn percent_encoding_is_undone_and_broken_escapes_stay() {
        for (from, to) in [("info", "info"), ("a%3Ddebug%2Cb", "a=debug,b"), ("50%", "50%"), ("%zz", "%")] {
            assert_eq!(super::unescape(from), to, "{from}");
        }
    }
}
