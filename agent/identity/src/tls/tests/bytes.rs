//! Certificates that no CA writes.

use proptest::prelude::*;
use rcgen::CustomExtension;
use rustls::pki_types::CertificateDer;

use super::{Mesh, server_says};
use crate::fixture::{Leaf, id};
use crate::trust::Role;
use crate::{PeerError, peer_identity};

#[test]
fn a_uri_that_is_not_text_counts() {
    let mesh = Mesh::new();
    let uri = b"spiffe://mesh/ns/shop/sa/client";
    let names = |names: &[&[u8]]| {
        let names: Vec<u8> =
            names.iter().flat_map(|name| [&[0x86, name.len() as u8][..], name].concat()).collect();
        let content = [&[0x30, names.len() as u8][..], &names].concat();
        CustomExtension::from_oid_content(&[2, 5, 29, 17], content)
    };
    let with = |extension| Leaf { uris: Vec::new(), extensions: vec![extension], ..mesh.leaf("client") };
    assert_eq!(mesh.admit(with(names(&[uri]))).unwrap(), id("client"), "the hand-made SAN is well-formed");
    let hidden = server_says(mesh.admit(with(names(&[uri, b"\xff\xfe"]))));
    assert!(hidden.contains("has 2 URI SANs"), "{hidden}");
    let alone = server_says(mesh.admit(with(names(&[b"\xff\xfe"]))));
    assert!(alone.contains("not text"), "{alone}");
}

#[test]
fn no_chain_is_an_error() {
    assert_eq!(peer_identity(&[]), Err(PeerError::NoCertificate));
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
        let _ = mesh.trust(&[&mesh.root]).verify_chain(Role::Client, &chain, mesh.wall.now());
    }
}
