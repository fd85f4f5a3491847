//! What the control plane said, joined: which services are served, by which routes and policies, and where requests may go.
//!
//! One resource names the next: the waypoint its frontends, a frontend the backends of its routes. [`Configuration::wanted`]
//! is what to ask for, [`Configuration::settle`] what is in force. New routes wait until each backend, port and subset that
//! they name is known, so that no request meets a route whose destination has not arrived; policies wait for nothing. Whatever is
//! refused or missing leaves in force what was there before, and a control plane that is away changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use prost::Message;
use weir_proto::{l7, type_url};

use crate::authorize::Policies;
use crate::route::Frontend;
use crate::upstream::Credential;

mod destination;
mod frontend;
mod kept;
mod named;
mod picture;

pub use kept::Answer;
pub(crate) use named::{Reference, own, references};
pub use picture::{Destination, Picture, Served};

use destination::Backends;
use frontend::Frontends;
use kept::Kept;

/// Everything that one waypoint knows.
#[derive(Debug, Default)]
pub struct Configuration {
    waypoint: Option<Arc<l7::Waypoint>>,
    frontends: Frontends,
    backends: Backends,
    kept: Kept,
}

/// Types of the resources, in the order in which one names the next.
pub const TYPES: [&str; 6] = [
    type_url::WAYPOINT,
    type_url::FRONTEND,
    type_url::BACKEND,
    type_url::ENDPOINTS,
    type_url::SECRET,
    type_url::LABELS,
];

/// Names to ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// `Frontend`s.
    pub frontends: BTreeSet<String>,
    /// `Backend`s, and `Endpoints` of the same names.
    pub backends: BTreeSet<String>,
    /// `Secret`s.
    pub secrets: BTreeSet<String>,
    /// Names of which DNS knows the addresses.
    pub names: BTreeSet<String>,
    /// Whether routes look at the labels of clients.
    pub labels: bool,
}

impl Configuration {
    /// Takes a resource of one of [`TYPES`].
    ///
    /// # Errors
    /// It is not to be understood, or asks for what cannot be done; what was held before stays.
    pub fn put(&mut self, type_url: &str, name: &str, body: &[u8]) -> Result<(), String> {
        match type_url {
            type_url::WAYPOINT => {
                let waypoint: l7::Waypoint = decode(body)?;
                Policies::compile(&waypoint.authorizations).map_err(|rejection| rejection.to_string())?;
                self.waypoint = Some(waypoint.into());
            }
            type_url::FRONTEND => {
                let frontend: l7::Frontend = decode(body)?;
                Frontend::compile(&frontend).map_err(|rejection| rejection.to_string())?;
                Policies::compile(&frontend.authorizations).map_err(|rejection| rejection.to_string())?;
                self.frontends.put(name, frontend);
            }
            type_url::BACKEND => self.backends.put(name, decode(body)?),
            type_url::ENDPOINTS => self.backends.put_endpoints(name, decode(body)?),
            type_url::SECRET => match Credential::compile(decode(body)?) {
                Ok(credential) => self.kept.put(name, credential),
                Err(why) => {
                    self.kept.refuse(name);
                    return Err(why.to_string());
                }
            },
            other => return Err(format!("type {other} is nothing to a waypoint")),
        }
        Ok(())
    }

    /// Takes what DNS says of a name.
    pub fn answer(&mut self, name: &str, answer: Answer) {
        self.kept.answer(name, answer);
    }

    /// Takes that there is no such resource. A secret that is not there is not told by this: its backend names it no more, or
    /// says why nothing may be sent. So a control plane that has not read it yet takes nothing away.
    pub fn remove(&mut self, type_url: &str, name: &str) {
        match type_url {
            type_url::WAYPOINT => self.waypoint = None,
            type_url::FRONTEND => self.frontends.remove(name),
            type_url::BACKEND => self.backends.remove(name),
            type_url::ENDPOINTS => self.backends.remove_endpoints(name),
            _ => {}
        }
    }

    /// What is named by what is known.
    pub fn wanted(&self) -> Wanted {
        let frontends: BTreeSet<String> =
            self.waypoint.iter().flat_map(|waypoint| waypoint.frontends.iter().cloned()).collect();
        let backends: BTreeSet<String> =
            frontends.iter().flat_map(|name| self.frontends.backends_of(name)).collect();
        let (secrets, names) = (self.backends.secrets(), self.backends.names());
        let labels = frontends.iter().any(|name| self.frontends.asks_labels(name));
        Wanted { secrets, names, frontends, backends, labels }
    }

    /// What is in force from now on. What is not wanted any more is forgotten.
    pub fn settle(&mut self) -> Picture {
        let wanted = self.wanted();
        let is_known = |backend: &str| self.backends.is_known(backend, &self.kept);
        let has = |reference: &Reference| self.backends.has(reference);
        self.frontends.settle(&wanted.frontends, is_known, has);
        let still_wanted = self.wanted().backends;
        self.backends.retain(|name| still_wanted.contains(name));
        let (secrets, names) = (self.backends.secrets(), self.backends.names());
        self.kept.retain(|name| secrets.contains(name), |name| names.contains(name));
        let Some(waypoint) = &self.waypoint else { return Picture::default() };
        Picture {
            services: self.frontends.served(waypoint),
            backends: self.backends.destinations(&self.kept),
            waiting: self.frontends.waiting(
                |backend| self.backends.is_known(backend, &self.kept),
                |reference| self.backends.has(reference),
            ),
            waypoint: Some(waypoint.clone()),
        }
    }
}

fn decode<M: Message + Default>(body: &[u8]) -> Result<M, String> {
    M::decode(body).map_err(|error| format!("not a message of its type: {error}"))
}

/// Names and what is behind them.
type ByName<T> = BTreeMap<Arc<str>, T>;

#[cfg(test)]
mod tests;
