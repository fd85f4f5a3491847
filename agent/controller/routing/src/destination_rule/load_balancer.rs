//! How an endpoint is chosen.

use weir_proto::l7::load_balancer::Algorithm;
use weir_proto::l7::{self, consistent_hash};

use super::cluster::Context;
use super::level::At;
use super::locality::locality;
use super::spec::{ConsistentHash, Cookie, LoadBalancer, Simple, Warmup};
use crate::part::Place;
use crate::problem::{Effect, Problems, Reason, quoted};
use crate::value::{HeaderValue, Token};

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

fn consistent_hash(given: &ConsistentHash) -> Result<l7::ConsistentHash, (&'static str, String)> {
    use consistent_hash::{Key, Table};
    let keys = [
        given.http_header_name.clone().map(|name| Key::Header(name.0)),
        given.http_cookie.as_ref().map(|given| Key::Cookie(cookie(given))),
        given.use_source_ip.then_some(Key::SourceIp(true)),
        given.http_query_parameter_name.clone().map(Key::QueryParameter),
    ];
    let mut keys = keys.into_iter().flatten();
    let (key, None) = (keys.next(), keys.next()) else {
        return Err(("", "more than one thing to hash is named".to_owned()));
    };
    let key = key.ok_or(("", "says nothing that could be hashed".to_owned()))?;
    match &key {
        Key::Cookie(cookie) => check_cookie(cookie)?,
        Key::Header(name) if name.starts_with(':') => {
            return Err((".httpHeaderName", format!("{} is no header", quoted(name))));
        }
        _ => {}
    }
    let table = match (&given.ring_hash, &given.maglev, given.minimum_ring_size) {
        (Some(_), Some(_), _) => {
            return Err((".maglev", "ringHash and maglev exclude each other".to_owned()));
        }
        (Some(ring), None, _) => Some(Table::MinimumRingSize(size(".ringHash", ring.minimum_ring_size)?)),
        (None, Some(maglev), _) => Some(Table::MaglevTableSize(prime(maglev.table_size)?)),
        (None, None, Some(least)) => Some(Table::MinimumRingSize(size(".minimumRingSize", least)?)),
        (None, None, None) => None,
    };
    Ok(l7::ConsistentHash { key: Some(key), table })
}

fn size(field: &'static str, entries: u64) -> Result<u64, (&'static str, String)> {
    match entries > LARGEST_RING {
        true => Err((field, format!("{entries} is more than {LARGEST_RING}"))),
        false => Ok(entries),
    }
}

/// 0: the default.
fn prime(entries: u64) -> Result<u64, (&'static str, String)> {
    let wrong = |message| Err((".maglev.tableSize", message));
    if entries > LARGEST_TABLE {
        return wrong(format!("{entries} is more than {LARGEST_TABLE}"));
    }
    let divides = |d: &u64| entries.is_multiple_of(*d);
    let composite =
        entries == 1 || (2..).take_while(|d| d * d <= entries).any(|d| entries != 0 && divides(&d));
    if composite { wrong(format!("{entries} is no prime")) } else { Ok(entries) }
}

/// It is written into a header.
fn check_cookie(cookie: &l7::Cookie) -> Result<(), (&'static str, String)> {
    if cookie.name.is_empty() {
        return Err((".httpCookie.name", "is missing".to_owned()));
    }
    Token::try_from(cookie.name.clone()).map_err(|message| (".httpCookie.name", message))?;
    let value = |text: &String| match HeaderValue::try_from(text.clone()) {
        Ok(value) if !value.0.contains(';') => Ok(()),
        _ => Err(format!("{} cannot be a part of a cookie", quoted(text))),
    };
    value(&cookie.path).map_err(|message| (".httpCookie.path", message))?;
    cookie.attributes.iter().try_for_each(value).map_err(|message| (".httpCookie.attributes", message))
}

fn cookie(given: &Cookie) -> l7::Cookie {
    let attribute = |one: &super::spec::Attribute| match one.value.as_str() {
        "" => one.name.clone(),
        value => format!("{}={value}", one.name),
    };
    l7::Cookie {
        name: given.name.clone(),
        path: given.path.clone(),
        ttl: given.ttl.map(|ttl| ttl.wire()),
        attributes: given.attributes.iter().map(attribute).collect(),
    }
}

fn warmup(
    given: &LoadBalancer,
    algorithm: &Algorithm,
    field: &str,
    problems: &mut Problems,
) -> Option<l7::Warmup> {
    let effect = Effect::Ignored;
    let (path, old) = (format!("{field}.warmup"), format!("{field}.warmupDurationSecs"));
    let asked = given.warmup.get(&Place { field: &path, effect }, problems).cloned();
    let asked = asked.or_else(|| {
        let duration = given.warmup_duration_secs.get(&Place { field: &old, effect }, problems).copied()?;
        problems.notice(&old, "is deprecated; warmup is its name now");
        Some(Warmup { duration: Some(duration), ..Warmup::default() })
    })?;
    let mut wrong = |reason, message: &str| {
        problems.add(&path, reason, effect, message);
        None
    };
    if !matches!(algorithm, Algorithm::RoundRobin(_) | Algorithm::LeastRequest(_)) {
        return wrong(Reason::UnsupportedValue, "is for ROUND_ROBIN and LEAST_REQUEST only");
    }
    let Some(duration) = asked.duration.filter(|duration| !duration.0.is_zero()) else {
        return wrong(Reason::Invalid, "duration is missing");
    };
    let aggression = asked.aggression.unwrap_or(1.0);
    if !(1.0..=1000.0).contains(&aggression) {
        return wrong(Reason::Invalid, "aggression must be 1 to 1000");
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "both are in bounds")]
    let (minimum_percent, aggression_permille) =
        (asked.minimum_percent.map_or(10, |p| p.0.round() as u32), (aggression * 1000.0).round() as u32);
    Some(l7::Warmup { duration: Some(duration.wire()), minimum_percent, aggression_permille })
}

/// What Envoy allows.
const LARGEST_RING: u64 = 8 * 1024 * 1024;
const LARGEST_TABLE: u64 = 5_000_011;
