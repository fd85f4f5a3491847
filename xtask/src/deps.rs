//! `cargo xtask deps`: holds the walls between the crates.
//!
//! Cargo refuses a cycle, but not a shortcut. The allowed edges are a table ([`edges`]); this verb compares
//! it with what the manifests say, whichever kind of dependency it is.

use anyhow::{Result, bail};
use clap::Args;

mod edges;
mod metadata;

use metadata::Package;

/// Check which crate knows which against the table of allowed edges
#[derive(Args, Default)]
pub(crate) struct DepsArgs {
    /// Print the edges as they are
    #[arg(long)]
    list: bool,
}

/// Runs the verb.
pub(crate) fn run(args: &DepsArgs) -> Result<()> {
    let packages = metadata::workspace()?;
    if args.list {
        for package in &packages {
            let own: Vec<&str> = own_dependencies(package, &packages).collect();
            println!(
                "{} -> {}",
                package.name,
                if own.is_empty() { "nothing of ours".to_owned() } else { own.join(", ") }
            );
        }
    }
    let faults = faults(&packages);
    if !faults.is_empty() {
        bail!(
            "the walls between the crates are broken (see xtask/src/deps/edges.rs and ARCHITECTURE.md):\n  {}",
            faults.join("\n  ")
        );
    }
    eprintln!("deps: {} crates keep to the allowed edges", packages.len());
    Ok(())
}

fn faults(packages: &[Package]) -> Vec<String> {
    packages
        .iter()
        .flat_map(|package| own_faults(package, packages).into_iter().chain(outside_faults(package)))
        .collect()
}

/// Edges between our crates that the table does not have, and crates that it does not have.
fn own_faults(package: &Package, packages: &[Package]) -> Vec<String> {
    let Some(allowed) = edges::allowed(&package.name) else {
        return vec![format!("{} is not in the table: decide what it may know", package.name)];
    };
    own_dependencies(package, packages)
        .filter(|name| !allowed.contains(name))
        .map(|name| format!("{} must not know {name}", package.name))
        .collect()
}

/// Guarded crates of others, named by one of ours that may not.
fn outside_faults(package: &Package) -> Vec<String> {
    edges::GUARDED
        .iter()
        .filter(|guard| !guard.users.contains(&package.name.as_str()))
        .filter(|guard| package.dependencies.iter().any(|name| name == guard.name))
        .map(|guard| format!("{} must not name {}: {}", package.name, guard.name, guard.reason))
        .collect()
}

fn own_dependencies<'a>(package: &'a Package, packages: &'a [Package]) -> impl Iterator<Item = &'a str> {
    let ours = |name: &&str| packages.iter().any(|other| other.name == *name);
    package.dependencies.iter().map(String::as_str).filter(ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, dependencies: &[&str]) -> Package {
        Package {
            name: name.to_owned(),
            dependencies: dependencies.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    #[test]
    fn every_broken_wall_is_named() {
        let model = || package("weir-model", &[]);
        let identity = || package("weir-identity", &["weir-model"]);
        let cases: [(Vec<Package>, &str); 5] = [
            (vec![model(), identity()], ""),
            (
                vec![package("weir-model", &["weir-identity"]), identity()],
                "weir-model must not know weir-identity",
            ),
            (vec![package("weir-new", &[])], "weir-new is not in the table: decide what it may know"),
            (
                vec![package("weir-tunnel", &["aya", "h2"])],
                "weir-tunnel must not name aya: only the datapath meets the kernel",
            ),
            (vec![package("weir-datapath", &["aya", "netlink-packet-route"])], ""),
        ];
        for (packages, want) in cases {
            assert_eq!(faults(&packages).join("; "), want);
        }
    }

    #[test]
    fn the_table_has_no_upward_edge() {
        for (name, allowed) in edges::EDGES {
            for other in *allowed {
                let back = edges::allowed(other).unwrap_or_default();
                assert!(!back.contains(name), "{name} and {other} may know each other");
            }
        }
    }
}
