//! A service as something to call: its clusters, by the DestinationRules that hold for it.

use std::cell::RefCell;

use weir_proto::l7;
use weir_resources::Labels;

use super::cluster::{Client, Context, cluster};
use super::level::Level;
use super::selection::select;
use super::{DestinationRule, OwnSubset};
use crate::part::Part;
use crate::problem::{Effect, Problem, Problems, Reason, Remark};
use crate::{Lookup, Mesh, Service};

/// What a service is to a waypoint.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Destinations {
    /// The neutral form.
    pub form: l7::Backend,
    /// Which endpoints are in which subset.
    pub subsets: Vec<Subset>,
    /// What is to be said of DestinationRules beside their own problems.
    pub remarks: Vec<Remark>,
}

/// A subset of a service's endpoints: those with all of the labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subset {
    /// Its name.
    pub name: String,
    /// What its endpoints have.
    pub labels: Labels,
}

/// The clusters of a service at a waypoint in the namespace `client`. `rules` has at least those whose host may be the
/// service's, and the order of them does not matter.
pub fn backend(
    service: &Service,
    client: &str,
    rules: &[DestinationRule],
    lookup: &dyn Lookup,
    mesh: &Mesh,
) -> Destinations {
    let rules: Vec<&DestinationRule> = rules.iter().collect();
    let (merged, remarks) = merge(service, select(service, client, &rules, mesh));
    let mut per_object = Vec::new();
    let remarks = RefCell::new(remarks);
    let client = Some(Client { namespace: client, remarks: &remarks });
    let form = merged.form(service, client, lookup, mesh, &mut per_object);
    let subsets = merged
        .subsets
        .iter()
        .map(|(_, subset)| Subset { name: subset.name.clone(), labels: subset.labels.clone() });
    let subsets = subsets.collect();
    Destinations { form, subsets, remarks: remarks.into_inner() }
}

/// Rules that were chosen, the first that decides first, as one; and what is to be said of those that do not decide.
pub(super) fn merge<'a>(service: &Service, chosen: Vec<&'a DestinationRule>) -> (Merged<'a>, Vec<Remark>) {
    let mut merged = Merged::default();
    let mut remarks = Vec::new();
    for rule in chosen {
        let mut overruled = |field: &str, by: &DestinationRule| {
            let problem = Problem {
                field: field.to_owned(),
                message: format!("{} is older and says this for {}", by.object, service.hostname),
                reason: Reason::Overruled,
                effect: Effect::Ignored,
            };
            remarks.push(Remark { object: rule.object.clone(), problem });
        };
        match merged.policy {
            Some(older) if rule.policy.is_there() => overruled("spec.trafficPolicy", older),
            None if rule.policy.is_there() => merged.policy = Some(rule),
            _ => {}
        }
        for subset in &rule.subsets {
            match merged.subsets.iter().find(|(_, other)| other.name == subset.name) {
                Some((older, _)) => overruled(&subset.field, older),
                None => merged.subsets.push((rule, subset)),
            }
        }
    }
    (merged, remarks)
}

/// Looks for problems of one rule.
pub(super) fn of_one(
    rule: &DestinationRule,
    service: &Service,
    lookup: &dyn Lookup,
    mesh: &Mesh,
    problems: &mut Problems,
) {
    let merged = Merged {
        policy: Some(rule).filter(|rule| rule.policy.is_there()),
        subsets: rule.subsets.iter().map(|subset| (rule, subset)).collect(),
    };
    let mut found = Vec::new();
    merged.form(service, None, lookup, mesh, &mut found);
    found.into_iter().for_each(|found| problems.extend(found));
}

/// Several rules as one.
#[derive(Default)]
pub(super) struct Merged<'a> {
    /// The one whose `trafficPolicy` counts.
    pub(super) policy: Option<&'a DestinationRule>,
    subsets: Vec<(&'a DestinationRule, &'a OwnSubset)>,
}

impl Merged<'_> {
    fn form(
        &self,
        service: &Service,
        client: Option<Client<'_>>,
        lookup: &dyn Lookup,
        mesh: &Mesh,
        found: &mut Vec<Problems>,
    ) -> l7::Backend {
        let mut clusters = Vec::new();
        for port in &service.ports {
            let mut problems = Problems::default();
            let whole = match self.policy {
                Some(rule) => {
                    Level::default().with(&rule.policy, "spec.trafficPolicy", port.number, &mut problems)
                }
                None => Level::default(),
            };
            let context = Context { service, port, lookup, mesh, rule: self.policy, client };
            clusters.push(cluster(&context, "", &whole, &mut problems));
            for (rule, subset) in &self.subsets {
                let field = format!("{}.trafficPolicy", subset.field);
                let level = whole.clone().with(&subset.policy, &field, port.number, &mut problems);
                let rule = if matches!(subset.policy, Part::Absent) {
                    self.policy.or(Some(*rule))
                } else {
                    Some(*rule)
                };
                let context = Context { rule, ..context };
                clusters.push(cluster(&context, &subset.name, &level, &mut problems));
            }
            found.push(problems);
        }
        let (namespace, hostname) = (service.namespace.clone(), service.hostname.clone());
        l7::Backend { namespace, hostname, clusters }
    }
}
