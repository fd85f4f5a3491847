//! The harness itself, without any agent: what it says about traffic must be true.

use std::fs;
use std::path::Path;

use anyhow::Result;
use weir_harness::{Cluster, Family, RunInfo};

use crate::support::{stories, strs};

const SECRET: &str = "plain-words-on-the-wire";

stories! {
    fn pods_talk_across_the_link_and_the_detector_sees_it(c) {
        let client = c.node("a").pod("client").start()?;
        let server = c.node("b").pod("server").start()?;
        server.serve(8080, &[])?;
        for family in Family::BOTH {
            let capture = c.node("a").capture_link()?;
            let counter = c.node("b").count_link()?;
            let reply = client.reach(server.at(family, 8080), &["--say", SECRET])?;
            assert_eq!(reply.local.ip(), client.ip(family));
            assert_eq!(reply.peer, server.at(family, 8080));
            assert_eq!(reply.seen, Some(reply.local));
            let packets = capture.stop()?;
            assert_eq!(packets.dropped, 0);
            assert!(packets.contains(SECRET.as_bytes()), "{packets:?}");
            assert!(!packets.contains(b"never said"));
            assert_eq!(packets.tunnel().count(), 0);
            let (tunnel, other) = counter.read()?;
            assert_eq!(tunnel, 0);
            // The node counts what the capture shows; both see segments before they are cut.
            assert_eq!(other, packets.outside_tunnel().count() as u64);
            weir_nft_reset(c)?;
        }
    }

    fn real_programs_serve_and_ask(c) {
        let client = c.node("a").pod("client").start()?;
        let server = c.node("b").pod("server").start()?;
        server.nginx()?;
        server.redis()?;
        for family in Family::BOTH {
            let answer = client.curl(&server.url(family, 80))?;
            assert_eq!(answer.status, 200);
            assert!(answer.body.starts_with(&format!("pod server sees {}:", client.ip(family))), "{answer:?}");
        }
        assert_eq!(client.redis_cli(&server.v6().to_string(), &["PING"])?, "PONG");
        let text = client.python("import sys; print('said', sys.argv[1])", &["it"])?;
        assert_eq!(text.trim(), "said it");
    }

    fn each_way_of_connecting_works_without_a_mesh(c) {
        let client = c.node("a").pod("client").start()?;
        let server = c.node("b").pod("server").start()?;
        server.serve(8080, &[])?;
        for (family, args) in crate::support::ways(&client, server.at(Family::V4, 8080)) {
            client.reach(server.at(family, 8080), &strs(&args))?;
        }
        let transfer = client.probe(&["bind", "--at", "0.0.0.0:0", "--count", "50"])?;
        assert_eq!(transfer["ports"], 50);
    }

    fn transfers_are_checked(c = Cluster::builder("harness-data").nodes(1)) {
        let client = c.node("a").pod("client").start()?;
        let server = c.node("a").pod("server").start()?;
        server.serve(8080, &["--mode", "transfer"])?;
        let to = server.at(Family::V6, 8080).to_string();
        for first in ["up", "down"] {
            let args = ["transfer", "--to", &to, "--first", first, "--up", "1000000", "--down", "2000000"];
            let report = client.probe(&args)?;
            assert_eq!(report["ok"], 1, "{report}");
        }
        let refused = client.fail(server.at(Family::V4, 9), &[])?;
        assert_eq!((refused.error.as_str(), refused.stage.as_str()), ("ECONNREFUSED", "connect"));
    }

    fn teardown_leaves_nothing(c) {
        let id = c.id().to_owned();
        let server = c.node("b").pod("server").start()?;
        server.nginx()?;
        let pid = server.redis()?.pid();
        assert!(!traces(&id)?.is_empty());
        weir_harness::tear_down(&id)?;
        assert_eq!(traces(&id)?, Vec::<String>::new());
        // The process is ended and reaped, or at least ended.
        let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        assert!(state.is_empty() || state.contains(") Z "), "{state}");
    }

    fn teardown_happens_after_a_panic(_c = Cluster::builder("bystander").nodes(1)) {
        let (send, receive) = std::sync::mpsc::channel();
        let failed = std::thread::spawn(move || {
            let c = Cluster::two_nodes("harness-panic").unwrap();
            let _pod = c.node("a").pod("client").start().unwrap();
            send.send(c.id().to_owned()).unwrap();
            panic!("on purpose: the story fails here");
        });
        assert!(failed.join().is_err());
        assert_eq!(traces(&receive.recv()?)?, Vec::<String>::new());
    }

    fn a_run_that_was_killed_is_swept(c) {
        let run = RunInfo { id: c.id().to_owned(), pid: 0 };
        // As if the process that made it had been killed: no such pid, no such start time.
        fs::write(run.dir().join("owner"), "4194305 dead-since-long")?;
        weir_harness::sweep_dead()?;
        assert_eq!(traces(&run.id)?, Vec::<String>::new());
    }

    fn a_deleted_pod_frees_its_namespace(c = Cluster::builder("harness-delete").nodes(1)) {
        let pod = c.node("a").pod("short").start()?;
        pod.nginx()?;
        assert!(c.node("a").netns().ip(&["link", "show", &pod.veth(0)]).is_ok());
        pod.delete()?;
        weir_harness::until("the veth to go", std::time::Duration::from_secs(5), || {
            c.node("a").netns().ip(&["link", "show", &pod.veth(0)]).is_err().then_some(())
        })?;
    }
}

/// Removes the counters, so that the next start is at zero.
fn weir_nft_reset(c: &Cluster) -> Result<()> {
    c.node("b").output("nft", &["delete", "table", "inet", "weir_count"])?.success()?;
    Ok(())
}

/// Everything on this machine that bears the id of the run.
fn traces(id: &str) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for dir in ["/run/netns", "/sys/fs/bpf", "/tmp/weir-harness", "/sys/fs/cgroup", "/sys/fs/cgroup/unified"]
    {
        if !Path::new(dir).exists() {
            continue;
        }
        for entry in fs::read_dir(dir)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if name.starts_with(id) {
                found.push(format!("{dir}/{name}"));
            }
        }
    }
    Ok(found)
}
