//! Compiles the eBPF programs and puts the objects into OUT_DIR for `include_bytes_aligned!`.
//!
//! The kernel's side is a different target with a `core` of its own, so a second cargo does it: the same pinned stable
//! toolchain, `core` built from rust-src (RUSTC_BOOTSTRAP=1 lets stable take `-Z build-std`) or ready in Debian's, linked by bpf-linker.
//! `WEIR_BPF_OBJECTS=dir` takes ready objects instead, for machines without the toolchain.

use std::{
    env,
    error::Error,
    ffi::{OsStr, OsString},
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
};

const OBJECTS: [&str; 3] = ["node", "pod", "trace"];
const TARGET: &str = "bpfel-unknown-none";
const OVERRIDE: &str = "WEIR_BPF_OBJECTS";

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            for line in error.to_string().lines() {
                println!("cargo::error={line}");
            }
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo did not set OUT_DIR")?);
    println!("cargo::rerun-if-env-changed={OVERRIDE}");
    if let Some(dir) = env::var_os(OVERRIDE) {
        let dir = PathBuf::from(dir);
        for name in OBJECTS {
            println!("cargo::rerun-if-changed={}", dir.join(name).display());
        }
        return copy_objects(&dir, &out).map_err(|e| format!("{OVERRIDE}={}: {e}", dir.display()).into());
    }
    let root = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../..").canonicalize()?;
    for input in ["ebpf/common", "ebpf/programs", "Cargo.lock", "rust-toolchain.toml"] {
        println!("cargo::rerun-if-changed={}", root.join(input).display());
    }
    let core = Core::find()?;
    let linker = find_linker()?;
    // One for check, clippy, test and release: the objects do not depend on the host's profile.
    let target_dir = root.join("target/bpf");
    compile(&root, &target_dir, &linker, &core)?;
    copy_objects(&target_dir.join(TARGET).join("bpf"), &out)
}

fn copy_objects(from: &Path, out: &Path) -> Result<()> {
    for name in OBJECTS {
        let object = from.join(name);
        fs::copy(&object, out.join(name)).map_err(|e| format!("eBPF object {}: {e}", object.display()))?;
    }
    Ok(())
}

fn compile(root: &Path, target_dir: &Path, linker: &Path, core: &Core) -> Result<()> {
    let arch = env::var("CARGO_CFG_TARGET_ARCH")?;
    let mut flags = vec![
        "-Cdebuginfo=2".to_owned(),
        "-Clink-arg=--btf".to_owned(),
        format!("-Clinker={}", linker.display()),
        format!("--cfg=bpf_target_arch=\"{arch}\""),
    ];
    flags.extend(
        prefixes(root, core)?.map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display())),
    );
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .current_dir(root)
        .args(["build", "--locked", "--quiet", "--profile", "bpf", "--target", TARGET])
        .args(["--package", "weir-ebpf-programs", "--bins", "--target-dir"])
        .arg(target_dir)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"))
        // The outer build's wrappers (clippy-driver), flags and job server are for the host.
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .env_remove("RUSTC_WRAPPER")
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_MAKEFLAGS")
        .env_remove("CARGO_TARGET_DIR")
        .stdin(Stdio::null());
    match core {
        Core::Sources => cargo.args(["-Z", "build-std=core"]),
        Core::Ready(rustc) => cargo.env("RUSTC", rustc),
    };
    let output = cargo.output().map_err(|e| format!("cannot start cargo for the eBPF programs: {e}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!(
        "the eBPF programs do not compile ({}):\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    )
    .into())
}

/// Folders of this machine, and what the objects call them: BTF has the path of every source line, and an image that is built
/// elsewhere is to have the same bytes. The last that matches wins.
fn prefixes(root: &Path, core: &Core) -> Result<[(PathBuf, &'static str); 3]> {
    let rustc = match core {
        Core::Sources => env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()),
        Core::Ready(rustc) => rustc.into(),
    };
    let cargo = cargo_home().ok_or("neither CARGO_HOME nor HOME is set")?;
    Ok([(root.to_owned(), "/weir"), (cargo, "/cargo"), (sysroot(&rustc)?, "/rust")])
}

/// Where `core` for the BPF target comes from; `cargo xtask setup` knows the same two ways.
enum Core {
    /// Compiled from the pinned toolchain's own sources (component rust-src).
    Sources,
    /// Ready, with Debian's rustc-web and libstd-rust-web-dev-bpf, whose compiler this is.
    Ready(&'static str),
}

impl Core {
    fn find() -> Result<Self> {
        let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        if sysroot(&rustc)?.join("lib/rustlib/src/rust/library/core/src/lib.rs").is_file() {
            return Ok(Self::Sources);
        }
        let debian = "/usr/bin/rustc";
        if sysroot(debian.as_ref()).is_ok_and(|root| root.join("lib/rustlib").join(TARGET).is_dir()) {
            return Ok(Self::Ready(debian));
        }
        Err(format!(
            "the eBPF programs need `core` for {TARGET}, and this toolchain has no sources of it.\n\
             Run `cargo xtask setup` (it adds the rust-src component), or set {OVERRIDE} to a directory with ready objects."
        )
        .into())
    }
}

fn sysroot(rustc: &OsStr) -> Result<PathBuf> {
    let output = Command::new(rustc).args(["--print", "sysroot"]).output()?;
    Ok(PathBuf::from(String::from_utf8(output.stdout)?.trim()))
}

fn find_linker() -> Result<PathBuf> {
    let name = "bpf-linker";
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(cargo_home().map(|home| home.join("bin")))
        .map(|dir| dir.join(name))
        .find(|file| file.is_file())
        .ok_or_else(|| {
            format!(
                "the eBPF programs need {name}, which is neither in PATH nor in ~/.cargo/bin.\n\
                 Run `cargo xtask setup` (it installs it), or set {OVERRIDE} to a directory with ready objects."
            )
            .into()
        })
}

fn cargo_home() -> Option<PathBuf> {
    let own = env::var_os("HOME").map(|home: OsString| Path::new(&home).join(".cargo"));
    env::var_os("CARGO_HOME").map(PathBuf::from).or(own)
}
