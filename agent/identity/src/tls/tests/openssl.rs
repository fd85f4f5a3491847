//! A foreign TLS stack against ours: OpenSSL as the client, with a certificate of the same CA.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::thread::{self, JoinHandle};
use std::time::SystemTime;

use rustls::{ServerConnection, StreamOwned};

use super::Mesh;
use crate::certificate::pem;
use crate::fixture::{Wall, id, openssl};
use crate::peer_identity;
use crate::tls::ALPN_H2;

#[test]
fn openssl_shakes_hands_with_our_server() {
    let wall = Wall::new();
    // openssl looks at the real clock.
    wall.set(SystemTime::now());
    let mesh = Mesh::at(wall);
    let config = mesh.server(mesh.root.key(&mesh.leaf("server")), &[&mesh.root]);
    let temp = tempfile::tempdir().unwrap();
    write_client(&mesh, temp.path());

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let flags = "-alpn h2 -cert client.pem -key key.pem -CAfile root.pem -verify_return_error -ign_eof";
    let arguments = format!("s_client -connect {} {flags}", listener.local_addr().unwrap());
    let dir = temp.path().to_owned();
    let client = thread::spawn(move || openssl(&dir, &arguments));
    let Some(socket) = accept(&listener, &client) else { return };
    let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), socket);
    stream.write_all(b"hello\n").unwrap();
    assert_eq!(peer_identity(stream.conn.peer_certificates().unwrap()), Ok(id("client")));
    assert_eq!(stream.conn.alpn_protocol(), Some(ALPN_H2));
    stream.conn.send_close_notify();
    stream.flush().unwrap();
    let _ = stream.read(&mut [0]);

    let (good, said) = client.join().unwrap().unwrap();
    for text in ["TLS_AES_128_GCM_SHA256", "ALPN protocol: h2", "Verify return code: 0 (ok)", "hello"] {
        assert!(said.contains(text), "{text} ({good}) in {said}");
    }
}

fn write_client(mesh: &Mesh, dir: &Path) {
    let (leaf, key) = mesh.root.certify(&mesh.leaf("client"));
    let certificates = [("root.pem", &mesh.root.certificate), ("client.pem", &leaf)];
    for (name, certificate) in certificates {
        std::fs::write(dir.join(name), pem("CERTIFICATE", certificate)).unwrap();
    }
    std::fs::write(dir.join("key.pem"), key.serialize_pem()).unwrap();
}

/// `None` when the client ended without connecting, as where there is no openssl.
fn accept<T>(listener: &TcpListener, client: &JoinHandle<T>) -> Option<TcpStream> {
    listener.set_nonblocking(true).unwrap();
    loop {
        match listener.accept() {
            Ok((socket, _)) => {
                socket.set_nonblocking(false).unwrap();
                return Some(socket);
            }
            Err(_) if client.is_finished() => return None,
            Err(_) => thread::yield_now(),
        }
    }
}
