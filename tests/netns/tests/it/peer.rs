//! Istio's node proxy as a peer: it lives from our controller, with our CA's certificates, and speaks with our agent.
//!
//! The peer is brought by whoever runs this: `WEIR_ZTUNNEL=/path/to/ztunnel cargo nextest run -p weir-netns
//! --run-ignored only peer`. It runs as a process of the pod that it proxies (its dedicated mode), behind redirect rules.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use weir_harness::{Cluster, Family, Pod, Process, until, until_ok};

use crate::support::stories;

stories! {
    #[ignore = "needs a ztunnel, named by WEIR_ZTUNNEL"]
    fn ztunnel_lives_from_our_controller(c = Cluster::builder("ztunnel").controlled()) {
        let client = c.node("a").pod("client").enrolled().start()?;
        let neighbour = c.node("a").pod("neighbour").enrolled().start()?;
        let server = c.node("b").pod("server").enrolled().start()?;
        for pod in [&client, &neighbour, &server] {
            pod.serve(8080, &[])?;
        }
        c.service(crate::support::service("web", &["10.96.0.9"], 80, 8080, &[&server]))?;
        c.service(crate::support::service("near", &["10.96.0.10"], 80, 8080, &[&client]))?;
        c.controller().start()?;
        c.node("a").agent().start()?;
        let ztunnel = start(c, &server)?;
        for family in Family::BOTH {
            client.reach(server.at(family, 8080), &[])?;
            server.reach(client.at(family, 8080), &[])?;
        }
        client.reach("10.96.0.9:80".parse()?, &[])?;
        server.reach("10.96.0.10:80".parse()?, &[])?;
        let seen = [("src.identity", server.identity()), ("dst.workload", "client".into())];
        let seen = seen.each_ref().map(|(name, value)| (*name, value.as_str()));
        c.node("a").agent().wait_access_log(&seen)?;
        assert!(ztunnel.log().contains(&client.identity()), "it knows who we are:\n{}", ztunnel.log());

        // Policies that we convert and it enforces, while connections are open.
        let mut held = neighbour.hold(server.at(Family::V4, 8080), &[])?;
        assert_eq!(held.alive()?, 1);
        fs::write(c.dir().join("mesh/policy.yaml"), ONLY_CLIENT)?;
        until_ok("ztunnel to refuse the neighbour", Duration::from_secs(10), || {
            neighbour.fail(server.at(Family::V4, 8080), &["--timeout", "1000"]).map(drop)
        })?;
        // It asks an open connection with the workload as it was when the connection came: what comes to select the
        // workload later does not cut it (it does with our agents), what holds for the whole namespace does.
        fs::write(c.dir().join("mesh/policy-of-all.yaml"), NO_NEIGHBOUR)?;
        until_ok("ztunnel to cut what was open", Duration::from_secs(10), || {
            anyhow::ensure!(held.alive()? == 0, "it is open");
            Ok(())
        })?;
        client.reach(server.at(Family::V6, 8080), &[])?;

        // A controller that comes back finds that it has everything already.
        c.controller().kill()?;
        fs::remove_file(c.dir().join("mesh/policy.yaml"))?;
        fs::remove_file(c.dir().join("mesh/policy-of-all.yaml"))?;
        c.controller().start()?;
        until_ok("ztunnel to let the neighbour in again", Duration::from_secs(20), || {
            neighbour.reach(server.at(Family::V4, 8080), &["--timeout", "1000"]).map(drop)
        })?;
        assert_eq!(c.controller().metrics()?.sum("weir_xds_nacks_total", &[]).unwrap_or_default(), 0.0);
        ztunnel.kill()?;
    }
}

/// ztunnel in the pod's namespace, ready.
fn start(c: &Cluster, pod: &Pod) -> anyhow::Result<Process> {
    let binary = std::env::var("WEIR_ZTUNNEL").context("WEIR_ZTUNNEL does not name a ztunnel")?;
    let rules = c.dir().join("redirect.nft");
    fs::write(&rules, REDIRECT)?;
    pod.output("nft", &["-f", &rules.to_string_lossy()])?.success()?;
    let state = c.controller().state_dir().to_string_lossy().into_owned();
    let account = format!("default/{}", pod.name());
    let args = ["token", "--state-dir", &state, "--node", pod.node().name(), "--service-account", &account];
    let token = c.dir().join("token-ztunnel");
    fs::write(&token, c.controller().command(&args)?)?;
    let root = c.dir().join("root.pem");
    fs::copy(c.controller().state_dir().join("ca/root-cert.pem"), &root)?;
    let mut command: Vec<String> = SETPRIV.iter().map(|arg| (*arg).to_owned()).collect();
    command.push("env".into());
    command.extend(environment(pod, &token, &root));
    command.extend([binary, "proxy".into()]);
    let (program, args) = command.split_first().context("a command")?;
    let process = pod.spawn(program, args)?;
    until("ztunnel to be ready", Duration::from_secs(30), || {
        let answer = pod.output("curl", &["-sf", "-m", "1", "http://127.0.0.1:15021/healthz/ready"]).ok()?;
        answer.status.success().then_some(())
    })
    .with_context(|| process.log())?;
    Ok(process)
}

fn environment(pod: &Pod, token: &Path, root: &Path) -> Vec<String> {
    let (name, node) = (pod.name(), pod.node().name());
    let pairs = [
        ("PROXY_MODE", "dedicated".to_owned()),
        ("PROXY_WORKLOAD_INFO", format!("default/{name}/{name}")),
        ("XDS_ADDRESS", "https://10.9.100.1:15012".into()),
        ("CA_ADDRESS", "https://10.9.100.1:15012".into()),
        ("ALT_XDS_HOSTNAME", "weir-controller.weir-system.svc".into()),
        ("ALT_CA_HOSTNAME", "weir-controller.weir-system.svc".into()),
        ("XDS_ROOT_CA", root.to_string_lossy().into_owned()),
        ("CA_ROOT_CA", root.to_string_lossy().into_owned()),
        ("AUTH_TOKEN", token.to_string_lossy().into_owned()),
        ("NODE_NAME", node.into()),
        ("POD_NAME", name.into()),
        ("POD_NAMESPACE", "default".into()),
        ("SERVICE_ACCOUNT", name.into()),
        ("INSTANCE_IP", pod.v4().to_string()),
        // Its source address would need routing marks that only Istio's CNI plugin sets up.
        ("ENABLE_ORIG_SRC", "false".into()),
        ("RUST_LOG", "info".into()),
    ];
    pairs.map(|(key, value)| format!("{key}={value}")).into()
}

const SETPRIV: [&str; 7] = [
    "setpriv",
    "--reuid=1337",
    "--regid=1337",
    "--clear-groups",
    "--inh-caps=+net_admin",
    "--ambient-caps=+net_admin",
    "--",
];

const REDIRECT: &str = "table inet peer {
  chain out { type nat hook output priority -100; policy accept;
    meta skuid 1337 return
    oifname lo return
    meta l4proto tcp redirect to :15001
  }
  chain in { type nat hook prerouting priority -100; policy accept;
    iifname lo return
    tcp dport 15008 return
    meta l4proto tcp redirect to :15006
  }
}
";

const ONLY_CLIENT: &str = "apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: only-client, namespace: default}
spec:
  selector: {matchLabels: {app: server}}
  rules: [{from: [{source: {principals: [cluster.local/ns/default/sa/client]}}]}]
";

const NO_NEIGHBOUR: &str = "apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: no-neighbour, namespace: default}
spec:
  action: DENY
  rules: [{from: [{source: {principals: [cluster.local/ns/default/sa/neighbour]}}]}]
";
