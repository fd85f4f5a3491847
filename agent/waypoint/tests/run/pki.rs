//! Authorities outside of the mesh, and servers whose TLS they vouch for.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, IsCa, Issuer, KeyIdMethod,
    KeyPair, KeyUsagePurpose, RevokedCertParams, SanType, SerialNumber,
};
use rustls::crypto::aws_lc_rs;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use time::OffsetDateTime;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use weir_proto::l7;

use crate::world::answer;

/// One that signs.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) pem: String,
}

/// A certificate and its key, as PEM.
pub(crate) struct Pair {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, name);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// For names, or (with `://`) URIs. The serial number is the caller's.
    pub(crate) fn sign(&self, names: &[&str], serial: u64) -> Pair {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.serial_number = Some(SerialNumber::from(serial));
        params.subject_alt_names = names
            .iter()
            .map(|name| match name.contains("://") {
                true => SanType::URI((*name).try_into().unwrap()),
                false => SanType::DnsName((*name).try_into().unwrap()),
            })
            .collect();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        Pair { certificate, key: key.serialize_pem() }
    }

    /// A list of serial numbers that count no more.
    pub(crate) fn revoke(&self, serials: &[u64]) -> String {
        let now = OffsetDateTime::now_utc();
        let revoked = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: now,
            reason_code: None,
            invalidity_date: None,
        };
        let params = CertificateRevocationListParams {
            this_update: now - time::Duration::days(1),
            next_update: now + time::Duration::days(1),
            crl_number: SerialNumber::from(1u64),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.issuer).unwrap().pem().unwrap()
    }
}

/// What a server of TLS is to be.
pub(crate) struct Server<'a> {
    pub(crate) pair: &'a Pair,
    /// Who signs its clients' certificates; `None`: it wants none.
    pub(crate) clients: Option<&'a Authority>,
    pub(crate) versions: &'static [&'static SupportedProtocolVersion],
}

/// What a server saw of each connection: name, protocol, version, and its client's certificates (a number of them).
pub(crate) type Seen = Rc<RefCell<Vec<String>>>;

impl Server<'_> {
    /// Serves HTTP/1.1 within TLS. It tells the serial number of the client's certificate.
    pub(crate) fn start(self, listener: TcpListener) -> Seen {
        let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(self.versions)
            .unwrap();
        let builder = match self.clients {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(CertificateDer::from_pem_slice(authority.pem.as_bytes()).unwrap()).unwrap();
                let provider = Arc::new(aws_lc_rs::default_provider());
                let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
                builder.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let chain = vec![CertificateDer::from_pem_slice(self.pair.certificate.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(self.pair.key.as_bytes()).unwrap();
        let mut config = builder.with_single_cert(chain, key).unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let (acceptor, seen) = (TlsAcceptor::from(Arc::new(config)), Seen::default());
        let told = seen.clone();
        tokio::task::spawn_local(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (acceptor, told) = (acceptor.clone(), told.clone());
                tokio::task::spawn_local(async move {
                    let Ok(mut stream) = acceptor.accept(socket).await else { return };
                    let session = stream.get_ref().1;
                    let alpn = session.alpn_protocol().map(|alpn| String::from_utf8_lossy(alpn).into_owned());
                    let line = format!(
                        "{} {} {:?} {}",
                        session.server_name().unwrap_or("-"),
                        alpn.as_deref().unwrap_or("-"),
                        session.protocol_version().unwrap(),
                        session.peer_certificates().map_or("-".to_owned(), |chain| serial(&chain[0])),
                    );
                    told.borrow_mut().push(line.clone());
                    match alpn.as_deref() {
                        // Nobody here speaks HTTP/2: what comes first is enough to see.
                        Some("h2") => drop(stream.read_u8().await),
                        _ => answer(stream, line).await,
                    }
                });
            }
        });
        seen
    }
}

/// Of a certificate with a short one: the last byte of what follows the version.
fn serial(der: &CertificateDer<'_>) -> String {
    let at = der.windows(5).position(|bytes| bytes == [0xa0, 3, 2, 1, 2]).unwrap() + 5;
    let length = usize::from(der[at + 1]);
    der[at + 1 + length].to_string()
}

/// A secret of the waypoint's namespace.
pub(crate) fn secret(pair: Option<&Pair>, authority: Option<&Authority>, crl: &str) -> l7::Secret {
    let bytes = |text: Option<&String>| text.map(|text| text.clone().into_bytes()).unwrap_or_default();
    l7::Secret {
        namespace: "shop".into(),
        name: "pair".into(),
        certificate_chain: bytes(pair.map(|pair| &pair.certificate)),
        private_key: bytes(pair.map(|pair| &pair.key)),
        ca_certificates: bytes(authority.map(|authority| &authority.pem)),
        crl: crl.into(),
    }
}
