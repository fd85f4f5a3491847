//! Layers: tar files in one order, with one time and one owner.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use flate2::{Compression, GzBuilder};
use tar::{EntryType, Header};

use super::Source;
use super::binaries::Binary;
use super::blob::{Blob, digest};

/// A layer as it lies in the archive, and the digest of what is in it (`diff_id`).
pub(super) struct Layer {
    pub(super) blob: Blob,
    pub(super) diff_id: String,
    /// What made it, for the image's history.
    pub(super) origin: &'static str,
}

/// What every image needs: a user without rights, a place for temporary files, and the authorities of public servers.
pub(super) fn base(source: &Source) -> Result<Layer> {
    let mut layer = Writer::new(source);
    layer.folder("etc/", 0o755)?;
    layer.file("etc/passwd", 0o644, PASSWD.as_bytes())?;
    layer.file("etc/group", 0o644, GROUP.as_bytes())?;
    layer.folder("etc/ssl/", 0o755)?;
    layer.folder("etc/ssl/certs/", 0o755)?;
    layer.file("etc/ssl/certs/ca-certificates.crt", 0o644, authorities().as_bytes())?;
    layer.folder("run/", 0o755)?;
    layer.folder("tmp/", 0o1777)?;
    layer.finish("user, authorities")
}

/// The programs, in `/usr/local/bin`.
pub(super) fn programs(binaries: &[Binary], source: &Source) -> Result<Layer> {
    let mut layer = Writer::new(source);
    for folder in ["usr/", "usr/local/", "usr/local/bin/"] {
        layer.folder(folder, 0o755)?;
    }
    for binary in binaries {
        layer.file(&format!("usr/local/bin/{}", binary.name), 0o755, &binary.bytes)?;
    }
    layer.finish("cargo xtask image")
}

/// The bill of materials and the licence.
pub(super) fn documents(bill: &[u8], source: &Source) -> Result<Layer> {
    let license = std::fs::read(crate::shell::root().join("LICENSE")).context("cannot read LICENSE")?;
    let mut layer = Writer::new(source);
    for folder in ["usr/", "usr/share/", "usr/share/doc/", "usr/share/doc/weir/"] {
        layer.folder(folder, 0o755)?;
    }
    layer.file("usr/share/doc/weir/LICENSE", 0o644, &license)?;
    layer.file("usr/share/doc/weir/sbom.cdx.json", 0o644, bill)?;
    layer.finish("bill of materials")
}

/// Lays the files of layers out in a folder, which is made.
pub(super) fn unpack(layers: &[Layer], folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    for layer in layers {
        let plain = flate2::read::GzDecoder::new(layer.blob.bytes.as_slice());
        let mut archive = tar::Archive::new(plain);
        archive.set_preserve_permissions(true);
        archive.unpack(folder)?;
    }
    Ok(())
}

struct Writer {
    tar: tar::Builder<Vec<u8>>,
    time: u64,
}

impl Writer {
    fn new(source: &Source) -> Self {
        Self { tar: tar::Builder::new(Vec::new()), time: source.time }
    }

    fn folder(&mut self, path: &str, mode: u32) -> Result<()> {
        self.entry(path, EntryType::Directory, mode, &[])
    }

    fn file(&mut self, path: &str, mode: u32, bytes: &[u8]) -> Result<()> {
        self.entry(path, EntryType::Regular, mode, bytes)
    }

    fn entry(&mut self, path: &str, kind: EntryType, mode: u32, bytes: &[u8]) -> Result<()> {
        let mut header = Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(self.time);
        header.set_size(bytes.len() as u64);
        self.tar.append_data(&mut header, path, bytes).with_context(|| format!("cannot add {path}"))
    }

    fn finish(self, origin: &'static str) -> Result<Layer> {
        let plain = self.tar.into_inner().context("cannot end a layer")?;
        // No name and no time in the header: both would differ from build to build.
        let mut gzip = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
        gzip.write_all(&plain).context("cannot compress a layer")?;
        let bytes = gzip.finish().context("cannot compress a layer")?;
        Ok(Layer { diff_id: digest(&plain), blob: Blob::new(bytes), origin })
    }
}

/// The Mozilla authorities, in PEM, from a crate: the same on every machine that builds.
fn authorities() -> String {
    let mut text = String::new();
    for certificate in webpki_root_certs::TLS_SERVER_ROOT_CERTS {
        text.push_str("-----BEGIN CERTIFICATE-----\n");
        let encoded = data_encoding::BASE64.encode(certificate);
        for start in (0..encoded.len()).step_by(64) {
            let line = &encoded[start..encoded.len().min(start + 64)];
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{line}");
        }
        text.push_str("-----END CERTIFICATE-----\n");
    }
    text
}

const PASSWD: &str = "root:x:0:0:root:/:/sbin/nologin\nweir:x:65532:65532:weir:/:/sbin/nologin\n";
const GROUP: &str = "root:x:0:\nweir:x:65532:\n";
