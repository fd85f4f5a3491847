//! Certificates of the control plane itself, for clients that know it by a DNS name.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use rcgen::{ExtendedKeyUsagePurpose, SanType};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::issue::{IssueError, Issuer};
use super::material::new_key;

/// What clients call a server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerNames {
    /// DNS names.
    pub dns: Vec<String>,
    /// Addresses.
    pub ips: Vec<IpAddr>,
}

/// A certificate with its key, and the roots of the mesh to verify clients with.
#[derive(Debug)]
pub struct ServerCredentials {
    /// The certificate and its intermediates.
    pub chain: Vec<CertificateDer<'static>>,
    /// Its key.
    pub key: PrivateKeyDer<'static>,
    /// The roots of the mesh.
    pub roots: Vec<CertificateDer<'static>>,
    /// When another one should be in use: at half of its life.
    pub renew_at: SystemTime,
}

impl Issuer {
    /// Makes a key and a certificate for a server of these names.
    pub(super) fn issue_server(
        &self,
        names: &ServerNames,
        lifetime: Duration,
        now: SystemTime,
    ) -> Result<ServerCredentials, IssueError> {
        let key = new_key()?;
        let dns = names.dns.iter().map(|name| Ok(SanType::DnsName(name.as_str().try_into()?)));
        let ips = names.ips.iter().map(|ip| Ok(SanType::IpAddress(*ip)));
        let sans = dns.chain(ips).collect::<Result<Vec<_>, rcgen::Error>>()?;
        let chain = self.certify(&key, sans, vec![ExtendedKeyUsagePurpose::ServerAuth], lifetime, now)?;
        Ok(ServerCredentials {
            chain,
            key: PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der())),
            roots: self.roots().to_vec(),
            // It does not outlive the CA.
            renew_at: now + lifetime.min(self.validity().end().duration_since(now).unwrap_or_default()) / 2,
        })
    }
}
