//! Near and far endpoints.

use std::collections::BTreeMap;

use weir_proto::l7;

use super::cluster::Context;
use super::spec::Locality;
use crate::Nearness;
use crate::problem::{Effect, Problems, Reason, quoted};

/// Without outlier detection nobody knows that near endpoints fail, so only what is said expressly holds then.
pub(super) fn locality(
    context: &Context<'_>,
    given: Option<&Locality>,
    field: &str,
    ejects: bool,
    problems: &mut Problems,
) -> l7::Locality {
    let Some(given) = given else {
        return by_service(context.service.nearness, context.mesh.locality_enabled && ejects);
    };
    let on = given.enabled.unwrap_or(context.mesh.locality_enabled);
    let asked =
        [!given.distribute.is_empty(), !given.failover.is_empty(), !given.failover_priority.is_empty()];
    if asked[0] && (asked[1] || asked[2]) {
        let message = "excludes failover and failoverPriority; distribute counts";
        problems.add(format!("{field}.distribute"), Reason::Invalid, Effect::Ignored, message);
    }
    let distribute = distributions(given, field, problems);
    if !asked[0] && on && !ejects && (asked[1] || asked[2]) {
        problems.notice(field, "has no effect without outlierDetection: nobody would know when to fail over");
    }
    let fails_over = distribute.is_empty() && ejects;
    let failover = given.failover.iter().filter(|_| fails_over);
    let failover = failover.map(|given| l7::Failover { from: given.from.clone(), to: given.to.clone() });
    let failover_priority = given.failover_priority.iter().filter(|_| fails_over);
    l7::Locality {
        enabled: on && (ejects || !distribute.is_empty()),
        distribute,
        failover: failover.collect(),
        failover_priority: failover_priority.cloned().collect(),
    }
}

fn by_service(nearness: Nearness, enabled: bool) -> l7::Locality {
    let labels: &[&str] = match nearness {
        Nearness::Any => return l7::Locality { enabled, ..l7::Locality::default() },
        Nearness::Zone => &ZONE,
        Nearness::Node => &NODE,
    };
    let failover_priority = labels.iter().map(|label| (*label).to_owned()).collect();
    l7::Locality { enabled: true, failover_priority, ..l7::Locality::default() }
}

fn distributions(given: &Locality, field: &str, problems: &mut Problems) -> Vec<l7::Distribution> {
    let mut all = Vec::new();
    for (i, one) in given.distribute.iter().enumerate() {
        match distribution(&one.from, &one.to) {
            Ok(distribution) => all.push(distribution),
            Err(message) => {
                problems.add(format!("{field}.distribute[{i}]"), Reason::Invalid, Effect::Ignored, message);
            }
        }
    }
    all
}

fn distribution(from: &str, to: &BTreeMap<String, u32>) -> Result<l7::Distribution, String> {
    if let Some(bad) = [from].into_iter().chain(to.keys().map(String::as_str)).find(|name| !is_locality(name))
    {
        return Err(format!("{} is not region/zone/subzone, of which the rest may be *", quoted(bad)));
    }
    match to.values().map(|weight| u64::from(*weight)).sum::<u64>() {
        100 => Ok(l7::Distribution {
            from: from.to_owned(),
            to: to.iter().map(|(name, weight)| (name.clone(), *weight)).collect(),
        }),
        sum => Err(format!("the weights are {sum} together, and must be 100")),
    }
}

fn is_locality(text: &str) -> bool {
    let parts: Vec<&str> = text.split('/').collect();
    let star = parts.iter().position(|part| *part == "*");
    parts.len() <= 3
        && parts.iter().all(|part| !part.is_empty() && (*part == "*" || !part.contains('*')))
        && star.is_none_or(|at| at + 1 == parts.len())
}

const ZONE: [&str; 3] =
    ["topology.istio.io/network", "topology.kubernetes.io/region", "topology.kubernetes.io/zone"];
const NODE: [&str; 5] = [
    "topology.istio.io/network",
    "topology.kubernetes.io/region",
    "topology.kubernetes.io/zone",
    "topology.istio.io/subzone",
    "kubernetes.io/hostname",
];
