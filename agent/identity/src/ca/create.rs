//! Making a new CA, once.
//!
//! All files are written into a fresh directory beside the wanted one, which is then renamed to it. rename(2)
//! replaces an empty directory and fails on any other, so of several processes one wins, nobody ever sees
//! half a CA, and a crash leaves at most a directory that nobody reads.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256,
};
use time::OffsetDateTime;

use super::issue::{BACKDATE, random_serial};
use super::{CA_CERT, CA_KEY, CERT_CHAIN, FILES, FileError, ROOT_CERT};

/// Makes a self-signed CA in `dir` unless something is there.
pub(super) fn create_if_absent(dir: &Path, now: SystemTime) -> Result<(), FileError> {
    if is_occupied(dir)? {
        return Ok(());
    }
    let failed = |step| move |source| FileError::Create { dir: dir.into(), step, source };
    // rename(2) does not follow a symlink at the target.
    let target = fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned());
    let parent = match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    fs::create_dir_all(&parent).map_err(failed("making the directory above it"))?;
    let stage = Stage::new(&parent).map_err(failed("making a directory beside it"))?;
    for (name, mode, content) in generate(now)? {
        stage.write(name, mode, &content).map_err(failed("writing the files"))?;
    }
    sync_dir(&stage.path).map_err(failed("syncing the files"))?;
    match fs::rename(&stage.path, &target) {
        Ok(()) => {
            tracing::info!(dir = %dir.display(), "made a new self-signed CA");
            sync_dir(&parent).map_err(failed("syncing the directory above it"))
        }
        // Another process was first.
        Err(error) if is_lost_race(&error) => Ok(()),
        Err(error) if error.kind() == ErrorKind::ResourceBusy => {
            Err(FileError::MountPoint { dir: dir.into() })
        }
        Err(error) => Err(failed("putting it in place")(error)),
    }
}

/// Whether there is a CA (or a part of one, which is for the loader to complain about).
fn is_occupied(dir: &Path) -> Result<bool, FileError> {
    let mut entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(source) => {
            return Err(FileError::Read { path: dir.into(), source });
        }
    };
    if FILES.iter().any(|name| dir.join(name).exists()) {
        return Ok(true);
    }
    match entries.next() {
        None => Ok(false),
        // Put there between the two looks, perhaps.
        Some(_) if FILES.iter().any(|name| dir.join(name).exists()) => Ok(true),
        Some(_) => Err(FileError::NotEmpty { dir: dir.into() }),
    }
}

fn is_lost_race(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists)
}

/// The directory that becomes the CA, removed again if it does not.
struct Stage {
    path: PathBuf,
}

impl Stage {
    fn new(parent: &Path) -> io::Result<Self> {
        let path = parent.join(format!(".weir-ca-{:016x}", rand::random::<u64>()));
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self { path })
    }

    fn write(&self, name: &str, mode: u32, content: &str) -> io::Result<()> {
        let path = self.path.join(name);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
        file.write_all(content.as_bytes())?;
        file.sync_all()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // After the rename there is nothing of that name any more.
        let _ = fs::remove_dir_all(&self.path);
    }
}

fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Name, mode and content of each file.
fn generate(now: SystemTime) -> Result<[(&'static str, u32, String); 4], rcgen::Error> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, "Weir");
    // Two CAs that were made here are told apart by their names too.
    let common_name = format!("Weir CA {:08x}", rand::random::<u32>());
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.serial_number = Some(random_serial());
    params.not_before = OffsetDateTime::from(now - BACKDATE);
    params.not_after = OffsetDateTime::from(now + LIFETIME);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let certificate = params.self_signed(&key)?.pem();
    Ok([
        (CA_KEY, 0o600, key.serialize_pem()),
        (CA_CERT, 0o644, certificate.clone()),
        (CERT_CHAIN, 0o644, certificate.clone()),
        (ROOT_CERT, 0o644, certificate),
    ])
}

/// Ten years, like Istio's self-signed root.
const LIFETIME: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
