//! Who is heard at a port, for which clients.

mod candidate;

use std::collections::BTreeSet;

use candidate::{Candidate, audiences, consumers, most_specific, producers};

use super::Objects;
use super::overruled::Overruled;
use crate::export_to::Audience;
use crate::object::by_age;
use crate::problem::{Effect, Problem, Reason, Remark};
use crate::route::Attachment;
use crate::virtual_service::{Context, HttpRules};
use crate::{Kind, Lookup, Mesh, Route, Service, ServicePort, VirtualService};

/// All that concerns the service, in the order of age.
pub(super) struct Hearing<'a> {
    pub(super) service: &'a Service,
    pub(super) objects: Objects<'a>,
    pub(super) lookup: &'a dyn Lookup,
    pub(super) mesh: &'a Mesh,
    routes: Vec<(&'a Route, Vec<Attachment>)>,
    services: Vec<Candidate<'a>>,
}

/// Who decides for the clients of a namespace; `None`: of all others.
#[derive(Debug, Clone)]
pub(super) struct Decision<'a> {
    pub(super) namespace: Option<String>,
    pub(super) speaker: Speaker<'a>,
}

/// Never empty lists.
#[derive(Debug, Clone)]
pub(super) enum Speaker<'a> {
    Routes(Vec<&'a Route>),
    Services(Vec<&'a VirtualService>),
    Nobody,
}

impl<'a> Hearing<'a> {
    pub(super) fn new(
        service: &'a Service,
        waypoint: &str,
        objects: &Objects<'a>,
        lookup: &'a dyn Lookup,
        mesh: &'a Mesh,
    ) -> Self {
        let producers = [service.namespace.as_str(), waypoint];
        let mut names = vec![service.hostname.clone()];
        names.extend(service.addresses.iter().map(ToString::to_string));
        let candidate = |one: &'a VirtualService| {
            let host = one.matching_host(&names, mesh).filter(|_| one.is_for_mesh())?;
            let is_producer = producers.contains(&&*one.meta.namespace);
            Some(Candidate { service: one, host, audience: one.audience(&producers), is_producer })
        };
        let mut services: Vec<_> = objects.virtual_services.iter().filter_map(candidate).collect();
        services.sort_by(|a, b| by_age(&a.service.meta, &b.service.meta));
        let routes = objects.routes.iter().map(|route| (route, route.attachments(service, lookup, mesh)));
        let mut routes: Vec<_> = routes.filter(|(_, attachments)| !attachments.is_empty()).collect();
        routes.sort_by(|(a, _), (b, _)| by_age(&a.meta, &b.meta).then_with(|| a.object.cmp(&b.object)));
        Self { service, objects: *objects, lookup, mesh, routes, services }
    }

    /// What is to be said of those that are heard by fewer than they want.
    pub(super) fn remarks(&self) -> Vec<Remark> {
        let strangers = self.services.iter().filter(|candidate| !candidate.is_producer);
        let remark = |candidate: &Candidate<'_>| {
            let (host, own) = (&self.service.hostname, &candidate.service.meta.namespace);
            let nobody = candidate.audience == Audience::Namespaces(BTreeSet::new());
            let message = match nobody {
                true => format!(
                    "{host} is another namespace's: only clients of {own} could be meant, and are not"
                ),
                false => format!("{host} is another namespace's: it holds for clients of {own} only"),
            };
            let (reason, effect) = if nobody {
                (Reason::UnsupportedValue, Effect::Ignored)
            } else {
                (Reason::Notice, Effect::Notice)
            };
            let problem = Problem { field: "spec.exportTo".to_owned(), message, reason, effect };
            Remark { object: candidate.service.object.clone(), problem }
        };
        strangers.map(remark).collect()
    }

    /// Where a route is attached to the service.
    pub(super) fn attachments(&self, route: &Route) -> &[Attachment] {
        let found = self.routes.iter().find(|(other, _)| other.object == route.object);
        found.map_or(&[], |(_, attachments)| attachments)
    }

    pub(super) fn context<'b>(&'b self, service: &'b VirtualService, port: u16) -> Context<'b> {
        let own = Some((self.service, port));
        Context {
            mesh: self.mesh,
            lookup: self.lookup,
            virtual_service: service,
            others: self.objects.virtual_services,
            own,
        }
    }

    /// For HTTP: the namespaces for which something else holds than for the rest, and the rest.
    pub(super) fn decide(&self, port: &ServicePort, overruled: &mut Overruled) -> Vec<Decision<'a>> {
        let routes: Vec<&'a Route> =
            self.routes.iter().filter(|(_, at)| is_at(at, port.number)).map(|(r, _)| *r).collect();
        let consumers = routes.iter().map(|route| route.meta.namespace.to_string());
        let speaks = |service: &VirtualService| {
            let rules = HttpRules::of(&self.context(service, port.number), &mut crate::Problems::default());
            !rules.0.is_empty()
        };
        let speaking: Vec<&Candidate<'a>> = self.services.iter().filter(|one| speaks(one.service)).collect();
        let mut namespaces: BTreeSet<String> = consumers.chain(audiences(&speaking)).collect();
        // Those of the service's own are producers.
        if !audiences(&speaking).any(|namespace| namespace == self.service.namespace) {
            namespaces.remove(&self.service.namespace);
        }
        let scopes = namespaces.into_iter().map(Some).chain([None]);
        scopes.map(|namespace| self.decision(namespace, &routes, &speaking, port.number, overruled)).collect()
    }

    fn decision(
        &self,
        namespace: Option<String>,
        routes: &[&'a Route],
        services: &[&Candidate<'a>],
        port: u16,
        overruled: &mut Overruled,
    ) -> Decision<'a> {
        let own = namespace.as_deref().filter(|namespace| *namespace != self.service.namespace);
        let consumer_routes = own.map_or_else(Vec::new, |own| in_namespace(routes, own));
        let producer_routes = in_namespace(routes, &self.service.namespace);
        let levels = [
            (consumer_routes, consumers(services, own)),
            (producer_routes, producers(services, namespace.as_deref())),
        ];
        for (routes, services) in levels {
            let (services, wider) = most_specific(services);
            let speaker = if routes.is_empty() {
                Speaker::Services(services.clone())
            } else {
                Speaker::Routes(overruled.by_kind(&routes, port))
            };
            let by = match &speaker {
                Speaker::Routes(routes) => routes.first().map(|route| route.object.clone()),
                Speaker::Services(services) => services.first().map(|service| service.object.clone()),
                Speaker::Nobody => None,
            };
            let Some(by) = by else { continue };
            let beaten = if routes.is_empty() { wider } else { [services, wider].concat() };
            overruled.services(&beaten, &by, port);
            return Decision { namespace, speaker };
        }
        Decision { namespace, speaker: Speaker::Nobody }
    }

    /// For connections: as [`decide`](Self::decide), among VirtualServices with such rules.
    pub(super) fn decide_connections(&self, speaks: impl Fn(&VirtualService) -> bool) -> Vec<Decision<'a>> {
        let speaking: Vec<&Candidate<'a>> = self.services.iter().filter(|one| speaks(one.service)).collect();
        let namespaces: BTreeSet<String> = audiences(&speaking).collect();
        let scopes = namespaces.into_iter().map(Some).chain([None]);
        let decide = |namespace: Option<String>| {
            let own = namespace.as_deref().filter(|namespace| *namespace != self.service.namespace);
            let (own, _) = most_specific(consumers(&speaking, own));
            let (all, _) = most_specific(producers(&speaking, namespace.as_deref()));
            let chosen = if own.is_empty() { all } else { own };
            let speaker = if chosen.is_empty() { Speaker::Nobody } else { Speaker::Services(chosen) };
            Decision { namespace, speaker }
        };
        scopes.map(decide).collect()
    }
}

fn is_at(attachments: &[Attachment], port: u16) -> bool {
    attachments.iter().any(|attachment| attachment.ports.contains(&port))
}

fn in_namespace<'a>(routes: &[&'a Route], namespace: &str) -> Vec<&'a Route> {
    routes.iter().copied().filter(|route| *route.meta.namespace == *namespace).collect()
}

/// The kind that is heard where both are: the one that says more of its protocol.
pub(super) fn heard_kind(routes: &[&Route]) -> Kind {
    let has_grpc = routes.iter().any(|route| route.object.kind == Kind::GrpcRoute);
    if has_grpc { Kind::GrpcRoute } else { Kind::HttpRoute }
}
