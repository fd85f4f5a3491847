//! What the labels ask for.

use std::fmt;
use std::sync::Arc;

use weir_resources::Meta;

/// A waypoint that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ask {
    pub(crate) namespace: Arc<str>,
    pub(crate) name: Arc<str>,
    /// The namespace asks, not the object.
    pub(crate) inherited: bool,
}

impl fmt::Display for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// The waypoint of an object in this namespace: the object's own label before the namespace's, `none` for none.
pub(crate) fn asked(object: &Meta, namespace: Option<&Meta>) -> Option<Ask> {
    let own = object.labels.get(USE).filter(|value| !value.is_empty());
    let (meta, inherited) = if own.is_some() { (object, false) } else { (namespace?, true) };
    named(meta, USE, USE_NAMESPACE, &object.namespace, inherited)
}

/// The second waypoint; the namespace's only if the object names no first one.
pub(super) fn asked_canary<'a>(
    object: &'a Meta,
    namespace: Option<&'a Meta>,
) -> Option<(Ask, Option<&'a str>)> {
    let own = object.labels.get(USE).is_some_and(|value| !value.is_empty());
    let meta = if own || object.labels.get(CANARY).is_some() { object } else { namespace? };
    let ask = named(meta, CANARY, CANARY_NAMESPACE, &object.namespace, !own)?;
    Some((ask, meta.annotations.get(CANARY_WEIGHT)))
}

/// All gateways that these labels name, for an object (or the namespace itself) in a namespace.
pub(crate) fn gateways(meta: &Meta, namespace: &Arc<str>) -> Vec<(Arc<str>, Arc<str>)> {
    let first = named(meta, USE, USE_NAMESPACE, namespace, false);
    let second = named(meta, CANARY, CANARY_NAMESPACE, namespace, false);
    first.into_iter().chain(second).map(|ask| (ask.namespace, ask.name)).collect()
}

/// Whether a waypoint must be passed, if anybody says: the object before the namespace.
pub(super) fn required(object: &Meta, namespace: Option<&Meta>) -> Option<bool> {
    let said = |meta: &Meta| match meta.labels.get(REQUIRE)? {
        "false" => Some(false),
        "" => None,
        // What is not understood is not taken for leave to go around it.
        _ => Some(true),
    };
    said(object).or_else(|| said(namespace?))
}

/// Whether two versions of an object ask for the same.
pub(crate) fn is_alike(a: Option<&Meta>, b: Option<&Meta>) -> bool {
    let label = |meta: Option<&Meta>, name| meta.and_then(|meta| meta.labels.get(name)).map(str::to_owned);
    let weight =
        |meta: Option<&Meta>| meta.and_then(|meta| meta.annotations.get(CANARY_WEIGHT)).map(str::to_owned);
    let labels = [USE, USE_NAMESPACE, CANARY, CANARY_NAMESPACE, REQUIRE];
    labels.into_iter().all(|name| label(a, name) == label(b, name)) && weight(a) == weight(b)
}

fn named(meta: &Meta, name: &str, namespace: &str, default: &Arc<str>, inherited: bool) -> Option<Ask> {
    let name = meta.labels.get(name).filter(|value| !value.is_empty() && *value != "none")?;
    let namespace = meta.labels.get(namespace).map_or_else(|| default.clone(), Arc::from);
    Some(Ask { namespace, name: name.into(), inherited })
}

const USE: &str = "istio.io/use-waypoint";
const USE_NAMESPACE: &str = "istio.io/use-waypoint-namespace";
const REQUIRE: &str = "weir.dev/require-waypoint";
const CANARY: &str = "istio.io/use-waypoint-canary";
const CANARY_NAMESPACE: &str = "istio.io/use-waypoint-canary-namespace";
const CANARY_WEIGHT: &str = "istio.io/use-waypoint-canary-weight";
