//! Bulk transfer with iperf3.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::super::metric::{Measured, Metric};
use super::super::plane::Plane;
use super::super::servers::IPERF_PORT;
use super::with_cpu;

/// A number of streams at once, for a time.
pub(super) fn run(
    plane: &Plane,
    length: Duration,
    streams: usize,
    rate: Metric,
    cpu: Metric,
) -> Result<Vec<Measured>> {
    let before = plane.cpu_seconds()?;
    let seconds = length.as_secs().to_string();
    let (port, streams) = (IPERF_PORT.to_string(), streams.to_string());
    let target = plane.target.to_string();
    let arguments =
        ["--client", &target, "--port", &port, "--parallel", &streams, "--time", &seconds, "--json"];
    let transfer = parse(&plane.client_output("iperf3", &arguments, length)?.stdout)?;
    let used = plane.cpu_seconds()? - before;
    Ok(with_cpu(plane, vec![(rate, transfer.gbit_per_second)], cpu, used / transfer.gigabytes))
}

/// What iperf3 says of one run.
#[derive(Debug, PartialEq)]
struct Transfer {
    /// As the receiver counts it.
    gbit_per_second: f64,
    gigabytes: f64,
}

/// Reads the output of `iperf3 --json`.
fn parse(json: &str) -> Result<Transfer> {
    let output: Output =
        serde_json::from_str(json).with_context(|| format!("iperf3 printed something unexpected: {json}"))?;
    if let Some(error) = output.error {
        bail!("iperf3: {error}");
    }
    let sum = output.end.and_then(|end| end.sum_received).context("iperf3 did not come to its end")?;
    Ok(Transfer { gbit_per_second: sum.bits_per_second / 1e9, gigabytes: sum.bytes / 1e9 })
}

#[derive(Deserialize)]
struct Output {
    error: Option<String>,
    end: Option<End>,
}

#[derive(Deserialize)]
struct End {
    sum_received: Option<Sum>,
}

#[derive(Deserialize)]
struct Sum {
    bytes: f64,
    bits_per_second: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_receivers_sum() {
        let json = r#"{"start":{},"end":{"sum_sent":{"bytes":1,"bits_per_second":1},"sum_received":{"bytes":6000000000,"bits_per_second":16e9}}}"#;
        assert_eq!(parse(json).unwrap(), Transfer { gbit_per_second: 16.0, gigabytes: 6.0 });
    }

    #[test]
    fn an_error_is_an_error() {
        let error =
            parse(r#"{"start":{},"end":{},"error":"unable to connect to server: Connection refused"}"#)
                .unwrap_err();
        assert!(error.to_string().contains("Connection refused"));
        assert!(parse(r#"{"end":{}}"#).is_err());
        assert!(parse("").is_err());
    }
}
