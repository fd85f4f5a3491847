//! A connection that has arrived: who sends, and what was asked for.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use weir_proto::l7::{self, PathNormalization};

use super::report::{Party, ServiceName};
use crate::route::{Action, Backend, Frontend, Rejection, RequestHead, Retry, Rule, SourceView};

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
    pub labels: BTreeMap<String, String>,
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
    pub authorize: Box<dyn Authorize>,
    /// For routes that do not say.
    pub default_retry: Retry,
    /// How paths are brought into one form.
    pub normalization: PathNormalization,
    /// By port: where requests go for which there are no routes.
    own: HashMap<u16, Arc<Rule>>,
}

impl Settings {
    /// Without policies, with Istio's retries, for the service that the form describes.
    ///
    /// # Errors
    /// The form cannot be compiled.
    pub fn compile(form: &l7::Frontend) -> Result<Self, Rejection> {
        let own = form.ports.iter().map(|port| own_rule(form, port.port));
        Ok(Self {
            frontend: Frontend::compile(form)?,
            authorize: Box::new(AllowAll),
            default_retry: Retry::default(),
            normalization: PathNormalization::Base,
            own: own.collect::<Result<_, _>>()?,
        })
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

/// Whether a request or a connection may pass.
pub trait Authorize: Send + Sync {
    /// A request, its path in the one form that is matched and forwarded.
    ///
    /// # Errors
    /// It may not.
    fn request(&self, request: &RequestHead<'_>, arrival: &Arrival) -> Result<(), Denied>;

    /// A connection that is only copied; `server_name` is what its TLS hello says.
    ///
    /// # Errors
    /// It may not.
    fn connection(&self, arrival: &Arrival, server_name: Option<&str>) -> Result<(), Denied>;
}

/// Why something may not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    /// namespace/name of the policy; `None`: there are policies that allow, and none of them allows this.
    pub policy: Option<Arc<str>>,
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.policy {
            Some(policy) => write!(f, "rbac_access_denied_matched_policy[{policy}]"),
            None => f.write_str("rbac_access_denied_matched_policy[none]"),
        }
    }
}

/// No policies.
pub struct AllowAll;

impl Authorize for AllowAll {
    fn request(&self, _: &RequestHead<'_>, _: &Arrival) -> Result<(), Denied> {
        Ok(())
    }

    fn connection(&self, _: &Arrival, _: Option<&str>) -> Result<(), Denied> {
        Ok(())
    }
}

impl Arrival {
    /// The client as routes see it.
    pub fn view(&self) -> SourceView<'_> {
        SourceView {
            namespace: self.source.namespace.as_deref(),
            labels: &self.source.labels,
            address: self.client.ip(),
            identity: self.source.identity.as_deref(),
        }
    }
}
