//! `cargo xtask codegen`: Rust from `proto/**.proto`, checked in so that a build needs neither a protobuf
//! compiler nor this step, and proven fresh by `--check`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// Writes the generated code; with `check`, writes nothing and fails if it would change.
///
/// # Errors
/// A `.proto` file that does not compile, a file that cannot be read or written, and with `check` a checked-in
/// file that is not what the `.proto` files say: the message names the files.
pub(crate) fn run(check: bool) -> Result<()> {
    let proto = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("proto");
    let fresh = generate(&proto)?;
    let checked_in = read(&proto.join(OUTPUT))?;
    let stale = differing(&fresh, &checked_in);
    if stale.is_empty() {
        eprintln!("codegen: {} files in proto/{OUTPUT} are fresh", fresh.len());
        return Ok(());
    }
    if check {
        bail!(
            "proto/{OUTPUT} is not what proto/*.proto says: {}. Run `cargo xtask codegen` and commit",
            stale.join(", ")
        );
    }
    write(&proto.join(OUTPUT), &fresh, &checked_in)?;
    eprintln!("codegen: wrote {}", stale.join(", "));
    Ok(())
}

/// File name to content.
type Files = BTreeMap<String, String>;

fn generate(proto: &Path) -> Result<Files> {
    let mut sources = Vec::new();
    find_sources(proto, &mut sources)?;
    let descriptors = protox::compile(&sources, [proto]).context("compiling the .proto files")?;
    let out = tempfile::tempdir().context("making a directory for the generated code")?;
    tonic_prost_build::configure()
        .out_dir(out.path())
        // Ordered maps: the same message always has the same bytes and the same log line.
        .btree_map(".")
        // Its own `Debug` names it and nothing of what is in it.
        .skip_debug(["weir.l7.Secret"])
        // Who only reads messages needs no gRPC; and a transport is chosen by who connects.
        .client_mod_attribute(".", "#[cfg(feature = \"grpc\")]")
        .server_mod_attribute(".", "#[cfg(feature = \"grpc\")]")
        .build_transport(false)
        .emit_rerun_if_changed(false)
        .compile_fds(descriptors)
        .context("writing Rust for the .proto files")?;
    let mut files = read(out.path())?;
    for content in files.values_mut() {
        content.insert_str(0, HEADER);
    }
    Ok(files)
}

fn find_sources(dir: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(dir).with_context(|| format!("reading {}", dir.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            find_sources(&path, found)?;
        } else if path.extension().is_some_and(|e| e == "proto") {
            found.push(path);
        }
    }
    found.sort();
    Ok(())
}

fn read(dir: &Path) -> Result<Files> {
    let mut files = Files::new();
    if !dir.exists() {
        return Ok(files);
    }
    for entry in fs::read_dir(dir).with_context(|| format!("reading {}", dir.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        files.insert(name, fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?);
    }
    Ok(files)
}

fn differing(fresh: &Files, checked_in: &Files) -> Vec<String> {
    let names = fresh.keys().chain(checked_in.keys().filter(|name| !fresh.contains_key(*name)));
    names.filter(|name| fresh.get(*name) != checked_in.get(*name)).cloned().collect()
}

fn write(dir: &Path, fresh: &Files, checked_in: &Files) -> Result<()> {
    fs::create_dir_all(dir).with_context(|| format!("making {}", dir.display()))?;
    for gone in checked_in.keys().filter(|name| !fresh.contains_key(*name)) {
        fs::remove_file(dir.join(gone)).with_context(|| format!("removing {gone}"))?;
    }
    for (name, content) in fresh {
        fs::write(dir.join(name), content).with_context(|| format!("writing {name}"))?;
    }
    Ok(())
}

/// Under `proto/`.
const OUTPUT: &str = "src/gen";
const HEADER: &str = "// Written by `cargo xtask codegen` from proto/**.proto. Changes made here are lost.\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checked_in_code_is_fresh() {
        run(true).unwrap();
    }

    #[test]
    fn a_changed_a_missing_and_a_left_over_file_are_named() {
        let files = |list: &[(&str, &str)]| {
            list.iter().map(|(n, c)| (n.to_string(), c.to_string())).collect::<Files>()
        };
        let fresh = files(&[("a", "1"), ("b", "2"), ("c", "3")]);
        let checked_in = files(&[("a", "1"), ("b", "old"), ("d", "4")]);
        assert_eq!(differing(&fresh, &checked_in), ["b", "c", "d"]);
    }
}
