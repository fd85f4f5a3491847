//! Every policy gets an answer, once.

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use weir_harness::kube_api::{Call, Cut, Fault};
use weir_harness::until_ok;

use crate::api::{ApiUnderTest, LONG};
use crate::replica::Replica;

fn policy(api: &ApiUnderTest, name: &str, spec: Value) -> Value {
    json!({
        "apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy",
        "metadata": {"name": name, "namespace": api.namespace}, "spec": spec,
    })
}

/// Waits for condition Accepted to be of this status, about the present generation; gives its message.
fn accepted(api: &ApiUnderTest, name: &str, status: &str) -> Result<String> {
    until_ok(&format!("{name} to be Accepted={status}"), LONG, || {
        let object = api.get("authorizationpolicies", name)?.context("it is gone")?;
        let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let found = conditions.iter().find(|c| c["type"] == "Accepted");
        let Some(found) = found else { bail!("no condition yet: {}", object["status"]) };
        if found["status"] != status || found["observedGeneration"] != object["metadata"]["generation"] {
            bail!("{found}");
        }
        Ok(found["message"].as_str().unwrap_or_default().to_owned())
    })
}

#[test]
fn a_policy_is_told_whether_it_is_understood_and_which_field_is_not() -> Result<()> {
    let api = ApiUnderTest::new("status")?;
    let good = json!({"action": "DENY", "rules": [{"from": [{"source": {"namespaces": ["elsewhere"]}}]}]});
    api.apply(&policy(&api, "good", good.clone()))?;
    let bad = json!({"action": "DENY", "rules": [{"from": [{"source": {"ipBlocks": ["10.0.0.0/77"]}}]}]});
    api.apply(&policy(&api, "bad", bad))?;
    let _replica = Replica::ready(&api)?;
    accepted(&api, "good", "True")?;
    let message = accepted(&api, "bad", "False")?;
    assert!(message.contains("ipBlocks[0]"), "{message}");
    // Repaired while the controller runs.
    api.apply(&policy(&api, "bad", good))?;
    accepted(&api, "bad", "True")?;
    Ok(())
}

/// Conditions are written once: not again when watches are cut, lists repeated, or another replica starts.
#[test]
fn nothing_is_written_without_a_change() -> Result<()> {
    let api = ApiUnderTest::fake("quiet")?;
    api.apply(&policy(&api, "p", json!({"action": "DENY", "rules": [{}]})))?;
    let first = Replica::ready(&api)?;
    accepted(&api, "p", "True")?;
    let fake = api.faulty();
    let statuses = || fake.writes().iter().filter(|write| write.resource.ends_with("/status")).count();
    assert_eq!(statuses(), 1);
    fake.compact();
    fake.cut(Cut::Gone);
    let lists = || {
        fake.requests().iter().filter(|r| r.verb == "list" && r.resource == "authorizationpolicies").count()
    };
    until_ok("a new list", LONG, || if lists() > 1 { Ok(()) } else { bail!("{} lists", lists()) })?;
    drop(first);
    let second = Replica::ready(&api)?;
    until_ok("the second to lead", LONG, || if second.leads()? { Ok(()) } else { bail!("not yet") })?;
    // A write behind all that could have been.
    api.apply(&policy(&api, "q", json!({"action": "DENY", "rules": [{}]})))?;
    accepted(&api, "q", "True")?;
    assert_eq!(statuses(), 2, "{:#?}", fake.writes());
    Ok(())
}

/// A controller that was never able to read policies is not ready: its agents stay with what they know.
#[test]
fn without_policies_nothing_is_served() -> Result<()> {
    let api = ApiUnderTest::fake("blind")?;
    api.faulty().forbid("list", "authorizationpolicies");
    api.faulty().fault(Call::new("list", "nodes"), Fault::Forbidden, 3);
    let replica = Replica::start(&api)?;
    until_ok("a word about it", LONG, || {
        if replica.log().contains("forbidden") { Ok(()) } else { bail!("{}", replica.log()) }
    })?;
    assert!(replica.is_ready().is_err());
    api.faulty().heal();
    until_ok("ready", LONG, || replica.is_ready())
}
