//! What the control plane said, joined: which services are served, by which routes and policies, and where requests may go.
//!
//! One resource names the next: the waypoint its frontends, a frontend the backends of its routes. [`Configuration::wanted`]
//! is what to ask for, [`Configuration::settle`] what is in force. New routes wait until each backend that they name is
//! known, so that no request meets a route whose destination has not arrived; policies wait for nothing. Whatever is
//! refused or missing leaves in force what was there before, and a control plane that is away changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use prost::Message;
use weir_proto::{l7, type_url};

use crate::authorize::Policies;
use crate::route::Frontend;

mod destination;
mod frontend;
mod named;
mod picture;

pub use picture::{Destination, Picture, Served};

use destination::Backends;
use frontend::Frontends;

/// Everything that one waypoint knows.
#[derive(Debug, Default)]
pub struct Configuration {
    waypoint: Option<Arc<l7::Waypoint>>,
    frontends: Frontends,
    backends: Backends,
}

/// Types of the resources, in the order in which one names the next.
pub const TYPES: [&str; 4] = [type_url::WAYPOINT, type_url::FRONTEND, type_url::BACKEND, type_url::ENDPOINTS];

/// Names to ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// `Frontend`s.
    pub frontends: BTreeSet<String>,
    /// `Backend`s, and `Endpoints` of the same names.
    pub backends: BTreeSet<String>,
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
            other => return Err(format!("type {other} is nothing to a waypoint")),
        }
        Ok(())
    }

    /// Takes that there is no such resource.
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
        let backends = frontends.iter().flat_map(|name| self.frontends.backends_of(name)).collect();
        Wanted { frontends, backends }
    }

    /// What is in force from now on. What is not wanted any more is forgotten.
    pub fn settle(&mut self) -> Picture {
        let wanted = self.wanted();
        self.frontends.settle(&wanted.frontends, |backend| self.backends.is_known(backend));
        let still_wanted = self.wanted().backends;
        self.backends.retain(|name| still_wanted.contains(name));
        let Some(waypoint) = &self.waypoint else { return Picture::default() };
        Picture {
            services: self.frontends.served(waypoint),
            backends: self.backends.destinations(),
            waiting: self.frontends.waiting(|backend| self.backends.is_known(backend)),
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
