//! Several replicas, one cluster.

use anyhow::{Context, Result, bail, ensure};
use weir_harness::until_ok;

use crate::api::{ApiUnderTest, LONG};
use crate::replica::Replica;

/// Both are ready with one CA; one writes, and after its kill -9 the other does.
#[test]
fn two_replicas_have_one_root_and_one_leader() -> Result<()> {
    let api = ApiUnderTest::new("replicas")?;
    let mut replicas = [Replica::start(&api)?, Replica::start(&api)?];
    for replica in &replicas {
        until_ok("both to be ready", LONG, || replica.is_ready()).with_context(|| replica.log())?;
    }
    let root = || -> Result<String> {
        let map = api.get("configmaps", "istio-ca-root-cert")?.context("no ConfigMap with the root yet")?;
        Ok(map["data"]["root-cert.pem"].as_str().context("no root in it")?.to_owned())
    };
    let before = until_ok("the root in the namespace", LONG, root)?;
    ensure!(before.matches("BEGIN CERTIFICATE").count() == 1, "{before}");
    let secret = api.get("secrets", "weir-ca")?.context("the CA is in no Secret")?;
    let leaders = |replicas: &[Replica]| -> Result<usize> {
        let leading: Vec<bool> = replicas.iter().map(Replica::leads).collect::<Result<_>>()?;
        match leading.as_slice() {
            [true, false] => Ok(0),
            [false, true] => Ok(1),
            other => bail!("{other:?}"),
        }
    };
    let first = until_ok("one leader", LONG, || leaders(&replicas))?;
    replicas[first].kill()?;
    let other = &replicas[1 - first];
    until_ok("the other to lead", LONG, || if other.leads()? { Ok(()) } else { bail!("not yet") })?;
    let after = api.get("secrets", "weir-ca")?.context("the CA is gone")?;
    assert_eq!(secret["data"], after["data"]);
    assert_eq!(root()?, before);
    Ok(())
}

/// As at an update: who is told to stop gives back what it holds, and the next one need not wait for its end.
#[test]
fn a_leader_that_stops_gives_its_lease_back() -> Result<()> {
    let api = ApiUnderTest::new("resign")?;
    let mut first = Replica::ready(&api)?;
    until_ok("the first to lead", LONG, || if first.leads()? { Ok(()) } else { bail!("not yet") })?;
    first.stop()?;
    let lease = api.get("leases", "weir-controller")?.context("no lease")?;
    ensure!(lease["spec"]["holderIdentity"].as_str().is_none_or(str::is_empty), "{lease}");
    Ok(())
}
