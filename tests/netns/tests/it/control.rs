//! The controller comes and goes: what was known stays in force, and nothing opens meanwhile.

use std::fs;
use std::time::Duration;

use weir_harness::{Cluster, Family, Mode, until, until_ok};

use crate::support::{MARK, mesh, service, stories};

stories! {
    fn the_mesh_lives_from_a_directory_of_yaml(c = Cluster::builder("control").controlled()) {
        let m = mesh(c)?;
        c.service(service("web", &["10.96.0.9", "fd09:96::9"], 80, 8080, &[&m.server]))?;
        for family in Family::BOTH {
            for (client, captured) in [(&m.client, true), (&m.visitor, false)] {
                for server in [&m.server, &m.neighbour, &m.outside] {
                    let reply = client.reach(server.at(family, 8080), &[])?;
                    assert_eq!(reply.raw["mark"], if captured { MARK } else { 0 });
                    assert_eq!(reply.seen.map(|seen| seen.ip()), Some(client.ip(family)));
                }
            }
        }
        assert_eq!(m.client.reach("10.96.0.9:80".parse()?, &[])?.server, Some(m.server.at(Family::V4, 8080)));
        m.client.reach("[fd09:96::9]:80".parse()?, &[])?;
        let line = [("src.identity", m.client.identity()), ("dst.service", "web.default.svc.cluster.local".into())];
        let line = line.each_ref().map(|(name, value)| (*name, value.as_str()));
        c.node("b").agent().wait_access_log(&line)?;
    }

    fn a_killed_controller_is_not_missed(c = Cluster::builder("kill").controlled()) {
        let m = mesh(c)?;
        c.set_strict(true)?;
        let load = m.client.load(m.server.at(Family::V4, 8080), &[])?;
        c.controller().kill()?;
        m.client.reach(m.server.at(Family::V6, 8080), &[])?;
        m.visitor.fail(m.server.at(Family::V4, 8080), &[])?;
        // What it would have said meanwhile it says when it is back.
        c.controller().start()?;
        c.set_strict(false)?;
        m.visitor.reach(m.server.at(Family::V4, 8080), &[])?;
        let report = load.stop()?;
        assert_eq!(report["failed"], 0, "{report}");
    }

    fn an_agent_that_starts_without_a_controller_opens_nothing(c = Cluster::builder("alone").controlled()) {
        let m = mesh(c)?;
        let counter = c.node("a").count_link()?;
        let agent = c.node("a");
        c.controller().kill()?;
        agent.agent().kill()?;
        agent.agent().launch()?;
        until("the agent's endpoints", Duration::from_secs(20), || agent.agent().get(15021, "/healthz/ready").ok())?;
        for family in Family::BOTH {
            m.client.fail(m.server.at(family, 8080), &["--timeout", "500"])?;
        }
        assert_eq!(agent.agent().get(15021, "/healthz/ready")?.0, 500);
        assert_eq!(counter.read()?.1, 0, "TCP packets outside the tunnel");
        c.up()?;
        m.client.reach(m.server.at(Family::V4, 8080), &[])?;
        m.server.reach(m.client.at(Family::V4, 8080), &[])?;
    }

    fn pods_and_policies_that_went_while_nobody_looked_are_gone(c = Cluster::builder("gone").controlled()) {
        let m = mesh(c)?;
        c.apply("extra", "apiVersion: v1\nkind: Pod\nmetadata: {name: extra, namespace: default}\nstatus: {podIP: 10.9.2.99}\n")?;
        c.controller().kill()?;
        fs::remove_file(c.dir().join("mesh/extra.yaml"))?;
        c.controller().start()?;
        let listed = |name: &str| -> anyhow::Result<bool> {
            let dump = c.node("a").agent().config_dump()?;
            Ok(dump["workloads"].as_array().is_some_and(|all| all.iter().any(|one| one["name"] == name)))
        };
        until_ok("the pod to be gone", Duration::from_secs(20), || {
            anyhow::ensure!(!listed("extra")?, "it is listed");
            Ok(())
        })?;
        assert!(listed("server")?);
        m.client.reach(m.server.at(Family::V4, 8080), &[])?;
    }

    fn a_bad_document_harms_itself_only(c = Cluster::builder("bad").controlled()) {
        let m = mesh(c)?;
        let to = m.server.at(Family::V4, 8080);
        let path = c.dir().join("mesh/bad.yaml");
        for (what, text, place) in [
            ("a wrong type", "apiVersion: v1\nkind: Service\nmetadata: {name: x, namespace: default}\nspec: {ports: [{port: many}]}\n", "spec.ports[0].port"),
            ("no YAML", "apiVersion: v1\n  : [\n", "bad.yaml:"),
            ("an unknown field of Istio's", "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: x, namespace: default}\nspec: {host: [a.example]}\n", "spec.host"),
        ] {
            fs::write(&path, text)?;
            until_ok(&format!("an answer to {what}"), Duration::from_secs(10), || {
                let log = c.controller().log_text();
                anyhow::ensure!(log.lines().any(|line| line.contains(place)), "no line names {place}");
                Ok(())
            })?;
            m.client.reach(to, &[])?;
        }
        c.service(service("web", &["10.96.0.9"], 80, 8080, &[&m.server]))?;
        m.client.reach("10.96.0.9:80".parse()?, &[])?;
    }

    fn who_cannot_prove_its_node_gets_no_certificates(
        c = Cluster::builder("token").controlled().node_args("b", &["--token-file", &wrong_token()])
    ) {
        let (a, b) = (c.node("a"), c.node("b"));
        let client = a.pod("client").enrolled().start()?;
        let server = b.pod("server").enrolled().start()?;
        server.serve(8080, &[])?;
        c.controller().start()?;
        let state = c.controller().state_dir().to_string_lossy().into_owned();
        // The mesh may be read with it, but not a pod of node b be spoken for.
        fs::write(wrong_token(), c.controller().command(&["token", "--state-dir", &state, "--node", "a"])?)?;
        c.up()?;
        until_ok("the agent of node b to say why", Duration::from_secs(20), || {
            let log = b.agent().log_text().unwrap_or_default();
            anyhow::ensure!(log.lines().any(|line| line.contains("sa/server") && line.contains("request impersonation authentication failure")), "no such line");
            Ok(())
        })?;
        client.fail(server.at(Family::V4, 8080), &["--timeout", "1000"])?;
        fs::write(wrong_token(), "nonsense")?;
        b.agent().kill()?;
        b.agent().launch()?;
        until_ok("the controller to refuse the stream", Duration::from_secs(20), || {
            let log = b.agent().log_text().unwrap_or_default();
            anyhow::ensure!(log.lines().any(|line| line.contains("request authenticate failure")), "no such line");
            Ok(())
        })?;
        fs::write(wrong_token(), c.controller().command(&["token", "--state-dir", &state, "--node", "b"])?)?;
        c.up()?;
        until_ok("the server to be reached", Duration::from_secs(30), || {
            client.reach(server.at(Family::V4, 8080), &["--timeout", "1000"]).map(drop)
        })?;
        fs::remove_file(wrong_token())?;
    }

    fn enrolment_follows_the_labels(c = Cluster::builder("enrol").controlled()) {
        let m = mesh(c)?;
        assert_eq!(m.visitor.reach(m.server.at(Family::V4, 8080), &[])?.raw["mark"], 0);
        m.visitor.enrol()?;
        assert_eq!(m.visitor.reach(m.server.at(Family::V4, 8080), &[])?.raw["mark"], MARK);
        m.visitor.unenrol()?;
        assert_eq!(m.visitor.reach(m.server.at(Family::V4, 8080), &[])?.raw["mark"], 0);
        c.change(|mesh| {
            mesh.peer_authentication.push(weir_harness::PeerAuthentication {
                name: "server".into(),
                namespace: "default".into(),
                workloads: vec!["server".into()],
                mode: Mode::Strict,
                port_level_mtls: Default::default(),
            });
        })?;
        m.visitor.fail(m.server.at(Family::V4, 8080), &[])?;
    }

    fn a_rotation_of_the_root_drops_nothing(
        c = Cluster::builder("rotate")
            .controller_args(&["--max-cert-lifetime", "8s", "--rotation-overlap", "8s"])
            .agent_args(&["--cert-lifetime", "8s"])
    ) {
        let m = mesh(c)?;
        let root = || fs::read_to_string(c.controller().state_dir().join("ca/root-cert.pem"));
        let before = root()?;
        let mut held = m.client.hold(m.server.at(Family::V4, 8080), &[])?;
        let load = m.client.load(m.server.at(Family::V4, 8080), &["--timeout", "5000"])?;
        let state = c.controller().state_dir().to_string_lossy().into_owned();
        c.controller().command(&["rotate-root", "--state-dir", &state])?;
        until_ok("the new root to be announced beside the old one", Duration::from_secs(20), || {
            let now = root()?;
            anyhow::ensure!(now.matches("BEGIN CERTIFICATE").count() == 2 && now.contains(before.trim()), "{now}");
            Ok(())
        })?;
        until_ok("the old root to be gone", Duration::from_secs(60), || {
            let now = root()?;
            anyhow::ensure!(now.matches("BEGIN CERTIFICATE").count() == 1 && !now.contains(before.trim()), "{now}");
            Ok(())
        })?;
        assert_eq!(held.alive()?, 1);
        let report = load.stop()?;
        assert_eq!(report["failed"], 0, "{report}");
        assert!(report["ok"].as_u64() > Some(100), "{report}");
        m.client.reach(m.server.at(Family::V6, 8080), &[])?;
    }
}

/// A token file that the story writes itself; one run of the story at a time.
fn wrong_token() -> String {
    std::env::temp_dir().join(format!("weir-token-{}", std::process::id())).to_string_lossy().into_owned()
}
