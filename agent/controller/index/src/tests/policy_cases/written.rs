//! Objects as the cases write them.

use weir_resources::Kind;

pub(super) fn kind_named(name: &str) -> Kind {
    Kind::ALL.into_iter().find(|kind| kind.name() == name).expect("a kind")
}

pub(super) fn object(kind: &str, name: &str, created: &str, spec: &str) -> String {
    let (kind, version) = kind.split_once('/').unwrap_or((kind, "v1"));
    let (namespace, name) = name.split_once('/').expect("a name");
    let created = match created {
        "" => String::new(),
        day => format!("creationTimestamp: 2026-01-01T00:{}0:00Z, ", &day[..1]),
    };
    format!(
        "apiVersion: security.istio.io/{version}\nkind: {kind}\n\
         metadata: {{{created}generation: {GENERATION}, name: {name}, namespace: {namespace}}}\nspec: {spec}\n"
    )
}

/// Puts other parts in place of those of the object.
pub(super) fn merge(yaml: &mut String, parts: &str) {
    let one = |text: &str| weir_resources::documents(text).next().expect("a document").expect("YAML").1;
    let (mut object, parts) = (one(yaml), one(parts));
    object.as_object_mut().expect("an object").remove("spec");
    for (name, part) in parts.as_object().expect("an object") {
        match (object.get_mut(name).and_then(|old| old.as_object_mut()), part.as_object()) {
            (Some(old), Some(new)) => old.extend(new.clone()),
            _ => object[name] = part.clone(),
        }
    }
    *yaml = object.to_string();
}

pub(super) const GENERATION: i64 = 7;

pub(super) const POD: &str = "
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web, version: v1}}
spec: {nodeName: a}
status: {phase: Running, podIP: 10.9.0.9, podIPs: [{ip: 10.9.0.9}, {ip: 'fd00::9'}], conditions: [{type: Ready, status: 'True'}]}
";
