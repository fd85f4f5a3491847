//! Handshakes between good and bad parties, over memory.

use std::sync::Arc;

use proptest::prelude::*;
use rcgen::{CustomExtension, ExtendedKeyUsagePurpose};
use rustls::client::ResolvesClientCert;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::TLS12;
use rustls::{
    CipherSuite, ClientConfig, NamedGroup, ProtocolVersion, RootCertStore, ServerConfig,
    SignatureScheme,
};
use weir_model::Identity;

use super::{ALPN_H2, Context, expecting, explain};
use crate::fixture::{HOUR, Leaf, MINUTE, Refused, TestCa, Wall, handshake, id};
use crate::revocation::Revocations;
use crate::trust::Trust;
use crate::{PeerError, peer_identity};

/// A mesh of one root, where both sides may be given any certificate.
struct Mesh {
    wall: Wall,
    root: TestCa,
    context: Context,
}

impl Mesh {
    fn new() -> Self {
        let wall = Wall::new();
        let root = TestCa::root("root", wall.now());
        let context = Context::new(wall.clock(), Arc::new(Revocations::open(None).unwrap()));
        Self {
            wall,
            root,
            context,
        }
    }

    fn leaf(&self, account: &str) -> Leaf {
        Leaf::of(&id(account), self.wall.now())
    }

    fn trust(&self, roots: &[&TestCa]) -> Arc<Trust> {
        let roots: Vec<_> = roots.iter().map(|root| root.certificate.clone()).collect();
        let algorithms = self.context.provider.signature_verification_algorithms;
        Arc::new(Trust::new(&roots, algorithms, self.context.revocations.clone()).unwrap())
    }

    fn client(
        &self,
        key: Arc<SingleCertAndKey>,
        roots: &[&TestCa],
        expected: &[Identity],
    ) -> Arc<ClientConfig> {
        let trust = self.trust(roots);
        let template = self.context.client(key, trust.clone()).unwrap();
        Arc::new(expecting(&template, trust, expected.into()))
    }

    fn server(&self, key: Arc<SingleCertAndKey>, roots: &[&TestCa]) -> Arc<ServerConfig> {
        Arc::new(
            self.context
                .server(&id("server"), key, self.trust(roots))
                .unwrap(),
        )
    }

    /// A client with this certificate meets a good server.
    fn admit(&self, client: Leaf) -> Result<Identity, Refused> {
        let client = self.client(self.root.key(&client), &[&self.root], &[id("server")]);
        let server = self.server(self.root.key(&self.leaf("server")), &[&self.root]);
        let (_, server) = handshake(client, server)?;
        Ok(peer_identity(server.peer_certificates().unwrap()).unwrap())
    }

    /// A good client that expects `expected` meets a server with this certificate.
    fn dial(&self, server: Leaf, expected: &[Identity]) -> Result<Identity, Refused> {
        let client = self.client(self.root.key(&self.leaf("client")), &[&self.root], expected);
        let server = self.server(self.root.key(&server), &[&self.root]);
        let (client, _) = handshake(client, server)?;
        Ok(peer_identity(client.peer_certificates().unwrap()).unwrap())
    }
}

fn server_says(outcome: Result<Identity, Refused>) -> String {
    explain(&outcome.unwrap_err().server.unwrap())
}

fn client_says(outcome: Result<Identity, Refused>) -> String {
    explain(&outcome.unwrap_err().client.unwrap())
}

#[test]
fn a_good_pair_agrees_on_the_tunnels_terms() {
    let mesh = Mesh::new();
    let client = mesh.client(
        mesh.root.key(&mesh.leaf("client")),
        &[&mesh.root],
        &[id("other"), id("server")],
    );
    let server = mesh.server(mesh.root.key(&mesh.leaf("server")), &[&mesh.root]);
    for _ in 0..2 {
        let (client, server) = handshake(client.clone(), server.clone()).unwrap();
        assert_eq!(client.protocol_version(), Some(ProtocolVersion::TLSv1_3));
        let suite = client.negotiated_cipher_suite().unwrap().suite();
        assert_eq!(suite, CipherSuite::TLS13_AES_128_GCM_SHA256);
        assert_eq!(
            client.negotiated_key_exchange_group().unwrap().name(),
            NamedGroup::X25519MLKEM768
        );
        assert_eq!(client.alpn_protocol(), Some(ALPN_H2));
        assert_eq!(server.alpn_protocol(), Some(ALPN_H2));
        assert_eq!(server.server_name(), None, "no SNI");
        assert_eq!(
            server.handshake_kind(),
            Some(rustls::HandshakeKind::Full),
            "no resumption"
        );
        assert_eq!(client.tls13_tickets_received(), 0);
        assert_eq!(
            peer_identity(client.peer_certificates().unwrap()),
            Ok(id("server"))
        );
        assert_eq!(
            peer_identity(server.peer_certificates().unwrap()),
            Ok(id("client"))
        );
    }
}

#[test]
fn aes_128_wins_over_a_client_that_prefers_aes_256() {
    let mesh = Mesh::new();
    let server = mesh.server(mesh.root.key(&mesh.leaf("server")), &[&mesh.root]);
    let client = foreign_client(&mesh, |provider| provider.cipher_suites.reverse());
    let (client, _) = handshake(client, server).unwrap();
    let suite = client.negotiated_cipher_suite().unwrap().suite();
    assert_eq!(suite, CipherSuite::TLS13_AES_128_GCM_SHA256);
}

#[test]
fn a_peer_without_the_hybrid_group_gets_x25519() {
    let mesh = Mesh::new();
    let server = mesh.server(mesh.root.key(&mesh.leaf("server")), &[&mesh.root]);
    let client = foreign_client(&mesh, |provider| {
        provider
            .kx_groups
            .retain(|kx| kx.name() == NamedGroup::X25519)
    });
    let (client, _) = handshake(client, server).unwrap();
    assert_eq!(
        client.negotiated_key_exchange_group().unwrap().name(),
        NamedGroup::X25519
    );
}

/// Our client's configuration with another provider in it.
fn foreign_client(
    mesh: &Mesh,
    change: impl FnOnce(&mut rustls::crypto::CryptoProvider),
) -> Arc<ClientConfig> {
    let mut provider = super::provider();
    change(&mut provider);
    let mut context = mesh.context.clone();
    context.provider = Arc::new(provider);
    let trust = mesh.trust(&[&mesh.root]);
    let template = context
        .client(mesh.root.key(&mesh.leaf("client")), trust.clone())
        .unwrap();
    Arc::new(expecting(&template, trust, Arc::new([id("server")])))
}

#[test]
fn clients_are_refused_with_the_reason() {
    let mesh = Mesh::new();
    let now = mesh.wall.now();
    let good = mesh.leaf("client");
    let of = |uris: &[&str]| Leaf {
        uris: uris.iter().map(ToString::to_string).collect(),
        ..good.clone()
    };
    let two = of(&[
        "spiffe://mesh/ns/shop/sa/client",
        "spiffe://mesh/ns/shop/sa/admin",
    ]);
    let cases = [
        (
            "other trust domain",
            of(&["spiffe://else/ns/shop/sa/client"]),
            "only clients of trust domain mesh",
        ),
        ("two URIs", two, "has 2 URI SANs"),
        (
            "the same URI twice",
            of(&["spiffe://mesh/ns/a/sa/b", "spiffe://mesh/ns/a/sa/b"]),
            "has 2 URI SANs",
        ),
        ("no SAN", of(&[]), "has 0 URI SANs"),
        (
            "another URI",
            of(&["https://mesh/"]),
            "must start with spiffe://",
        ),
        (
            "a longer path",
            of(&["spiffe://mesh/ns/shop/sa/client/x"]),
            "must read spiffe://",
        ),
        (
            "expired",
            Leaf {
                not_after: now - MINUTE,
                ..good.clone()
            },
            "expired",
        ),
        (
            "not valid yet",
            Leaf {
                not_before: now + MINUTE,
                ..good.clone()
            },
            "not valid yet",
        ),
        (
            "for servers",
            Leaf {
                usages: vec![ExtendedKeyUsagePurpose::ServerAuth],
                ..good.clone()
            },
            "issued for another use",
        ),
        (
            "bad critical extension",
            Leaf {
                extensions: vec![critical_extension()],
                ..good.clone()
            },
            "UnsupportedCriticalExtension",
        ),
    ];
    for (case, leaf, text) in cases {
        let said = server_says(mesh.admit(leaf));
        assert!(said.contains(text), "{case}: {said}");
    }
    assert_eq!(mesh.admit(good).unwrap(), id("client"));
}

#[test]
fn a_client_whose_certificate_names_no_use_is_fine() {
    let mesh = Mesh::new();
    let leaf = Leaf {
        usages: Vec::new(),
        ..mesh.leaf("client")
    };
    assert_eq!(mesh.admit(leaf).unwrap(), id("client"));
}

#[test]
fn servers_are_refused_with_the_reason() {
    let mesh = Mesh::new();
    let now = mesh.wall.now();
    let good = mesh.leaf("server");
    let expected = [id("server"), id("other")];
    let of = |uris: &[&str]| Leaf {
        uris: uris.iter().map(ToString::to_string).collect(),
        ..good.clone()
    };
    let cases = [
        (
            "somebody else",
            of(&["spiffe://mesh/ns/shop/sa/thief"]),
            "expected spiffe://mesh/ns/shop/sa/server or spiffe://mesh/ns/shop/sa/other",
        ),
        (
            "other trust domain",
            of(&["spiffe://else/ns/shop/sa/server"]),
            "the peer is spiffe://else/ns/shop/sa/server, expected",
        ),
        (
            "two URIs",
            of(&[
                "spiffe://mesh/ns/shop/sa/server",
                "spiffe://mesh/ns/shop/sa/thief",
            ]),
            "has 2 URI SANs",
        ),
        ("no SAN", of(&[]), "has 0 URI SANs"),
        (
            "expired",
            Leaf {
                not_after: now - MINUTE,
                ..good.clone()
            },
            "expired",
        ),
        (
            "for clients",
            Leaf {
                usages: vec![ExtendedKeyUsagePurpose::ClientAuth],
                ..good.clone()
            },
            "issued for another use",
        ),
    ];
    for (case, leaf, text) in cases {
        let said = client_says(mesh.dial(leaf, &expected));
        assert!(said.contains(text), "{case}: {said}");
    }
    assert_eq!(mesh.dial(good.clone(), &expected).unwrap(), id("server"));
    let said = client_says(mesh.dial(good, &[]));
    assert!(said.contains("nobody is accepted"), "{said}");
}

#[test]
fn a_peer_of_another_ca_is_refused_and_learns_why() {
    let mesh = Mesh::new();
    for name in ["another root", "root"] {
        let other = TestCa::root(name, mesh.wall.now());
        let client = mesh.client(
            other.key(&mesh.leaf("client")),
            &[&mesh.root],
            &[id("server")],
        );
        let server = mesh.server(mesh.root.key(&mesh.leaf("server")), &[&mesh.root]);
        let refused = handshake(client, server).unwrap_err();
        let said = explain(&refused.server.unwrap());
        assert!(
            said.contains("do both nodes use the same CA?") || said.contains("made anew"),
            "{said}"
        );
        let said = explain(&refused.client.unwrap());
        assert!(said.contains("the peer refused the handshake"), "{said}");
    }
}

#[test]
fn roots_overlap_while_they_change() {
    let mesh = Mesh::new();
    let new = TestCa::root("new root", mesh.wall.now());
    let both = [&mesh.root, &new];
    for (client, server) in [(&mesh.root, &new), (&new, &mesh.root), (&new, &new)] {
        let client = mesh.client(client.key(&mesh.leaf("client")), &both, &[id("server")]);
        let server = mesh.server(server.key(&mesh.leaf("server")), &both);
        handshake(client, server).unwrap();
    }
    let late = mesh.server(mesh.root.key(&mesh.leaf("server")), &[&mesh.root]);
    let client = mesh.client(new.key(&mesh.leaf("client")), &both, &[id("server")]);
    assert!(
        handshake(client, late).is_err(),
        "a server that knows the old root only"
    );
}

#[test]
fn an_intermediate_is_followed_to_the_root() {
    let mesh = Mesh::new();
    let between = mesh.root.intermediate("between", mesh.wall.now());
    let (leaf, key) = between.certify(&mesh.leaf("client"));
    let whole = crate::fixture::presentable(vec![leaf.clone(), between.certificate.clone()], &key);
    let leaf_only = crate::fixture::presentable(vec![leaf], &key);
    let server = mesh.server(mesh.root.key(&mesh.leaf("server")), &[&mesh.root]);
    let expected = [id("server")];
    handshake(mesh.client(whole, &[&mesh.root], &expected), server.clone()).unwrap();
    assert!(handshake(mesh.client(leaf_only, &[&mesh.root], &expected), server).is_err());
}

#[test]
fn a_tls_1_2_client_is_refused() {
    let mesh = Mesh::new();
    let server = mesh.server(mesh.root.key(&mesh.leaf("server")), &[&mesh.root]);
    let client = ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into())
        .with_protocol_versions(&[&TLS12])
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_client_cert_resolver(mesh.root.key(&mesh.leaf("client")));
    let refused = handshake(client.into(), server).unwrap_err();
    let said = explain(&refused.server.unwrap());
    assert!(said.contains("TLS 1.3"), "{said}");
}

#[test]
fn a_client_without_a_certificate_is_refused() {
    let mesh = Mesh::new();
    let server = mesh.server(mesh.root.key(&mesh.leaf("server")), &[&mesh.root]);
    let mut client = (*mesh.client(
        mesh.root.key(&mesh.leaf("client")),
        &[&mesh.root],
        &[id("server")],
    ))
    .clone();
    client.client_auth_cert_resolver = Arc::new(NoCertificate);
    let refused = handshake(client.into(), server).unwrap_err();
    let said = explain(&refused.server.unwrap());
    assert!(said.contains("the peer sent no certificate"), "{said}");
    let said = explain(&refused.client.unwrap());
    assert!(said.contains("wants a client certificate"), "{said}");
}

#[derive(Debug)]
struct NoCertificate;

impl ResolvesClientCert for NoCertificate {
    fn resolve(&self, _hints: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}

#[test]
fn a_client_that_speaks_another_protocol_is_refused() {
    let mesh = Mesh::new();
    let server = mesh.server(mesh.root.key(&mesh.leaf("server")), &[&mesh.root]);
    let mut client = (*mesh.client(
        mesh.root.key(&mesh.leaf("client")),
        &[&mesh.root],
        &[id("server")],
    ))
    .clone();
    client.alpn_protocols = vec![b"http/1.1".to_vec()];
    let refused = handshake(client.into(), server).unwrap_err();
    let said = explain(&refused.server.unwrap());
    assert!(said.contains("no HBONE peer"), "{said}");
}

#[test]
fn revoked_certificates_are_refused_from_the_next_handshake_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("crl.pem");
    let mut mesh = Mesh::new();
    let now = mesh.wall.now();
    let other = TestCa::root("other", now);
    std::fs::write(
        &path,
        [other.crl(&[7], now), mesh.root.crl(&[9], now)].concat(),
    )
    .unwrap();
    let revocations = Arc::new(Revocations::open(Some(path.clone())).unwrap());
    mesh.context.revocations = revocations.clone();
    let client = Leaf {
        serial: 7,
        ..mesh.leaf("client")
    };
    assert_eq!(
        mesh.admit(client.clone()).unwrap(),
        id("client"),
        "7 of another CA is revoked"
    );

    let server = mesh.server(mesh.root.key(&mesh.leaf("server")), &[&mesh.root]);
    let client = mesh.client(mesh.root.key(&client), &[&mesh.root], &[id("server")]);
    handshake(client.clone(), server.clone()).unwrap();
    std::fs::write(&path, mesh.root.crl(&[7, 9], now)).unwrap();
    assert!(revocations.refresh().unwrap());
    let refused = handshake(client.clone(), server.clone()).unwrap_err();
    let said = explain(&refused.server.unwrap());
    assert!(said.contains("revocation file"), "{said}");

    mesh.wall.pass(HOUR - MINUTE);
    std::fs::write(&path, "rubbish, longer than what was there").unwrap();
    assert!(
        revocations
            .refresh()
            .unwrap_err()
            .to_string()
            .contains("crl.pem")
    );
    assert!(
        handshake(client, server).is_err(),
        "a broken file does not revive anybody"
    );
    assert!(
        !revocations.refresh().unwrap(),
        "nor is it complained of twice"
    );
}

#[test]
fn a_uri_that_is_not_text_counts() {
    let mesh = Mesh::new();
    let uri = b"spiffe://mesh/ns/shop/sa/client";
    let names = |names: &[&[u8]]| {
        let names: Vec<u8> = names
            .iter()
            .flat_map(|name| [&[0x86, name.len() as u8][..], name].concat())
            .collect();
        let content = [&[0x30, names.len() as u8][..], &names].concat();
        CustomExtension::from_oid_content(&[2, 5, 29, 17], content)
    };
    let with = |extension| Leaf {
        uris: Vec::new(),
        extensions: vec![extension],
        ..mesh.leaf("client")
    };
    assert_eq!(
        mesh.admit(with(names(&[uri]))).unwrap(),
        id("client"),
        "the hand-made SAN is well-formed"
    );
    let hidden = server_says(mesh.admit(with(names(&[uri, b"\xff\xfe"]))));
    assert!(hidden.contains("has 2 URI SANs"), "{hidden}");
    let alone = server_says(mesh.admit(with(names(&[b"\xff\xfe"]))));
    assert!(alone.contains("not text"), "{alone}");
}

fn critical_extension() -> CustomExtension {
    let mut extension = CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0]);
    extension.set_criticality(true);
    extension
}

proptest! {
    #[test]
    fn any_bytes_give_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = peer_identity(&[CertificateDer::from(bytes)]);
    }

    /// Random bytes seldom get past the first length; a damaged certificate gets everywhere.
    #[test]
    fn damaged_certificates_give_an_answer(
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
        shorten in any::<bool>(),
    ) {
        let mesh = Mesh::new();
        let mut bytes = mesh.root.certify(&mesh.leaf("client")).0.to_vec();
        for (place, value) in damage {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        if shorten {
            bytes.truncate(cut.index(bytes.len()));
        }
        let chain = [CertificateDer::from(bytes)];
        let _ = peer_identity(&chain);
        let _ = mesh.trust(&[&mesh.root]).verify_chain(crate::trust::Role::Client, &chain, mesh.wall.now());
    }
}

#[test]
fn no_chain_is_an_error() {
    assert_eq!(peer_identity(&[]), Err(PeerError::NoCertificate));
}
