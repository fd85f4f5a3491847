//! Against rustls's own record layer, in both roles.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use weir_identity::{Certificates, FileAuthority, WorkloadCertificate};
use weir_model::Identity;

use super::*;

mod hostile;

const LIMIT: Duration = Duration::from_secs(5);

async fn certificate() -> (tempfile::TempDir, Arc<Certificates>, Arc<WorkloadCertificate>) {
    let dir = tempfile::tempdir().unwrap();
    let ca = Arc::new(FileAuthority::open_or_create(dir.path()).unwrap());
    let certificates = Certificates::new(ca, Default::default()).unwrap();
    let id: Identity = "spiffe://cluster.local/ns/shop/sa/web".parse().unwrap();
    let certificate = certificates.fetch(&id).await.unwrap();
    (dir, certificates, certificate)
}

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (a, b) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
    (a.unwrap(), b.unwrap().0)
}

/// h2 flushes by its tunnel's task; here the writer does it itself.
async fn flush(tls: &TlsStream) -> io::Result<()> {
    std::future::poll_fn(|cx| tls.poll_send(cx).map_ok(drop)).await
}

/// The client's last flight leaves with its first record, so it has to flush for the server to be done.
async fn both(
    a: TcpStream,
    b: TcpStream,
    config: Arc<rustls::ClientConfig>,
    certificate: &WorkloadCertificate,
) -> (TlsStream, TlsStream) {
    let client = async {
        let tls = TlsStream::new(connect(a, config, LIMIT).await.unwrap()).unwrap();
        flush(&tls).await.unwrap();
        tls
    };
    let (client, server) = tokio::join!(client, accept(b, certificate.server_config(), LIMIT));
    (client, TlsStream::new(server.unwrap()).unwrap())
}

fn nobody() -> ServerName<'static> {
    weir_identity::server_name()
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 7 + i / 251) as u8).collect()
}

/// Sends `len` bytes in pieces of growing size and checks what the other side echoes.
async fn echo_through(tls: TlsStream, len: usize) {
    let data = pattern(len);
    let (mut reader, mut writer) = (tls.clone(), tls.clone());
    let write = async {
        let (mut rest, mut piece) = (&data[..], 1);
        while !rest.is_empty() {
            let (now, later) = rest.split_at(piece.min(rest.len()));
            writer.write_all(now).await.unwrap();
            flush(&tls).await.unwrap();
            (rest, piece) = (later, piece * 3 % 300_007 + 1);
        }
    };
    let read = async {
        let (mut got, mut room) = (Vec::new(), 1);
        while got.len() < len {
            let mut some = vec![0; room];
            tls.start_turn();
            let n = reader.read(&mut some).await.unwrap();
            assert_ne!(n, 0);
            got.extend_from_slice(&some[..n]);
            room = room * 5 % 70_001 + 1;
        }
        got
    };
    let ((), got) = tokio::join!(write, read);
    assert!(got == data, "the echo differs");
}

#[tokio::test]
async fn our_client_rustls_server() {
    let (_dir, _keep, certificate) = certificate().await;
    let (ours, theirs) = pair().await;
    // Tickets come after the handshake; nobody wants them, and nobody may stumble over them.
    let mut config = rustls::ServerConfig::clone(&certificate.server_config());
    config.session_storage = rustls::server::ServerSessionMemoryCache::new(8);
    config.send_tls13_tickets = 3;
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        let mut tls = acceptor.accept(theirs).await.unwrap();
        let mut buffer = vec![0; 50_000];
        let mut total = 0;
        loop {
            let n = tls.read(&mut buffer).await.unwrap();
            if n == 0 {
                return tls.shutdown().await.unwrap();
            }
            total += n;
            if total > 1_000_000 {
                total = 0;
                tls.get_mut().1.refresh_traffic_keys().unwrap();
            }
            tls.write_all(&buffer[..n]).await.unwrap();
            tls.flush().await.unwrap();
        }
    });
    let expected = [certificate.identity().clone()];
    let config = certificate.client_config(&expected);
    let established = connect(ours, config, LIMIT).await.unwrap();
    let tls = TlsStream::new(established).unwrap();
    echo_through(tls.clone(), 5_000_000).await;
    tls.close();
    assert_eq!(tls.clone().read(&mut [0; 9]).await.unwrap(), 0, "close_notify is an end");
}

#[tokio::test]
async fn rustls_client_our_server() {
    let (_dir, _keep, certificate) = certificate().await;
    let (ours, theirs) = pair().await;
    let expected = [certificate.identity().clone()];
    let connector = tokio_rustls::TlsConnector::from(certificate.client_config(&expected));
    let data = pattern(3_000_000);
    let sent = data.clone();
    let client = async move {
        let tls = connector.connect(nobody(), theirs).await.unwrap();
        let (mut reader, mut writer) = tokio::io::split(tls);
        let write = async {
            writer.write_all(&sent).await.unwrap();
            writer.flush().await.unwrap();
            writer
        };
        let mut got = vec![0; sent.len()];
        let (writer, read) = tokio::join!(write, reader.read_exact(&mut got));
        read.unwrap();
        drop((reader, writer));
        got
    };
    let server = async {
        let established = accept(ours, certificate.server_config(), LIMIT).await.unwrap();
        assert_eq!(established.certificates.len(), certificate.chain().len());
        let mut tls = TlsStream::new(established).unwrap();
        let mut buffer = vec![0; 100_000];
        loop {
            tls.start_turn();
            // The client goes away without a word, as the last thing it does.
            let n = match tls.read(&mut buffer).await {
                Ok(n) => n,
                Err(error) => return assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof),
            };
            tls.write_all(&buffer[..n]).await.unwrap();
            flush(&tls).await.unwrap();
        }
    };
    let (got, ()) = tokio::join!(client, server);
    assert!(got == data);
}

#[tokio::test]
async fn both_ours_with_key_updates() {
    let (_dir, _keep, certificate) = certificate().await;
    let (a, b) = pair().await;
    let config = certificate.client_config(&[certificate.identity().clone()]);
    let (client, mut server) = both(a, b, config, &certificate).await;
    let echo = async {
        let mut buffer = vec![0; 65_536];
        for turn in 0.. {
            server.start_turn();
            if turn % 7 == 0 {
                server.owe_key_update();
            }
            let n = server.read(&mut buffer).await.unwrap();
            if n == 0 {
                break;
            }
            server.write_all(&buffer[..n]).await.unwrap();
            flush(&server).await.unwrap();
        }
    };
    let ask = async {
        echo_through(client.clone(), 2_000_000).await;
        client.close();
    };
    tokio::join!(echo, ask);
}
