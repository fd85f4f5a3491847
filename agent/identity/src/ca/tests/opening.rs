//! Bad files are refused by name; changed files are taken up.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;

use super::{lifetime, refusal, request, root_of, set_mode, write_ca, write_key};
use crate::CertificateAuthority;
use crate::ca::{CA_CERT, CA_KEY, FILES, FileAuthority, ROOT_CERT};
use crate::certificate::pem;
use crate::fixture::{HOUR, MINUTE, TestCa, Wall, id};

#[test]
fn bad_files_are_named() {
    type Harm = fn(&Path);
    let cases: [(Harm, &[&str]); 9] = [
        (|dir| set_mode(dir, 0o640), &["ca-key.pem", "0640", "chmod 600"]),
        (|dir| set_mode(dir, 0o604), &["ca-key.pem", "0604"]),
        (
            |dir| write_key(dir, &KeyPair::generate().unwrap().serialize_pem()),
            &["ca-key.pem", "does not belong to", "ca-cert.pem"],
        ),
        (|dir| write_key(dir, "hello"), &["ca-key.pem", "PRIVATE KEY"]),
        (|dir| fs::remove_file(dir.join(CA_KEY)).unwrap(), &["ca-key.pem", "No such file"]),
        (|dir| fs::remove_file(dir.join(ROOT_CERT)).unwrap(), &["root-cert.pem", "No such file"]),
        (|dir| fs::write(dir.join(CA_CERT), "hello").unwrap(), &["ca-cert.pem", "no CERTIFICATE block"]),
        (
            |dir| fs::write(dir.join(ROOT_CERT), pem("CERTIFICATE", b"0")).unwrap(),
            &["root-cert.pem", "certificate 1 is not X.509"],
        ),
        (other_root, &["root-cert.pem", "none of our roots", "openssl verify"]),
    ];
    for (harm, texts) in cases {
        let temp = TempDir::new().unwrap();
        let dir = temp.path().join("ca");
        FileAuthority::open_or_create(&dir).unwrap();
        harm(&dir);
        let said = refusal(&dir);
        for text in texts {
            assert!(said.contains(text), "{text:?} in {said:?}");
        }
    }
}

fn other_root(dir: &Path) {
    let root = TestCa::root("other", SystemTime::now());
    fs::write(dir.join(ROOT_CERT), pem("CERTIFICATE", &root.certificate)).unwrap();
}

#[test]
fn a_workloads_certificate_is_no_ca() {
    let temp = TempDir::new().unwrap();
    let dir = temp.path().join("ca");
    let wall = Wall::new();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.not_before = wall.now().into();
    let leaf = params.self_signed(&key).unwrap().pem();
    write_ca(&dir, &leaf, &key.serialize_pem(), &leaf, &leaf);
    let said = FileAuthority::open_or_create_at(&dir, wall.clock()).err().unwrap().to_string();
    assert!(said.contains("ca-cert.pem is not a CA certificate"), "{said}");
}

#[test]
fn a_ca_is_refused_when_it_expired_and_signs_nothing_beyond_its_end() {
    let temp = TempDir::new().unwrap();
    let dir = temp.path().join("ca");
    let wall = Wall::new();
    let authority = FileAuthority::open_or_create_at(&dir, wall.clock()).unwrap();
    wall.pass(TEN_YEARS - HOUR);
    let issuer = authority.shared.issuer();
    let chain = issuer.issue(&request(), &id("web"), 24 * HOUR, wall.now()).ok().unwrap().chain;
    assert_eq!(lifetime(&chain[0]), HOUR + 2 * MINUTE, "ends with the CA");
    wall.pass(2 * HOUR);
    let said = FileAuthority::open_or_create_at(&dir, wall.clock()).err().unwrap().to_string();
    assert!(
        said.contains("ca-cert.pem is valid from 2026-11-20T23:58:00Z to 2036-11-18T00:00:00Z"),
        "{said}"
    );
    let error = authority.shared.sign(&request(), &id("web"), HOUR).unwrap_err().to_string();
    assert!(error.contains("expired at 2036-11-18") && error.contains("sa/web"), "{error}");
}

const TEN_YEARS: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

#[test]
fn new_files_are_taken_up_and_broken_ones_are_not() {
    let temp = TempDir::new().unwrap();
    let dir = temp.path().join("ca");
    let authority = FileAuthority::open_or_create(&dir).unwrap();
    let (old_root, old) = (root_of(&authority), authority.generation());
    assert_eq!(authority.generation(), old);

    let key = fs::read_to_string(dir.join(CA_KEY)).unwrap();
    write_key(&dir, "half a key");
    assert_ne!(authority.generation(), old);
    assert_eq!(root_of(&authority), old_root, "stays in use");
    write_key(&dir, &key);

    let other = FileAuthority::open_or_create(temp.path().join("other")).unwrap();
    for name in FILES {
        fs::rename(temp.path().join("other").join(name), dir.join(name)).unwrap();
    }
    assert_eq!(root_of(&authority), root_of(&other));
}
