//! Which DestinationRules hold for a service.

use super::DestinationRule;
use crate::object::by_age;
use crate::value::{covers, specificity};
use crate::{Mesh, Service};

/// Those that hold at a waypoint of `client` for the service, the first being the first that decides: from the namespace of the
/// client, else from the service's, else from the mesh's root; there, those of the host that is named most closely.
pub(super) fn select<'a>(
    service: &Service,
    client: &str,
    rules: &[&'a DestinationRule],
    mesh: &Mesh,
) -> Vec<&'a DestinationRule> {
    let namespaces = [client, service.namespace.as_str(), mesh.root_namespace.as_str()];
    let found = namespaces.into_iter().map(|namespace| closest(service, client, namespace, rules, mesh));
    found.into_iter().find(|found| !found.is_empty()).unwrap_or_default()
}

fn closest<'a>(
    service: &Service,
    client: &str,
    namespace: &str,
    rules: &[&'a DestinationRule],
    mesh: &Mesh,
) -> Vec<&'a DestinationRule> {
    let visible = |rule: &&&DestinationRule| {
        *rule.meta.namespace == *namespace && rule.export_to.reaches(client) && !rule.read.refused()
    };
    let here = rules.iter().filter(visible).map(|rule| (*rule, rule.host(mesh)));
    let fits: Vec<_> = here.filter(|(_, host)| covers(host, &service.hostname)).collect();
    let most = fits.iter().map(|(_, host)| specificity(host)).max();
    let mut chosen: Vec<_> =
        fits.into_iter().filter(|(_, host)| Some(specificity(host)) == most).map(|(rule, _)| rule).collect();
    chosen.sort_by(|a, b| by_age(&a.meta, &b.meta));
    chosen
}
