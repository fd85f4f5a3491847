//! What a gateway needs, against what is there.

use weir_render::{Input, Names, Overlay, Part, PartKind, Settings};

use super::live::{Live, Place, print};
use super::state::State;
use super::watching::Map;
use super::wish::{WaypointName, WaypointOutcome, WaypointWish};

/// What to do for a gateway.
#[derive(Debug)]
pub(super) enum Plan {
    /// Not all is known, or it is not wanted any more.
    Wait,
    /// Nothing, and what to say.
    Refuse(WaypointOutcome),
    Do(Steps),
}

/// What is to be there, and what is to go.
#[derive(Debug)]
pub(super) struct Steps {
    pub(super) gateway: String,
    pub(super) namespace: String,
    pub(super) apply: Vec<Step>,
    pub(super) delete: Vec<Live>,
    /// Somebody's overlay is in them: the API is asked about all before one is written.
    pub(super) overlaid: bool,
}

/// One object that is not as it should be.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) part: Part,
    pub(super) place: Place,
    pub(super) live: Option<Live>,
    /// How many pods there are, when that is somebody else's to say from now on.
    pub(super) hand_over: Option<i64>,
}

impl State {
    pub(super) fn plan(&self, name: &WaypointName, settings: &Settings) -> Plan {
        let Some(wish) = self.wishes.as_ref().and_then(|wishes| wishes.get(name)) else { return Plan::Wait };
        let overlays = match self.overlays(wish) {
            Ok(Some(overlays)) => overlays,
            Ok(None) => return Plan::Wait,
            Err(outcome) => return Plan::Refuse(outcome),
        };
        let namespace = name.0.to_string();
        let own = Names::of(&wish.gateway).map(|names| names.own).unwrap_or_default();
        let scaler = self.live.values().find(|live| {
            live.place.0 == namespace
                && live.scales.as_deref() == Some(&own)
                && live.gateway.as_deref() != Some(&*name.1)
                && !live.deleting
        });
        let input = Input {
            gateway: &wish.gateway,
            class: wish.class.as_ref(),
            overlays: &overlays,
            network: &wish.network,
            scaled: scaler.is_some(),
        };
        match weir_render::render(&input, settings) {
            Ok(parts) => Plan::Do(self.steps(name, namespace, parts, !overlays.is_empty())),
            Err(problem) => Plan::Refuse(WaypointOutcome::Invalid(problem.to_string())),
        }
    }

    /// The class's, then its own; `None`: they have not been read yet.
    fn overlays(&self, wish: &WaypointWish) -> Result<Option<Vec<Overlay>>, WaypointOutcome> {
        let gateway = &wish.gateway;
        let own = weir_render::parameters(gateway);
        let own = own.map_err(|problem| WaypointOutcome::Invalid(problem.to_string()))?;
        let of_class = self.defaults.iter().flatten().filter(|(_, (class, _))| *class == *gateway.class);
        let place = |name: &str| format!("ConfigMap {name}");
        let mut all: Vec<Overlay> =
            of_class.map(|(name, (_, data))| Overlay { place: place(name), data: data.clone() }).collect();
        if let Some(own) = own {
            let namespace = &gateway.meta.namespace;
            let at = format!("{namespace}/{own}");
            let field = "spec.infrastructure.parametersRef";
            match self.maps.get(&(namespace.to_string(), own.to_owned())) {
                None => return Ok(None),
                Some(Map::There(data)) => all.push(Overlay { place: place(&at), data: data.clone() }),
                Some(Map::Missing) => {
                    return Err(WaypointOutcome::Invalid(format!("{field}: there is no ConfigMap {at}")));
                }
                Some(Map::Unreadable(why)) => {
                    return Err(WaypointOutcome::Failed(format!(
                        "{field}: ConfigMap {at} cannot be read: {why}"
                    )));
                }
            }
        }
        Ok(Some(all))
    }

    fn steps(&self, name: &WaypointName, namespace: String, parts: Vec<Part>, overlaid: bool) -> Steps {
        let mut kept = Vec::new();
        let mut apply = Vec::new();
        for part in parts {
            let place = (namespace.clone(), part.kind, part.name.clone());
            let live = self.live.get(&place).cloned();
            let is_done = live.as_ref().is_some_and(|live| {
                live.gateway.as_deref() == Some(&*name.1)
                    && self.applied.get(&place) == Some(&(print(&part.object), live.print))
            });
            kept.push(place.clone());
            if !is_done {
                let says_nothing = part.object["spec"].get("replicas").is_none();
                let ours = live.as_ref().and_then(|live| live.replicas).filter(|(_, ours)| *ours);
                // Else the API would go back to its default, which is one.
                let hand_over = ours.filter(|_| part.kind == PartKind::Deployment && says_nothing);
                apply.push(Step { part, place, live, hand_over: hand_over.map(|(count, _)| count) });
            }
        }
        let is_left = |live: &&Live| {
            live.place.0 == namespace
                && live.gateway.as_deref() == Some(&*name.1)
                && !live.deleting
                && !kept.contains(&live.place)
        };
        let delete = self.live.values().filter(is_left).cloned().collect();
        Steps { gateway: name.1.to_string(), namespace, apply, delete, overlaid }
    }
}
