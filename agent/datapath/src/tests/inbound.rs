//! What comes to a captured pod from outside, and how it is delivered.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::stage::*;
use crate::ListenerKind::{Hbone, Outbound, Plaintext};
use crate::scratch::Scratch;

#[test]
fn a_client_is_captured_once_and_delivered_with_its_own_address() {
    on_pod(|stage, scratch, _datapath, pod| {
        for (own, remote) in scratch.pairs() {
            let app = SocketAddr::new(own, 8080);
            let listener = stage.app_listens(scratch, app);
            let mut client = remote_connects(scratch, app).unwrap();
            let mut agent = agent_accepts(pod, Plaintext).expect("captured");
            assert_eq!(agent.local_addr().unwrap().ip().to_canonical(), own);
            assert_eq!(agent.local_addr().unwrap().port(), 8080);
            let peer = agent.peer_addr().unwrap().ip().to_canonical();
            assert_eq!(peer, remote);

            let mut delivery = deliver(pod, peer, app).unwrap();
            let (mut served, seen) = listener.accept().unwrap();
            assert_eq!(seen.ip(), remote, "the app sees the client");
            assert!(
                pending(pod, Plaintext).is_none() && pending(pod, Outbound).is_none(),
                "the delivery is not captured again"
            );
            client.write_all(b"ping").unwrap();
            relay(&mut agent, &mut delivery);
            relay(&mut delivery_reply(&mut served, delivery), &mut agent);
            let mut answer = [0; 4];
            client.read_exact(&mut answer).unwrap();
            assert_eq!(&answer, b"ping");
        }
    });
}

/// The app echoes four bytes.
fn delivery_reply(served: &mut std::net::TcpStream, delivery: std::net::TcpStream) -> std::net::TcpStream {
    let mut bytes = [0; 4];
    served.read_exact(&mut bytes).unwrap();
    served.write_all(&bytes).unwrap();
    delivery
}

fn relay(from: &mut std::net::TcpStream, to: &mut std::net::TcpStream) {
    let mut bytes = [0; 4];
    from.read_exact(&mut bytes).unwrap();
    to.write_all(&bytes).unwrap();
}

#[test]
fn tunnels_have_listeners_of_their_own() {
    on_pod(|_stage, scratch, _datapath, pod| {
        for (own, _) in scratch.pairs() {
            let _client = remote_connects(scratch, SocketAddr::new(own, 15008)).unwrap();
            let agent = agent_accepts(pod, Hbone).expect("captured");
            assert_eq!(agent.local_addr().unwrap().port(), 15008);
        }
    });
}

#[test]
fn a_closed_port_refuses_at_once() {
    on_pod(|_stage, scratch, _datapath, pod| {
        for (own, remote) in scratch.pairs() {
            for client in [remote, own] {
                let begin = Instant::now();
                let error = deliver(pod, client, SocketAddr::new(own, 9)).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "{client} {error}");
                // A SYN that nobody answers is sent again after a second.
                assert!(begin.elapsed() < Duration::from_millis(900), "{:?}", begin.elapsed());
            }
        }
    });
}

#[test]
fn the_pod_as_its_own_client_is_delivered_plainly() {
    on_stage(|stage| {
        let datapath = stage.datapath();
        let scratch = Scratch::new().unwrap();
        let second: IpAddr = "192.0.2.3".parse().unwrap();
        scratch
            .pod
            .run(|| {
                let mut netlink = crate::netlink::Netlink::new().unwrap();
                let eth0 = netlink.index_of("eth0").unwrap();
                netlink.add_address(eth0, second, 24).unwrap();
            })
            .unwrap();
        let pod = datapath.enrol(spec(&scratch)).unwrap();
        let own = scratch.addresses()[0];
        let app = SocketAddr::new(own, 8080);
        let listener = stage.app_listens(&scratch, app);
        for client in [own, second] {
            let delivery = deliver(&pod, client, app).unwrap();
            let (_, peer) = listener.accept().unwrap();
            assert_eq!(peer.ip(), client);
            assert_eq!(socket2::SockRef::from(&delivery).mark().unwrap(), 0);
        }
        datapath.shutdown(crate::Leave::Open).unwrap();
    });
}

#[test]
fn what_cannot_be_delivered_is_refused_with_a_reason() {
    on_pod(|_stage, scratch, _datapath, pod| {
        let own = SocketAddr::new(scratch.addresses()[0], 80);
        let remote = scratch.pairs()[0].1;
        for (client, app, says) in [
            ("127.0.0.1".parse().unwrap(), own, "cannot be a client"),
            ("0.0.0.0".parse().unwrap(), own, "cannot be a client"),
            ("2001:db8::9".parse().unwrap(), own, "different families"),
            (remote, SocketAddr::new(remote, 80), "not an address of the pod"),
        ] {
            let error = pod.sockets.deliver(client, app).unwrap_err();
            assert!(error.to_string().contains(says), "{client} {app}: {error}");
        }
    });
}

#[test]
fn client_and_delivery_may_have_the_same_port() {
    on_pod(|stage, scratch, _datapath, pod| {
        for (own, remote) in scratch.pairs() {
            let app = SocketAddr::new(own, 8080);
            let listener = stage.app_listens(scratch, app);
            let client = socket_in(&scratch.remote, socket2::Domain::for_address(app));
            client.bind(&SocketAddr::new(remote, 5555).into()).unwrap();
            client.connect_timeout(&app.into(), LONG).unwrap();
            let _agent = agent_accepts(pod, Plaintext).expect("captured");
            // The mirror image of the client's connection: same addresses, same ports, other device.
            let delivery = pod.sockets.deliver(remote, app).unwrap();
            socket2::SockRef::from(&delivery).set_reuse_address(true).unwrap();
            rebind(&delivery, remote, 5556);
            delivery.connect_timeout(&app.into(), LONG).unwrap();
            let (_served, peer) = listener.accept().unwrap();
            assert_eq!(peer, SocketAddr::new(remote, 5556));
            // And the other direction: a new client with the port that an open delivery has.
            let second = socket_in(&scratch.remote, socket2::Domain::for_address(app));
            second.bind(&SocketAddr::new(remote, 5556).into()).unwrap();
            second.connect_timeout(&app.into(), LONG).unwrap();
            let agent = agent_accepts(pod, Plaintext).expect("captured, not given to the app's socket");
            assert_eq!(agent.peer_addr().unwrap().port(), 5556);
        }
    });
}

/// Chooses the port of a delivery socket; NO_PORT has left it open until now.
fn rebind(socket: &socket2::Socket, ip: IpAddr, port: u16) {
    socket.bind(&SocketAddr::new(ip, port).into()).unwrap();
}
