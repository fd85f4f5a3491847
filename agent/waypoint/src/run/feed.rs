//! What a waypoint asks its control plane for, and what it makes of the answers.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use prost::Message as _;
use weir_discovery::on_demand::Asker;
use weir_model::Workload;
use weir_proto::{l7, type_url};

use super::Serving;
use super::joint::Joint;
use crate::balance::{Cluster, Own};
use crate::configuration::{Configuration, Picture};

/// Asks for a Gateway's resources and has them served.
pub struct Feed {
    gateway: String,
    configuration: Configuration,
    joint: Arc<Mutex<Joint>>,
    serving: Arc<Serving>,
    refused: BTreeSet<(&'static str, String)>,
    /// Frontends of which the control plane says that there are none.
    absent: BTreeSet<String>,
    has_waypoint: bool,
}

/// Tells a feed where its waypoint is.
pub struct Place(Arc<Mutex<Joint>>);

impl Feed {
    /// For a Gateway (namespace/name).
    pub fn new(gateway: &str, serving: Arc<Serving>) -> Self {
        Self {
            gateway: gateway.to_owned(),
            configuration: Configuration::default(),
            joint: Arc::new(Mutex::new(Joint::new(serving.clone()))),
            serving,
            refused: BTreeSet::new(),
            absent: BTreeSet::new(),
            has_waypoint: false,
        }
    }

    /// To be told where the waypoint is.
    pub fn place(&self) -> Place {
        Place(self.joint.clone())
    }

    /// What has to come until everything is served.
    fn missing(&self, picture: &Picture) -> Vec<String> {
        if !self.has_waypoint {
            return vec![format!("waypoint {}", self.gateway)];
        }
        let is_refused = |url, name: &str| self.refused.contains(&(url, name.to_owned()));
        let missing = |name: &String| {
            if picture.services.contains_key(name.as_str()) || self.absent.contains(name) {
                return None;
            }
            match picture.waiting.get(name.as_str()) {
                Some(backend) => {
                    let gave_up = [type_url::BACKEND, type_url::ENDPOINTS];
                    let is_over = gave_up.into_iter().any(|url| is_refused(url, backend));
                    (!is_over).then(|| format!("backend {backend} of {name}"))
                }
                None => (!is_refused(type_url::FRONTEND, name)).then(|| format!("frontend {name}")),
            }
        };
        self.configuration.wanted().frontends.iter().filter_map(missing).collect()
    }
}

impl Asker for Feed {
    fn put(&mut self, type_url: &'static str, name: &str, body: &Bytes) -> Result<(), String> {
        if type_url == type_url::BACKEND {
            check(body)?;
        }
        self.configuration.put(type_url, name, body)?;
        self.absent.remove(name);
        self.has_waypoint |= type_url == type_url::WAYPOINT;
        Ok(())
    }

    fn remove(&mut self, type_url: &'static str, name: &str) {
        self.configuration.remove(type_url, name);
        match type_url {
            type_url::FRONTEND => drop(self.absent.insert(name.to_owned())),
            type_url::WAYPOINT => self.has_waypoint = false,
            _ => {}
        }
    }

    fn settle(&mut self) -> Vec<(&'static str, BTreeSet<String>)> {
        let picture = self.configuration.settle();
        let missing = self.missing(&picture);
        lock(&self.joint).apply(picture);
        if missing.is_empty() {
            // A service that is bound later is no reason to take the waypoint away from all others.
            self.serving.complete.store(true, Ordering::Release);
        }
        self.serving.pending.store(Arc::new(missing));
        let wanted = self.configuration.wanted();
        self.absent.retain(|name| wanted.frontends.contains(name));
        vec![
            (type_url::WAYPOINT, BTreeSet::from([self.gateway.clone()])),
            (type_url::FRONTEND, wanted.frontends),
            (type_url::BACKEND, wanted.backends.clone()),
            (type_url::ENDPOINTS, wanted.backends),
        ]
    }

    fn refused(&mut self, refused: &mut dyn Iterator<Item = (&'static str, &str, &str)>) {
        self.refused = refused.map(|(url, name, _)| (url, name.to_owned())).collect();
    }
}

impl Place {
    /// It is this workload's.
    pub fn is(&self, own: &Workload) {
        let at = &own.locality;
        let parts = [&at.region, &at.zone, &at.subzone];
        let known = parts.iter().take_while(|part| !part.is_empty());
        let locality = known.map(|part| part.to_string()).collect::<Vec<_>>().join("/");
        let (cluster, node) = (own.cluster_id.to_string(), own.node.to_string());
        lock(&self.0).locate(Own { locality, cluster, node, ..Own::default() });
    }
}

/// A backend whose clusters cannot be served is refused when it comes, so that the control plane hears of it.
fn check(body: &[u8]) -> Result<(), String> {
    let backend = l7::Backend::decode(body).map_err(|error| error.to_string())?;
    for (place, form) in backend.clusters.iter().enumerate() {
        Cluster::new(form, &Own::default(), Instant::now())
            .map_err(|rejection| format!("clusters[{place}].{rejection}"))?;
    }
    Ok(())
}

/// What a panic left is whole: each change of the joint is one store.
fn lock(joint: &Mutex<Joint>) -> MutexGuard<'_, Joint> {
    joint.lock().unwrap_or_else(PoisonError::into_inner)
}
