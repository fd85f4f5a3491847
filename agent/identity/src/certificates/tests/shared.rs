//! Many callers, many identities, and what they share.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use super::scripted::{Mood, Stage};
use crate::fixture::{HOUR, Leaf, MINUTE, TestCa, handshake, id, openssl};
use crate::tls::explain;
use crate::{Certificates, Config, FileAuthority, IdentityError, PeerError, Status, peer_identity};

#[tokio::test(start_paused = true)]
async fn many_callers_make_one_request() {
    let stage = Stage::new();
    stage.ca.set(Mood::Gate);
    let fetch = || {
        let certificates = stage.certificates.clone();
        tokio::spawn(async move { certificates.fetch(&id("web")).await.unwrap() })
    };
    let waiting: Vec<_> = (0..50).map(|_| fetch()).collect();
    stage.settle().await;
    assert!(stage.serial().unwrap_err().contains("on its way"));
    assert_eq!(
        stage.certificates.snapshot()[0].status,
        Status::Initializing
    );
    stage.ca.gate.add_permits(1);
    let mut serials = Vec::new();
    for task in waiting {
        serials.push(task.await.unwrap().serial().to_owned());
    }
    serials.dedup();
    assert_eq!((serials.len(), stage.ca.calls()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_goes_away_ends_nothing() {
    let stage = Stage::new();
    stage.ca.set(Mood::Gate);
    let fetch =
        tokio::time::timeout(Duration::from_secs(1), stage.certificates.fetch(&id("web"))).await;
    assert!(fetch.is_err());
    stage.ca.gate.add_permits(1);
    stage.settle().await;
    assert!(stage.serial().is_ok());
}

#[tokio::test(start_paused = true)]
async fn eight_requests_at_once_and_half_of_them_for_renewals() {
    let stage = Stage::with(|config, _| config.attempt_timeout = HOUR);
    let fetch = |number: usize| {
        let certificates = stage.certificates.clone();
        tokio::spawn(async move { certificates.fetch(&id(&format!("w{number}"))).await })
    };
    for number in 0..20 {
        fetch(number).await.unwrap().unwrap();
    }
    stage.ca.set(Mood::Gate);
    stage.pass(12 * HOUR).await;
    assert_eq!(stage.ca.in_flight.load(SeqCst), 4, "renewals");
    let first: Vec<_> = (20..40).map(fetch).collect();
    stage.settle().await;
    assert_eq!(
        stage.ca.in_flight.load(SeqCst),
        8,
        "first certificates do not wait behind renewals"
    );
    stage.ca.gate.add_permits(100);
    for task in first {
        task.await.unwrap().unwrap();
    }
    stage.settle().await;
    assert_eq!(
        (stage.ca.calls(), stage.ca.most_in_flight.load(SeqCst)),
        (60, 8)
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_forgotten_is_gone_and_asked_for_no_more() {
    let stage = Stage::new();
    let error = stage.certificates.current(&id("web")).unwrap_err();
    assert!(matches!(error, IdentityError::NotFetched { .. }));
    stage.certificates.fetch(&id("web")).await.unwrap();
    stage.certificates.fetch(&id("api")).await.unwrap();
    stage.certificates.forget(&id("web"));
    stage.certificates.forget(&id("never-seen"));
    let error = stage.certificates.current(&id("web")).unwrap_err();
    assert!(matches!(error, IdentityError::NotFetched { .. }));
    stage.pass(13 * HOUR).await;
    assert_eq!(stage.ca.calls(), 3, "two first ones and one renewal");
    assert!(
        stage.certificates.fetch(&id("web")).await.is_ok(),
        "enrolled again"
    );
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_what_is_forgotten_is_told() {
    let stage = Stage::new();
    stage.ca.set(Mood::Hang);
    let certificates = stage.certificates.clone();
    let waiting = tokio::spawn(async move { certificates.fetch(&id("web")).await });
    stage.settle().await;
    stage.certificates.forget(&id("web"));
    let error = waiting.await.unwrap().unwrap_err();
    assert!(matches!(error, IdentityError::Forgotten { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn dropping_the_manager_ends_the_renewals() {
    let stage = Stage::new();
    stage.certificates.fetch(&id("web")).await.unwrap();
    let Stage {
        certificates, ca, ..
    } = stage;
    drop(certificates);
    tokio::time::sleep(24 * HOUR).await;
    assert_eq!(ca.calls(), 1);
    assert_eq!(Arc::strong_count(&ca), 1, "nothing holds on to it");
}

#[tokio::test(start_paused = true)]
async fn the_snapshot_shows_what_operators_ask_for() {
    let stage = Stage::new();
    for account in ["web", "api"] {
        stage.certificates.fetch(&id(account)).await.unwrap();
    }
    let states = stage.certificates.snapshot();
    assert_eq!(
        states
            .iter()
            .map(|state| state.identity.clone())
            .collect::<Vec<_>>(),
        [id("api"), id("web")]
    );
    let web = &states[1];
    assert_eq!(
        (web.status.clone(), web.chain.len(), web.roots.len()),
        (Status::Available, 1, 1)
    );
    assert_eq!(web.chain[0].serial, stage.serial().unwrap());
    assert_eq!(
        web.renew_at.unwrap(),
        web.chain[0].not_before + 12 * HOUR + MINUTE
    );
    std::fs::write(stage.ca.dir().join("shown.pem"), &web.chain[0].pem).unwrap();
    let Some((good, said)) = openssl(stage.ca.dir(), "x509 -in shown.pem -noout -serial") else {
        return;
    };
    assert!(
        good && said.to_lowercase().contains(&web.chain[0].serial),
        "{said}"
    );
}

#[tokio::test(start_paused = true)]
async fn client_configurations_are_made_once_per_expectation() {
    let stage = Stage::new();
    let held = stage.certificates.fetch(&id("web")).await.unwrap();
    let (one, two) = ([id("api")], [id("api"), id("web")]);
    assert!(Arc::ptr_eq(
        &held.client_config(&one),
        &held.client_config(&one.clone())
    ));
    assert!(!Arc::ptr_eq(
        &held.client_config(&one),
        &held.client_config(&two)
    ));
    handshake(held.client_config(&two), held.server_config()).unwrap();
    let refused = handshake(held.client_config(&one), held.server_config()).unwrap_err();
    assert!(
        explain(&refused.client.unwrap())
            .contains("the peer is spiffe://mesh/ns/shop/sa/web, expected")
    );
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
        std::fs::write(
            &file,
            TestCa::root("stranger", config.clock.now()).crl(&[], config.clock.now()),
        )
        .unwrap();
        config.crl = Some(file.clone());
        path = Some(file);
    });
    let (server, client) = (id("server"), id("client"));
    let server = stage.certificates.fetch(&server).await.unwrap();
    let client = stage.certificates.fetch(&client).await.unwrap();
    let open = || {
        handshake(
            client.client_config(&[id("server")]),
            server.server_config(),
        )
    };
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
    assert!(
        matches!(&error, PeerError::Chain { reason } if reason.contains("revocation file")),
        "{error}"
    );
    assert_eq!(
        client.check_server(server.chain(), &[id("server")]),
        Ok(id("server"))
    );
    let error = client
        .check_server(server.chain(), &[id("api")])
        .unwrap_err();
    assert!(matches!(error, PeerError::Unexpected { .. }));
}

/// A list of the CA in `dir`/ca, by openssl: an operator's way to make one.
fn revoke(dir: &std::path::Path, serial: &str) -> Option<()> {
    let config = "[ca]\ndefault_ca=c\n[c]\ndatabase=index.txt\ncrlnumber=number\ndefault_md=sha256\n\
                  default_crl_days=30\n[x]\nauthorityKeyIdentifier=keyid:always\n";
    std::fs::write(dir.join("ca.conf"), config).unwrap();
    let serial = serial.to_uppercase();
    std::fs::write(
        dir.join("index.txt"),
        format!("R\t361121000000Z\t261121000000Z\t{serial}\tunknown\t/\n"),
    )
    .unwrap();
    std::fs::write(dir.join("number"), "01\n").unwrap();
    let generate = "ca -gencrl -config ca.conf -crlexts x -cert ca/ca-cert.pem -keyfile ca/ca-key.pem -out new.pem";
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
        let config = Config {
            crl: Some(path),
            ..Config::default()
        };
        let error = Certificates::new(ca.clone(), config)
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains("crl.pem") && error.contains(text), "{error}");
    }
}

#[test]
fn without_a_runtime_there_is_an_error() {
    let temp = tempfile::tempdir().unwrap();
    let ca = Arc::new(FileAuthority::open_or_create(temp.path().join("ca")).unwrap());
    let error = Certificates::new(ca, Config::default()).err().unwrap();
    assert!(matches!(error, IdentityError::NoRuntime));
}

/// Real time and threads: readers while certificates are renewed, forgotten and fetched.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_on_other_threads_see_whole_states() {
    let temp = tempfile::tempdir().unwrap();
    let ca = Arc::new(FileAuthority::open_or_create(temp.path().join("ca")).unwrap());
    let certificates = Certificates::new(ca, Config::default()).unwrap();
    certificates.fetch(&id("web")).await.unwrap();
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let read = || {
        let (certificates, stop) = (certificates.clone(), stop.clone());
        std::thread::spawn(move || {
            let mut reads = 0_u64;
            while !stop.load(SeqCst) {
                if let Ok(held) = certificates.current(&id("web")) {
                    held.client_config(&[id("api")]);
                    assert_eq!(peer_identity(held.chain()), Ok(id("web")));
                    reads += 1;
                }
            }
            reads
        })
    };
    let readers: Vec<_> = (0..2).map(|_| read()).collect();
    for _ in 0..50 {
        certificates.forget(&id("web"));
        certificates.fetch(&id("web")).await.unwrap();
    }
    stop.store(true, SeqCst);
    let reads: u64 = readers
        .into_iter()
        .map(|reader| reader.join().unwrap())
        .sum();
    assert!(reads > 0);
}

/// A foreign TLS stack against ours: OpenSSL as the client, with a certificate of the same CA.
#[test]
fn openssl_shakes_hands_with_our_server() {
    use rustls::{ServerConnection, StreamOwned};
    use std::io::{Read, Write};
    let wall = crate::fixture::Wall::new();
    // openssl looks at the real clock.
    wall.pass(
        std::time::SystemTime::now()
            .duration_since(wall.now())
            .unwrap_or_default(),
    );
    let root = TestCa::root("root", wall.now());
    let revocations = Arc::new(crate::revocation::Revocations::open(None).unwrap());
    let context = crate::tls::Context::new(wall.clock(), revocations.clone());
    let algorithms = context.provider.signature_verification_algorithms;
    let trust = crate::trust::Trust::new(
        std::slice::from_ref(&root.certificate),
        algorithms,
        revocations,
    )
    .unwrap();
    let config = context
        .server(
            &id("server"),
            root.key(&Leaf::of(&id("server"), wall.now())),
            trust.into(),
        )
        .unwrap();

    let temp = tempfile::tempdir().unwrap();
    let (leaf, key) = root.certify(&Leaf::of(&id("client"), wall.now()));
    let pem = |der: &[u8]| crate::certificate::pem("CERTIFICATE", der);
    std::fs::write(temp.path().join("root.pem"), pem(&root.certificate)).unwrap();
    std::fs::write(temp.path().join("client.pem"), pem(&leaf)).unwrap();
    std::fs::write(temp.path().join("key.pem"), key.serialize_pem()).unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let dir = temp.path().to_owned();
    let client = std::thread::spawn(move || {
        let flags =
            "-alpn h2 -cert client.pem -key key.pem -CAfile root.pem -verify_return_error -ign_eof";
        openssl(&dir, &format!("s_client -connect {address} {flags}"))
    });
    // Also when openssl is not there: nobody connects then.
    listener.set_nonblocking(true).unwrap();
    let socket = loop {
        match listener.accept() {
            Ok((socket, _)) => break socket,
            Err(_) if client.is_finished() => return,
            Err(_) => std::thread::yield_now(),
        }
    };
    socket.set_nonblocking(false).unwrap();
    let mut stream = StreamOwned::new(ServerConnection::new(Arc::new(config)).unwrap(), socket);
    stream.write_all(b"hello\n").unwrap();
    assert_eq!(
        peer_identity(stream.conn.peer_certificates().unwrap()),
        Ok(id("client"))
    );
    assert_eq!(stream.conn.alpn_protocol(), Some(crate::ALPN_H2));
    stream.conn.send_close_notify();
    stream.flush().unwrap();
    let _ = stream.read(&mut [0]);
    let (good, said) = client.join().unwrap().unwrap();
    for text in [
        "TLS_AES_128_GCM_SHA256",
        "ALPN protocol: h2",
        "Verify return code: 0 (ok)",
        "hello",
    ] {
        assert!(said.contains(text), "{text} ({good}) in {said}");
    }
}
