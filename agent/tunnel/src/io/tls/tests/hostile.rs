//! Peers that break the protocol, or are not who they should be.

use super::*;

/// Records that cost us a key schedule, or just a turn, and carry nothing.
#[tokio::test]
async fn records_without_data_have_a_limit() {
    let (_dir, _keep, certificate) = certificate().await;
    let ticket = [4, 0, 0, 1, 0];
    type Case<'a> = (&'a str, Option<(u8, &'a [u8])>, usize, bool);
    let cases: [Case<'_>; 6] = [
        ("key updates", None, 33, false),
        ("empty records", Some((23, &[])), 33, false),
        ("tickets", Some((22, &ticket)), 33, false),
        ("a few tickets", Some((22, &ticket)), 4, true),
        ("an empty handshake record", Some((22, &[])), 1, false),
        ("a part of a message, then data", Some((22, &ticket[..3])), 1, false),
    ];
    for (what, record, times, good) in cases {
        let (a, b) = pair().await;
        let config = certificate.client_config(&[certificate.identity().clone()]);
        let (mut client, mut server) = both(a, b, config, &certificate).await;
        for _ in 0..times {
            match record {
                Some((kind, content)) => client.write_record(kind, content),
                None => client.owe_key_update(),
            }
            flush(&client).await.unwrap();
        }
        client.write_all(b"data").await.unwrap();
        flush(&client).await.unwrap();
        let read = server.read_exact(&mut [0; 4]).await;
        assert_eq!(read.is_ok(), good, "{what}: {read:?}");
    }
}

#[tokio::test]
async fn nothing_is_read_after_close_notify() {
    let (_dir, _keep, certificate) = certificate().await;
    let (a, b) = pair().await;
    let config = certificate.client_config(&[certificate.identity().clone()]);
    let (mut client, mut server) = both(a, b, config, &certificate).await;
    client.write_all(b"data").await.unwrap();
    client.write_record(21, &[1, 0]);
    client.write_all(b"more").await.unwrap();
    flush(&client).await.unwrap();
    server.read_exact(&mut [0; 4]).await.unwrap();
    for _ in 0..2 {
        assert_eq!(server.read(&mut [0; 4]).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn a_forged_record_is_an_error() {
    let (_dir, _keep, certificate) = certificate().await;
    for forged in [
        &[23, 3, 3, 0, 20, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2][..],
        &[23, 3, 3, 0, 1, 0],
        &[23, 3, 3, 0xff, 0xff, 0],
        &[21, 3, 3, 0, 2, 1, 0],
    ] {
        let (a, b) = pair().await;
        let config = certificate.client_config(&[certificate.identity().clone()]);
        let (client, mut server) = both(a, b, config, &certificate).await;
        client.write_raw(forged);
        let error = server.read(&mut [0; 64]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{error}");
    }
}

#[tokio::test]
async fn who_is_not_expected_is_refused_and_told() {
    let (_dir, _keep, certificate) = certificate().await;
    let (a, b) = pair().await;
    let other = "spiffe://cluster.local/ns/shop/sa/other".parse().unwrap();
    let config = certificate.client_config(&[other]);
    let (client, server) =
        tokio::join!(connect(a, config, LIMIT), accept(b, certificate.server_config(), LIMIT));
    assert!(matches!(client.err(), Some(TlsError::Rustls(_))));
    let told = server.err().unwrap().to_string();
    assert!(told.contains("CertificateUnknown"), "{told}");
}

#[tokio::test]
async fn a_peer_without_alpn_is_refused() {
    let (_dir, _keep, certificate) = certificate().await;
    let expected = [certificate.identity().clone()];
    let mut plain = rustls::ClientConfig::clone(&certificate.client_config(&expected));
    plain.alpn_protocols.clear();
    let (a, b) = pair().await;
    let client = tokio_rustls::TlsConnector::from(Arc::new(plain)).connect(nobody(), a);
    let (_, server) = tokio::join!(client, accept(b, certificate.server_config(), LIMIT));
    assert!(matches!(server.err(), Some(TlsError::NoHttp2)));

    let mut plain = rustls::ServerConfig::clone(&certificate.server_config());
    plain.alpn_protocols.clear();
    let (a, b) = pair().await;
    let server = tokio_rustls::TlsAcceptor::from(Arc::new(plain)).accept(b);
    let (client, _) = tokio::join!(connect(a, certificate.client_config(&expected), LIMIT), server);
    assert!(matches!(client.err(), Some(TlsError::NoHttp2)));
}

#[tokio::test]
async fn silence_has_a_limit() {
    let (_dir, _keep, certificate) = certificate().await;
    let (a, _b) = pair().await;
    let limit = Duration::from_millis(20);
    let result = accept(a, certificate.server_config(), limit).await;
    assert!(matches!(result.err(), Some(TlsError::Timeout(_))));
}
