//! What the two sides agree on, and who does not get that far.

use std::sync::Arc;

use rustls::client::{ResolvesClientCert, Resumption};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::ServerSessionMemoryCache;
use rustls::sign::CertifiedKey;
use rustls::version::TLS12;
use rustls::{
    CipherSuite, ClientConfig, HandshakeKind, NamedGroup, ProtocolVersion, RootCertStore, ServerConfig,
    SignatureScheme,
};

use super::Mesh;
use crate::fixture::{handshake, id};
use crate::peer_identity;
use crate::tls::{ALPN_H2, expecting, explain, provider};

#[test]
fn a_good_pair_agrees_on_the_tunnels_terms() {
    let mesh = Mesh::new();
    let client =
        mesh.client(mesh.root.key(&mesh.leaf("client")), &[&mesh.root], &[id("other"), id("server")]);
    let server = mesh.server(mesh.root.key(&mesh.leaf("server")), &[&mesh.root]);
    for _ in 0..2 {
        let (client, server) = handshake(client.clone(), server.clone()).unwrap();
        assert_eq!(client.protocol_version(), Some(ProtocolVersion::TLSv1_3));
        let suite = client.negotiated_cipher_suite().unwrap().suite();
        assert_eq!(suite, CipherSuite::TLS13_AES_128_GCM_SHA256);
        assert_eq!(client.negotiated_key_exchange_group().unwrap().name(), NamedGroup::X25519MLKEM768);
        assert_eq!(client.alpn_protocol(), Some(ALPN_H2));
        assert_eq!(server.alpn_protocol(), Some(ALPN_H2));
        assert_eq!(server.server_name(), None, "no SNI");
        assert_eq!(server.handshake_kind(), Some(HandshakeKind::Full), "no resumption");
        assert_eq!(client.tls13_tickets_received(), 0);
        assert_eq!(peer_identity(client.peer_certificates().unwrap()), Ok(id("server")));
        assert_eq!(peer_identity(server.peer_certificates().unwrap()), Ok(id("client")));
    }
}

/// Each side for itself, because one of them alone would hide what the other does.
#[test]
fn neither_side_resumes_with_a_willing_peer() {
    let mesh = Mesh::new();
    let client = mesh.client(mesh.root.key(&mesh.leaf("client")), &[&mesh.root], &[id("server")]);
    let server = mesh.server(mesh.root.key(&mesh.leaf("server")), &[&mesh.root]);
    let mut willing_server = (*server).clone();
    willing_server.session_storage = ServerSessionMemoryCache::new(8);
    willing_server.send_tls13_tickets = 2;
    let mut willing_client = (*client).clone();
    willing_client.resumption = Resumption::in_memory_sessions(8);
    let (willing_client, willing_server) = (Arc::new(willing_client), Arc::new(willing_server));
    let second = |client: &Arc<ClientConfig>, server: &Arc<ServerConfig>| {
        handshake(client.clone(), server.clone()).unwrap();
        let (client, _) = handshake(client.clone(), server.clone()).unwrap();
        client.handshake_kind().unwrap()
    };
    assert_eq!(second(&willing_client, &willing_server), HandshakeKind::Resumed, "two willing ones do");
    assert_eq!(second(&client, &willing_server), HandshakeKind::Full);
    assert_eq!(second(&willing_client, &server), HandshakeKind::Full);
    let (client, _) = handshake(willing_client, server).unwrap();
    assert_eq!(client.tls13_tickets_received(), 0);
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
    let client =
        foreign_client(&mesh, |provider| provider.kx_groups.retain(|kx| kx.name() == NamedGroup::X25519));
    let (client, _) = handshake(client, server).unwrap();
    assert_eq!(client.negotiated_key_exchange_group().unwrap().name(), NamedGroup::X25519);
}

/// Our client's configuration with another provider in it.
fn foreign_client(mesh: &Mesh, change: impl FnOnce(&mut CryptoProvider)) -> Arc<ClientConfig> {
    let mut provider = provider();
    change(&mut provider);
    let mut context = mesh.context.clone();
    context.provider = Arc::new(provider);
    let trust = mesh.trust(&[&mesh.root]);
    let template = context.client(mesh.root.key(&mesh.leaf("client")), trust.clone()).unwrap();
    Arc::new(expecting(&template, trust, Arc::new([id("server")])))
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
    let mut client =
        (*mesh.client(mesh.root.key(&mesh.leaf("client")), &[&mesh.root], &[id("server")])).clone();
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
    let mut client =
        (*mesh.client(mesh.root.key(&mesh.leaf("client")), &[&mesh.root], &[id("server")])).clone();
    client.alpn_protocols = vec![b"http/1.1".to_vec()];
    let refused = handshake(client.into(), server).unwrap_err();
    let said = explain(&refused.server.unwrap());
    assert!(said.contains("no HBONE peer"), "{said}");
}
