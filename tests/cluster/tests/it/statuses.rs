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
    // Nodes are forbidden, too, for a moment: only this one keeps it from being ready for as long as it lasts.
    until_ok("a word about it", LONG, || match replica.is_ready() {
        Err(unready) if unready.to_string().contains("AuthorizationPolicy: forbidden") => Ok(()),
        other => bail!("{other:?}\n{}", replica.log()),
    })?;
    assert!(replica.log().contains("forbidden"));
    let source = |kind: &str| -> Result<Value> {
        let (_, page) = replica.get("/debug/sources")?;
        let (_, body) = page.split_once("\r\n\r\n").context("no body")?;
        Ok(serde_json::from_str::<Value>(body)?[kind].clone())
    };
    let well = |kind: &str| -> Result<bool> {
        let (_, page) = replica.get("/metrics")?;
        let line = format!("weir_source_well{{kind=\"{kind}\"}} ");
        let line = page.lines().find_map(|text| text.strip_prefix(&line)).context("no such metric")?;
        Ok(line.trim() == "1")
    };
    let policies = source("AuthorizationPolicy")?;
    assert_eq!((&policies["state"], well("AuthorizationPolicy")?), (&json!("forbidden"), false));
    let said = policies["lastError"]["message"].as_str().context("no error")?;
    assert!(said.contains("cannot list resource"), "{policies}");
    until_ok("others to be well", LONG, || if well("Pod")? { Ok(()) } else { bail!("{}", source("Pod")?) })?;
    api.faulty().heal();
    until_ok("ready", LONG, || replica.is_ready())?;
    let policies = source("AuthorizationPolicy")?;
    assert_eq!((&policies["state"], well("AuthorizationPolicy")?), (&json!("synced"), true));
    assert!(policies["errors"].as_u64() >= Some(1) && policies["lastError"]["message"] == said, "{policies}");
    Ok(())
}

/// Two replicas know the same, and one of them says it: each object is written once, also by who takes over.
#[test]
fn of_two_replicas_one_writes_and_the_next_finds_nothing_to_write() -> Result<()> {
    let api = ApiUnderTest::fake("pair")?;
    let rules = json!({"action": "DENY", "rules": [{}]});
    for n in 0..20 {
        api.apply(&policy(&api, &format!("p{n}"), rules.clone()))?;
    }
    let mut replicas = vec![Replica::ready(&api)?, Replica::ready(&api)?];
    for n in 0..20 {
        accepted(&api, &format!("p{n}"), "True")?;
    }
    let fake = api.faulty();
    let written = || -> Vec<String> {
        let writes = fake.writes().into_iter().filter(|write| write.resource.ends_with("/status"));
        let mut names: Vec<_> = writes.map(|write| write.uri).collect();
        names.sort();
        names
    };
    let before = written();
    assert_eq!(before.len(), 20, "{before:#?}");
    assert_eq!(before.iter().collect::<std::collections::BTreeSet<_>>().len(), 20, "one for each");
    // Somebody touches an object in a way that means nothing to the mesh.
    let mut touched = policy(&api, "p0", rules.clone());
    touched["metadata"]["annotations"] = json!({"example.com/touched": "yes"});
    touched["status"] = api.get("authorizationpolicies", "p0")?.context("it is gone")?["status"].clone();
    api.apply(&touched)?;
    // kill -9 of the one that writes; what changes while nobody does is written by the next, and nothing else.
    let leader = replicas.iter().position(|replica| replica.leads().unwrap_or(false)).context("no leader")?;
    replicas.remove(leader).kill()?;
    let mut changed = policy(&api, "p1", json!({"action": "ALLOW", "rules": [{}]}));
    changed["status"] = api.get("authorizationpolicies", "p1")?.context("it is gone")?["status"].clone();
    api.apply(&changed)?;
    accepted(&api, "p1", "True")?;
    // A write behind all that could have been.
    api.apply(&policy(&api, "last", rules))?;
    accepted(&api, "last", "True")?;
    let after = written();
    assert_eq!(after.len(), 22, "{after:#?}");
    Ok(())
}
