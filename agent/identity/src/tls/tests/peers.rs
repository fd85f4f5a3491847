//! Who is refused for what the certificate says.

use rcgen::{CustomExtension, ExtendedKeyUsagePurpose};

use super::{Mesh, client_says, server_says};
use crate::fixture::{Leaf, MINUTE, id};

#[test]
fn clients_are_refused_with_the_reason() {
    let mesh = Mesh::new();
    let now = mesh.wall.now();
    let good = mesh.leaf("client");
    let of = |uris: &[&str]| Leaf { uris: uris.iter().map(ToString::to_string).collect(), ..good.clone() };
    let two = of(&["spiffe://mesh/ns/shop/sa/client", "spiffe://mesh/ns/shop/sa/admin"]);
    let cases = [
        ("other trust domain", of(&["spiffe://else/ns/shop/sa/client"]), "only clients of trust domain mesh"),
        ("two URIs", two, "has 2 URI SANs"),
        ("the same URI twice", of(&["spiffe://mesh/ns/a/sa/b", "spiffe://mesh/ns/a/sa/b"]), "has 2 URI SANs"),
        ("no SAN", of(&[]), "has 0 URI SANs"),
        ("another URI", of(&["https://mesh/"]), "must start with spiffe://"),
        ("a longer path", of(&["spiffe://mesh/ns/shop/sa/client/x"]), "must read spiffe://"),
        ("expired", Leaf { not_after: now - MINUTE, ..good.clone() }, "expired"),
        ("not valid yet", Leaf { not_before: now + MINUTE, ..good.clone() }, "not valid yet"),
        (
            "for servers",
            Leaf { usages: vec![ExtendedKeyUsagePurpose::ServerAuth], ..good.clone() },
            "issued for another use",
        ),
        (
            "bad critical extension",
            Leaf { extensions: vec![critical_extension()], ..good.clone() },
            "UnsupportedCriticalExtension",
        ),
    ];
    for (case, leaf, text) in cases {
        let said = server_says(mesh.admit(leaf));
        assert!(said.contains(text), "{case}: {said}");
    }
    assert_eq!(mesh.admit(good).unwrap(), id("client"));
}

fn critical_extension() -> CustomExtension {
    let mut extension = CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0]);
    extension.set_criticality(true);
    extension
}

#[test]
fn a_client_whose_certificate_names_no_use_is_fine() {
    let mesh = Mesh::new();
    let leaf = Leaf { usages: Vec::new(), ..mesh.leaf("client") };
    assert_eq!(mesh.admit(leaf).unwrap(), id("client"));
}

#[test]
fn servers_are_refused_with_the_reason() {
    let mesh = Mesh::new();
    let now = mesh.wall.now();
    let good = mesh.leaf("server");
    let expected = [id("server"), id("other")];
    let of = |uris: &[&str]| Leaf { uris: uris.iter().map(ToString::to_string).collect(), ..good.clone() };
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
            of(&["spiffe://mesh/ns/shop/sa/server", "spiffe://mesh/ns/shop/sa/thief"]),
            "has 2 URI SANs",
        ),
        ("no SAN", of(&[]), "has 0 URI SANs"),
        ("expired", Leaf { not_after: now - MINUTE, ..good.clone() }, "expired"),
        (
            "for clients",
            Leaf { usages: vec![ExtendedKeyUsagePurpose::ClientAuth], ..good.clone() },
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
