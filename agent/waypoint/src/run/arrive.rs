//! Who comes, and for whom: from a CONNECT to a connection that the proxy serves, or a refusal that says why.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::{Arc, Weak};

use http::StatusCode;
use tracing::{Level, event};
use weir_discovery::Store;
use weir_model::{Directory, Identity, Workload};
use weir_tunnel::core::authority::Authority;
use weir_tunnel::gateway;

use super::Serving;
use super::clients::Clients;
use super::stream::Local;
use crate::proxy::{Arrival, Party, Service, Source, Stream, Worker};
use crate::route::{Labels as _, PodLabels, Port};

/// One worker's door.
pub(super) struct Door {
    pub(super) uid: Arc<str>,
    pub(super) store: Store,
    pub(super) serving: Arc<Serving>,
    pub(super) proxy: Rc<Worker>,
    pub(super) sources: Sources,
}

/// Why somebody does not come in.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("the waypoint's own workload is not known (yet)")]
    NotReady,
    #[error("{0} is no service of this waypoint, nor a pod that has it")]
    NotServed(String),
    #[error("{0} is no service of this waypoint, or not yet: not everything has come from the control plane")]
    NotYet(String),
    #[error("{service} has no port {port}")]
    NoPort { service: Arc<str>, port: u16 },
    #[error("the peer proved {proved}, but its address is that of {owner}, whose identity is {expected}")]
    SourceMismatch { proved: Box<Identity>, owner: Arc<str>, expected: Box<Identity> },
}

impl Door {
    /// Lets a stream in, or refuses it.
    pub(super) fn open(self: &Rc<Self>, stream: gateway::Arrival) {
        let directory = self.store.load();
        let own = directory.workload(&self.uid).cloned();
        match self.admit(&directory, own.as_deref(), &stream) {
            Ok(arrival) => {
                let (proxy, serving) = (self.proxy.clone(), self.serving.clone());
                tokio::task::spawn_local(async move {
                    wait_for_labels(&serving, &arrival).await;
                    // A client that has gone needs no answer.
                    let Ok(stream) = stream.accept(own.as_deref()) else { return };
                    let stream: Stream = Box::new(Local::new(stream));
                    proxy.serve(arrival, stream).await;
                });
            }
            Err(refusal) => {
                event!(
                    target: "access",
                    Level::WARN,
                    src.addr = %stream.client(),
                    src.identity = %stream.identity(),
                    dst.addr = %stream.local(),
                    dst.authority = %stream.authority(),
                    direction = "inbound",
                    error = %refusal,
                    "connection refused"
                );
                stream.refuse(refusal.status());
            }
        }
    }

    fn admit(
        &self,
        directory: &Directory,
        own: Option<&Workload>,
        stream: &gateway::Arrival,
    ) -> Result<Arrival, Refusal> {
        let own = own.ok_or(Refusal::NotReady)?;
        let source = self.sources.of(&self.serving.clients, directory, own, stream)?;
        let namespace = stream.identity().namespace();
        let authority = stream.authority();
        let (service, destination, port) = match authority {
            Authority::Address(addr) => {
                let found = directory.service_by_vip(&own.network, addr.ip(), namespace);
                let served = match found {
                    Some(service) => self.serving.service(&service.key.to_string()),
                    None => self.serving.pods.called(directory, own, *addr),
                };
                (served, *addr, addr.port())
            }
            Authority::Name { host, port } => {
                (self.serving.host(host.trim_end_matches('.'), namespace), stream.local(), *port)
            }
        };
        let service = service.ok_or_else(|| match self.serving.is_complete() {
            true => Refusal::NotServed(authority.to_string()),
            false => Refusal::NotYet(authority.to_string()),
        })?;
        check_port(&service, port)?;
        Ok(Arrival { client: stream.client(), destination, port, source, service })
    }
}

/// Routes that ask for labels wait for them, for a while: the first request of a client should not fail for it.
async fn wait_for_labels(serving: &Serving, arrival: &Arrival) {
    let settings = arrival.service.settings();
    if !settings.frontend.port(arrival.port).is_some_and(Port::asks_labels) {
        return;
    }
    let mut told = serving.clients.told();
    let labels = &arrival.source.labels;
    let known = async { while !labels.are_known() && told.changed().await.is_ok() {} };
    // After that its requests are refused, until they are known.
    let _ = tokio::time::timeout(PATIENCE, known).await;
}

fn check_port(service: &Service, port: u16) -> Result<(), Refusal> {
    let has_port = service.settings().frontend.port(port).is_some();
    has_port.then_some(()).ok_or_else(|| Refusal::NoPort { service: service.resource.clone(), port })
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::NotReady | Self::NotYet(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::NotServed(_) | Self::NoPort { .. } => StatusCode::NOT_FOUND,
            Self::SourceMismatch { .. } => StatusCode::UNAUTHORIZED,
        }
    }
}

/// Clients that were seen, by their workloads.
#[derive(Default)]
pub(super) struct Sources(RefCell<Seen>);

/// The weak reference keeps the address from being another's.
type Seen = HashMap<*const Workload, (Weak<Workload>, Arc<Source>)>;

impl Sources {
    /// Who sends. What it proved counts; its workload says the rest.
    fn of(
        &self,
        clients: &Clients,
        directory: &Directory,
        own: &Workload,
        stream: &gateway::Arrival,
    ) -> Result<Arc<Source>, Refusal> {
        let identity = stream.identity();
        let Some(workload) = directory.workload_by_ip(&own.network, stream.client().ip()) else {
            // Nobody can say which labels it has.
            return Ok(Arc::new(source(identity, None, Arc::default())));
        };
        if workload.identity() != *identity {
            let proved = Box::new(identity.clone());
            let expected = Box::new(workload.identity());
            return Err(Refusal::SourceMismatch { proved, owner: workload.uid.clone(), expected });
        }
        let mut seen = self.0.borrow_mut();
        if let Some((_, source)) = seen.get(&Arc::as_ptr(workload)) {
            return Ok(source.clone());
        }
        if seen.len() == seen.capacity() {
            seen.retain(|_, (weak, _)| weak.strong_count() > 0);
        }
        let labels = clients.labels(&workload.uid);
        let source = Arc::new(source(identity, Some(workload), labels));
        seen.insert(Arc::as_ptr(workload), (Arc::downgrade(workload), source.clone()));
        Ok(source)
    }
}

fn source(identity: &Identity, workload: Option<&Workload>, labels: Arc<PodLabels>) -> Source {
    let principal = identity.to_string();
    let party = match workload {
        None => Party::default(),
        Some(workload) => Party {
            workload: (&*workload.workload_name).into(),
            app: (&*workload.canonical_name).into(),
            version: (&*workload.canonical_revision).into(),
            canonical_service: (&*workload.canonical_name).into(),
            canonical_revision: (&*workload.canonical_revision).into(),
            cluster: (&*workload.cluster_id).into(),
            ..Party::default()
        },
    };
    Source {
        identity: Some(principal.as_str().into()),
        namespace: Some(identity.namespace().into()),
        labels,
        party: Arc::new(Party {
            namespace: identity.namespace().into(),
            principal: principal.as_str().into(),
            ..party
        }),
    }
}

/// How long a connection waits for the labels of its client.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);
