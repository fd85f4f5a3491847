//! `cargo xtask image`: the server binaries as an OCI image archive.
//!
//! No container tool is asked: an image is tar files and JSON, and both are written here in one order with one time, so that
//! the same commit gives the same bytes on every machine. The binaries are static, so there is nothing else in the image but a user without
//! rights, the authorities that public servers are signed by, and a bill of materials.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;

mod archive;
mod binaries;
mod blob;
mod layer;
mod name;
mod platform;
mod sbom;
#[cfg(test)]
mod tests;

use binaries::Content;
use blob::Blob;
use platform::Platform;

use crate::setup::{self, Part};
use crate::shell;

/// Write an OCI image archive with static binaries; no Docker needed
///
/// The archive is an OCI image layout in a tar file, as `ctr images import`, `kind load image-archive`, `podman load` and
/// `docker load` (25 and later) take it. Built twice from one commit, it is the same file. Beside it are FILE.cdx.json, the bill of
/// materials (CycloneDX), and the digest of the image on stdout.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
cargo xtask image --out weir.tar                                    for this machine's processor\n  \
cargo xtask image --out weir.tar --name registry.example/weir:v1    under a name of your own\n  \
cargo xtask image --out tests.tar --tests                           what `cargo xtask test live` runs in its pods\n  \
cargo xtask image --out weir.tar --target x86_64-unknown-linux-gnu,aarch64-unknown-linux-gnu\n  \
ctr --namespace k8s.io images import weir.tar                       into a node's containerd\n  \
kind load image-archive weir.tar --name weir")]
pub(crate) struct ImageArgs {
    /// Where to write the archive
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// What the image is called where it is imported; a name without a registry is one of docker.io/library, as everywhere
    ///
    /// [default: weir, or weir-tests, with this version]
    #[arg(long)]
    name: Option<String>,
    /// The programs of the suite of a live cluster instead of the mesh's
    #[arg(long)]
    tests: bool,
    /// Rust targets to build for, by comma; several make one image for several processors
    ///
    /// Each needs its standard library (`rustup target add`), a C compiler (CC_<target>, CARGO_TARGET_<TARGET>_LINKER) and, for another
    /// processor, GNU's strip (such as aarch64-linux-gnu-strip).
    #[arg(long, value_name = "TRIPLE", value_delimiter = ',')]
    target: Vec<String>,
    /// Keep the binaries with their symbols in this folder, for profiles and core dumps
    #[arg(long, value_name = "DIR")]
    symbols: Option<PathBuf>,
    /// Also lay out the image's files in this folder, as deploy/Dockerfile takes them; for one target only
    #[arg(long, value_name = "DIR")]
    rootfs: Option<PathBuf>,
}

/// Runs the verb.
pub(crate) fn run(args: &ImageArgs) -> Result<()> {
    let platforms = platforms(args)?;
    let source = Source::find()?;
    let content = if args.tests { Content::Tests } else { Content::Mesh };
    if content == Content::Mesh {
        setup::ensure(&[Part::Ebpf])?;
    }
    let bill = sbom::make(content, &platforms, &source)?;
    let mut images = Vec::new();
    for platform in &platforms {
        let binaries = binaries::build(content, platform, args.symbols.as_deref())?;
        let layers =
            [layer::base(&source)?, layer::programs(&binaries, &source)?, layer::documents(&bill, &source)?];
        if let Some(folder) = &args.rootfs {
            layer::unpack(&layers, folder).with_context(|| format!("cannot fill {}", folder.display()))?;
        }
        images.push(archive::image(content, platform, layers, &source)?);
    }
    let name = name::full(&args.name.clone().unwrap_or_else(|| default_name(content)));
    let digest = archive::write(&args.out, &name, images, &source)
        .with_context(|| format!("cannot write {}", args.out.display()))?;
    let beside = beside(&args.out);
    std::fs::write(&beside, &bill).with_context(|| format!("cannot write {}", beside.display()))?;
    eprintln!("image: {} and {}", args.out.display(), beside.display());
    println!("{name}@{digest}");
    Ok(())
}

fn platforms(args: &ImageArgs) -> Result<Vec<Platform>> {
    let named = if args.target.is_empty() { vec![platform::of_this_machine()?] } else { args.target.clone() };
    let platforms: Vec<Platform> = named.iter().map(|triple| Platform::of(triple)).collect::<Result<_>>()?;
    if args.rootfs.is_some() && platforms.len() > 1 {
        bail!("--rootfs holds the files of one target, and --target names {}", platforms.len());
    }
    for (at, platform) in platforms.iter().enumerate() {
        if platforms[..at].iter().any(|other| other.arch == platform.arch) {
            bail!(
                "--target names two targets for one processor ({}): an image has one of each",
                platform.triple
            );
        }
    }
    Ok(platforms)
}

/// The commit that the image is made from: it gives all files their time, and the image its labels.
struct Source {
    /// The commit's id, with `-dirty` where the work tree differs.
    revision: String,
    /// Seconds since 1970: SOURCE_DATE_EPOCH (reproducible-builds.org), else the commit's time.
    time: u64,
}

impl Source {
    fn find() -> Result<Self> {
        let git = |args: &[&str]| {
            shell::output(std::process::Command::new("git").args(args).current_dir(shell::root()))
        };
        let head = git(&["rev-parse", "HEAD"]).context("an image names the commit that it is made from")?;
        let changed = !git(&["status", "--porcelain", "--untracked-files=no"])?.trim().is_empty();
        let time = match std::env::var("SOURCE_DATE_EPOCH") {
            Ok(text) => text,
            Err(_) => git(&["log", "-1", "--format=%ct"])?,
        };
        Ok(Self {
            revision: format!("{}{}", head.trim(), if changed { "-dirty" } else { "" }),
            time: time.trim().parse().context("SOURCE_DATE_EPOCH is not a number of seconds")?,
        })
    }
}

fn beside(out: &Path) -> PathBuf {
    let mut name = out.as_os_str().to_owned();
    name.push(".cdx.json");
    name.into()
}

/// What the chart, and the suite of a live cluster, name if nothing else is said.
fn default_name(content: Content) -> String {
    format!("{}:{}", content.title(), env!("CARGO_PKG_VERSION"))
}
