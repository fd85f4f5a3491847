//! A second waypoint that takes a share of the connections.

use weir_proto::workload::{GatewayAddress, WeightedWaypoint};

use super::labels::asked_canary;
use super::{Ask, Standing, Subject, Traffic};
use crate::world::World;

/// The shares, and what to tell the object's author.
#[derive(Debug, Default)]
pub(super) struct Canary {
    pub(super) weighted: Vec<WeightedWaypoint>,
    pub(super) note: String,
}

impl World {
    /// The canary beside a primary that is ready. A problem with it leaves all to the primary.
    pub(super) fn canary(&self, subject: &Subject<'_>, primary: &Ask, address: &GatewayAddress) -> Canary {
        let namespace = self.namespaces.get(&subject.meta.namespace);
        let asked = (subject.traffic == Traffic::Service).then(|| asked_canary(subject.meta, namespace));
        let Some((ask, weight)) = asked.flatten() else { return Canary::default() };
        let unused = |reason: &str, why: String| Canary {
            note: format!("; canary waypoint {ask} is not used: {reason}: {why}"),
            ..Canary::default()
        };
        let Some(share) = weight.and_then(|text| text.trim().parse().ok()).filter(|share| *share <= 100_u32)
        else {
            let found = weight.map_or_else(|| "there is none".to_owned(), |text| format!("found {text:?}"));
            return unused("CanaryInvalidWeight", format!("the weight must be 0 to 100; {found}"));
        };
        if (&ask.namespace, &ask.name) == (&primary.namespace, &primary.name) {
            return unused("CanarySameAsPrimary", "it is the waypoint itself".to_owned());
        }
        match self.standing(&ask, subject) {
            Standing::Ready(canary) => Canary {
                weighted: [(address, 100 - share), (&canary, share)]
                    .into_iter()
                    .map(|(to, weight)| WeightedWaypoint { destination: Some(to.clone()), weight })
                    .collect(),
                note: format!("; canary waypoint {ask} takes {share} % of the connections"),
            },
            Standing::Unsuited => unused("UnsupportedTrafficType", "it is not for this traffic".to_owned()),
            Standing::Refused(_, reason, why) => unused(reason, format!("it {why}")),
        }
    }
}
