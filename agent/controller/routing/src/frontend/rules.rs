//! HTTP at a port.

use weir_proto::l7;

use super::hearing::{Decision, Hearing, Speaker};
use super::sources;
use crate::problem::{Problems, Remark};
use crate::route::{self, entries, merge};
use crate::virtual_service::{HttpRules, is_catch_all};
use crate::{Route, VirtualService};

/// Sets of rules: those for single namespaces in the order of their names, then that for all. A namespace for which the same
/// holds as for all has none.
pub(super) fn sets(
    hearing: &Hearing<'_>,
    port: u16,
    decisions: &[Decision<'_>],
    remarks: &mut Vec<Remark>,
) -> Vec<l7::RuleSet> {
    let mut sets: Vec<l7::RuleSet> = Vec::new();
    for Decision { namespace, speaker } in decisions {
        let rules = match speaker {
            Speaker::Routes(routes) => of_routes(hearing, routes, port),
            Speaker::Services(services) => of_services(hearing, services, port, remarks),
            Speaker::Nobody => continue,
        };
        sets.push(l7::RuleSet { source_namespace: namespace.clone().unwrap_or_default(), rules });
    }
    if let Some((all, _)) = sets.split_last().filter(|(last, _)| last.source_namespace.is_empty()) {
        let all = all.clone();
        sets.retain(|set| set.source_namespace.is_empty() || set.rules != all.rules);
    }
    sets
}

fn of_routes(hearing: &Hearing<'_>, routes: &[&Route], port: u16) -> Vec<l7::Rule> {
    let each = routes.iter().flat_map(|route| {
        let parent = Some((hearing.service, port));
        let context = route::Context { mesh: hearing.mesh, lookup: hearing.lookup, route, parent };
        // They are in its status, parent by parent.
        entries(&context, &mut Problems::default())
    });
    merge(each.collect())
}

fn of_services(
    hearing: &Hearing<'_>,
    services: &[&VirtualService],
    port: u16,
    remarks: &mut Vec<Remark>,
) -> Vec<l7::Rule> {
    let (mut rules, mut last) = (Vec::new(), Vec::new());
    for service in services {
        let mut problems = Problems::default();
        for rule in HttpRules::of(&hearing.context(service, port), &mut problems).0 {
            // What takes everything comes behind the rules of all: otherwise the younger would never be heard.
            let is_last = services.len() > 1 && is_catch_all(&rule);
            if is_last { last.push(rule) } else { rules.push(rule) }
        }
        let of = |problem| Remark { object: service.object().clone(), problem };
        remarks.extend(problems.into_iter().map(of));
    }
    rules.append(&mut last);
    sources::with_others(rules, hearing.service, port)
}
