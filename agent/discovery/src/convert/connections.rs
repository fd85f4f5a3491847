//! The extension `weir.dev/traffic-policy` of a service to its [`Audience`]s.
//!
//! Extensions of other names are other programs' business. One of this name that cannot be understood makes the whole service
//! refused: without it, what an agent does would be something else than the author was told.

use std::sync::Arc;
use std::time::Duration;

use prost::Message;
use weir_model::{Audience, ConnectionPolicy, Keepalive, OutlierPolicy};
use weir_proto::{TRAFFIC_POLICY, l4, type_url, workload as proto};

use super::common::each;
use super::rejection::{Fault, Reason, within};

/// What holds for connections to a service; nothing, if the extension is not there.
pub(super) fn audiences(extensions: &[proto::Extension]) -> Result<Vec<Audience>, Fault> {
    let mut ours = extensions.iter().enumerate().filter(|(_, extension)| extension.name == TRAFFIC_POLICY);
    let Some((place, extension)) = ours.next() else { return Ok(Vec::new()) };
    if let Some((second, _)) = ours.next() {
        return Err((format!("extensions[{second}]"), Reason::Twice));
    }
    decode(extension).map_err(within(format_args!("extensions[{place}]")))
}

fn decode(extension: &proto::Extension) -> Result<Vec<Audience>, Fault> {
    let config = extension.config.as_ref().ok_or_else(|| ("config".to_owned(), Reason::Missing))?;
    if config.type_url != type_url::TRAFFIC_POLICY {
        let reason =
            Reason::ExtensionType { found: config.type_url.clone(), expected: type_url::TRAFFIC_POLICY };
        return Err(("config.type_url".to_owned(), reason));
    }
    let undecodable = |error| ("config".to_owned(), Reason::Undecodable(error));
    let message = l4::TrafficPolicy::decode(&*config.value).map_err(undecodable)?;
    each(&message.audiences, "audiences", audience)
}

fn audience(message: &l4::Audience) -> Result<Audience, Fault> {
    let namespaces = message.namespaces.iter().map(|name| name.as_str().into()).collect();
    Ok(Audience { namespaces, ports: each(&message.ports, "ports", port)? })
}

fn port(message: &l4::PortPolicy) -> Result<(u16, Arc<ConnectionPolicy>), Fault> {
    let number = u16::try_from(message.port).ok().filter(|port| *port != 0);
    let number = number.ok_or_else(|| ("port".to_owned(), Reason::Port { port: message.port }))?;
    let policy = ConnectionPolicy {
        origin: message.origin.as_str().into(),
        max_connections: Some(message.max_connections).filter(|limit| *limit > 0),
        connect_timeout: time("connect_timeout", message.connect_timeout)?,
        keepalive: message.keepalive.as_ref().map(keepalive).transpose().map_err(within("keepalive"))?,
        outlier: message
            .outlier_detection
            .as_ref()
            .map(outlier)
            .transpose()
            .map_err(within("outlier_detection"))?,
    };
    Ok((number, Arc::new(policy)))
}

fn keepalive(message: &l4::Keepalive) -> Result<Keepalive, Fault> {
    Ok(Keepalive {
        probes: Some(message.probes).filter(|probes| *probes > 0),
        time: time("time", message.time)?,
        interval: time("interval", message.interval)?,
    })
}

fn outlier(message: &l4::OutlierDetection) -> Result<OutlierPolicy, Fault> {
    let percent = |field: &str, number: u32| match number {
        0..=100 => Ok(number),
        number => Err((field.to_owned(), Reason::OutOfRange { number, expected: "0 to 100" })),
    };
    if message.consecutive_failures == 0 {
        let reason = Reason::OutOfRange { number: 0, expected: "1 and more" };
        return Err(("consecutive_failures".to_owned(), reason));
    }
    Ok(OutlierPolicy {
        consecutive_failures: message.consecutive_failures,
        interval: time("interval", message.interval)?.unwrap_or(INTERVAL),
        base_ejection_time: time("base_ejection_time", message.base_ejection_time)?.unwrap_or(BASE),
        max_ejection_percent: percent("max_ejection_percent", message.max_ejection_percent)?,
        min_health_percent: percent("min_health_percent", message.min_health_percent)?,
    })
}

/// Zero is as if nothing were said.
fn time(field: &str, message: Option<prost_types::Duration>) -> Result<Option<Duration>, Fault> {
    let Some(prost_types::Duration { seconds, nanos }) = message else { return Ok(None) };
    let whole = u64::try_from(seconds).ok().filter(|seconds| *seconds <= LONGEST);
    let rest = u32::try_from(nanos).ok().filter(|nanos| *nanos < 1_000_000_000);
    let (Some(whole), Some(rest)) = (whole, rest) else {
        return Err((field.to_owned(), Reason::Duration { seconds, nanos }));
    };
    Ok(Some(Duration::new(whole, rest)).filter(|time| !time.is_zero()))
}

/// As at waypoints.
const INTERVAL: Duration = Duration::from_secs(10);
const BASE: Duration = Duration::from_secs(30);
/// Ten years: sums of it stay far from what a clock can say.
const LONGEST: u64 = 10 * 365 * 24 * 3600;

#[cfg(test)]
mod tests;
