//! A CA and where its rotation stands, as one thing that is stored whole.

use std::path::Path;
use std::time::{Duration, SystemTime};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde::{Deserialize, Serialize};

use super::rotation::{Phase, Step};
use super::store::Files;
use super::{AuthorityError, CA_CERT, CA_KEY, CERT_CHAIN, FileError, Material, ROOT_CERT};
use crate::certificate::pem;

/// What a store keeps of a CA.
#[derive(Debug, Clone)]
pub(super) struct State {
    pub(super) material: Material,
    rotation: Rotation,
}

#[derive(Debug, Clone)]
enum Rotation {
    Stable,
    /// With the next certificate and its key.
    Announced {
        since: SystemTime,
        cert: String,
        key: String,
    },
    /// With the certificate that is on its way out.
    Switched {
        since: SystemTime,
        old: String,
    },
}

/// `rotation.json`.
#[derive(Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "lowercase")]
enum Record {
    Announced { since: u64 },
    Switched { since: u64, old: String },
}

impl State {
    pub(super) fn new(material: Material) -> Self {
        Self { material, rotation: Rotation::Stable }
    }

    /// Of the texts in a store, whose certificates are not looked at here.
    pub(super) fn from_files(files: &Files, place: &Path) -> Result<Self, AuthorityError> {
        let missing =
            |name| FileError::Read { path: place.join(name), source: std::io::ErrorKind::NotFound.into() };
        let text = |name| files.get(name).cloned().ok_or_else(|| missing(name));
        let material = Material {
            ca_cert: text(CA_CERT)?,
            ca_key: text(CA_KEY)?,
            cert_chain: files.get(CERT_CHAIN).cloned().unwrap_or_default(),
            root_cert: text(ROOT_CERT)?,
        };
        let rotation = match files.get(ROTATION) {
            None => Rotation::Stable,
            Some(record) => match serde_json::from_str(record) {
                Ok(Record::Announced { since }) => {
                    Rotation::Announced { since: at(since), cert: text(NEXT_CERT)?, key: text(NEXT_KEY)? }
                }
                Ok(Record::Switched { since, old }) => Rotation::Switched { since: at(since), old },
                Err(error) => {
                    let detail = format!("{error}; remove it if no rotation is under way");
                    return Err(FileError::Content { path: place.join(ROTATION), detail }.into());
                }
            },
        };
        Ok(Self { material, rotation })
    }

    pub(super) fn to_files(&self) -> Files {
        let Material { ca_cert, ca_key, cert_chain, root_cert } = &self.material;
        let mut files = Files::new();
        let mut put = |name: &str, text: &str| files.insert(name.to_owned(), text.to_owned());
        put(CA_CERT, ca_cert);
        put(CA_KEY, ca_key);
        if !cert_chain.is_empty() {
            put(CERT_CHAIN, cert_chain);
        }
        put(ROOT_CERT, root_cert);
        let record = match &self.rotation {
            Rotation::Stable => return files,
            Rotation::Announced { since, cert, key } => {
                put(NEXT_CERT, cert);
                put(NEXT_KEY, key);
                Record::Announced { since: seconds(*since) }
            }
            Rotation::Switched { since, old } => {
                Record::Switched { since: seconds(*since), old: old.clone() }
            }
        };
        // A tag, a number and a text: there is nothing in it that JSON cannot say.
        put(ROTATION, &serde_json::to_string(&record).unwrap_or_default());
        files
    }

    pub(super) fn phase(&self) -> Phase {
        match &self.rotation {
            Rotation::Stable => Phase::Stable,
            Rotation::Announced { since, .. } => Phase::Announced { since: *since },
            Rotation::Switched { since, .. } => Phase::Switched { since: *since },
        }
    }

    /// The CA that will sign after the next switch, to be checked before anybody is told of it.
    pub(super) fn next(&self) -> Option<Material> {
        match &self.rotation {
            Rotation::Announced { cert, key, .. } => Some(Material {
                ca_cert: cert.clone(),
                ca_key: key.clone(),
                cert_chain: cert.clone(),
                root_cert: self.material.root_cert.clone(),
            }),
            Rotation::Stable | Rotation::Switched { .. } => None,
        }
    }

    /// The state after a step; the same if the step does not fit the phase.
    pub(super) fn after(self, step: Step, now: SystemTime) -> Result<Self, rcgen::Error> {
        let Self { mut material, rotation } = self;
        let rotation = match (step, rotation) {
            (Step::Announce, Rotation::Stable) => {
                let next = Material::generate(now)?;
                material.root_cert = joined(&material.root_cert, &next.ca_cert);
                Rotation::Announced { since: now, cert: next.ca_cert, key: next.ca_key }
            }
            (Step::Switch, Rotation::Announced { cert, key, .. }) => {
                let old = std::mem::replace(&mut material.ca_cert, cert.clone());
                material.ca_key = key;
                material.cert_chain = cert;
                Rotation::Switched { since: now, old }
            }
            (Step::Finish, Rotation::Switched { old, .. }) => {
                material.root_cert = without(&material.root_cert, &old);
                Rotation::Stable
            }
            (_, rotation) => rotation,
        };
        Ok(Self { material, rotation })
    }
}

fn joined(bundle: &str, more: &str) -> String {
    let separator = if bundle.ends_with('\n') { "" } else { "\n" };
    format!("{bundle}{separator}{more}")
}

/// A bundle may hold roots that a user put there; they stay.
fn without(bundle: &str, old: &str) -> String {
    let certificates = |text: &str| -> Vec<CertificateDer<'static>> {
        CertificateDer::pem_slice_iter(text.as_bytes()).filter_map(Result::ok).collect()
    };
    let gone = certificates(old);
    let kept = certificates(bundle).into_iter().filter(|der| !gone.contains(der));
    kept.map(|der| pem("CERTIFICATE", &der)).collect()
}

fn seconds(at: SystemTime) -> u64 {
    at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

fn at(seconds: u64) -> SystemTime {
    let after = Duration::from_secs(seconds);
    SystemTime::UNIX_EPOCH.checked_add(after).unwrap_or(SystemTime::UNIX_EPOCH)
}

/// The certificate that signs next.
const NEXT_CERT: &str = "next-cert.pem";
/// Its key.
const NEXT_KEY: &str = "next-key.pem";
/// Where the rotation stands.
const ROTATION: &str = "rotation.json";
/// All names that a store may meet.
pub(super) const NAMES: [&str; 7] = [CA_CERT, CA_KEY, CERT_CHAIN, ROOT_CERT, NEXT_CERT, NEXT_KEY, ROTATION];
