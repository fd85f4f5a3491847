//! What is made of certificates: the config dump, configurations, checks against a revocation list.

use std::path::Path;
use std::sync::Arc;

use super::scripted::Stage;
use crate::fixture::{HOUR, MINUTE, TestCa, handshake, id, openssl};
use crate::tls::explain;
use crate::{Certificates, Config, FileAuthority, PeerError, Status};

#[tokio::test(start_paused = true)]
async fn the_snapshot_shows_what_operators_ask_for() {
    let stage = Stage::new();
    for account in ["web", "api"] {
        stage.certificates.fetch(&id(account)).await.unwrap();
    }
    let states = stage.certificates.snapshot();
    assert_eq!(states.iter().map(|state| state.identity.clone()).collect::<Vec<_>>(), [id("api"), id("web")]);
    let web = &states[1];
    assert_eq!((web.status.clone(), web.chain.len(), web.roots.len()), (Status::Available, 1, 1));
    assert_eq!(web.chain[0].serial, stage.serial().unwrap());
    assert_eq!(web.renew_at.unwrap(), web.chain[0].not_before + 2 * MINUTE + 12 * HOUR);
    std::fs::write(stage.ca.dir().join("shown.pem"), &web.chain[0].pem).unwrap();
    let Some((good, said)) = openssl(stage.ca.dir(), "x509 -in shown.pem -noout -serial") else {
        return;
    };
    assert!(good && said.to_lowercase().contains(&web.chain[0].serial), "{said}");
}

#[tokio::test(start_paused = true)]
async fn client_configurations_are_made_once_per_expectation() {
    let stage = Stage::new();
    let held = stage.certificates.fetch(&id("web")).await.unwrap();
    let (one, two) = ([id("api")], [id("api"), id("web")]);
    assert!(Arc::ptr_eq(&held.client_config(&one), &held.client_config(&one.clone())));
    assert!(!Arc::ptr_eq(&held.client_config(&one), &held.client_config(&two)));
    handshake(held.client_config(&two), held.server_config()).unwrap();
    let refused = handshake(held.client_config(&one), held.server_config()).unwrap_err();
    assert!(explain(&refused.client.unwrap()).contains("the peer is spiffe://mesh/ns/shop/sa/web, expected"));
    assert!(handshake(held.client_config(&[]), held.server_config()).is_err());
    for number in 0..5000 {
        held.client_config(&[id(&format!("x{number}"))]);
    }
    handshake(held.client_config(&two), held.server_config()).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_revocation_list_is_taken_up_and_open_connections_can_be_asked_about() {
    let mut path = None;
    let stage = Stage::with(|config, ca| {
        let file = ca.dir().join("crl.pem");
        std::fs::write(&file, TestCa::root("stranger", config.clock.now()).crl(&[], config.clock.now()))
            .unwrap();
        config.crl = Some(file.clone());
        path = Some(file);
    });
    let (server, client) = (id("server"), id("client"));
    let server = stage.certificates.fetch(&server).await.unwrap();
    let client = stage.certificates.fetch(&client).await.unwrap();
    let open = || handshake(client.client_config(&[id("server")]), server.server_config());
    let (_, connection) = open().unwrap();
    let peer = connection.peer_certificates().unwrap();
    assert_eq!(server.check_client(peer), Ok(id("client")));

    let mut changed = stage.certificates.revocations();
    let Some(()) = revoke(stage.ca.dir(), client.serial()) else {
        return;
    };
    changed.changed().await.unwrap();
    let refused = open().unwrap_err();
    assert!(explain(&refused.server.unwrap()).contains("Revoked"));
    let error = server.check_client(peer).unwrap_err();
    assert!(matches!(&error, PeerError::Chain { reason } if reason.contains("revocation file")), "{error}");
    assert_eq!(client.check_server(server.chain(), &[id("server")]), Ok(id("server")));
    let error = client.check_server(server.chain(), &[id("api")]).unwrap_err();
    assert!(matches!(error, PeerError::Unexpected { .. }));
}

/// A list of the CA in `dir`/ca, by openssl: an operator's way to make one.
fn revoke(dir: &Path, serial: &str) -> Option<()> {
    let config = "[ca]\ndefault_ca=c\n[c]\ndatabase=index.txt\ncrlnumber=number\ndefault_md=sha256\n\
                  default_crl_days=30\n[x]\nauthorityKeyIdentifier=keyid:always\n";
    std::fs::write(dir.join("ca.conf"), config).unwrap();
    let serial = serial.to_uppercase();
    std::fs::write(dir.join("index.txt"), format!("R\t361121000000Z\t261121000000Z\t{serial}\tunknown\t/\n"))
        .unwrap();
    std::fs::write(dir.join("number"), "01\n").unwrap();
    let generate =
        "ca -gencrl -config ca.conf -crlexts x -cert ca/ca-cert.pem -keyfile ca/ca-key.pem -out new.pem";
    let (made, said) = openssl(dir, generate)?;
    assert!(made, "{said}");
    std::fs::rename(dir.join("new.pem"), dir.join("crl.pem")).unwrap();
    Some(())
}

#[tokio::test]
async fn a_revocation_file_that_cannot_be_read_is_an_error_at_once() {
    let temp = tempfile::tempdir().unwrap();
    let ca = Arc::new(FileAuthority::open_or_create(temp.path().join("ca")).unwrap());
    for (content, text) in [
        (None, "No such file"),
        (Some("hello"), "no \"X509 CRL\" block"),
        (Some("0x"), "list 1 cannot be used"),
    ] {
        let path = temp.path().join("crl.pem");
        if let Some(content) = content {
            std::fs::write(&path, content).unwrap();
        }
        let config = Config { crl: Some(path), ..Config::default() };
        let error = Certificates::new(ca.clone(), config).err().unwrap().to_string();
        assert!(error.contains("crl.pem") && error.contains(text), "{error}");
    }
}
