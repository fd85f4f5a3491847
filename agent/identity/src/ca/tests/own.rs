//! A CA that the user brings.

use std::fs;

use tempfile::TempDir;

use super::{request, set_mode};
use crate::ca::{CA_CERT, CERT_CHAIN, FileAuthority, ROOT_CERT};
use crate::certificate::pem;
use crate::fixture::{HOUR, id, openssl};

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
        let chain = [fs::read(dir.join(CA_CERT)).unwrap(), fs::read(dir.join(ROOT_CERT)).unwrap()].concat();
        fs::write(dir.join(CERT_CHAIN), chain).unwrap();
        let authority = FileAuthority::open_or_create(&dir).unwrap();
        let answer = authority.shared.sign(&request(), &id("web"), HOUR).unwrap();
        assert_eq!((answer.chain.len(), answer.roots.len()), (2, 1), "{key}");
        fs::write(temp.path().join("leaf.pem"), pem("CERTIFICATE", &answer.chain[0])).unwrap();
        fs::write(temp.path().join("between.pem"), pem("CERTIFICATE", &answer.chain[1])).unwrap();
        let verify = "verify -CAfile ca/root-cert.pem -untrusted between.pem leaf.pem";
        let (holds, said) = openssl(temp.path(), verify).unwrap();
        assert!(holds, "{said}");
        fs::remove_file(dir.join(CERT_CHAIN)).unwrap();
        FileAuthority::open_or_create(&dir).expect("the chain file may be missing when the root signed");
    }
}
