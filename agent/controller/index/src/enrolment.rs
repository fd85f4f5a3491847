//! Whether a pod is to be in the mesh: what labels ask for, and what cannot be.

use weir_resources::{Meta, Pod};

use crate::Config;

/// What is wanted for a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Enrolment {
    /// Nobody asked for it.
    Leave,
    /// Its traffic is to be captured.
    Enrol,
    /// It was asked for and cannot be: why, as one word and as a sentence.
    Refuse(&'static str, String),
}

/// What is wanted for a pod of this namespace. The pod's own label counts more than its namespace's.
pub(crate) fn enrolment(pod: &Pod, namespace: Option<&Meta>, config: &Config) -> Enrolment {
    // The same labels ask another mesh of the cluster for it.
    if config.revision.is_some() && revision(pod, namespace) != config.revision.as_deref() {
        return Enrolment::Leave;
    }
    let asks = match mode(Some(&pod.meta)) {
        Some("ambient") => "its label istio.io/dataplane-mode",
        Some("none") => return Enrolment::Leave,
        _ if mode(namespace) == Some("ambient") => "the label istio.io/dataplane-mode of its namespace",
        _ => return Enrolment::Leave,
    };
    // It ends tunnels itself: it is in the mesh without us.
    if pod.meta.labels.get("networking.istio.io/tunnel") == Some("http") {
        return Enrolment::Leave;
    }
    let refuse = |reason, why: &str| {
        Enrolment::Refuse(
            reason,
            format!("{asks} asks for it, but {why}; it is not in the mesh and speaks plainly"),
        )
    };
    let own = &*pod.meta.namespace;
    if own == &*config.root_namespace || config.exclude_namespaces.iter().any(|name| **name == *own) {
        return refuse("ExcludedNamespace", "pods of this namespace are not taken in (--exclude-namespaces)");
    }
    if pod.host_network {
        return refuse(
            "HostNetwork",
            "it shares the network of its node, and its traffic cannot be told from the node's own",
        );
    }
    if pod.meta.annotations.get("sidecar.istio.io/status").is_some() {
        return refuse("Sidecar", "it has a sidecar, which carries its traffic already");
    }
    if is_sandboxed(&pod.runtime_class) {
        let why = format!(
            "its RuntimeClass {} runs it in a kernel of its own, whose sockets the node does not see",
            pod.runtime_class
        );
        return refuse("RuntimeClass", &why);
    }
    Enrolment::Enrol
}

/// Whose it is, where several meshes are in the cluster.
fn revision<'a>(pod: &'a Pod, namespace: Option<&'a Meta>) -> Option<&'a str> {
    pod.meta.labels.get(REVISION).or_else(|| namespace?.labels.get(REVISION))
}

/// The label that asks for the mesh, or for none.
pub(crate) fn mode(meta: Option<&Meta>) -> Option<&str> {
    meta?.labels.get("istio.io/dataplane-mode")
}

/// By the names that people give to runtimes of this sort. One with another name is found out by the node: the pod's
/// processes have no sockets there.
fn is_sandboxed(runtime_class: &str) -> bool {
    let words = runtime_class.split(['-', '.', '_']);
    words
        .into_iter()
        .any(|word| matches!(word, "gvisor" | "runsc" | "firecracker") || word.starts_with("kata"))
}

/// Istio's, by which its control planes share a cluster.
const REVISION: &str = "istio.io/rev";

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use weir_resources::Labels;

    use super::*;

    const AMBIENT: &str = "istio.io/dataplane-mode=ambient";
    const NONE: &str = "istio.io/dataplane-mode=none";

    fn labels(text: &str) -> Labels {
        text.split_whitespace().filter_map(|pair| pair.split_once('=')).collect()
    }

    #[rstest]
    #[case::nobody_asks("", "", "leave")]
    #[case::the_pod_asks(AMBIENT, "", "enrol")]
    #[case::the_namespace_asks("", AMBIENT, "enrol")]
    #[case::the_pod_does_not_want(NONE, AMBIENT, "leave")]
    #[case::the_pod_wants(AMBIENT, NONE, "enrol")]
    #[case::another_word_says_nothing("istio.io/dataplane-mode=sidecar", AMBIENT, "enrol")]
    #[case::another_word_of_the_namespace("", "istio.io/dataplane-mode=sidecar", "leave")]
    #[case::it_speaks_the_tunnel("networking.istio.io/tunnel=http", AMBIENT, "leave")]
    fn labels_ask(#[case] pod: &str, #[case] namespace: &str, #[case] wish: &str) {
        assert_eq!(word(&enrolment(&pod_with(pod), Some(&meta(namespace)), &Config::default())), wish);
    }

    #[rstest]
    #[case::host_network(|pod: &mut Pod| pod.host_network = true, "HostNetwork")]
    #[case::sidecar(|pod: &mut Pod| pod.meta.annotations = labels("sidecar.istio.io/status={}"), "Sidecar")]
    #[case::gvisor(|pod: &mut Pod| pod.runtime_class = "gvisor".into(), "RuntimeClass")]
    #[case::kata(|pod: &mut Pod| pod.runtime_class = "kata-qemu-snp".into(), "RuntimeClass")]
    #[case::runsc(|pod: &mut Pod| pod.runtime_class = "my-runsc".into(), "RuntimeClass")]
    #[case::nvidia(|pod: &mut Pod| pod.runtime_class = "nvidia".into(), "enrol")]
    #[case::system(|pod: &mut Pod| pod.meta.namespace = "kube-system".into(), "ExcludedNamespace")]
    #[case::our_own(|pod: &mut Pod| pod.meta.namespace = "weir-system".into(), "ExcludedNamespace")]
    fn who_asks_and_cannot_is_refused(#[case] change: fn(&mut Pod), #[case] reason: &str) {
        let mut pod = pod_with(AMBIENT);
        change(&mut pod);
        assert_eq!(word(&enrolment(&pod, None, &Config::default())), reason);
        // Nobody is bothered who did not ask.
        pod.meta.labels = Labels::default();
        assert_eq!(enrolment(&pod, None, &Config::default()), Enrolment::Leave);
    }

    #[rstest]
    #[case::nobodys("", "", "leave")]
    #[case::the_namespace_is_ours("", "istio.io/rev=weir", "enrol")]
    #[case::the_pod_is_ours("istio.io/rev=weir", "", "enrol")]
    #[case::the_pod_is_anothers("istio.io/rev=default", "istio.io/rev=weir", "leave")]
    fn of_two_meshes_one_has_a_pod(#[case] pod: &str, #[case] namespace: &str, #[case] wish: &str) {
        let mut pod = pod_with(&format!("{AMBIENT} {pod}"));
        let of = |revision: Option<&str>| Config { revision: revision.map(Into::into), ..Config::default() };
        assert_eq!(word(&enrolment(&pod, Some(&meta(namespace)), &of(Some("weir")))), wish);
        assert_eq!(word(&enrolment(&pod, Some(&meta(namespace)), &of(None))), "enrol", "there is no other");
        // Another's pod is not told why it cannot be ours.
        pod.host_network = true;
        let refused = if wish == "enrol" { "HostNetwork" } else { "leave" };
        assert_eq!(word(&enrolment(&pod, Some(&meta(namespace)), &of(Some("weir")))), refused);
    }

    fn pod_with(text: &str) -> Pod {
        Pod { meta: Meta { namespace: "shop".into(), ..meta(text) }, ..Pod::default() }
    }

    fn meta(text: &str) -> Meta {
        Meta { labels: labels(text), ..Meta::default() }
    }

    fn word(enrolment: &Enrolment) -> &'static str {
        match enrolment {
            Enrolment::Leave => "leave",
            Enrolment::Enrol => "enrol",
            Enrolment::Refuse(reason, _) => reason,
        }
    }
}
