//! From a picture of what is in force to what serves: services with their settings, clusters with their endpoints.
//!
//! What stays the same stays the same object, so that open connections go by the newest settings and endpoints keep what
//! is known of them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use weir_proto::l7;

use super::gone::Gone;
use super::serving::{Serving, Tables};
use crate::balance::{Cluster, Own};
use crate::configuration::{Destination, Picture, Served};
use crate::proxy::{Service, ServiceName, Settings};
use crate::route::BackendRef;
use crate::upstream::{Authorities, Tls};

/// Makes what serves.
pub(super) struct Joint {
    serving: Arc<Serving>,
    own: Own,
    authorities: Authorities,
    gone: Gone,
}

impl Joint {
    pub(super) fn new(serving: Arc<Serving>, authorities: Authorities) -> Self {
        Self { serving, own: Own::default(), authorities, gone: Gone::default() }
    }

    /// Where the waypoint is.
    pub(super) fn locate(&mut self, own: Own) {
        if self.own == own {
            return;
        }
        self.own = own;
        for cluster in self.serving.tables.load().clusters.values() {
            if let Err(rejection) = cluster.reconfigure(&cluster.form(), &self.own, Instant::now()) {
                tracing::error!(%rejection, "a cluster that was understood is not understood from here");
            }
        }
    }

    /// Serves what `picture` says, and nothing else. Clusters are there before the routes to them, and go after them.
    pub(super) fn apply(&mut self, picture: Picture) {
        let before = self.serving.tables.load_full();
        let mut clusters = self.clusters(&before, &picture);
        self.gone.keep(&before.clusters, &picture, &mut clusters, Instant::now());
        let was_there = |(key, cluster): (&BackendRef, &Arc<Cluster>)| {
            before.clusters.get(key).is_some_and(|before| Arc::ptr_eq(before, cluster))
        };
        if !clusters.iter().all(was_there) {
            let first = Tables { clusters: clusters.clone(), ..Tables::clone(&before) };
            self.serving.tables.store(Arc::new(first));
        }
        let mut tables = Tables { clusters, ..Tables::default() };
        for (name, served) in &picture.services {
            let Some(service) = service(&before, name, served) else { continue };
            let hostname = served.routes.hostname.as_str().into();
            tables.hosts.entry(hostname).or_default().push(service.clone());
            tables.services.insert(name.clone(), service);
        }
        self.serving.pods.apply(picture.waypoint.as_ref());
        tables.picture = picture;
        let after = Arc::new(tables);
        self.serving.tables.store(after.clone());
        for (name, service) in before.services.iter().filter(|(name, _)| !after.services.contains_key(*name))
        {
            close(service, before.picture.services.get(name));
        }
    }

    fn clusters(&self, before: &Tables, picture: &Picture) -> HashMap<BackendRef, Arc<Cluster>> {
        let mut clusters = HashMap::new();
        for (name, destination) in &picture.backends {
            let previous = before.picture.backends.get(name);
            let is_same = previous.is_some_and(|old| Arc::ptr_eq(old, destination));
            // Connections are for the TLS that they were made with: endpoints that change are no reason to make it anew.
            let knows_as_before = previous.is_some_and(|old| old.credentials == destination.credentials);
            for form in &destination.backend.clusters {
                let Ok(port) = u16::try_from(form.port) else { continue };
                let key = BackendRef { resource: name.clone(), port, subset: form.subset.as_str().into() };
                let old = before.clusters.get(&key);
                let cluster = match old.filter(|_| is_same) {
                    Some(same) => Some(same.clone()),
                    None => self.cluster(old, form, destination, knows_as_before),
                };
                clusters.extend(cluster.map(|cluster| (key, cluster)));
            }
        }
        clusters
    }

    /// The user's TLS, if there is to be some and it can be made.
    fn tls(&self, form: &l7::Cluster, destination: &Destination) -> Option<Arc<Tls>> {
        let wanted = form.tls.as_ref().filter(|_| has_tls(form) && form.refused.is_empty())?;
        let credential = destination.credentials.get(&*wanted.secret);
        let made = Tls::compile(wanted, credential.map(|credential| &**credential), &self.authorities);
        let (backend, port) = (&destination.backend.hostname, form.port);
        made.map(Arc::new)
            .inspect_err(|why| tracing::error!(%backend, port, %why, "nothing is sent: there is no TLS"))
            .ok()
    }

    /// `None`: it was not understood, and requests to it fail as to one that is not known.
    fn cluster(
        &self,
        old: Option<&Arc<Cluster>>,
        form: &l7::Cluster,
        destination: &Destination,
        knows_as_before: bool,
    ) -> Option<Arc<Cluster>> {
        let now = Instant::now();
        let backend = &destination.backend.hostname;
        let stays = |old: &Cluster| {
            *old.form() == *form && (!has_tls(form) || (knows_as_before && old.tls().is_some()))
        };
        let made = match old {
            Some(old) if stays(old) => Ok(old.clone()),
            Some(old) => {
                old.set_tls(self.tls(form, destination));
                old.reconfigure(form, &self.own, now).map(|()| old.clone())
            }
            None => Cluster::new(form, &self.own, now).map(|new| {
                new.set_tls(self.tls(form, destination));
                Arc::new(new)
            }),
        };
        match made {
            Ok(cluster) => {
                cluster.set_unresolved(!destination.unresolved.is_empty());
                for rejection in cluster.update(&destination.endpoints.endpoints, now) {
                    tracing::error!(%backend, %rejection, "an endpoint is left out");
                }
                Some(cluster)
            }
            Err(rejection) => {
                tracing::error!(%backend, port = form.port, %rejection, "a cluster is not understood");
                None
            }
        }
    }
}

/// Whether a cluster's connections depend on more than its form.
fn has_tls(form: &l7::Cluster) -> bool {
    matches!(form.tls.as_ref().map(l7::UpstreamTls::mode), Some(l7::TlsMode::Simple | l7::TlsMode::Mutual))
}

/// The service with what holds now. Each part was looked at when it came; should the whole not be understood all the same,
/// the service is not served.
fn service(before: &Tables, name: &Arc<str>, served: &Arc<Served>) -> Option<Arc<Service>> {
    let old = before.services.get(name);
    let is_same = before.picture.services.get(name).is_some_and(|old| Arc::ptr_eq(old, served));
    if let Some(same) = old.filter(|_| is_same) {
        return Some(same.clone());
    }
    let settings = Settings::compile(&served.routes, served.authorizations(), &served.waypoint);
    let settings = settings
        .inspect_err(|rejection| tracing::error!(service = %name, %rejection, "a service is not served"))
        .ok()?;
    Some(match old {
        Some(old) => {
            old.update(settings);
            old.clone()
        }
        None => Arc::new(Service::new(name, names(&served.routes), settings)),
    })
}

/// Open connections to a service that is not served any more get no further: its policies are not heard of any more.
fn close(service: &Service, served: Option<&Arc<Served>>) {
    let Some(served) = served else { return };
    let nobody = l7::Authorization {
        namespace: served.waypoint.namespace.clone(),
        name: NOT_SERVED.to_owned(),
        action: l7::Action::Allow.into(),
        ..l7::Authorization::default()
    };
    // What compiled with other policies compiles with this one.
    if let Ok(settings) = Settings::compile(&served.routes, [&nobody], &served.waypoint) {
        service.update(settings);
    }
}

fn names(frontend: &l7::Frontend) -> ServiceName {
    let hostname = frontend.hostname.as_str();
    let name = hostname.split_once('.').filter(|(_, rest)| rest.starts_with(&*frontend.namespace));
    ServiceName {
        hostname: hostname.into(),
        name: name.map_or(hostname, |(name, _)| name).into(),
        namespace: frontend.namespace.as_str().into(),
    }
}

/// Stands for a policy in messages.
const NOT_SERVED: &str = "no longer served here";
