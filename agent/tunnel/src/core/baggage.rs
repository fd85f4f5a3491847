//! The `baggage` header: what a node says about its workload, for the other side's telemetry.
//!
//! It is not authenticated: nothing here may decide anything. The keys and their order are Istio's; the values
//! are names of Kubernetes objects, so there is no percent-encoding on this wire.

use http::HeaderValue;
use weir_model::{Workload, WorkloadType};

/// The header that describes `workload`; `None` if there is nothing to say.
pub fn describe(workload: &Workload) -> Option<HeaderValue> {
    let owner = match workload.workload_type {
        WorkloadType::Deployment => "k8s.deployment.name",
        WorkloadType::CronJob => "k8s.cronjob.name",
        WorkloadType::Pod => "k8s.pod.name",
        WorkloadType::Job => "k8s.job.name",
    };
    let fields: [(&str, &str); 7] = [
        ("k8s.cluster.name", &workload.cluster_id),
        ("k8s.namespace.name", &workload.namespace),
        (owner, &workload.workload_name),
        ("service.name", &workload.canonical_name),
        ("service.version", &workload.canonical_revision),
        ("cloud.region", &workload.locality.region),
        ("cloud.availability_zone", &workload.locality.zone),
    ];
    let mut text = String::with_capacity(192);
    for (key, value) in fields {
        if value.is_empty() || !value.bytes().all(is_plain) {
            continue;
        }
        if !text.is_empty() {
            text.push(',');
        }
        text.push_str(key);
        text.push('=');
        text.push_str(value);
    }
    if text.is_empty() {
        return None;
    }
    HeaderValue::try_from(text).ok()
}

/// What a peer said about its workload. Missing is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Baggage<'a> {
    /// Cluster.
    pub cluster: Option<&'a str>,
    /// Namespace.
    pub namespace: Option<&'a str>,
    /// Name of the owner.
    pub workload: Option<&'a str>,
    /// Canonical name.
    pub service: Option<&'a str>,
    /// Canonical revision.
    pub version: Option<&'a str>,
    /// Region.
    pub region: Option<&'a str>,
    /// Zone.
    pub zone: Option<&'a str>,
}

impl<'a> Baggage<'a> {
    /// Reads the header. Unknown keys and malformed members are passed over: it is telemetry.
    pub fn parse(header: &'a str) -> Self {
        let mut baggage = Self::default();
        for member in header.split(',') {
            let Some((key, value)) = member.split_once('=') else {
                continue;
            };
            // A W3C baggage member may carry properties after a semicolon.
            let value = value.split(';').next().unwrap_or_default().trim();
            let place = match key.trim() {
                "k8s.cluster.name" => &mut baggage.cluster,
                "k8s.namespace.name" => &mut baggage.namespace,
                "k8s.deployment.name" | "k8s.cronjob.name" | "k8s.pod.name" | "k8s.job.name" => {
                    &mut baggage.workload
                }
                "service.name" => &mut baggage.service,
                "service.version" => &mut baggage.version,
                "cloud.region" => &mut baggage.region,
                "cloud.availability_zone" => &mut baggage.zone,
                _ => continue,
            };
            if !value.is_empty() {
                *place = Some(value);
            }
        }
        baggage
    }
}

/// A byte that cannot end a member or a header.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b',' | b'=' | b';')
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn written_in_istios_order_without_empties() {
        let mut workload = Workload::pod("shop", "web-1");
        workload.canonical_name = "web".into();
        Arc::make_mut(&mut workload.locality).zone = "z1".into();
        let header = describe(&workload).unwrap();
        assert_eq!(
            header.to_str().unwrap(),
            "k8s.cluster.name=Kubernetes,k8s.namespace.name=shop,k8s.pod.name=web-1,service.name=web,\
             cloud.availability_zone=z1"
        );
    }

    #[test]
    fn a_value_cannot_add_a_member() {
        let mut workload = Workload::pod("shop", "web-1");
        workload.canonical_name = "web,k8s.namespace.name=bank".into();
        let header = describe(&workload).unwrap();
        let read = Baggage::parse(header.to_str().unwrap());
        assert_eq!((read.namespace, read.service), (Some("shop"), None));
    }

    #[test]
    fn read_leniently() {
        let read = Baggage::parse("k8s.job.name=j, service.name=web;p=1,x,=,cloud.region=");
        assert_eq!(read.workload, Some("j"));
        assert_eq!(read.service, Some("web"));
        assert_eq!(read.region, None);
    }
}
