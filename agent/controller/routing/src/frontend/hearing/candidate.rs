//! VirtualServices that speak of a service, and for whom.

use crate::VirtualService;
use crate::export_to::Audience;
use crate::value::specificity;

/// A VirtualService that has a host of the service.
pub(super) struct Candidate<'a> {
    pub(super) service: &'a VirtualService,
    /// The most specific of its hosts that is one.
    pub(super) host: String,
    pub(super) audience: Audience,
    pub(super) is_producer: bool,
}

/// The namespaces that are named.
pub(super) fn audiences<'b>(services: &'b [&Candidate<'_>]) -> impl Iterator<Item = String> + 'b {
    let named = services.iter().filter_map(|candidate| match &candidate.audience {
        Audience::All => None,
        Audience::Namespaces(names) => Some(names.iter().cloned()),
    });
    named.flatten()
}

pub(super) fn consumers<'b, 'a>(
    services: &[&'b Candidate<'a>],
    namespace: Option<&str>,
) -> Vec<&'b Candidate<'a>> {
    let Some(namespace) = namespace else { return Vec::new() };
    services.iter().copied().filter(|one| !one.is_producer && one.audience.has(Some(namespace))).collect()
}

pub(super) fn producers<'b, 'a>(
    services: &[&'b Candidate<'a>],
    namespace: Option<&str>,
) -> Vec<&'b Candidate<'a>> {
    services.iter().copied().filter(|one| one.is_producer && one.audience.has(namespace)).collect()
}

/// Those that name the service most closely, and the others.
pub(super) fn most_specific<'a>(
    candidates: Vec<&Candidate<'a>>,
) -> (Vec<&'a VirtualService>, Vec<&'a VirtualService>) {
    let most = candidates.iter().map(|one| specificity(&one.host)).max();
    let (closest, wider): (Vec<_>, Vec<_>) =
        candidates.into_iter().partition(|one| Some(specificity(&one.host)) == most);
    let services = |list: Vec<&Candidate<'a>>| list.into_iter().map(|one| one.service).collect();
    (services(closest), services(wider))
}

impl Audience {
    /// Whether clients of the namespace are in it; `None`: those of whom nothing is said.
    fn has(&self, namespace: Option<&str>) -> bool {
        match (self, namespace) {
            (Self::All, _) => true,
            (Self::Namespaces(names), Some(namespace)) => names.contains(namespace),
            (Self::Namespaces(_), None) => false,
        }
    }
}
