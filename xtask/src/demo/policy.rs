//! Check (h): an AuthorizationPolicy says who may, and a change of it reaches connections that are open.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use weir_harness::until_ok;

use super::report::Finding;
use super::stage::Stage;

/// Only pod curl may speak to redis; then only pod python.
pub(super) fn check(stage: &Stage) -> Finding {
    let outcome = story(stage);
    // Whatever became of it: the other checks are about a mesh without policies.
    let removed = stage.cluster.delete("policy");
    let text = outcome?;
    removed?;
    Ok(text)
}

fn story(stage: &Stage) -> Finding {
    let host = stage.redis.v4().to_string();
    stage.cluster.apply("policy", &allow_only("curl"))?;
    let pong = stage.curl.redis_cli(&host, &["PING"]).context("the policy's own client was refused")?;
    ensure!(pong == "PONG", "redis answered {pong:?}");
    let refused = stage.python.output("redis-cli", &["-h", &host, "PING"])?;
    ensure!(!refused.stdout.contains("PONG"), "pod python got through: {refused:?}");
    let denied = [("src.workload", "python"), ("dst.workload", "redis"), ("error", "only-one")];
    let line = stage.cluster.node("b").agent().wait_access_log(&denied)?;
    let reason = line.get("fields").unwrap_or(&line)["error"].as_str().unwrap_or("?").to_owned();

    let subscriber = stage.curl.spawn("redis-cli", &["-h", &host, "SUBSCRIBE", "news"])?;
    until_ok("pod curl to subscribe", Duration::from_secs(5), || {
        let count = stage.redis.redis_cli("127.0.0.1", &["PUBSUB", "NUMSUB", "news"])?;
        ensure!(count.ends_with('1'), "nobody subscribes: {count:?}");
        Ok(())
    })?;
    stage.cluster.apply("policy", &allow_only("python"))?;
    until_ok("the open connection of pod curl to end", Duration::from_secs(5), || {
        let count = stage.redis.redis_cli("127.0.0.1", &["PUBSUB", "NUMSUB", "news"])?;
        ensure!(count.ends_with('0'), "pod curl is still subscribed: {count:?}");
        Ok(())
    })?;
    subscriber.kill()?;
    works(stage, &host)?;
    Ok(format!(
        "policy only-one names pod curl: its PING got PONG; pod python is refused, node b logged {reason:?}\n\
         policy changed to pod python: the subscription of pod curl, open since before, was cut; python now gets PONG"
    ))
}

fn works(stage: &Stage, host: &str) -> Result<()> {
    let pong = stage.python.redis_cli(host, &["PING"]).context("the changed policy refuses pod python")?;
    ensure!(pong == "PONG", "redis answered {pong:?}");
    Ok(())
}

fn allow_only(account: &str) -> String {
    format!(
        "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\n\
         metadata: {{name: only-one, namespace: default}}\n\
         spec:\n  selector: {{matchLabels: {{app: redis}}}}\n  action: ALLOW\n\
         \x20 rules:\n  - from:\n    - source: {{principals: [cluster.local/ns/default/sa/{account}]}}\n\
         \x20   to:\n    - operation: {{ports: [\"6379\"]}}\n"
    )
}
