//! How an endpoint is chosen.

use weir_proto::l7;
use weir_proto::l7::load_balancer::Algorithm;

use super::cluster::Context;
use super::hash::consistent_hash;
use super::level::At;
use super::locality::locality;
use super::spec::{LoadBalancer, Simple};
use super::warmup::warmup;
use crate::part::Place;
use crate::problem::{Effect, Problems, Reason};

pub(super) fn load_balancer(
    context: &Context<'_>,
    at: &At<'_, LoadBalancer>,
    ejects: bool,
    problems: &mut Problems,
) -> l7::LoadBalancer {
    let effect = Effect::Ignored;
    let given = at.as_ref().and_then(|(part, field)| part.get(&Place { field, effect }, problems));
    let empty = LoadBalancer::default();
    let given = given.unwrap_or(&empty);
    let field = at.as_ref().map_or("", |(_, field)| field.as_str());
    // Reported.
    let _ = given.unknown.report(&Place { field, effect }, problems);
    let algorithm = algorithm(given, field, problems);
    if given.zone_aware_lb_setting.is_there() {
        let message = "localities are by localityLbSetting only";
        problems.add(format!("{field}.zoneAwareLbSetting"), Reason::UnsupportedValue, effect, message);
    }
    let setting = format!("{field}.localityLbSetting");
    let localities = given.locality_lb_setting.get(&Place { field: &setting, effect }, problems);
    let locality = locality(context, localities, &setting, ejects, problems);
    let warmup = warmup(given, &algorithm, field, problems);
    l7::LoadBalancer { algorithm: Some(algorithm), warmup, locality: Some(locality) }
}

fn algorithm(given: &LoadBalancer, field: &str, problems: &mut Problems) -> Algorithm {
    let effect = Effect::Ignored;
    let (simple, hash) = (format!("{field}.simple"), format!("{field}.consistentHash"));
    if given.simple.is_there() && given.consistent_hash.is_there() {
        let message = "simple and consistentHash exclude each other; consistentHash counts";
        problems.add(&simple, Reason::Invalid, effect, message);
    }
    if let Some(given) = given.consistent_hash.get(&Place { field: &hash, effect }, problems) {
        match consistent_hash(given) {
            Ok(hash) => return Algorithm::ConsistentHash(hash),
            Err((part, message)) => problems.add(format!("{hash}{part}"), Reason::Invalid, effect, message),
        }
    }
    match given.simple.get(&Place { field: &simple, effect }, problems).copied().unwrap_or_default() {
        Simple::LeastConn => {
            problems.notice(simple, "LEAST_CONN is deprecated; LEAST_REQUEST is its name now");
            Algorithm::LeastRequest(l7::LeastRequest::default())
        }
        Simple::Unspecified | Simple::LeastRequest => Algorithm::LeastRequest(l7::LeastRequest::default()),
        Simple::Random => Algorithm::Random(l7::Random {}),
        Simple::Passthrough => Algorithm::Passthrough(l7::Passthrough {}),
        Simple::RoundRobin => Algorithm::RoundRobin(l7::RoundRobin {}),
    }
}
