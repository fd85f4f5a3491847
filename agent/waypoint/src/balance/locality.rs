//! Near endpoints first: priority levels by region, zone and sub-zone or by labels, and shares by locality.

use std::{cmp::Reverse, collections::BTreeMap};

use weir_proto::l7;

use super::endpoint::Endpoint;
use crate::route::{Reason, Rejection, Within as _};

/// The waypoint's own place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Own {
    /// region/zone/subzone; empty: not known, and localities mean nothing.
    pub locality: String,
    /// Of its pod, for `failover_priority`.
    pub labels: BTreeMap<String, String>,
    /// The cluster that it is in.
    pub cluster: String,
    /// The node that it is on.
    pub node: String,
}

/// A locality in its parts; what is not known is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Place {
    region: Box<str>,
    zone: Box<str>,
    subzone: Box<str>,
}

/// A compiled `Locality`, seen from the waypoint.
#[derive(Debug)]
pub(super) enum Nearness {
    /// All are alike.
    Alike,
    /// The nearer, the lower the level.
    Levels { place: Place, failover: Vec<(Box<str>, Box<str>)>, labels: Vec<Wanted> },
    /// Percentages; the most specific locality first.
    Shares(Vec<(Place, u32)>),
}

/// A label of `failover_priority`, and its value at the waypoint or in the form.
#[derive(Debug)]
pub(super) struct Wanted {
    name: Box<str>,
    value: Option<Box<str>>,
}

impl Nearness {
    pub(super) fn compile(form: &l7::Locality, own: &Own) -> Result<Nearness, Rejection> {
        if !form.enabled {
            return Ok(Nearness::Alike);
        }
        let place = Place::parse(&own.locality);
        if !form.distribute.is_empty() {
            let mut fitting = form.distribute.iter().filter(|form| Place::parse(&form.from).covers(&place));
            return fitting.next().map_or(Ok(Nearness::Alike), |form| shares(form).within("distribute"));
        }
        let labels: Vec<_> = form.failover_priority.iter().map(|label| Wanted::compile(label, own)).collect();
        if labels.is_empty() && place.region.is_empty() {
            return Ok(Nearness::Alike);
        }
        let failover = form.failover.iter().map(|form| (form.from.as_str().into(), form.to.as_str().into()));
        Ok(Nearness::Levels { place, failover: failover.collect(), labels })
    }

    /// The level of an endpoint, 0 being the nearest. Levels need not be contiguous.
    pub(super) fn level(&self, endpoint: &Endpoint) -> usize {
        match self {
            Nearness::Alike | Nearness::Shares(_) => 0,
            Nearness::Levels { place, failover, labels } if labels.is_empty() => {
                distance(place, failover, &endpoint.place)
            }
            Nearness::Levels { place, failover, labels } => {
                let far = labels.iter().position(|label| !label.is_at(endpoint));
                let by_label = far.map_or(0, |far| labels.len() - far);
                // Regions only tell apart what the labels do not.
                let by_region =
                    if failover.is_empty() { 0 } else { distance(place, failover, &endpoint.place) };
                by_label * (FARTHEST + 1) + by_region
            }
        }
    }
}

fn distance(own: &Place, failover: &[(Box<str>, Box<str>)], other: &Place) -> usize {
    if own.region != other.region {
        let to = failover.iter().find(|(from, _)| *from == own.region).map(|(_, to)| to);
        return if to.is_some_and(|to| *to != other.region) { FARTHEST } else { 3 };
    }
    match (own.zone == other.zone, own.subzone == other.subzone) {
        (true, true) => 0,
        (true, false) => 1,
        (false, _) => 2,
    }
}

fn shares(form: &l7::Distribution) -> Result<Nearness, Rejection> {
    let mut shares: Vec<_> = form.to.iter().map(|(to, percent)| (Place::parse(to), *percent)).collect();
    let sum: u64 = shares.iter().map(|(_, percent)| u64::from(*percent)).sum();
    if sum != 100 {
        return Err(Reason::OutOfRange { value: sum, expected: "100 percent together" }).within("to");
    }
    shares.sort_by_key(|(place, _)| Reverse(place.specificity()));
    Ok(Nearness::Shares(shares))
}

impl Place {
    pub(super) fn parse(text: &str) -> Place {
        let mut parts = text.splitn(3, '/').map(Box::from);
        let mut part = || parts.next().unwrap_or_default();
        Place { region: part(), zone: part(), subzone: part() }
    }

    /// As a pattern: `*` or nothing stands for all that follows.
    pub(super) fn covers(&self, other: &Place) -> bool {
        let parts =
            [(&self.region, &other.region), (&self.zone, &other.zone), (&self.subzone, &other.subzone)];
        parts.into_iter().take_while(|(wanted, _)| !is_any(wanted)).all(|(wanted, found)| wanted == found)
    }

    fn specificity(&self) -> usize {
        [&self.region, &self.zone, &self.subzone].into_iter().take_while(|part| !is_any(part)).count()
    }
}

fn is_any(part: &str) -> bool {
    part.is_empty() || part == "*"
}

impl Wanted {
    fn compile(text: &str, own: &Own) -> Wanted {
        match text.split_once('=') {
            Some((name, value)) => Wanted { name: name.into(), value: Some(value.into()) },
            None => {
                let place = Place::parse(&own.locality);
                let own = label(text, &own.labels, &place, &own.cluster, &own.node);
                Wanted { name: text.into(), value: own.map(Box::from) }
            }
        }
    }

    fn is_at(&self, endpoint: &Endpoint) -> bool {
        let form = endpoint.form();
        let found = label(&self.name, &form.labels, &endpoint.place, &form.cluster, &form.node);
        found == self.value.as_deref()
    }
}

/// A label, or what stands for one that Kubernetes has on nodes and not on pods.
fn label<'a>(
    name: &str,
    labels: &'a BTreeMap<String, String>,
    place: &'a Place,
    cluster: &'a str,
    node: &'a str,
) -> Option<&'a str> {
    let derived = || match name {
        "topology.kubernetes.io/region" => Some(&*place.region),
        "topology.kubernetes.io/zone" => Some(&*place.zone),
        "topology.istio.io/subzone" => Some(&*place.subzone),
        "topology.istio.io/cluster" => Some(cluster),
        "kubernetes.io/hostname" => Some(node),
        _ => None,
    };
    let found = labels.get(name).map(String::as_str).or_else(derived);
    found.filter(|value| !value.is_empty())
}

/// Regions that a failover does not name.
const FARTHEST: usize = 4;

#[cfg(test)]
mod tests;
