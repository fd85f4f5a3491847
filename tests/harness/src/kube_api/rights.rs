//! Who may do what: the rules of RBAC, for the one who calls.

use std::collections::BTreeSet;

use serde_json::Value;

use super::route::{ResourcePath, Route, Target};

/// The rights of the caller.
#[derive(Debug, Default)]
pub(crate) struct Rights {
    grants: Vec<Grant>,
    used: BTreeSet<usize>,
}

/// One verb on one resource.
#[derive(Debug)]
struct Grant {
    /// `None`: in all, and on what is in none.
    namespace: Option<String>,
    group: String,
    /// With its subresource; or a path that begins with `/`.
    resource: String,
    names: Vec<String>,
    verb: String,
}

impl Rights {
    /// What the roles among these objects grant: a ClusterRole everywhere, a Role in its namespace.
    pub(crate) fn of(objects: &[Value]) -> Self {
        let mut grants = Vec::new();
        for object in objects {
            let namespace = match object["kind"].as_str() {
                Some("ClusterRole") => None,
                Some("Role") => object["metadata"]["namespace"].as_str().map(str::to_owned),
                _ => continue,
            };
            for rule in object["rules"].as_array().into_iter().flatten() {
                grant(rule, namespace.as_deref(), &mut grants);
            }
        }
        Self { grants, used: BTreeSet::new() }
    }

    /// Whether a call may be made. To read what is served, and its version, everybody may (`system:public-info-viewer`).
    pub(crate) fn allow(&mut self, route: &Route) -> bool {
        match &route.target {
            Target::Discovery { .. } => true,
            Target::Other(path) if path == "/version" && route.verb == "get" => true,
            Target::Other(path) => {
                self.use_those(|grant| grant.verb == route.verb && grant.resource == *path)
            }
            Target::Resource(path) => {
                let name = name(route, path);
                self.allow_on(route.verb, path, name.as_deref())
            }
        }
    }

    /// To apply what is not there is to create it, and takes both rights.
    pub(crate) fn allow_creation(&mut self, path: &ResourcePath) -> bool {
        self.allow_on("create", path, None)
    }

    /// Rights that nobody needed, in words.
    pub(crate) fn unused(&self) -> Vec<String> {
        let unused = self.grants.iter().enumerate().filter(|(n, _)| !self.used.contains(n));
        unused.map(|(_, grant)| grant.to_string()).collect()
    }

    fn allow_on(&mut self, verb: &str, path: &ResourcePath, name: Option<&str>) -> bool {
        let resource = match &path.subresource {
            Some(sub) => format!("{}/{sub}", path.plural),
            None => path.plural.clone(),
        };
        self.use_those(|grant| {
            grant.verb == verb
                && grant.group == path.group
                && grant.resource == resource
                && (grant.namespace.is_none() || grant.namespace == path.namespace)
                && (grant.names.is_empty()
                    || name.is_some_and(|name| grant.names.iter().any(|one| one == name)))
        })
    }

    fn use_those(&mut self, is: impl Fn(&Grant) -> bool) -> bool {
        let those: Vec<usize> = (0..self.grants.len()).filter(|n| is(&self.grants[*n])).collect();
        self.used.extend(&those);
        !those.is_empty()
    }
}

impl std::fmt::Display for Grant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.verb, self.resource)?;
        if !self.names.is_empty() {
            write!(f, " {}", self.names.join(","))?;
        }
        Ok(())
    }
}

fn grant(rule: &Value, namespace: Option<&str>, grants: &mut Vec<Grant>) {
    let texts = |field: &str| -> Vec<String> {
        rule[field].as_array().into_iter().flatten().filter_map(|v| v.as_str().map(str::to_owned)).collect()
    };
    let names = texts("resourceNames");
    for verb in texts("verbs") {
        let one = |group: &str, resource: &str| Grant {
            namespace: namespace.map(str::to_owned),
            group: group.to_owned(),
            resource: resource.to_owned(),
            names: names.clone(),
            verb: verb.clone(),
        };
        grants.extend(texts("nonResourceURLs").iter().map(|url| one("", url)));
        for group in texts("apiGroups") {
            grants.extend(texts("resources").iter().map(|resource| one(&group, resource)));
        }
    }
}

/// The name that a call is about: a list or a watch of one name is about that one.
fn name(route: &Route, path: &ResourcePath) -> Option<String> {
    let selected =
        route.text("fieldSelector").split(',').find_map(|term| term.strip_prefix("metadata.name="));
    path.name.clone().or_else(|| selected.map(|name| name.trim_start_matches('=').to_owned()))
}

#[cfg(test)]
mod tests {
    use http::Method;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_right_is_for_a_verb_a_place_and_a_name() {
        let role = json!({"kind": "Role", "metadata": {"namespace": "n"}, "rules": [
            {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["ca"], "verbs": ["get", "watch"]},
            {"apiGroups": [""], "resources": ["services/status"], "verbs": ["patch"]},
        ]});
        let mut rights = Rights::of(&[role]);
        let mut may =
            |method: Method, path: &str, query: &str| rights.allow(&Route::parse(&method, path, query));
        assert!(may(Method::GET, "/api/v1/namespaces/n/secrets/ca", ""));
        assert!(!may(Method::GET, "/api/v1/namespaces/n/secrets/other", ""));
        assert!(!may(Method::GET, "/api/v1/namespaces/m/secrets/ca", ""));
        assert!(!may(Method::GET, "/api/v1/secrets", "watch=1"));
        assert!(!may(Method::GET, "/api/v1/namespaces/n/secrets", "watch=1"));
        assert!(may(Method::GET, "/api/v1/namespaces/n/secrets", "watch=1&fieldSelector=metadata.name%3Dca"));
        assert!(!may(Method::PATCH, "/api/v1/namespaces/n/services/web", ""));
        assert!(may(Method::GET, "/apis", ""));
        assert!(may(Method::GET, "/version", ""));
        assert!(!may(Method::GET, "/metrics", ""));
        assert_eq!(rights.unused(), ["patch services/status"]);
    }
}
