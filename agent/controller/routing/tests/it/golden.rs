//! Files: `golden/x.yaml` becomes what `golden/x.txt` says. `WEIR_BLESS=1 cargo test -p weir-routing` writes the latter.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use rstest::rstest;

use crate::text;
use crate::world::World;

#[rstest]
fn golden(#[files("tests/golden/**/*.yaml")] input: PathBuf) {
    let world = World::new(&fs::read_to_string(&input).unwrap());
    assert_eq!(world.check(), Ok(()));
    check(&input.with_extension("txt"), &describe(&world));
}

fn check(path: &Path, found: &str) {
    if std::env::var_os("WEIR_BLESS").is_some() {
        fs::write(path, found).unwrap();
    }
    let expected = fs::read_to_string(path).unwrap_or_default();
    assert!(expected == found, "{} says otherwise; this was found:\n{found}", path.display());
}

/// Everything that comes of a world.
pub(crate) fn describe(world: &World) -> String {
    let mut text = String::new();
    let mut remarks = Vec::new();
    for service in &world.services {
        let frontend = world.frontend(service);
        if frontend
            .form
            .ports
            .iter()
            .any(|port| !(port.http.is_empty() && port.tls.is_empty() && port.tcp.is_empty()))
        {
            writeln!(text, "# frontend {}\n{}\n", service.hostname, text::form(&frontend.form.ports))
                .unwrap();
        }
        let backend = world.backend(service);
        if backend.form.clusters.iter().any(|cluster| !cluster.origin.is_empty()) {
            writeln!(text, "# backend {}\n{}\n", service.hostname, text::form(&backend.form.clusters))
                .unwrap();
        }
        let connections = world.connections(service);
        if !connections.form.audiences.is_empty() {
            let form = text::form(&connections.form.audiences);
            writeln!(text, "# connections {} without a waypoint\n{form}\n", service.hostname).unwrap();
        }
        remarks.extend(frontend.remarks);
        remarks.extend(backend.remarks);
    }
    writeln!(text, "# statuses").unwrap();
    for one in &world.virtual_services {
        let conditions = one.status(&world.virtual_services, &remarks, world, &world.mesh);
        writeln!(text, "{}\n{}", one.object(), text::conditions(&conditions)).unwrap();
    }
    for one in &world.destination_rules {
        let conditions = one.status(&remarks, world, &world.mesh);
        writeln!(text, "{}\n{}", one.object(), text::conditions(&conditions)).unwrap();
        let shares = one.shares();
        for (who, fields) in [("agents", shares.agents), ("a waypoint alone", shares.waypoint)] {
            if !fields.is_empty() {
                writeln!(text, "  {who}: {}", fields.join(", ")).unwrap();
            }
        }
    }
    for one in &world.routes {
        for parent in one.status(&remarks, world, &world.mesh) {
            let conditions = text::conditions(&parent.conditions);
            writeln!(text, "{} at {}\n{conditions}", one.object(), parent.parent_ref["name"]).unwrap();
        }
    }
    text
}
