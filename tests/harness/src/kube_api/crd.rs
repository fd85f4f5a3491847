//! A CustomResourceDefinition makes its kind served.

use serde_json::Value;

use super::answer::Failure;
use super::kinds::KindDef;

/// The kind that a definition defines.
pub(crate) fn defined(definition: &Value) -> Result<KindDef, Failure> {
    let spec = &definition["spec"];
    let text = |value: &Value, field: &str| {
        let missing = || Failure::invalid(format!("spec.{field} is missing"));
        value.as_str().map(str::to_owned).ok_or_else(missing)
    };
    let versions: Vec<&Value> = spec["versions"].as_array().into_iter().flatten().collect();
    let served = versions.iter().filter(|version| version["served"] == Value::Bool(true));
    let mut names = Vec::new();
    for version in served {
        names.push(text(&version["name"], "versions[].name")?);
    }
    // The server sorts by stability: v1 before v1beta1 before v1alpha3.
    names.sort_by_key(|name| (name.contains("alpha"), name.contains("beta"), name.clone()));
    Ok(KindDef {
        group: text(&spec["group"], "group")?,
        versions: names,
        kind: text(&spec["names"]["kind"], "names.kind")?,
        plural: text(&spec["names"]["plural"], "names.plural")?,
        namespaced: spec["scope"] == "Namespaced",
        status: versions.iter().any(|version| version["subresources"].get("status").is_some()),
        custom: true,
    })
}
