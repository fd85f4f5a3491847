//! Whatever breaks, an enrolled pod's words do not leave it in plaintext.

use std::time::Duration;

use weir_harness::{Cluster, Counter, Family, until_ok};

use crate::support::{mesh, stories};

const SECRET: &str = "words-that-must-not-leave";

stories! {
    fn nothing_escapes_while_the_clients_agent_is_dead(c) {
        let m = mesh(c)?;
        let mut open = m.client.hold(m.server.at(Family::V4, 8080), &["--count", "3"])?;
        let capture = c.node("a").capture_link()?;
        c.node("a").agent().kill()?;
        for family in Family::BOTH {
            for to in [m.server.at(family, 8080), m.outside.at(family, 8080)] {
                m.client.fail(to, &["--say", SECRET, "--timeout", "700"])?;
            }
        }
        open.tell(&format!("say {SECRET}"))?;
        // Inbound: the visitor's plaintext finds no agent, and so no application.
        m.visitor.fail(m.client.at(Family::V4, 8080), &["--timeout", "700"])?;
        let packets = capture.stop()?;
        assert_eq!(packets.dropped, 0);
        let escaped: Vec<String> = packets.outside_tunnel().map(ToString::to_string).collect();
        assert!(escaped.is_empty(), "{escaped:#?}");
        assert!(!packets.contains(SECRET.as_bytes()));
        c.up()?;
        for family in Family::BOTH {
            m.client.reach(m.server.at(family, 8080), &[])?;
            m.visitor.reach(m.client.at(family, 8080), &[])?;
        }
    }

    fn a_strict_pod_stays_shut_while_its_agent_is_dead(c) {
        let m = mesh(c)?;
        c.set_strict(true)?;
        c.node("b").agent().kill()?;
        for family in Family::BOTH {
            for client in [&m.visitor, &m.client, &m.outside] {
                client.fail(m.server.at(family, 8080), &["--timeout", "1000"])?;
            }
        }
        c.up()?;
        m.client.reach(m.server.at(Family::V4, 8080), &[])?;
        m.visitor.fail(m.server.at(Family::V4, 8080), &[])?;
    }

    fn a_removed_rule_is_no_way_out(c) {
        let m = mesh(c)?;
        for (family, flag) in [(Family::V4, "-4"), (Family::V6, "-6")] {
            let counter = LinkCounter::start(c, if family == Family::V4 { "a" } else { "b" })?;
            let mut open = m.client.hold(m.server.at(family, 8080), &[])?;
            // What a pod with NET_ADMIN can do to itself.
            m.client.netns().ip(&[flag, "rule", "del", "pref", "100"])?;
            open.tell(&format!("say {SECRET}"))?;
            counter.expect_no_plaintext()?;
            until_ok("the rule to be repaired", Duration::from_secs(45), || {
                m.client.reach(m.server.at(family, 8080), &["--timeout", "500"])
            })?;
            counter.expect_no_plaintext()?;
        }
    }

    fn a_flushed_table_is_no_way_out(c) {
        let m = mesh(c)?;
        let counter = LinkCounter::start(c, "a")?;
        for flag in ["-4", "-6"] {
            m.client.netns().ip(&[flag, "route", "flush", "table", "22341"])?;
        }
        for family in Family::BOTH {
            // Repaired at once or not: what leaves is not plaintext.
            let _ = m.client.connect(m.server.at(family, 8080), &["--timeout", "500"])?;
        }
        counter.expect_no_plaintext()?;
        for family in Family::BOTH {
            until_ok("the routes to be repaired", Duration::from_secs(45), || {
                m.client.reach(m.server.at(family, 8080), &["--timeout", "500"])
            })?;
        }
        counter.expect_no_plaintext()?;
    }

    fn no_listener_in_the_map_means_no_connection(c) {
        let m = mesh(c)?;
        let counter = c.node("a").count_link()?;
        // Before the agent looks again: slots of the outbound, plaintext and tunnel listeners of eth0.
        for pod in std::fs::read_dir(format!("/sys/fs/bpf/{}/a/v1/pods", c.id()))? {
            let map = pod?.path().join("LISTENERS").to_string_lossy().into_owned();
            for slot in ["0", "1", "16", "17", "32", "33"] {
                let args = ["map", "delete", "pinned", &map, "key", slot, "0", "0", "0"];
                c.node("a").output("bpftool", &args)?.success()?;
            }
        }
        for family in Family::BOTH {
            m.client.fail(m.outside.at(family, 8080), &["--timeout", "700"])?;
            // The application listens, and is not reached around the agent.
            m.visitor.fail(m.client.at(family, 8080), &["--timeout", "700"])?;
        }
        assert_eq!(counter.read()?.1, 0, "TCP packets outside the tunnel");
        until_ok("the slots to be filled again", Duration::from_secs(45), || {
            m.client.reach(m.server.at(Family::V4, 8080), &["--timeout", "500"])
        })?;
    }

    fn an_open_connection_does_not_leak_at_unenrolment(c) {
        let m = mesh(c)?;
        for family in Family::BOTH {
            let mut silent = m.client.hold(m.server.at(family, 8080), &["--count", "5"])?;
            let mut talking = m.client.hold(m.server.at(family, 8080), &["--count", "5"])?;
            let capture = c.node("a").capture_link()?;
            m.client.unenrol()?;
            talking.tell(&format!("say {SECRET}"))?;
            let ends = silent.tell("ends 3000")?;
            assert_eq!(ends["ends"]["ECONNRESET"], 5, "captured connections are aborted: {ends}");
            let packets = capture.stop()?;
            assert!(!packets.contains(SECRET.as_bytes()), "{family:?}");
            m.client.enrol()?;
            c.settle()?;
        }
    }

    fn left_closed_the_pods_stay_captured(c = Cluster::builder("leave-closed").agent_args(&["--leave", "closed"])) {
        let m = mesh(c)?;
        let counter = c.node("a").count_link()?;
        c.node("a").agent().terminate()?;
        let before = counter.read()?.1;
        for family in Family::BOTH {
            m.client.fail(m.outside.at(family, 8080), &["--timeout", "700"])?;
            m.visitor.fail(m.client.at(family, 8080), &["--timeout", "700"])?;
        }
        assert_eq!(counter.read()?.1, before, "plaintext on the link");
        c.up()?;
        m.client.reach(m.server.at(Family::V4, 8080), &[])?;
    }

    fn without_certificates_nothing_is_carried(c = Cluster::builder("other-ca").node_args("b", &["--ca-dir", "/dev/shm/weir-netns-other-ca"])) {
        let m = mesh(c)?;
        let counter = c.node("a").count_link()?;
        for family in Family::BOTH {
            let refused = m.client.fail(m.server.at(family, 8080), &[])?;
            assert_eq!(refused.error, "ECONNRESET", "peers of another root are not talked to");
        }
        assert_eq!(counter.read()?.1, 0);
        std::fs::remove_dir_all("/dev/shm/weir-netns-other-ca")?;
    }
}

/// Counts plaintext of enrolled pods on the link.
struct LinkCounter {
    counter: Counter,
    before: u64,
}

impl LinkCounter {
    fn start(c: &Cluster, node: &str) -> anyhow::Result<Self> {
        let counter = c.node(node).count_link()?;
        let before = counter.read()?.1;
        Ok(Self { counter, before })
    }

    fn expect_no_plaintext(&self) -> anyhow::Result<()> {
        assert_eq!(self.counter.read()?.1, self.before, "TCP packets outside the tunnel");
        Ok(())
    }
}
