//! The directory CA: made once, opened with care, signs what we say.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Barrier};

use rcgen::{CertificateParams, KeyPair, SanType};
use rustls::pki_types::CertificateDer;
use tempfile::TempDir;
use weir_model::Identity;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::*;
use crate::certificate::pem;
use crate::fixture::{HOUR, MINUTE, TestCa, Wall, id, openssl};
use crate::request::KeyAndRequest;
use crate::{RequestError, peer_identity};

#[test]
fn the_first_makes_a_ca_and_the_second_opens_it() {
    let temp = TempDir::new().unwrap();
    let dir = temp.path().join("a/b/ca");
    let first = FileAuthority::open_or_create(&dir).unwrap();
    let second = FileAuthority::open_or_create(&dir).unwrap();
    assert_eq!(root_of(&first), root_of(&second));
    let mode = |name: &str| fs::metadata(dir.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(CA_KEY), 0o600);
    assert_eq!(
        fs::metadata(&dir).unwrap().permissions().mode() & 0o777,
        0o700
    );
    assert_eq!(
        names(&dir),
        [
            "ca-cert.pem",
            "ca-key.pem",
            "cert-chain.pem",
            "root-cert.pem"
        ]
    );
    assert_eq!(
        names(dir.parent().unwrap()),
        ["ca"],
        "nothing is left beside it"
    );
}

#[test]
fn an_empty_directory_and_a_link_to_one_will_do() {
    let temp = TempDir::new().unwrap();
    let (dir, link) = (temp.path().join("ca"), temp.path().join("link"));
    fs::create_dir(&dir).unwrap();
    std::os::unix::fs::symlink(&dir, &link).unwrap();
    let made = FileAuthority::open_or_create(&link).unwrap();
    assert_eq!(
        root_of(&made),
        root_of(&FileAuthority::open_or_create(&dir).unwrap())
    );
}

#[test]
fn of_many_threads_one_makes_it() {
    for _ in 0..20 {
        let temp = TempDir::new().unwrap();
        let dir = temp.path().join("ca");
        let barrier = Arc::new(Barrier::new(16));
        let open = || {
            let (dir, barrier) = (dir.clone(), barrier.clone());
            std::thread::spawn(move || {
                barrier.wait();
                root_of(&FileAuthority::open_or_create(&dir).unwrap())
            })
        };
        let threads: Vec<_> = (0..16).map(|_| open()).collect();
        let mut roots: Vec<_> = threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect();
        roots.dedup();
        assert_eq!(roots.len(), 1);
        assert_eq!(names(temp.path()), ["ca"], "the losers left nothing");
    }
}

/// The processes wait for a file to appear, so that they start together.
#[test]
fn of_many_processes_one_makes_it() {
    let temp = TempDir::new().unwrap();
    let start = || {
        Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "ca::tests::as_a_process_of_its_own",
                "--ignored",
                "--nocapture",
            ])
            .env(CHILD_DIR, temp.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let children: Vec<_> = (0..8).map(|_| start()).collect();
    fs::write(temp.path().join("go"), "").unwrap();
    let finish = |child: std::process::Child| {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).unwrap();
        let (_, root) = text.split_once("root=").unwrap();
        root.lines().next().unwrap().to_owned()
    };
    let mut roots: Vec<_> = children.into_iter().map(finish).collect();
    roots.dedup();
    assert_eq!(roots.len(), 1, "{roots:?}");
    assert_eq!(names(temp.path()), ["ca", "go"]);
}

#[test]
#[ignore = "run by of_many_processes_one_makes_it"]
fn as_a_process_of_its_own() {
    let Some(dir) = std::env::var_os(CHILD_DIR) else {
        return;
    };
    while !Path::new(&dir).join("go").exists() {
        std::thread::yield_now();
    }
    let authority = FileAuthority::open_or_create(Path::new(&dir).join("ca")).unwrap();
    let root: String = root_of(&authority)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    println!("root={root}");
}

const CHILD_DIR: &str = "WEIR_TEST_CA_DIR";

#[test]
fn a_directory_of_something_else_is_left_alone() {
    let temp = TempDir::new().unwrap();
    fs::write(temp.path().join("letters.txt"), "").unwrap();
    assert!(refusal(temp.path()).contains("holds no CA and is not empty"));
    assert_eq!(names(temp.path()), ["letters.txt"]);
}

#[test]
fn bad_files_are_named() {
    type Harm = fn(&Path);
    let cases: [(Harm, &[&str]); 9] = [
        (
            |dir| set_mode(dir, 0o640),
            &["ca-key.pem", "0640", "chmod 600"],
        ),
        (|dir| set_mode(dir, 0o604), &["ca-key.pem", "0604"]),
        (
            |dir| write_key(dir, &KeyPair::generate().unwrap().serialize_pem()),
            &["ca-key.pem", "does not belong to", "ca-cert.pem"],
        ),
        (
            |dir| write_key(dir, "hello"),
            &["ca-key.pem", "PRIVATE KEY"],
        ),
        (
            |dir| fs::remove_file(dir.join(CA_KEY)).unwrap(),
            &["ca-key.pem", "No such file"],
        ),
        (
            |dir| fs::remove_file(dir.join(ROOT_CERT)).unwrap(),
            &["root-cert.pem", "No such file"],
        ),
        (
            |dir| fs::write(dir.join(CA_CERT), "hello").unwrap(),
            &["ca-cert.pem", "no CERTIFICATE block"],
        ),
        (
            |dir| fs::write(dir.join(ROOT_CERT), pem("CERTIFICATE", b"0")).unwrap(),
            &["root-cert.pem", "certificate 1 is not X.509"],
        ),
        (
            other_root,
            &["root-cert.pem", "none of our roots", "openssl verify"],
        ),
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
    let said = FileAuthority::open_or_create_at(&dir, wall.clock())
        .err()
        .unwrap()
        .to_string();
    assert!(
        said.contains("ca-cert.pem is not a CA certificate"),
        "{said}"
    );
}

#[test]
fn a_ca_is_refused_when_it_expired_and_signs_nothing_beyond_its_end() {
    let temp = TempDir::new().unwrap();
    let dir = temp.path().join("ca");
    let wall = Wall::new();
    let authority = FileAuthority::open_or_create_at(&dir, wall.clock()).unwrap();
    wall.pass(TEN_YEARS - HOUR);
    let issuer = authority.shared.issuer();
    let chain = issuer
        .issue(&request(), &id("web"), 24 * HOUR, wall.now())
        .ok()
        .unwrap()
        .chain;
    assert_eq!(lifetime(&chain[0]), HOUR + 2 * MINUTE, "ends with the CA");
    wall.pass(2 * HOUR);
    let said = FileAuthority::open_or_create_at(&dir, wall.clock())
        .err()
        .unwrap()
        .to_string();
    assert!(
        said.contains("ca-cert.pem is valid from 2026-11-20T23:58:00Z to 2036-11-18T00:00:00Z"),
        "{said}"
    );
    let error = authority
        .shared
        .sign(&request(), &id("web"), HOUR)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("expired at 2036-11-18") && error.contains("sa/web"),
        "{error}"
    );
}

const TEN_YEARS: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

#[test]
fn nothing_of_the_request_but_its_key_is_signed() {
    let temp = TempDir::new().unwrap();
    let wall = Wall::new();
    let authority = FileAuthority::open_or_create_at(temp.path().join("ca"), wall.clock()).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut wish = CertificateParams::new(vec!["admin.example".to_owned()]).unwrap();
    wish.subject_alt_names.push(SanType::URI(
        "spiffe://mesh/ns/kube-system/sa/admin".try_into().unwrap(),
    ));
    wish.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    wish.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign];
    wish.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::CodeSigning];
    let csr = wish.serialize_request(&key).unwrap().der().to_vec();
    let chain = authority
        .shared
        .sign(&csr, &id("web"), 24 * HOUR)
        .unwrap()
        .chain;
    assert_eq!(chain.len(), 1, "the root is not sent");

    let (_, leaf) = X509Certificate::from_der(&chain[0]).unwrap();
    assert_eq!(
        leaf.public_key().subject_public_key.data,
        key.public_key_raw()
    );
    assert_eq!(leaf.subject().iter().count(), 0);
    let san = leaf.subject_alternative_name().unwrap().unwrap();
    assert!(san.critical);
    assert_eq!(
        san.value.general_names,
        [GeneralName::URI("spiffe://mesh/ns/shop/sa/web")]
    );
    assert!(!leaf.basic_constraints().unwrap().unwrap().value.ca);
    let usage = leaf.key_usage().unwrap().unwrap().value;
    assert!(usage.digital_signature() && usage.key_encipherment() && !usage.key_cert_sign());
    let extended = leaf.extended_key_usage().unwrap().unwrap().value;
    assert!(
        extended.server_auth && extended.client_auth && !extended.code_signing && !extended.any
    );
    assert_eq!(lifetime(&chain[0]), 24 * HOUR + 2 * MINUTE, "backdated");
    assert_eq!(leaf.raw_serial().len(), 16);
}

#[test]
fn serials_differ() {
    let mut serials: Vec<_> = (0..100)
        .map(|_| issue::random_serial().to_bytes())
        .collect();
    serials.sort();
    serials.dedup();
    assert_eq!(serials.len(), 100);
}

#[test]
fn bad_requests_are_refused() {
    let temp = TempDir::new().unwrap();
    let authority = FileAuthority::open_or_create(temp.path().join("ca")).unwrap();
    let issuer = authority.shared.issuer();
    let refusal =
        |csr: &[u8], lifetime| match issuer.issue(csr, &id("web"), lifetime, SystemTime::now()) {
            Err(issue::IssueError::Request(error)) => error,
            _ => panic!("not refused"),
        };
    let mut tampered = request();
    let end = tampered.len() - 1;
    tampered[end] ^= 1;
    assert_eq!(refusal(&tampered, HOUR), RequestError::Signature);
    assert!(matches!(
        refusal(b"hello", HOUR),
        RequestError::Malformed { .. }
    ));
    assert!(matches!(
        refusal(&[request(), vec![0]].concat(), HOUR),
        RequestError::Malformed { .. }
    ));
    assert!(matches!(
        refusal(&request(), 91 * 24 * HOUR),
        RequestError::Lifetime { .. }
    ));
    let chain = issuer
        .issue(&request(), &id("web"), Duration::ZERO, SystemTime::now())
        .ok()
        .unwrap()
        .chain;
    assert_eq!(
        lifetime(&chain[0]),
        24 * HOUR + 2 * MINUTE,
        "zero asks for the default"
    );
}

/// Decided: Istio's gateway agents ask with RSA-2048 and must get an answer; weak or odd keys do not.
#[test]
fn keys_of_openssl_are_taken_if_they_are_strong() {
    let temp = TempDir::new().unwrap();
    let authority = FileAuthority::open_or_create(temp.path().join("ca")).unwrap();
    let cases = [
        ("rsa:2048", None),
        ("ec -pkeyopt ec_paramgen_curve:P-256", None),
        ("ec -pkeyopt ec_paramgen_curve:P-384", None),
        ("rsa:1024", Some("RSA of 1024 bits")),
        ("ec -pkeyopt ec_paramgen_curve:secp256k1", Some("")),
        ("ec -pkeyopt ec_paramgen_curve:P-521", Some("")),
        ("ed25519", Some("use ECDSA")),
    ];
    for (key, refused) in cases {
        let request = format!(
            "req -new -newkey {key} -nodes -keyout k.pem -outform DER -out r.der -subj /CN=me"
        );
        let Some((made, said)) = openssl(temp.path(), &request) else {
            return;
        };
        assert!(made, "{key}: {said}");
        let answer = authority.shared.sign(
            &fs::read(temp.path().join("r.der")).unwrap(),
            &id("web"),
            HOUR,
        );
        match (answer, refused) {
            (Ok(answer), None) => assert_eq!(peer_identity(&answer.chain), Ok(id("web"))),
            (Err(error), Some(text)) => assert!(error.to_string().contains(text), "{key}: {error}"),
            (answer, _) => panic!("{key}: {answer:?}"),
        }
    }
}

#[test]
fn openssl_verifies_what_is_signed() {
    let temp = TempDir::new().unwrap();
    let dir = temp.path().join("ca");
    let authority = FileAuthority::open_or_create(&dir).unwrap();
    let chain = authority
        .shared
        .sign(&request(), &id("web"), HOUR)
        .unwrap()
        .chain;
    fs::write(dir.join("leaf.pem"), pem("CERTIFICATE", &chain[0])).unwrap();
    for purpose in ["sslserver", "sslclient"] {
        let verify =
            format!("verify -x509_strict -purpose {purpose} -CAfile root-cert.pem leaf.pem");
        let Some((holds, said)) = openssl(&dir, &verify) else {
            return;
        };
        assert!(holds, "{said}");
    }
}

/// A root and an intermediate by openssl, with keys in all the wrappings that it and Istio's tools produce.
#[test]
fn an_intermediate_of_the_users_own_is_accepted_with_its_chain() {
    let keys = [
        "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out ca/ca-key.pem",
        "genrsa -traditional -out ca/ca-key.pem 2048",
        "ecparam -name prime256v1 -genkey -out ca/ca-key.pem",
        "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out ca/ca-key.pem",
    ];
    for key in keys {
        let temp = TempDir::new().unwrap();
        fs::create_dir(temp.path().join("ca")).unwrap();
        fs::write(
            temp.path().join("ext"),
            "basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=keyCertSign\n",
        )
        .unwrap();
        let steps = [
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout root.key -out ca/root-cert.pem -subj /O=Acme/CN=Root -days 30",
            key,
            "req -new -key ca/ca-key.pem -out between.csr -subj /O=Acme/CN=Mesh",
            "x509 -req -in between.csr -CA ca/root-cert.pem -CAkey root.key -CAcreateserial -extfile ext -out ca/ca-cert.pem -days 10",
        ];
        for step in steps {
            let Some((done, said)) = openssl(temp.path(), step) else {
                return;
            };
            assert!(done, "{step}: {said}");
        }
        let dir = temp.path().join("ca");
        set_mode(&dir, 0o600);
        // With the root at the end, as Istio's own script writes it.
        let chain = [
            fs::read(dir.join(CA_CERT)).unwrap(),
            fs::read(dir.join(ROOT_CERT)).unwrap(),
        ]
        .concat();
        fs::write(dir.join(CERT_CHAIN), chain).unwrap();
        let authority = FileAuthority::open_or_create(&dir).unwrap();
        let answer = authority.shared.sign(&request(), &id("web"), HOUR).unwrap();
        assert_eq!((answer.chain.len(), answer.roots.len()), (2, 1), "{key}");
        fs::write(
            temp.path().join("leaf.pem"),
            pem("CERTIFICATE", &answer.chain[0]),
        )
        .unwrap();
        fs::write(
            temp.path().join("between.pem"),
            pem("CERTIFICATE", &answer.chain[1]),
        )
        .unwrap();
        let verify = "verify -CAfile ca/root-cert.pem -untrusted between.pem leaf.pem";
        let (holds, said) = openssl(temp.path(), verify).unwrap();
        assert!(holds, "{said}");
        fs::remove_file(dir.join(CERT_CHAIN)).unwrap();
        FileAuthority::open_or_create(&dir)
            .expect("the chain file may be missing when the root signed");
    }
}

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

fn root_of(authority: &FileAuthority) -> Vec<u8> {
    let answer = authority.shared.sign(&request(), &id("web"), HOUR).unwrap();
    answer.roots[0].to_vec()
}

fn request() -> Vec<u8> {
    KeyAndRequest::new(&Identity::new("any", "any", "any").unwrap())
        .unwrap()
        .csr_der
}

fn lifetime(der: &CertificateDer<'_>) -> Duration {
    let (_, certificate) = X509Certificate::from_der(der).unwrap();
    let validity = certificate.validity();
    Duration::from_secs((validity.not_after.timestamp() - validity.not_before.timestamp()) as u64)
}

fn refusal(dir: &Path) -> String {
    FileAuthority::open_or_create(dir)
        .err()
        .expect("refused")
        .to_string()
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn set_mode(dir: &Path, mode: u32) {
    fs::set_permissions(dir.join(CA_KEY), fs::Permissions::from_mode(mode)).unwrap();
}

fn write_key(dir: &Path, content: &str) {
    fs::write(dir.join(CA_KEY), content).unwrap();
    set_mode(dir, 0o600);
}

fn write_ca(dir: &Path, certificate: &str, key: &str, chain: &str, root: &str) {
    fs::create_dir(dir).unwrap();
    for (name, content) in [
        (CA_CERT, certificate),
        (CERT_CHAIN, chain),
        (ROOT_CERT, root),
    ] {
        fs::write(dir.join(name), content).unwrap();
    }
    write_key(dir, key);
}

fn other_root(dir: &Path) {
    let root = TestCa::root("other", SystemTime::now());
    fs::write(dir.join(ROOT_CERT), pem("CERTIFICATE", &root.certificate)).unwrap();
}
