//! The directory of YAML in every state in which it can be found: what was said stays in force until something else is said.

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use weir_harness::{Cluster, Family, Mode, PeerAuthentication, Pod, until_ok};

use crate::faults::Steady;
use crate::policy::{from, policy};
use crate::support::{Mesh, mesh, stories};

stories! {
    fn whatever_happens_to_files_nothing_opens(c = Cluster::builder("files").controlled()) {
        let files = Files::start(c)?;
        for harm in [harm::garbage, harm::nothing, harm::half_a_document, harm::a_link_to_itself, harm::a_link_to_nowhere,
            harm::a_bomb, harm::a_heap, harm::binary] {
            for name in ["mesh.yaml", "deny.yaml"] {
                let path = files.dir.join(name);
                let good = fs::read(&path)?;
                fs::remove_file(&path)?;
                harm(&path)?;
                // One more file, good in itself: when that is in force, the harm has been seen.
                files.unaffected(&format!("{name} harmed"))?;
                fs::rename(&path, files.dir.join(".away"))?;
                put(&path, &good)?;
            }
        }
        // Somebody who writes in place, and stops in the middle, where one document ends and the next begins.
        for name in ["mesh.yaml", "deny.yaml"] {
            let good = fs::read_to_string(files.dir.join(name))?;
            let (first, second) = good.split_at(good.find("---").context("one document")?);
            let mut file = fs::File::create(files.dir.join(name))?;
            file.write_all(first.as_bytes())?;
            files.unaffected(&format!("{name} half written"))?;
            file.write_all(second.as_bytes())?;
            drop(file);
            files.unaffected(&format!("{name} written"))?;
        }
        files.end()?;
    }

    fn a_directory_that_vanishes_and_comes_back(c = Cluster::builder("vanish").controlled()) {
        let files = Files::start(c)?;
        let (dir, away) = (files.dir.clone(), c.dir().join("away"));
        let told = |what: &str| c.controller().current()?.wait_log(what, Duration::from_secs(10), |line| line.contains("what it said stays in force")).map(drop);
        fs::rename(&dir, &away)?;
        told("a word about the directory")?;
        files.closed("it is away")?;
        // A mount point without its mount.
        fs::create_dir(&dir)?;
        until_ok("a word about the emptiness", Duration::from_secs(10), || {
            ensure!(c.controller().log_text().contains("there is no manifest any more"), "not yet");
            Ok(())
        })?;
        files.closed("it is empty")?;
        // A controller that is started now must not say that the mesh is empty.
        c.controller().kill()?;
        ensure!(c.controller().start().is_err(), "it became ready with an empty directory");
        files.closed("a controller was started")?;
        fs::remove_dir(&dir)?;
        ensure!(c.controller().start().is_err(), "it became ready without a directory");
        fs::rename(&away, &dir)?;
        c.up()?;
        files.unaffected("it is back")?;
        files.end()?;
    }

    fn a_controller_that_starts_among_ruins_knows_what_was_there(c = Cluster::builder("ruins").controlled()) {
        let files = Files::start(c)?;
        for harm in [harm::garbage, harm::nothing, harm::half_a_document] {
            let path = files.dir.join("deny.yaml");
            let good = fs::read(&path)?;
            c.controller().kill()?;
            harm(&path)?;
            c.controller().start()?;
            files.unaffected("a controller started")?;
            put(&path, &good)?;
        }
        // Deleted is deleted, also while nobody looked.
        c.controller().kill()?;
        c.delete_unseen("deny")?;
        c.up()?;
        files.m.client.reach(files.m.server.at(Family::V4, 8080), &[])?;
        files.end()?;
    }

    fn ten_thousand_files_and_other_things_that_nobody_needs(c = Cluster::builder("many-files").controlled()) {
        let files = Files::start(c)?;
        let many = files.dir.join("many");
        fs::create_dir(&many)?;
        for n in 0..10_000 {
            fs::write(many.join(format!("{n}.yaml")), format!("apiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: n{n}, namespace: many}}\n"))?;
        }
        let mut deep = files.dir.clone();
        for _ in 0..100 {
            deep.push("deeper");
        }
        fs::create_dir_all(&deep)?;
        symlink(&files.dir, deep.join("up"))?;
        c.node("a").output("mkfifo", &[files.dir.join("pipe.yaml"), deep.join("pipe.yaml")])?.success()?;
        symlink("/dev/zero", files.dir.join("zero.yaml"))?;
        symlink("/proc/self/mem", files.dir.join("mem.yaml"))?;
        // A hole of a terabyte.
        fs::File::create(files.dir.join("hole.yaml"))?.set_len(1 << 40)?;
        fs::File::create(many.join("zeros.yaml"))?.write_all(&vec![0; 20 << 20])?;
        files.unaffected("there are many files")?;
        let memory = crate::hostile::resident(c.controller().current()?.pid())?;
        ensure!(memory < 500, "{memory} MiB");
        fs::remove_dir_all(&many)?;
        files.unaffected("they are gone")?;
        files.end()?;
    }
}

/// A strict mesh with a policy, and connections that must not notice anything.
struct Files<'a> {
    c: &'a Cluster,
    m: Mesh,
    dir: PathBuf,
    kept: Steady,
}

impl<'a> Files<'a> {
    fn start(c: &'a Cluster) -> Result<Self> {
        let m = mesh(c)?;
        c.apply("deny", &policy("not-client", "DENY", &from("client")))?;
        c.change(|mesh| {
            mesh.peer_authentication.push(PeerAuthentication {
                name: "strict".into(),
                namespace: String::new(),
                workloads: Vec::new(),
                mode: Mode::Strict,
                port_level_mtls: Default::default(),
            });
        })?;
        let kept = Steady::start(&m.neighbour, &m.server, &["--timeout", "5000"])?;
        Ok(Self { dir: c.dir().join("mesh"), c, m, kept })
    }

    /// What was denied still is, and something new is taken: the controller looked.
    fn unaffected(&self, when: &str) -> Result<()> {
        let (c, to) = (self.c, self.m.neighbour.at(Family::V4, 8080));
        let block = "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: probe, namespace: default}\n\
                     spec: {selector: {matchLabels: {app: neighbour}}}\n";
        c.write("probe", block)?;
        until_ok(&format!("another file to be in force when {when}"), Duration::from_secs(20), || {
            expect(&self.m.client, to, false)
        })?;
        self.closed(when)?;
        c.delete_unseen("probe")?;
        until_ok(&format!("another file to be gone when {when}"), Duration::from_secs(20), || {
            expect(&self.m.client, to, true)
        })
    }

    fn closed(&self, when: &str) -> Result<()> {
        let to = self.m.server.at(Family::V4, 8080);
        for (who, from) in [("denied", &self.m.client), ("plaintext", &self.m.outside)] {
            let refused = from.connect(to, &["--timeout", "500"])?.is_err();
            ensure!(refused, "{who} let in when {when}:\n{}", self.c.controller().log_text());
        }
        expect(&self.m.neighbour, self.m.server.at(Family::V6, 8080), true)
    }

    fn end(self) -> Result<()> {
        self.kept.unharmed()
    }
}

fn expect(from: &Pod, to: std::net::SocketAddr, reached: bool) -> Result<()> {
    let reply = from.connect(to, &["--timeout", "500"])?;
    ensure!(reply.is_ok() == reached, "{} to {to}: {reply:?}", from.name());
    Ok(())
}

/// As careful writers do.
fn put(path: &Path, content: &[u8]) -> Result<()> {
    let draft = path.with_extension("draft");
    fs::write(&draft, content)?;
    Ok(fs::rename(draft, path)?)
}

/// What can be in the place of a file.
mod harm {
    use super::*;

    pub(super) fn garbage(path: &Path) -> Result<()> {
        Ok(fs::write(path, "apiVersion: v1\n  : [\n")?)
    }

    pub(super) fn nothing(path: &Path) -> Result<()> {
        Ok(fs::write(path, "")?)
    }

    pub(super) fn half_a_document(path: &Path) -> Result<()> {
        Ok(fs::write(path, "apiVersion: security.istio.io/v1\nkind: Authoriza")?)
    }

    pub(super) fn a_link_to_itself(path: &Path) -> Result<()> {
        Ok(symlink(path, path)?)
    }

    pub(super) fn a_link_to_nowhere(path: &Path) -> Result<()> {
        Ok(symlink("/nowhere/weir", path)?)
    }

    pub(super) fn a_bomb(path: &Path) -> Result<()> {
        let lines = (1..20).map(|n| format!("x{n}: &x{n} [{}]\n", format!("*x{},", n - 1).repeat(10)));
        Ok(fs::write(path, format!("x0: &x0 lol\n{}", lines.collect::<String>()))?)
    }

    pub(super) fn a_heap(path: &Path) -> Result<()> {
        Ok(fs::write(path, format!("a: {}", "[".repeat(1 << 20)))?)
    }

    pub(super) fn binary(path: &Path) -> Result<()> {
        Ok(fs::write(path, [0xff, 0xfe, 0, 0x80].repeat(1 << 18))?)
    }
}
