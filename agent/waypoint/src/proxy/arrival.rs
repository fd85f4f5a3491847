//! A connection that has arrived: who sends, and what was asked for.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tracing::info;
use weir_proto::l7::{self, PathNormalization};

use super::report::{Party, ServiceName};
use crate::authorize::{Denial, Policies, Visit};
use crate::route::{
    Action, Backend, Frontend, PodLabels, Reason, Rejection, RequestHead, Retry, Rule, SourceView,
    Within as _,
};

/// A connection from a client.
#[derive(Clone)]
pub struct Arrival {
    /// The client's own address, not a tunnel's.
    pub client: SocketAddr,
    /// What the client dialled.
    pub destination: SocketAddr,
    /// The service's port: that of `destination` for a service's address.
    pub port: u16,
    /// Who sends.
    pub source: Arc<Source>,
    /// What was asked for.
    pub service: Arc<Service>,
}

/// Who sends, as far as it is known.
#[derive(Debug, Default)]
pub struct Source {
    /// As the tunnel proved it: `spiffe://...`. `None`: the connection came in plaintext.
    pub identity: Option<Arc<str>>,
    /// Of the client's workload.
    pub namespace: Option<Arc<str>>,
    /// Of the client's workload.
    pub labels: Arc<PodLabels>,
    /// For the metrics.
    pub party: Arc<Party>,
}

/// A service that a waypoint answers for. Its configuration can change under open connections: each request, and each
/// connection that is only copied, goes by what holds when it begins.
pub struct Service {
    /// Name of its resources: namespace/hostname.
    pub resource: Arc<str>,
    /// For the metrics.
    pub name: Arc<ServiceName>,
    current: ArcSwap<Settings>,
}

/// What holds for a service's requests.
pub struct Settings {
    /// Ports and routes.
    pub frontend: Frontend,
    /// Who may.
    pub policies: Policies,
    /// For routes that do not say.
    pub default_retry: Retry,
    /// How paths are brought into one form.
    pub normalization: PathNormalization,
    /// By port: where requests go for which there are no routes.
    own: HashMap<u16, Arc<Rule>>,
}

impl Settings {
    /// Routes of a service, all policies that hold for it, and its waypoint's defaults; all of it or nothing.
    ///
    /// # Errors
    /// The place in one of the forms that cannot be compiled.
    pub fn compile<'a>(
        form: &l7::Frontend,
        policies: impl IntoIterator<Item = &'a l7::Authorization>,
        waypoint: &l7::Waypoint,
    ) -> Result<Self, Rejection> {
        let own = form.ports.iter().map(|port| own_rule(form, port.port));
        let normalization = PathNormalization::try_from(waypoint.path_normalization);
        let unknown = |_| Reason::UnknownValue(waypoint.path_normalization);
        Ok(Self {
            frontend: Frontend::compile(form)?,
            policies: Policies::compile(policies)?,
            default_retry: match &waypoint.default_retry {
                Some(retry) => Retry::compile(retry).within("default_retry")?,
                None => Retry::default(),
            },
            normalization: normalization.map_err(unknown).within("path_normalization")?,
            own: own.collect::<Result<_, _>>()?,
        })
    }

    /// Whether a request may pass, or without one, a connection.
    pub(crate) fn allow(
        &self,
        arrival: &Arrival,
        server_name: Option<&str>,
        request: Option<&RequestHead<'_>>,
    ) -> Result<(), Denial> {
        if self.policies.is_empty() {
            return Ok(());
        }
        let visit = Visit {
            identity: arrival.source.identity.as_deref(),
            source: arrival.client.ip(),
            destination: arrival.destination,
            server_name,
            request,
        };
        for remark in self.policies.remarks(&visit) {
            let (service, client) = (&arrival.service.resource, arrival.client);
            info!(%service, %client, policy = %remark.policy, action = ?remark.action, "a policy that changes nothing matches");
        }
        self.policies.check(&visit)
    }

    pub(crate) fn own_rule(&self, port: u16) -> Option<&Arc<Rule>> {
        self.own.get(&port)
    }

    pub(crate) fn own(&self, port: u16) -> Option<&Backend> {
        match &self.own.get(&port)?.action {
            Action::Forward(forward) => forward.pick(0),
            Action::Redirect(_) | Action::Direct(_) => None,
        }
    }
}

/// To the service itself.
fn own_rule(form: &l7::Frontend, port: u32) -> Result<(u16, Arc<Rule>), Rejection> {
    let (namespace, hostname) = (form.namespace.clone(), form.hostname.clone());
    let service = l7::BackendRef { namespace, hostname, port, subset: String::new() };
    let backend = l7::WeightedBackend {
        target: Some(l7::weighted_backend::Target::Backend(service)),
        weight: 1,
        ..Default::default()
    };
    let forward = l7::Forward { backends: vec![backend], no_backend_status: 503, ..Default::default() };
    let action = Some(l7::rule::Action::Forward(forward));
    let rule = Rule::compile(&l7::Rule { name: "default".to_owned(), action, ..Default::default() })?;
    // `Rule::compile` has seen that it is a port.
    Ok((u16::try_from(port).unwrap_or_default(), Arc::new(rule)))
}

impl Service {
    /// A service with its first settings.
    pub fn new(resource: &str, name: ServiceName, settings: Settings) -> Self {
        Self { resource: resource.into(), name: Arc::new(name), current: ArcSwap::from_pointee(settings) }
    }

    /// From now on.
    pub fn update(&self, settings: Settings) {
        self.current.store(Arc::new(settings));
    }

    /// What holds now.
    pub(crate) fn settings(&self) -> Arc<Settings> {
        self.current.load_full()
    }
}

impl Arrival {
    /// The client as routes see it.
    pub fn view(&self) -> SourceView<'_> {
        SourceView {
            namespace: self.source.namespace.as_deref(),
            labels: &*self.source.labels,
            address: self.client.ip(),
            identity: self.source.identity.as_deref(),
        }
    }
}
