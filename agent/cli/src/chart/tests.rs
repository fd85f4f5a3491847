use std::path::Path;
use std::process::Command;

use rstest::rstest;

use super::*;

fn profile(name: &str) -> Values {
    Values::build(Some(name), &[], &[]).unwrap()
}

fn names(profile_name: &str) -> Vec<String> {
    let manifests = render(&profile(profile_name), &Release::new("weir-system")).unwrap();
    let name = |m: &Manifest| {
        format!("{}/{}", m.object["kind"].as_str().unwrap(), m.object["metadata"]["name"].as_str().unwrap())
    };
    manifests.iter().map(name).collect()
}

#[test]
fn what_each_profile_is() {
    let control = [
        "ServiceAccount/weir-controller",
        "ClusterRole/weir-controller",
        "ClusterRoleBinding/weir-controller",
        "Role/weir-controller",
        "RoleBinding/weir-controller",
        "Service/weir-controller",
        "PodDisruptionBudget/weir-controller",
        "Deployment/weir-controller",
    ];
    assert_eq!(names("minimal"), control);
    assert_eq!(names("empty"), Vec::<String>::new());
    let default = names("default");
    assert_eq!(default, names("ambient"));
    assert!(
        default.ends_with(&["DaemonSet/weir-agent".into(), "DaemonSet/weir-holder".into()]),
        "{default:?}"
    );
    let demo = names("demo");
    assert_eq!(
        demo.iter().filter(|name| name.starts_with("CustomResourceDefinition/")).count(),
        12,
        "{demo:?}"
    );
    assert!(!demo.contains(&"PodDisruptionBudget/weir-controller".to_owned()), "there is one replica");
    assert!(names("openshift").contains(&"Role/weir-agent-scc".to_owned()));
}

#[test]
fn there_are_profiles_with_a_sentence_each() {
    let names: Vec<_> = Profile::all().iter().map(|profile| profile.name).collect();
    assert_eq!(names, ["ambient", "default", "demo", "empty", "minimal", "openshift"]);
    assert!(Profile::all().iter().all(|profile| profile.about.ends_with('.')));
}

#[rstest]
#[case(&["agent.nonsense=1"], "agent.nonsense: is not known; here are affinity,")]
#[case(&["agent.leave=ajar"], "agent.leave: is \"ajar\", and must be one of [\"closed\",\"open\"]")]
#[case(&["controller.replicas=0", "log.format=xml"], "log.format")]
#[case(&["profile=grande"], "there is no profile \"grande\"; there are ambient, default,")]
fn what_the_chart_does_not_take_is_said(#[case] sets: &[&str], #[case] why: &str) {
    let sets: Vec<_> = sets.iter().map(ToString::to_string).collect();
    let error = Values::build(None, &[], &sets).unwrap_err().to_string();
    assert!(error.contains(why), "{error}");
}

#[test]
fn the_schema_knows_every_value_and_no_other() {
    fn paths(value: &Value, path: &str, schema: &Value) {
        let properties = &schema["properties"];
        for (key, value) in value.as_object().into_iter().flatten() {
            let below = format!("{path}.{key}");
            assert!(
                properties[key]["description"].is_string()
                    || properties[key]["properties"].is_object()
                    || SELF_SAYING.contains(&key.as_str()),
                "{below}: nothing says what it is"
            );
            if properties[key]["properties"].is_object() {
                paths(value, &below, &properties[key]);
            }
        }
        let known = |key: &String| key == "global" || value.get(key).is_some();
        assert!(
            properties.as_object().unwrap().keys().all(known),
            "{path}: the schema knows what has no default"
        );
    }
    const SELF_SAYING: &[&str] = &[
        "enabled",
        "replicas",
        "resources",
        "affinity",
        "priorityClassName",
        "podLabels",
        "podAnnotations",
        "labels",
        "interval",
        "terminationGracePeriodSeconds",
        "nodeSelector",
        "tolerations",
        "bpffs",
        "cgroup",
        "netns",
        "runtime",
        "cniConf",
        "cniBin",
        "gatewayAPI",
        "istio",
    ];
    let schema: Value = serde_json::from_str(file("values.schema.json")).unwrap();
    paths(profile("default").as_json(), "", &schema);
}

/// Values that touch every branch of the templates.
const ALL: &str = r##"
image: {repository: registry.example.com/weir, tag: "1.2", pullSecrets: [a, b]}
namespace: {create: true}
mesh: {network: n1, revision: weir, adoptIstioClasses: true, waypointFallbackDirect: true, waypointBypass: true, dryRunPolicies: true}
log: {filter: 'info,"x": {y}', format: json}
agent:
  leave: open
  cni: {excludeNamespaces: [kube-system, b]}
  exclude: [10.0.0.0/8, "fd00::/8"]
  workers: 3
  kubeletCgroup: ""
  extraArgs: ["--ebpf-log=warn", "# no remark"]
  nodeSelector: {disk: ssd}
  affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: a, operator: Exists}]}]}}}
  podLabels: {team: mesh}
  podAnnotations: {"a/b": "true"}
controller:
  replicas: 3
  untaintNodes: true
  serverNames: [a.example.com, 192.0.2.1]
  extraArgs: ["--debounce=5ms"]
  nodeSelector: {disk: "1"}
  affinity: {podAntiAffinity: {}}
  tolerations: [{key: a, operator: Equal, value: "true", effect: NoSchedule}]
  podLabels: {team: "null"}
  podAnnotations: {c: "# d"}
networkPolicies: {enabled: true}
serviceMonitor: {enabled: true, interval: 30s, labels: {release: prometheus}}
crds: {gatewayAPI: true, istio: true}
openshift: {enabled: true}
waypoint: {gatewayClass: always}
"##;

/// The templates mean to Helm what they mean here.
#[test]
fn helm_says_the_same() {
    let Some(helm) = helm() else { return };
    let dir = std::env::temp_dir().join(format!("weir-chart-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let all = dir.join("all.yaml");
    std::fs::write(&all, ALL).unwrap();
    let profiles = Profile::all();
    let mut cases: Vec<_> = profiles.iter().map(|profile| (profile.name, vec![], vec![])).collect();
    cases.push(("default", vec![all.clone()], vec![]));
    cases.push(("minimal", vec![all], vec!["gateway.networking.k8s.io/v1/GatewayClass".to_owned()]));
    cases.push(("demo", vec![], vec!["gateway.networking.k8s.io/v1/GatewayClass".to_owned()]));
    for (profile, files, api_versions) in cases {
        let values = Values::build(Some(profile), &files, &[]).unwrap();
        let release = Release { api_versions, ..Release::new("mesh") };
        let ours = render(&values, &release).unwrap();
        let theirs = by_helm(&helm, profile, &files, &release);
        assert_eq!(by_name(ours.into_iter().map(|m| m.object)), by_name(theirs), "{profile} {files:?}");
    }
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn the_gateway_class_says_no_more_than_the_gateway_api_takes() {
    let release = Release {
        api_versions: vec!["gateway.networking.k8s.io/v1/GatewayClass".to_owned()],
        ..Release::new("mesh")
    };
    let all = render(&Values::build(Some("default"), &[], &[]).unwrap(), &release).unwrap();
    let class = all.iter().find(|one| one.object["kind"] == "GatewayClass").unwrap();
    let description = class.object["spec"]["description"].as_str().unwrap();
    assert!(description.len() <= 64, "maxLength of spec.description is 64: {description}");
}

#[test]
fn replicas_keep_apart_where_nodes_have_no_zone() {
    let all = render(&Values::build(Some("default"), &[], &[]).unwrap(), &Release::new("mesh")).unwrap();
    let controller = all.iter().find(|one| one.object["kind"] == "Deployment").unwrap();
    let pod = &controller.object["spec"]["template"]["spec"];
    // A node without the key of one constraint counts for none of the pod's constraints.
    let keys: Vec<_> =
        pod["topologySpreadConstraints"].as_array().unwrap().iter().map(|one| &one["topologyKey"]).collect();
    assert_eq!(keys, ["topology.kubernetes.io/zone"]);
    let apart = &pod["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"][0];
    assert_eq!(apart["podAffinityTerm"]["topologyKey"], "kubernetes.io/hostname");
}

fn by_helm(helm: &Path, profile: &str, files: &[std::path::PathBuf], release: &Release) -> Vec<Value> {
    let chart = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/chart/weir");
    let mut command = Command::new(helm);
    command.args(["template", &release.name]).arg(&chart).args(["--namespace", &release.namespace]);
    command.arg("--values").arg(chart.join(format!("profiles/{profile}.yaml")));
    for file in files {
        command.arg("--values").arg(file);
    }
    for version in &release.api_versions {
        command.args(["--api-versions", version]);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    weir_resources::documents(&text).map(|document| document.unwrap().1).collect()
}

fn by_name(objects: impl IntoIterator<Item = Value>) -> BTreeMap<String, Value> {
    let name = |object: &Value| format!("{} {}", object["kind"], object["metadata"]["name"]);
    objects.into_iter().map(|object| (name(&object), object)).collect()
}

/// Where Helm is. `cargo xtask setup` installs it, and CI does not do without.
fn helm() -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|dir| dir.join("helm")).find(|file| file.is_file());
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "helm is not there; `cargo xtask setup` installs it");
        eprintln!("skipped: helm is not there; `cargo xtask setup` installs it");
    }
    found
}
