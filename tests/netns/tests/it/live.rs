//! Policy changes under thousands of open connections: exactly those that are newly denied are cut.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use weir_harness::{Cluster, Family, Hold};

use crate::policy::{from, policy, policy_for};
use crate::support::{mesh, stories};

stories! {
    fn exactly_the_denied_are_cut(c = Cluster::builder("live").controlled()) {
        let m = mesh(c)?;
        let (server, neighbour) = (m.server.at(Family::V4, 8080), m.neighbour.at(Family::V6, 8080));
        let mut client = m.client.hold(server, &["--count", "1000"])?;
        let mut other = m.neighbour.hold(server, &["--count", "1000"])?;
        let mut near = m.client.hold(neighbour, &["--count", "500"])?;
        let mut plain = m.visitor.hold(server, &["--count", "500"])?;
        let mut back = m.server.hold(m.client.at(Family::V4, 8080), &["--count", "200"])?;
        for (hold, count) in [(&mut client, 1000), (&mut other, 1000), (&mut near, 500), (&mut plain, 500), (&mut back, 200)] {
            expect(hold, count, "at first")?;
        }
        // Policies that deny nobody who is there.
        for n in 0..10 {
            c.write("idle", &policy_for("server", &format!("port-{n}"), "DENY", "[{to: [{operation: {ports: ['1']}}]}]"))?;
        }
        c.settle()?;
        c.apply("idle", &policy("all-of-default", "ALLOW", "[{from: [{source: {namespaces: [default]}}]}]"))?;
        // The visitor's plaintext has no identity: that was a change for it alone.
        cut(&mut plain, 500, "plaintext")?;
        for (hold, count) in [(&mut client, 1000), (&mut other, 1000), (&mut near, 500), (&mut back, 200)] {
            expect(hold, count, "after the plaintext was cut")?;
        }
        c.apply("deny", &policy("not-client", "DENY", &from("client")))?;
        cut(&mut client, 1000, "the client's")?;
        for (hold, count) in [(&mut other, 1000), (&mut near, 500), (&mut back, 200)] {
            expect(hold, count, "after the client's were cut")?;
        }
        c.apply("near", &policy_for("neighbour", "nobody", "ALLOW", "[]"))?;
        cut(&mut near, 500, "those on one node")?;
        // Everything back, and nothing more is cut.
        for name in ["near", "deny", "idle"] {
            c.delete(name)?;
        }
        expect(&mut other, 1000, "at the end")?;
        expect(&mut back, 200, "at the end")?;
        m.client.reach(server, &[])?;
    }

    fn a_policy_that_flickers_cuts_whom_it_denies(c = Cluster::builder("flicker").controlled()) {
        let m = mesh(c)?;
        let server = m.server.at(Family::V4, 8080);
        let mut kept = m.neighbour.hold(server, &["--count", "500"])?;
        let load = m.neighbour.load(server, &["--timeout", "5000"])?;
        for _ in 0..5 {
            let mut doomed = m.client.hold(server, &["--count", "200"])?;
            expect(&mut doomed, 200, "at first")?;
            c.apply("deny", &policy("not-client", "DENY", &from("client")))?;
            m.client.fail(server, &[])?;
            cut(&mut doomed, 200, "the client's")?;
            c.delete("deny")?;
            m.client.reach(server, &[])?;
        }
        expect(&mut kept, 500, "at the end")?;
        let report = load.stop()?;
        ensure!(report["failed"] == 0, "{report}");
    }
}

fn expect(hold: &mut Hold, count: u64, when: &str) -> Result<()> {
    let alive = hold.alive()?;
    ensure!(alive == count, "{alive} of {count} are open {when}");
    Ok(())
}

/// All of them are aborted, within a bound that does not grow with their number.
fn cut(hold: &mut Hold, count: u64, what: &str) -> Result<()> {
    let start = Instant::now();
    let ends = hold.tell("ends 5000")?;
    let took = start.elapsed();
    println!("{count} connections, {what}: cut after {took:?}");
    ensure!(ends["ends"]["ECONNRESET"] == count, "{what}: {ends}");
    ensure!(took < Duration::from_secs(3), "{what}: {took:?}");
    Ok(())
}
