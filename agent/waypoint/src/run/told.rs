//! What was told, by the control plane and by DNS, and is served: shared by all who tell.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use prost::Message as _;
use tokio::sync::watch;
use weir_proto::{l7, type_url};

use super::Serving;
use super::joint::Joint;
use super::names::Families;
use crate::balance::Own;
use crate::configuration::{Answer, Configuration, Picture, Wanted};
use crate::upstream::Authorities;

/// A part of it for each who tells.
#[derive(Clone)]
pub(super) struct Told(Arc<Mutex<State>>);

/// Everything that was told.
pub(super) struct State {
    gateway: String,
    configuration: Configuration,
    joint: Joint,
    serving: Arc<Serving>,
    refused: BTreeSet<(&'static str, String)>,
    /// Frontends of which the control plane says that there are none.
    absent: BTreeSet<String>,
    has_waypoint: bool,
    /// The waypoint's own workload, where it is known.
    uid: String,
    own: Own,
    families: Families,
    names: watch::Sender<BTreeSet<String>>,
}

/// What is to be asked for.
pub(super) struct Wants {
    pub(super) gateway: String,
    pub(super) wanted: Wanted,
    /// Whose labels.
    pub(super) labels: BTreeSet<String>,
}

impl Told {
    pub(super) fn new(gateway: &str, serving: Arc<Serving>, authorities: Authorities) -> Self {
        Self(Arc::new(Mutex::new(State {
            gateway: gateway.to_owned(),
            configuration: Configuration::default(),
            joint: Joint::new(serving.clone(), authorities),
            serving,
            refused: BTreeSet::new(),
            absent: BTreeSet::new(),
            has_waypoint: false,
            uid: String::new(),
            own: Own::default(),
            families: Families::default(),
            names: watch::Sender::default(),
        })))
    }

    pub(super) fn with<T>(&self, tell: impl FnOnce(&mut State) -> T) -> T {
        // What a panic left is whole: what is served is changed by one store.
        tell(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    pub(super) fn put(&mut self, type_url: &'static str, name: &str, body: &[u8]) -> Result<(), String> {
        if type_url == type_url::LABELS {
            let form = l7::Labels::decode(body).map_err(|error| error.to_string())?;
            self.label(name, form.labels);
            return Ok(());
        }
        self.configuration.put(type_url, name, body)?;
        self.absent.remove(name);
        self.has_waypoint |= type_url == type_url::WAYPOINT;
        Ok(())
    }

    pub(super) fn remove(&mut self, type_url: &'static str, name: &str) {
        self.configuration.remove(type_url, name);
        match type_url {
            // It has none that anybody asks for.
            type_url::LABELS => self.label(name, BTreeMap::new()),
            type_url::FRONTEND => drop(self.absent.insert(name.to_owned())),
            type_url::WAYPOINT => self.has_waypoint = false,
            _ => {}
        }
    }

    pub(super) fn serving(&self) -> Arc<Serving> {
        self.serving.clone()
    }

    pub(super) fn refused(&mut self, refused: BTreeSet<(&'static str, String)>) {
        self.refused = refused;
    }

    /// Where the waypoint is, and which addresses it reaches.
    pub(super) fn locate(&mut self, uid: &str, own: Own, families: Families) {
        self.own = Own { labels: std::mem::take(&mut self.own.labels), ..own };
        self.joint.locate(self.own.clone());
        self.families = families;
        if self.uid != uid {
            uid.clone_into(&mut self.uid);
            self.serving.clients.notify();
        }
    }

    /// The labels of a client, or of the waypoint itself.
    fn label(&mut self, uid: &str, labels: BTreeMap<String, String>) {
        if uid == self.uid {
            self.own.labels.clone_from(&labels);
            self.joint.locate(self.own.clone());
        }
        self.serving.clients.tell(uid, labels);
    }

    pub(super) fn families(&self) -> Families {
        self.families
    }

    /// What DNS says of names, and at once what is served by it.
    pub(super) fn answer(&mut self, name: &str, answer: Answer) {
        self.configuration.answer(name, answer);
        self.settle();
    }

    /// Names of which the addresses are wanted, as that changes.
    pub(super) fn names(&self) -> watch::Receiver<BTreeSet<String>> {
        self.names.subscribe()
    }

    /// Serves whatever can be served now.
    pub(super) fn settle(&mut self) -> Wants {
        let picture = self.configuration.settle();
        let missing = self.missing(&picture);
        self.joint.apply(picture);
        if missing.is_empty() {
            // A service that is bound later is no reason to take the waypoint away from all others.
            self.serving.complete.store(true, Ordering::Release);
        }
        self.serving.pending.store(Arc::new(missing));
        let wanted = self.configuration.wanted();
        self.absent.retain(|name| wanted.frontends.contains(name));
        self.names.send_if_modified(|names| {
            let changed = *names != wanted.names;
            names.clone_from(&wanted.names);
            changed
        });
        let mut labels = self.serving.clients.wanted(wanted.labels);
        // Its own make endpoints nearer.
        labels.extend(Some(self.uid.clone()).filter(|uid| !uid.is_empty()));
        Wants { gateway: self.gateway.clone(), wanted, labels }
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
