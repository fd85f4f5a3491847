//! A Gateway becomes a waypoint: the real controller, from the object to its status.

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use weir_harness::kube_api::{Call, Fault};
use weir_harness::until_ok;

use crate::api::{ApiUnderTest, LONG};
use crate::replica::Replica;

const FLAGS: [&str; 4] = ["--admission", "none", "--waypoint-image", "example.com/weir:1"];

fn begin(story: &str) -> Result<ApiUnderTest> {
    let api = ApiUnderTest::fake(story)?;
    for resource in ["gateways", "gatewayclasses"] {
        api.faulty().serve(resource)?;
    }
    Ok(api)
}

fn gateway(api: &ApiUnderTest, name: &str, class: &str) -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
        "metadata": {"name": name, "namespace": api.namespace},
        "spec": {
            "gatewayClassName": class, "listeners": [{"name": "mesh", "port": 15008, "protocol": "HBONE"}],
        },
    })
}

/// Waits for a condition of a gateway, and answers with its message.
fn condition(api: &ApiUnderTest, replica: &Replica, name: &str, kind: &str, wanted: &str) -> Result<String> {
    let told = || {
        let gateway = api.get("gateways", name)?.context("no gateway")?;
        let conditions = gateway["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let condition = conditions.into_iter().find(|c| c["type"] == kind).context("it is not told")?;
        let text = |field: &str| condition[field].as_str().unwrap_or_default().to_owned();
        ensure!(format!("{}/{}", text("status"), text("reason")) == wanted, "{condition}");
        Ok(text("message"))
    };
    until_ok(&format!("{kind} {wanted} of {name}"), LONG, told).with_context(|| replica.log())
}

/// From the object to its addresses; the controller is killed in between.
#[test]
fn a_gateway_becomes_a_waypoint() -> Result<()> {
    let api = begin("waypoint")?;
    api.faulty().fault(Call::new("patch", "deployments"), Fault::Hang, 1);
    api.apply(&gateway(&api, "wp", "weir-waypoint"))?;
    let mut first = Replica::start_with(&api, &FLAGS)?;
    let service = || api.get("services", "wp")?.context("no service");
    until_ok("the service", LONG, service).with_context(|| first.log())?;
    first.kill()?;
    api.faulty().heal();
    ensure!(api.get("deployments", "wp")?.is_none(), "the first one has made it");

    let second = Replica::start_with(&api, &FLAGS)?;
    let deployment = || api.get("deployments", "wp")?.context("no deployment");
    let deployment = until_ok("the deployment", LONG, deployment).with_context(|| second.log())?;
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["image"], "example.com/weir:1");
    assert_eq!(container["args"], json!(["run", "--gateway", format!("{}/wp", api.namespace)]));
    condition(&api, &second, "wp", "Accepted", "True/Accepted")?;
    condition(&api, &second, "wp", "Programmed", "False/AddressNotAssigned")?;

    // As its Deployment would make it.
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "wp-1", "namespace": api.namespace},
        "spec": {"nodeName": "a", "serviceAccountName": "wp"},
        "status": {"phase": "Running", "podIP": "10.0.0.1", "conditions": [{"type": "Ready", "status": "True"}]},
    });
    pod["metadata"]["labels"] = deployment["spec"]["template"]["metadata"]["labels"].clone();
    api.apply(&pod)?;
    condition(&api, &second, "wp", "Programmed", "True/Programmed")?;
    let gateway = api.get("gateways", "wp")?.context("no gateway")?;
    let ip = service()?["spec"]["clusterIP"].clone();
    let host = format!("wp.{}.svc.cluster.local", api.namespace);
    assert_eq!(
        gateway["status"]["addresses"],
        json!([{"type": "IPAddress", "value": ip}, {"type": "Hostname", "value": host}])
    );
    assert_eq!(gateway["status"]["listeners"][0]["name"], "mesh");
    Ok(())
}

#[test]
fn what_stands_in_the_way_is_told() -> Result<()> {
    let api = begin("refused")?;
    api.apply(&gateway(&api, "theirs", "istio-waypoint"))?;
    api.apply(&gateway(&api, "taken", "weir-waypoint"))?;
    let foreign = json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "taken", "namespace": api.namespace}, "spec": {"ports": [{"port": 80}]}});
    api.apply(&foreign)?;
    let replica = Replica::start_with(&api, &FLAGS)?;
    let why = condition(&api, &replica, "taken", "Programmed", "False/Invalid")?;
    ensure!(why.contains("is there and was not made by weir-controller"), "{why}");

    let mut broken = gateway(&api, "broken", "weir-waypoint");
    broken["spec"]["infrastructure"] =
        json!({"parametersRef": {"group": "", "kind": "ConfigMap", "name": "options"}});
    api.apply(&broken)?;
    let why = condition(&api, &replica, "broken", "Accepted", "False/InvalidParameters")?;
    ensure!(why.contains("there is no ConfigMap"), "{why}");

    let theirs = api.get("gateways", "theirs")?.context("it is gone")?;
    ensure!(theirs.get("status").is_none(), "not adopted, and told: {theirs}");
    for name in ["theirs", "taken", "broken"] {
        if api.get("deployments", name)?.is_some() {
            bail!("{name} is deployed");
        }
    }
    Ok(())
}

#[test]
fn without_an_image_nothing_is_deployed_and_that_is_told() -> Result<()> {
    let api = begin("no-image")?;
    api.apply(&gateway(&api, "wp", "weir-waypoint"))?;
    let replica = Replica::start(&api)?;
    let why = condition(&api, &replica, "wp", "Accepted", "False/InvalidParameters")?;
    ensure!(why.starts_with("--waypoint-image: "), "{why}");
    Ok(())
}
