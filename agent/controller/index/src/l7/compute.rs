//! Computing one unit.

use std::collections::BTreeSet;
use std::sync::Arc;

use weir_proto::l7;
use weir_resources::Key;

use super::engine::L7;
use super::unit::{At, Dep, Gateway, Unit};
use super::view::{Scene, View, name_of};
use super::{backend, endpoints, frontend, labels, status, waypoint};
use crate::StatusUpdate;
use crate::layer7::{Layer7, scoped};
use crate::output::Output;
use crate::world::World;

/// The waypoints that have to serve a service.
pub(crate) fn bindings(world: &World, name: &str) -> BTreeSet<Gateway> {
    world.service_subject(name).map(|(subject, _)| world.servers(&subject)).unwrap_or_default()
}

impl L7 {
    /// Computes a unit; of a status, what is to be written.
    pub(crate) fn compute(
        &mut self,
        unit: &Unit,
        world: &mut World,
        output: &mut Output,
    ) -> Option<StatusUpdate> {
        match unit {
            Unit::Route(key) => self.route(unit, key, world, output),
            Unit::Frontend(at) => self.frontend(unit, at, world, output),
            Unit::Backend(at) => self.backend(unit, at, world, output),
            Unit::Secret(at) => self.secret(unit, at, world, output),
            Unit::Endpoints(at) => self.endpoints(at, world, output),
            Unit::Waypoint(gateway) => {
                let scene = Scene { world, snapshot: output.snapshot() };
                let (made, asked) = waypoint::make(scene, self, gateway);
                self.depends(unit, if made.is_some() { asked } else { BTreeSet::new() });
                let name = scoped(&gateway.0, &format!("{}/{}", gateway.0, gateway.1));
                output.layer7(Layer7::Waypoint, name, made.as_ref());
            }
            Unit::Status(key) => {
                let scene = Scene { world, snapshot: output.snapshot() };
                let (update, asked) = status::make(scene, self, key);
                self.depends(unit, asked);
                return update;
            }
        }
        None
    }

    /// Where a route is attached.
    fn route(&mut self, unit: &Unit, key: &Key, world: &mut World, output: &Output) {
        let scene = Scene { world, snapshot: output.snapshot() };
        let view = View::new(scene, &key.namespace);
        let read = world.routings.routes.get(key);
        let parents = read.map(|(_, route)| route.parents(&view, &world.routings.mesh));
        let services = parents.iter().flatten().map(name_of).collect();
        let asked = view.into_asked();
        self.depends(unit, asked);
        for service in world.routings.attach(key, services) {
            self.touch(&Dep::Routes(service));
        }
    }

    fn frontend(&mut self, unit: &Unit, at: &At, world: &World, output: &mut Output) {
        let scene = Scene { world, snapshot: output.snapshot() };
        let (made, asked) = match self.is_bound(at) {
            true => frontend::make(scene, at),
            false => (None, BTreeSet::new()),
        };
        self.depends(unit, asked);
        output.layer7(Layer7::Frontend, name(at), made.as_ref().map(|made| &made.form));
        self.labels.set(unit, made.as_ref().map(|made| labels::of_clients(&made.form)).unwrap_or_default());
        let (names, remarks) = made.map(|made| (made.names, made.remarks)).unwrap_or_default();
        self.name(at, names);
        self.remark(unit, remarks);
    }

    fn backend(&mut self, unit: &Unit, at: &At, world: &World, output: &mut Output) {
        let scene = Scene { world, snapshot: output.snapshot() };
        let (made, asked) = match self.is_wanted(at) {
            true => backend::make(scene, at),
            false => (None, BTreeSet::new()),
        };
        self.depends(unit, asked);
        output.layer7(Layer7::Backend, name(at), made.as_ref().map(|made| &made.form));
        self.name_secrets(at, made.as_ref().map(|made| credentials(&made.form)).unwrap_or_default());
        let (remarks, chosen) = made.map_or((Vec::new(), None), |made| (made.remarks, Some(made.chosen)));
        self.remark(unit, remarks);
        // Nearer than other endpoints is who has the label's value that the waypoint has.
        let labels = chosen.iter().flat_map(|chosen| &chosen.labels).map(|label| label.as_str().into());
        self.labels.set(unit, labels.collect());
        if self.chosen.get(at) != chosen.as_ref() {
            self.mark(Unit::Endpoints(at.clone()));
        }
        match chosen {
            Some(chosen) => drop(self.chosen.insert(at.clone(), chosen)),
            None => drop(self.chosen.remove(at)),
        }
    }

    /// What a backend names, and its waypoints may have.
    fn secret(&mut self, unit: &Unit, at: &At, world: &World, output: &mut Output) {
        let scene = Scene { world, snapshot: output.snapshot() };
        let view = View::new(scene, &at.reader);
        let name = at.service.split_once('/').filter(|(namespace, _)| *namespace == &*at.reader);
        let made = name.filter(|_| self.is_secret_named(at)).and_then(|(ns, name)| view.secret(ns, name));
        self.depends(unit, view.into_asked());
        output.layer7(Layer7::Secret, scoped(&at.reader, &at.service), made.as_ref());
    }

    fn endpoints(&mut self, at: &At, world: &World, output: &mut Output) {
        let scene = Scene { world, snapshot: output.snapshot() };
        // Where there is a backend.
        let made = self.chosen.get(at).map(|chosen| endpoints::make(scene, at, chosen));
        output.layer7(Layer7::Endpoints, name(at), made.as_ref());
    }
}

/// Names of secrets.
fn credentials(form: &l7::Backend) -> BTreeSet<Arc<str>> {
    let named = form.clusters.iter().filter_map(|cluster| cluster.tls.as_ref());
    named.filter(|tls| !tls.secret.is_empty()).map(|tls| Arc::from(&*tls.secret)).collect()
}

fn name(at: &At) -> Arc<str> {
    scoped(&at.reader, &at.service)
}
