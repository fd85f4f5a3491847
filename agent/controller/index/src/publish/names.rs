//! Names for telemetry: of the workload behind a pod, and of the application.

use weir_resources::{Labels, Pod};

/// The name of what made a pod: its Deployment, CronJob, StatefulSet; itself if nothing did.
pub(super) fn workload_name(pod: &Pod) -> &str {
    if let Some(name) = pod.meta.labels.get("service.istio.io/workload-name") {
        return name;
    }
    let Some((kind, name)) = &pod.owner else { return &pod.meta.name };
    match &**kind {
        "ReplicaSet" => deployment(name, &pod.meta.labels),
        "Job" => cron_job(name),
        _ => name,
    }
}

/// The application: labels, else the workload.
pub(super) fn canonical_name<'a>(labels: &'a Labels, workload: &'a str) -> &'a str {
    let names = ["service.istio.io/canonical-name", "app.kubernetes.io/name", "app"];
    first(labels, &names).unwrap_or(workload)
}

/// Its revision.
pub(super) fn canonical_revision(labels: &Labels) -> &str {
    let names = ["service.istio.io/canonical-revision", "app.kubernetes.io/version", "version"];
    first(labels, &names).unwrap_or("latest")
}

/// A label without a value names nothing.
fn first<'a>(labels: &'a Labels, names: &[&str]) -> Option<&'a str> {
    names.iter().find_map(|name| labels.get(name).filter(|value| !value.is_empty()))
}

/// A ReplicaSet that a Deployment made has its name and the hash of the template.
fn deployment<'a>(name: &'a str, labels: &Labels) -> &'a str {
    let hashes = ["pod-template-hash", "rollouts-pod-template-hash"];
    let mut hashes = hashes.iter().filter_map(|label| labels.get(label));
    let trimmed = hashes.find_map(|hash| name.strip_suffix(hash)?.strip_suffix('-'));
    trimmed.filter(|name| !name.is_empty()).unwrap_or(name)
}

/// A Job that a CronJob made has its name and the minute of its schedule, in 8 to 10 digits.
fn cron_job(name: &str) -> &str {
    match name.rsplit_once('-') {
        Some((cron, minute))
            if !cron.is_empty()
                && (8..=10).contains(&minute.len())
                && minute.bytes().all(|b| b.is_ascii_digit()) =>
        {
            cron
        }
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case::replica_set("web-6d4cf56db6", "ReplicaSet", &[("pod-template-hash", "6d4cf56db6")], "web")]
    #[case::rollout("web-5c", "ReplicaSet", &[("rollouts-pod-template-hash", "5c")], "web")]
    #[case::bare_replica_set("web-1", "ReplicaSet", &[], "web-1")]
    #[case::cron_job("backup-29012345", "Job", &[], "backup")]
    #[case::job("import-1", "Job", &[], "import-1")]
    #[case::job_of_digits("29012345", "Job", &[], "29012345")]
    #[case::stateful("db", "StatefulSet", &[], "db")]
    #[case::label("x", "StatefulSet", &[("service.istio.io/workload-name", "said")], "said")]
    fn the_workload_of_a_pod(
        #[case] owner: &str,
        #[case] kind: &str,
        #[case] labels: &[(&str, &str)],
        #[case] expected: &str,
    ) {
        let mut pod = Pod { owner: Some((kind.into(), owner.into())), ..Pod::default() };
        pod.meta.labels = labels.iter().copied().collect();
        assert_eq!(workload_name(&pod), expected);
    }

    #[test]
    fn the_application_falls_back_to_the_workload() {
        let labels: Labels = [("app", "a"), ("app.kubernetes.io/name", "b")].into_iter().collect();
        assert_eq!(canonical_name(&labels, "w"), "b");
        assert_eq!(canonical_name(&Labels::default(), "w"), "w");
        assert_eq!(canonical_revision(&labels), "latest");
    }
}
