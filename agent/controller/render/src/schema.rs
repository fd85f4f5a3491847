//! Which lists are merged item by item, and by which field. As Kubernetes' own definitions say it (`x-kubernetes-patch-merge-key`)
//! of the five kinds.

/// How a list in a patch is laid over one that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum List {
    /// Items are known by this field.
    By(&'static str),
    /// Values that are not there are added.
    Set,
    /// It replaces the other.
    Whole,
}

/// Of the list at a path of names.
pub(crate) fn list(path: &[&str]) -> List {
    let in_container = path.iter().rev().nth(1).is_some_and(|above| CONTAINERS.contains(above));
    match path {
        ["spec", "ports"] => List::By("port"),
        ["secrets" | "imagePullSecrets"] => List::By("name"),
        ["metadata", "ownerReferences"] => List::By("uid"),
        ["metadata", "finalizers"] => List::Set,
        [.., "template", "spec", field] => match *field {
            field if CONTAINERS.contains(&field) => List::By("name"),
            "volumes" | "imagePullSecrets" | "resourceClaims" | "schedulingGates" => List::By("name"),
            "hostAliases" => List::By("ip"),
            "topologySpreadConstraints" => List::By("topologyKey"),
            _ => List::Whole,
        },
        [.., field] if in_container => match *field {
            "env" => List::By("name"),
            "ports" => List::By("containerPort"),
            "volumeMounts" => List::By("mountPath"),
            "volumeDevices" => List::By("devicePath"),
            _ => List::Whole,
        },
        _ => List::Whole,
    }
}

const CONTAINERS: [&str; 3] = ["containers", "initContainers", "ephemeralContainers"];
