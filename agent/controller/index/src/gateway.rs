//! Waypoints' Gateways and their classes: what is to be run, and what they are told of it.
//!
//! Who runs them (the Kubernetes half of the sources) is given [`Waypoint`]s and answers with [`Deployed`]. Whether pods
//! are there and ready is seen in the mesh itself, so that a waypoint that somebody deploys by hand is told the same.

mod class;
mod listener;
mod standing;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use weir_resources::{Gateway, GatewayClass};

pub(crate) use class::wanted as wanted_of_class;
pub(crate) use listener::is_served;
pub(crate) use standing::wanted;

/// A gateway that is to be run, without its status.
#[derive(Debug, Clone, PartialEq)]
pub struct Waypoint {
    /// The gateway.
    pub gateway: Gateway,
    /// Its class, if there is an object.
    pub class: Option<GatewayClass>,
    /// The network of the cluster; empty if there is only one.
    pub network: Arc<str>,
}

/// What came of running one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deployed {
    /// Its objects are there.
    Done,
    /// It, or what is laid over its objects, asks for what cannot be made.
    Invalid(String),
    /// Something of its names is somebody else's.
    Foreign(String),
    /// It did not work, and is tried again.
    Failed(String),
}

/// What is known of them beside the objects themselves.
#[derive(Debug, Default)]
pub(crate) struct Gateways {
    /// What came of running each.
    pub(crate) deployed: BTreeMap<Name, Deployed>,
    /// Version of the Gateway API's definitions; `None`: not known.
    pub(crate) api: Option<String>,
    /// Those that may have to be told something else.
    touched: BTreeSet<Name>,
    classes: BTreeSet<Arc<str>>,
    /// There may be others to run.
    changed: bool,
    network: Arc<str>,
}

pub(crate) type Name = (Arc<str>, Arc<str>);

impl Gateways {
    pub(crate) fn touch(&mut self, namespace: &Arc<str>, name: &Arc<str>) {
        self.touched.insert((namespace.clone(), name.clone()));
        self.changed = true;
    }

    /// What its pods or its service do is not about how it is to be run.
    pub(crate) fn touch_status(&mut self, name: Name) {
        self.touched.insert(name);
    }

    pub(crate) fn touch_class(&mut self, name: &Arc<str>) {
        self.classes.insert(name.clone());
        self.changed = true;
    }

    pub(crate) fn take_touched(&mut self) -> (BTreeSet<Name>, BTreeSet<Arc<str>>) {
        (std::mem::take(&mut self.touched), std::mem::take(&mut self.classes))
    }

    /// Whether what is to be run may be another, in this network.
    pub(crate) fn take_changed(&mut self, network: &str) -> bool {
        if *self.network != *network {
            self.network = network.into();
            self.changed = true;
        }
        std::mem::take(&mut self.changed)
    }
}
