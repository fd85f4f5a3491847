//! Roots, intermediates and revocation lists.

use std::sync::Arc;

use super::Mesh;
use crate::fixture::{HOUR, Leaf, MINUTE, TestCa, handshake, id, presentable};
use crate::revocation::Revocations;
use crate::tls::explain;

#[test]
fn a_peer_of_another_ca_is_refused_and_learns_why() {
    let mesh = Mesh::new();
    for name in ["another root", "root"] {
        let other = TestCa::root(name, mesh.wall.now());
        let client = mesh.client(other.key(&mesh.leaf("client")), &[&mesh.root], &[id("server")]);
        let server = mesh.server(mesh.root.key(&mesh.leaf("server")), &[&mesh.root]);
        let refused = handshake(client, server).unwrap_err();
        let said = explain(&refused.server.unwrap());
        assert!(said.contains("do both nodes use the same CA?") || said.contains("made anew"), "{said}");
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
    assert!(handshake(client, late).is_err(), "a server that knows the old root only");
}

#[test]
fn an_intermediate_is_followed_to_the_root() {
    let mesh = Mesh::new();
    let between = mesh.root.intermediate("between", mesh.wall.now());
    let (leaf, key) = between.certify(&mesh.leaf("client"));
    let whole = presentable(vec![leaf.clone(), between.certificate.clone()], &key);
    let leaf_only = presentable(vec![leaf], &key);
    let server = mesh.server(mesh.root.key(&mesh.leaf("server")), &[&mesh.root]);
    let expected = [id("server")];
    handshake(mesh.client(whole, &[&mesh.root], &expected), server.clone()).unwrap();
    assert!(handshake(mesh.client(leaf_only, &[&mesh.root], &expected), server).is_err());
}

#[test]
fn revoked_certificates_are_refused_from_the_next_handshake_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("crl.pem");
    let mut mesh = Mesh::new();
    let now = mesh.wall.now();
    let other = TestCa::root("other", now);
    std::fs::write(&path, [other.crl(&[7], now), mesh.root.crl(&[9], now)].concat()).unwrap();
    let revocations = Arc::new(Revocations::open(Some(path.clone())).unwrap());
    mesh.context.revocations = revocations.clone();
    let client = Leaf { serial: 7, ..mesh.leaf("client") };
    assert_eq!(mesh.admit(client.clone()).unwrap(), id("client"), "7 of another CA is revoked");

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
    assert!(revocations.refresh().unwrap_err().to_string().contains("crl.pem"));
    assert!(handshake(client, server).is_err(), "a broken file does not revive anybody");
    assert!(!revocations.refresh().unwrap(), "nor is it complained of twice");
}
