//! What waypoints are told: six kinds of resources, each made for the waypoints of one namespace.
//!
//! What a service is at a waypoint depends on the waypoint's namespace (whose rules are exported to it, whose clients' rules it
//! knows), so the same name may mean different things to two of them. The name here begins with the namespace that it is
//! for, and nobody else is given it: on the wire the rest is the name.

use std::ops::{Index, IndexMut};
use std::sync::Arc;

/// Kinds of resources of waypoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Layer7 {
    /// A `weir.l7.Labels`: for all readers, and before the rules that ask for them.
    Labels,
    /// A `weir.l7.Waypoint`.
    Waypoint,
    /// A `weir.l7.Frontend`.
    Frontend,
    /// A `weir.l7.Backend`.
    Backend,
    /// A `weir.l7.Endpoints`.
    Endpoints,
    /// A `weir.l7.Secret`: for those who proved to be the waypoints that they say they are.
    Secret,
}

impl Layer7 {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Labels, Self::Waypoint, Self::Frontend, Self::Backend, Self::Endpoints, Self::Secret];

    /// For metrics and logs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Labels => "labels",
            Self::Waypoint => "waypoint",
            Self::Frontend => "frontend",
            Self::Backend => "backend",
            Self::Endpoints => "endpoints",
            Self::Secret => "secret",
        }
    }
}

/// The name of what waypoints of the namespace `reader` know as `name`.
pub fn scoped(reader: &str, name: &str) -> Arc<str> {
    format!("{reader}/{name}").into()
}

/// The name of what every waypoint knows as `name`.
pub fn unread(name: &str) -> Arc<str> {
    scoped("", name)
}

/// A name as it is on the wire: without whom it is for.
pub fn unscoped(name: &str) -> &str {
    name.split_once('/').map_or(name, |(_, name)| name)
}

/// One for each kind.
#[derive(Debug, Clone, Default)]
pub struct PerKind<T>([T; 6]);

impl<T> PerKind<T> {
    /// Each with its kind.
    pub fn iter(&self) -> impl Iterator<Item = (Layer7, &T)> {
        Layer7::ALL.into_iter().zip(&self.0)
    }

    /// What is made of each.
    pub fn map<U>(&self, of: impl FnMut(&T) -> U) -> PerKind<U> {
        PerKind(self.0.each_ref().map(of))
    }
}

impl<T> Index<Layer7> for PerKind<T> {
    type Output = T;

    fn index(&self, kind: Layer7) -> &T {
        &self.0[kind as usize]
    }
}

impl<T> IndexMut<Layer7> for PerKind<T> {
    fn index_mut(&mut self, kind: Layer7) -> &mut T {
        &mut self.0[kind as usize]
    }
}
