//! What the one door lets in.

use weir_discovery::xds::Local;

use super::*;

fn settings(pairs: &[(&str, &str)]) -> Settings {
    let yaml: String = pairs.iter().map(|(name, value)| format!("{name}: {value:?}\n")).collect();
    serde_saphyr::from_str(&yaml).unwrap()
}

const REQUIRED: [(&str, &str); 4] =
    [("node", "a"), ("meshFile", "mesh.yaml"), ("caDir", "ca"), ("podsCgroup", "/sys/fs/cgroup/kubepods")];

fn build(flags: Settings, config: Option<String>) -> Result<Config, String> {
    Config::build(&RunOptions { config, settings: flags }).map_err(|problems| problems.to_string())
}

#[test]
fn defaults_are_those_of_the_help() {
    let config = build(settings(&REQUIRED), None).unwrap();
    assert_eq!(config.listen.admin.to_string(), "127.0.0.1:15000");
    assert_eq!(config.listen.metrics.to_string(), "[::]:15020");
    assert_eq!(config.drain, Duration::from_secs(5));
    assert!((2..=16).contains(&config.workers));
    assert!(!config.capture.leave_closed && config.capture.ebpf_log == 0);
}

#[test]
fn a_flag_wins_over_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("agent.yaml");
    std::fs::write(&path, "node: from-file\nworkers: 3\nleave: closed\n").unwrap();
    let config = build(settings(&REQUIRED), Some(path.display().to_string())).unwrap();
    assert_eq!((config.node.as_str(), config.workers, config.capture.leave_closed), ("a", 3, true));
}

#[test]
fn all_problems_are_said_at_once() {
    let wrong = [
        ("workers", "17"),
        ("admin", "15000"),
        ("drain", "5"),
        ("exclude", "10.0.0.0/33, 10.0.0.1, x"),
        ("leave", "ajar"),
        ("ebpfLog", "loud"),
        ("logFormat", "xml"),
    ];
    let text = build(settings(&wrong), Some("/does/not/exist".into())).unwrap_err();
    let expected = [
        "13 problems",
        "node: not set",
        "xds-address: not set, and neither is mesh-file",
        "ca-address: not set, and neither is ca-dir",
        "pods-cgroup: not set",
        "/does/not/exist",
        "workers: \"17\"",
        "admin: \"15000\"",
        "drain: \"5\"",
        "exclude: \"10.0.0.0/33\"",
        "exclude: \"x\"",
        "leave: \"ajar\"",
        "ebpf-log: \"loud\"",
        "log-format: \"xml\"",
    ];
    for part in expected {
        assert!(text.contains(part), "{part} is not in: {text}");
    }
}

#[test]
fn an_unknown_line_of_the_file_is_a_problem() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("agent.yaml");
    std::fs::write(&path, "wrokers: 3\n").unwrap();
    let text = build(settings(&REQUIRED), Some(path.display().to_string())).unwrap_err();
    assert!(text.contains("wrokers") && text.contains("agent.yaml"), "{text}");
}

const CONTROLLED: [(&str, &str); 3] =
    [("node", "a"), ("xdsAddress", "https://c.ns.svc:15012"), ("podsCgroup", "/sys/fs/cgroup/kubepods")];

#[test]
fn a_node_of_kubernetes_is_told_of_its_pods() {
    let pairs = [("nodePods", "true"), ("cniBinDir", "/b"), ("cniConfDir", "/c"), ("podNamespace", "mesh")];
    let given: Vec<_> = CONTROLLED.into_iter().chain(pairs).collect();
    let config = build(settings(&given), None).unwrap();
    let Source::Control(control) = config.source else { panic!("{:?}", config.source) };
    assert!(matches!(control.1.local, Some(Local::Told)));
    let node = config.kubernetes.unwrap();
    let target = node.install.unwrap();
    assert_eq!(node.socket, std::path::Path::new("/run/weir/cni.sock"));
    assert_eq!(
        target.exclude_namespaces,
        ["kube-system", "mesh"],
        "without our own pods there is nobody to ask"
    );
    // What goes with it and cannot be.
    for wrong in [("podNetns", "/run/{name}"), ("cniBinDir", "/b")] {
        let given: Vec<_> = CONTROLLED.into_iter().chain([("nodePods", "true"), wrong]).collect();
        assert!(build(settings(&given), None).is_err(), "{wrong:?}");
    }
    let given: Vec<_> = CONTROLLED.into_iter().chain([("cniConfDir", "/c")]).collect();
    assert!(build(settings(&given), None).is_err());
}

#[test]
fn a_control_plane_is_the_source_and_the_ca() {
    let config = build(settings(&CONTROLLED), None).unwrap();
    let Source::Control(control) = config.source else { panic!("{:?}", config.source) };
    let (channel, xds) = *control;
    assert_eq!(channel.address(), "https://c.ns.svc:15012");
    assert_eq!((xds.node.pod.as_str(), xds.node.namespace.as_str()), ("weir-agent-a", "weir-system"));
    let Some(Local::Pattern(local)) = xds.local else { panic!("{:?}", xds.local) };
    assert_eq!((local.node.as_str(), local.cluster.as_str()), ("a", "Kubernetes"));
    let Signer::Control(ca) = config.identity.signer else { panic!("{:?}", config.identity.signer) };
    assert_eq!(ca.channel.address(), "https://c.ns.svc:15012");
    assert_eq!(ca.headers, [("clusterid".to_owned(), "Kubernetes".to_owned())]);
}

#[test]
fn mesh_and_ca_may_come_from_two_places() {
    let with = |more: &[(&str, &str)]| build(settings(&[&CONTROLLED, more].concat()), None).unwrap();
    let config = with(&[("caDir", "ca")]);
    assert!(matches!(config.identity.signer, Signer::Dir(dir) if dir.as_os_str() == "ca"));
    let config = with(&[("caAddress", "https://ca:443")]);
    assert!(
        matches!(config.identity.signer, Signer::Control(ca) if ca.channel.address() == "https://ca:443")
    );
}

#[test]
fn what_cannot_be_together_or_cannot_be_is_said() {
    let cases: [(&[(&str, &str)], &str); 7] = [
        (&[("meshFile", "mesh.yaml")], "xds-address: cannot be set together with mesh-file"),
        (&[("caDir", "ca"), ("caAddress", "https://x")], "ca-address: cannot be set together with ca-dir"),
        (&[("caAddress", "http://x")], "ca-address: \"http://x\" is not the address of a control plane"),
        (&[("podNetns", "netns/{name}")], "pod-netns: \"netns/{name}\": it must be an absolute path"),
        (&[("instanceIp", "10.0.0.1, x")], "instance-ip: \"x\""),
        (&[("controlHost", "a b")], "xds-address: \"a b\" is neither a DNS name"),
        (&[("clusterId", "a\nb")], "xds-address: \"clusterid\" is not the name of a header, or its value"),
    ];
    for (more, expected) in cases {
        let text = build(settings(&[&CONTROLLED, more].concat()), None).unwrap_err();
        assert!(text.contains(expected), "{expected} is not in: {text}");
    }
}
