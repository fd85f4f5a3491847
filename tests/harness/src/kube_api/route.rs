//! What a request is for.

use std::collections::HashMap;

use http::Method;

/// A request's target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route {
    /// As RBAC names it.
    pub(crate) verb: &'static str,
    pub(crate) target: Target,
    pub(crate) query: HashMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// Health, version, and whatever is not of the API.
    Other(String),
    /// `/api`, `/apis`, `/api/v1`, `/apis/group`, `/apis/group/version`.
    Discovery { group: Option<String>, version: Option<String> },
    /// Objects.
    Resource(ResourcePath),
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ResourcePath {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) namespace: Option<String>,
    pub(crate) plural: String,
    pub(crate) name: Option<String>,
    pub(crate) subresource: Option<String>,
}

impl Route {
    pub(crate) fn parse(method: &Method, path: &str, query: &str) -> Self {
        let query = pairs(query);
        let target = target(path);
        let verb = verb(method, &target, &query);
        Self { verb, target, query }
    }

    /// As RBAC names it: `pods`, `services/status`; `discovery`; empty for the rest.
    pub(crate) fn resource(&self) -> String {
        match &self.target {
            Target::Other(_) => String::new(),
            Target::Discovery { .. } => "discovery".to_owned(),
            Target::Resource(path) => match &path.subresource {
                Some(sub) => format!("{}/{sub}", path.plural),
                None => path.plural.clone(),
            },
        }
    }

    pub(crate) fn flag(&self, name: &str) -> bool {
        self.query.get(name).is_some_and(|value| matches!(value.as_str(), "true" | "1"))
    }

    pub(crate) fn text(&self, name: &str) -> &str {
        self.query.get(name).map_or("", String::as_str)
    }
}

fn verb(method: &Method, target: &Target, query: &HashMap<String, String>) -> &'static str {
    let named = !matches!(target, Target::Resource(ResourcePath { name: None, .. }));
    match *method {
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE if named => "delete",
        Method::DELETE => "deletecollection",
        _ if named => "get",
        _ if query.get("watch").is_some_and(|value| matches!(value.as_str(), "true" | "1")) => "watch",
        _ => "list",
    }
}

fn target(path: &str) -> Target {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let own = |text: &str| Some(text.to_owned());
    match parts.as_slice() {
        ["api"] => Target::Discovery { group: own(""), version: None },
        ["apis"] => Target::Discovery { group: None, version: None },
        ["api", version] => Target::Discovery { group: own(""), version: own(version) },
        ["apis", group] => Target::Discovery { group: own(group), version: None },
        ["apis", group, version] => Target::Discovery { group: own(group), version: own(version) },
        ["api", version, rest @ ..] => resource("", version, rest),
        ["apis", group, version, rest @ ..] => resource(group, version, rest),
        _ => Target::Other(path.to_owned()),
    }
}

fn resource(group: &str, version: &str, rest: &[&str]) -> Target {
    let (namespace, rest) = match rest {
        // `namespaces/x` is a namespace itself, `namespaces/x/status` its status.
        ["namespaces", namespace, plural, more @ ..] if *plural != "status" => {
            (Some((*namespace).to_owned()), [&[*plural], more].concat())
        }
        rest => (None, rest.to_vec()),
    };
    let part = |at: usize| rest.get(at).map(|part| decode(part));
    Target::Resource(ResourcePath {
        group: group.to_owned(),
        version: version.to_owned(),
        namespace,
        plural: part(0).unwrap_or_default(),
        name: part(1),
        subresource: part(2),
    })
}

fn pairs(query: &str) -> HashMap<String, String> {
    let split = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(name), decode(value))
    };
    query.split('&').filter(|pair| !pair.is_empty()).map(split).collect()
}

/// Undoes percent encoding.
fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let hex: Vec<u8> = rest.by_ref().take(2).collect();
                let hex = String::from_utf8_lossy(&hex).into_owned();
                bytes.push(u8::from_str_radix(&hex, 16).unwrap_or(b'?'));
            }
            byte => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_as_the_api_lays_them_out() {
        let verb = |method: Method, path, query| {
            let route = Route::parse(&method, path, query);
            (route.verb, route.resource())
        };
        assert_eq!(verb(Method::GET, "/api/v1/pods", "limit=5"), ("list", "pods".into()));
        assert_eq!(verb(Method::GET, "/api/v1/pods", "watch=true"), ("watch", "pods".into()));
        assert_eq!(verb(Method::GET, "/api/v1/namespaces/a", ""), ("get", "namespaces".into()));
        assert_eq!(
            verb(Method::PUT, "/api/v1/namespaces/a/status", ""),
            ("update", "namespaces/status".into())
        );
        assert_eq!(
            verb(Method::PATCH, "/apis/x.io/v1/namespaces/a/things/b/status", "fieldManager=me"),
            ("patch", "things/status".into())
        );
        assert_eq!(verb(Method::GET, "/apis/x.io", ""), ("get", "discovery".into()));
        let route = Route::parse(&Method::GET, "/api/v1/pods", "fieldSelector=metadata.name%3Da%2Cb");
        assert_eq!(route.text("fieldSelector"), "metadata.name=a,b");
    }
}
