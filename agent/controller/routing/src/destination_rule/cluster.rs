//! One port of a service, or of a subset of it.

use std::cell::RefCell;

use weir_proto::l7;

use super::level::{At, Level};
use super::spec::{ProxyProtocol, ProxyVersion, RetryBudget};
use super::{DestinationRule, load_balancer, outlier, pool, tls};
use crate::part::Place;
use crate::problem::{Effect, Problems, Reason, Remark};
use crate::{Lookup, Mesh, Service, ServicePort};

/// What a cluster is translated for.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) service: &'a Service,
    pub(super) port: &'a ServicePort,
    pub(super) lookup: &'a dyn Lookup,
    pub(super) mesh: &'a Mesh,
    /// Who says it, for people and for the namespace of secrets.
    pub(super) rule: Option<&'a DestinationRule>,
    /// For whom it is made, if it is not for its author's eyes alone.
    pub(super) client: Option<Client<'a>>,
}

/// Whose waypoints are told.
#[derive(Clone, Copy)]
pub(super) struct Client<'a> {
    pub(super) namespace: &'a str,
    /// What is wrong with a rule for these waypoints, and not for itself.
    pub(super) remarks: &'a RefCell<Vec<Remark>>,
}

pub(super) fn cluster(
    context: &Context<'_>,
    subset: &str,
    level: &Level<'_>,
    problems: &mut Problems,
) -> l7::Cluster {
    let outlier_detection = outlier::outlier_detection(&level.outlier_detection, problems);
    let load_balancer =
        load_balancer::load_balancer(context, &level.load_balancer, outlier_detection.is_some(), problems);
    let pool::Pool { form, protocol } = pool::pool(context, &level.connection_pool, problems);
    let mut refused = Vec::new();
    let tls = tls::tls(context, &level.tls, problems).unwrap_or_else(|why| {
        refused.push(why);
        None
    });
    if level.unreadable {
        refused.push("a traffic policy cannot be read".to_owned());
    }
    if let Some((_, field)) = &level.tunnel {
        let message = "tunnels through another proxy cannot be made";
        problems.add(field, Reason::UnsupportedValue, Effect::ClusterRefused, message);
        refused.push(format!("{field}: {message}"));
    }
    l7::Cluster {
        port: context.port.number.into(),
        subset: subset.to_owned(),
        protocol: protocol.into(),
        load_balancer: Some(load_balancer),
        connection_pool: form,
        outlier_detection,
        tls,
        origin: context.rule.map(|rule| rule.object.to_string()).unwrap_or_default(),
        proxy_protocol: proxy_protocol(&level.proxy_protocol, problems),
        retry_budget: retry_budget(&level.retry_budget, problems),
        refused: refused.join("; "),
    }
}

fn proxy_protocol(at: &At<'_, ProxyProtocol>, problems: &mut Problems) -> u32 {
    let Some((part, field)) = at else { return 0 };
    match part.get(&Place { field, effect: Effect::Ignored }, problems) {
        None => 0,
        Some(ProxyProtocol { version: ProxyVersion::V1 }) => 1,
        Some(ProxyProtocol { version: ProxyVersion::V2 }) => 2,
    }
}

fn retry_budget(at: &At<'_, RetryBudget>, problems: &mut Problems) -> Option<l7::RetryBudget> {
    let (part, field) = at.as_ref()?;
    let given = part.get(&Place { field, effect: Effect::Ignored }, problems)?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is 0 to 100")]
    let percent = given.percent.map_or(20, |percent| percent.0.round() as u32);
    Some(l7::RetryBudget {
        percent,
        min_concurrency: given.min_retry_concurrency.unwrap_or(3),
        interval: given.budget_interval.map(|interval| interval.wire()),
    })
}
