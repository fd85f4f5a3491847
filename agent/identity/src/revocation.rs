//! Certificate revocation lists from a file.
//!
//! Verifiers read the current lists at each handshake, so a new file counts for the next connection without
//! any configuration being built again. A file that cannot be read does not replace lists that could.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::pki_types::CertificateRevocationListDer;
use rustls::pki_types::pem::PemObject;
use tokio::sync::watch;
use webpki::{CertRevocationList, OwnedCertRevocationList};

use crate::stamp::{Stamp, stamp};

/// The lists in force, shared by all verifiers.
pub(crate) struct Revocations {
    path: Option<PathBuf>,
    lists: ArcSwap<Vec<CertRevocationList<'static>>>,
    seen: std::sync::Mutex<Option<Stamp>>,
    /// Counts the lists that were put in force.
    changes: watch::Sender<u64>,
}

impl Revocations {
    /// Reads the file if there is one to read.
    pub(crate) fn open(path: Option<PathBuf>) -> Result<Self, CrlError> {
        let (lists, seen) = match &path {
            Some(path) => (read(path)?, stamp(path)),
            None => (Vec::new(), None),
        };
        Ok(Self {
            path,
            lists: ArcSwap::from_pointee(lists),
            seen: std::sync::Mutex::new(seen),
            changes: watch::Sender::new(0),
        })
    }

    /// No file and no lists.
    pub(crate) fn none() -> Arc<Self> {
        Arc::new(Self {
            path: None,
            lists: ArcSwap::default(),
            seen: std::sync::Mutex::default(),
            changes: watch::Sender::new(0),
        })
    }

    /// What is in force.
    pub(crate) fn lists(&self) -> arc_swap::Guard<Arc<Vec<CertRevocationList<'static>>>> {
        self.lists.load()
    }

    /// Told whenever other lists are in force.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Whether there is a file to look at.
    pub(crate) fn has_file(&self) -> bool {
        self.path.is_some()
    }

    /// Reads the file again if it changed. `Ok(true)`: other lists are in force now. After an error the old
    /// ones stay, and the same file is not tried again.
    pub(crate) fn refresh(&self) -> Result<bool, CrlError> {
        let Some(path) = &self.path else {
            return Ok(false);
        };
        let now = stamp(path);
        {
            let mut seen = self.seen.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            if *seen == now {
                return Ok(false);
            }
            *seen = now;
        }
        self.lists.store(Arc::new(read(path)?));
        self.changes.send_modify(|count| *count += 1);
        Ok(true)
    }
}

/// Why a revocation file is not used.
#[derive(Debug, thiserror::Error)]
pub enum CrlError {
    /// The file cannot be read.
    #[error("revocation file {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It holds no list.
    #[error("revocation file {}: no \"X509 CRL\" block in it; look at it with openssl crl -in", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A list that cannot be used: RFC 5280 version 2, complete, with nextUpdate is what is understood.
    #[error("revocation file {}: list {number} cannot be used ({detail}); look at it with openssl crl -in", path.display())]
    List {
        /// The file.
        path: PathBuf,
        /// Which list in it, from 1.
        number: usize,
        /// What the parser said.
        detail: String,
    },
}

fn read(path: &Path) -> Result<Vec<CertRevocationList<'static>>, CrlError> {
    let bytes = fs::read(path).map_err(|source| CrlError::Read { path: path.into(), source })?;
    let ders: Vec<Vec<u8>> = match bytes.first() {
        Some(&DER_SEQUENCE) => vec![bytes],
        _ => pem_blocks(path, &bytes)?,
    };
    if ders.is_empty() {
        return Err(CrlError::Empty { path: path.into() });
    }
    let parse = |(index, der): (usize, &Vec<u8>)| {
        let list = OwnedCertRevocationList::from_der(der).map_err(|error| CrlError::List {
            path: path.into(),
            number: index + 1,
            detail: format!("{error:?}"),
        })?;
        Ok(list.into())
    };
    ders.iter().enumerate().map(parse).collect()
}

fn pem_blocks(path: &Path, bytes: &[u8]) -> Result<Vec<Vec<u8>>, CrlError> {
    CertificateRevocationListDer::pem_slice_iter(bytes)
        .enumerate()
        .map(|(index, block)| match block {
            Ok(der) => Ok(der.to_vec()),
            Err(error) => {
                Err(CrlError::List { path: path.into(), number: index + 1, detail: error.to_string() })
            }
        })
        .collect()
}

/// First byte of any DER structure here; a PEM file begins with text.
const DER_SEQUENCE: u8 = 0x30;
