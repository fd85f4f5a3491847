//! Who is not heard, and who is in his place.

use std::collections::{BTreeMap, BTreeSet};

use super::hearing::{Hearing, heard_kind};
use crate::problem::{Effect, Problem, Reason, Remark};
use crate::{ObjectRef, Route, VirtualService};

/// By the one who is not heard: the ports, and who is heard there.
#[derive(Default)]
pub(super) struct Overruled(BTreeMap<ObjectRef, BTreeMap<u16, ObjectRef>>);

impl Overruled {
    /// The routes of the kind that is heard.
    pub(super) fn by_kind<'a>(&mut self, routes: &[&'a Route], port: u16) -> Vec<&'a Route> {
        let kind = heard_kind(routes);
        let (heard, beaten): (Vec<_>, Vec<_>) =
            routes.iter().copied().partition(|route| route.object.kind == kind);
        if let Some(first) = heard.first() {
            beaten.iter().for_each(|route| self.add(&route.object, &first.object, port));
        }
        heard
    }

    pub(super) fn services(&mut self, beaten: &[&VirtualService], by: &ObjectRef, port: u16) {
        beaten.iter().for_each(|service| self.add(&service.object, by, port));
    }

    fn add(&mut self, object: &ObjectRef, by: &ObjectRef, port: u16) {
        self.0.entry(object.clone()).or_default().entry(port).or_insert_with(|| by.clone());
    }

    pub(super) fn remarks(self, hearing: &Hearing<'_>) -> Vec<Remark> {
        let mut remarks = Vec::new();
        for (object, ports) in &self.0 {
            let route = hearing.objects.routes.iter().find(|route| route.object == *object);
            match route {
                None => {
                    remarks.push(remark(object, "spec.hosts".to_owned(), ports, Effect::Ignored, hearing))
                }
                Some(route) => {
                    for attachment in hearing.attachments(route) {
                        let mine: BTreeMap<_, _> = ports
                            .iter()
                            .filter(|(port, _)| attachment.ports.contains(port))
                            .map(|(port, by)| (*port, by.clone()))
                            .collect();
                        let effect = match mine.len() {
                            0 => continue,
                            all if all == attachment.ports.len() => Effect::NotAttached,
                            _ => Effect::Ignored,
                        };
                        let field = format!("spec.parentRefs[{}]", attachment.parent);
                        remarks.push(remark(object, field, &mine, effect, hearing));
                    }
                }
            }
        }
        remarks
    }
}

fn remark(
    object: &ObjectRef,
    field: String,
    ports: &BTreeMap<u16, ObjectRef>,
    effect: Effect,
    hearing: &Hearing<'_>,
) -> Remark {
    let by: BTreeSet<String> = ports.values().map(ToString::to_string).collect();
    let by: Vec<String> = by.into_iter().collect();
    let numbers: Vec<String> = ports.keys().map(ToString::to_string).collect();
    let message =
        format!("{} decides for {} on port {}", by.join(", "), hearing.service.hostname, numbers.join(", "));
    let problem = Problem { field, message, reason: Reason::Overruled, effect };
    Remark { object: object.clone(), problem }
}
