//! Names of images: what a short one means.

/// The name in full, as a container runtime keeps it: `weir` is `docker.io/library/weir:latest`.
///
/// A kubelet asks for the full name of what a pod calls `weir:0.1.0`, so an image that is imported under the short one is not found.
pub(super) fn full(name: &str) -> String {
    let with_tag = if tag_at(name).is_some() { name.to_owned() } else { format!("{name}:latest") };
    match name.split_once('/') {
        // A first part with a dot or a port, and localhost, is a registry; anything else is somebody's name on Docker Hub.
        Some((first, _)) if first.contains(['.', ':']) || first == "localhost" => with_tag,
        Some(_) => format!("docker.io/{with_tag}"),
        None => format!("docker.io/library/{with_tag}"),
    }
}

/// The tag of a name in full.
pub(super) fn tag(name: &str) -> &str {
    tag_at(name).map_or("latest", |at| &name[at + 1..])
}

/// Where the tag's colon is; one before the last slash belongs to a port.
fn tag_at(name: &str) -> Option<usize> {
    let at = name.rfind(':')?;
    (!name[at..].contains('/')).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_name_means_docker_hub() {
        for (name, expected, tagged) in [
            ("weir", "docker.io/library/weir:latest", "latest"),
            ("weir:0.1.0", "docker.io/library/weir:0.1.0", "0.1.0"),
            ("team/weir:v1", "docker.io/team/weir:v1", "v1"),
            ("registry.example/weir", "registry.example/weir:latest", "latest"),
            ("localhost/weir:v1", "localhost/weir:v1", "v1"),
            ("registry:5000/weir", "registry:5000/weir:latest", "latest"),
            ("registry:5000/a/weir:v2", "registry:5000/a/weir:v2", "v2"),
        ] {
            let full = full(name);
            assert_eq!(full, expected, "{name}");
            assert_eq!(tag(&full), tagged, "{name}");
        }
    }
}
