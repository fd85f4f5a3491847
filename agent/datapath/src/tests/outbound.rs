//! What a captured pod connects to.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr};

use super::stage::*;
use crate::ListenerKind::{Outbound, Plaintext};
use crate::scratch::Scratch;

#[test]
fn a_connection_comes_to_the_agent_with_its_true_addresses() {
    on_pod(|stage, scratch, _datapath, pod| {
        for (own, remote) in scratch.pairs() {
            let destination = SocketAddr::new(remote, 4321);
            let mut app = stage.app_connects(scratch, destination).unwrap();
            let mut agent = agent_accepts(pod, Outbound).expect("captured");
            let canonical =
                |address: SocketAddr| SocketAddr::new(address.ip().to_canonical(), address.port());
            assert_eq!(canonical(agent.local_addr().unwrap()), destination);
            assert_eq!(canonical(agent.peer_addr().unwrap()), app.local_addr().unwrap());
            assert_eq!(app.peer_addr().unwrap(), destination, "the app sees what it dialled");
            assert_eq!(app.local_addr().unwrap().ip(), own);
            agent.write_all(b"hello").unwrap();
            let mut bytes = [0; 5];
            app.read_exact(&mut bytes).unwrap();
            assert_eq!(&bytes, b"hello");
        }
    });
}

#[test]
fn a_v4_mapped_destination_is_captured_as_ipv4() {
    on_pod(|stage, scratch, _datapath, pod| {
        let IpAddr::V4(remote) = scratch.pairs()[0].1 else { panic!("the first pair is IPv4") };
        let mapped = SocketAddr::new(remote.to_ipv6_mapped().into(), 4321);
        let app = stage.app_connects(scratch, mapped).unwrap();
        let agent = agent_accepts(pod, Outbound).expect("captured");
        assert_eq!(agent.local_addr().unwrap().ip().to_canonical(), IpAddr::V4(remote));
        assert_eq!(app.peer_addr().unwrap(), mapped);
    });
}

#[test]
fn own_addresses_loopback_and_excluded_networks_stay_direct() {
    on_stage(|stage| {
        let datapath = stage.datapath();
        let scratch = Scratch::new().unwrap();
        let excluded: IpAddr = "192.0.2.200".parse().unwrap();
        scratch
            .remote
            .run(|| {
                let mut netlink = crate::netlink::Netlink::new().unwrap();
                let eth0 = netlink.index_of("eth0").unwrap();
                netlink.add_address(eth0, excluded, 32).unwrap();
            })
            .unwrap();
        let pod = datapath.enrol(spec(&scratch)).unwrap();
        for ip in
            scratch.addresses().into_iter().chain(["127.0.0.1".parse().unwrap(), "::1".parse().unwrap()])
        {
            let listener = stage.app_listens(&scratch, SocketAddr::new(ip, 7000));
            let client = stage.app_connects(&scratch, listener.local_addr().unwrap()).unwrap();
            let (_, peer) = listener.accept().unwrap();
            assert_eq!(peer, client.local_addr().unwrap());
        }
        let server = scratch
            .remote
            .run(|| std::net::TcpListener::bind(SocketAddr::new(excluded, 7000)).unwrap())
            .unwrap();
        stage.app_connects(&scratch, server.local_addr().unwrap()).unwrap();
        server.accept().unwrap();
        assert!(
            pending(&pod, Outbound).is_none() && pending(&pod, Plaintext).is_none(),
            "nothing of this is the agent's"
        );
        datapath.shutdown(crate::Leave::Open).unwrap();
    });
}

#[test]
fn the_agents_own_connections_leave_unmarked_and_never_to_the_pod_itself() {
    on_pod(|_stage, scratch, _datapath, pod| {
        for (own, remote) in scratch.pairs() {
            let server = scratch
                .remote
                .run(|| std::net::TcpListener::bind(SocketAddr::new(remote, 7000)).unwrap())
                .unwrap();
            let socket = pod.sockets.dial(server.local_addr().unwrap()).unwrap();
            assert!(
                socket.nonblocking().unwrap() && socket.tcp_nodelay().unwrap() && socket.keepalive().unwrap()
            );
            assert_eq!(socket.mark().unwrap(), 0);
            socket.connect_timeout(&server.local_addr().unwrap().into(), LONG).unwrap();
            let (_, peer) = server.accept().unwrap();
            assert_eq!(peer.ip(), own, "the pod's address is the source");
            for forbidden in
                [own, "127.0.0.1".parse().unwrap(), "::1".parse().unwrap(), "0.0.0.0".parse().unwrap()]
            {
                let error = pod.sockets.dial(SocketAddr::new(forbidden, 80)).unwrap_err();
                assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied, "{forbidden}");
            }
        }
        assert!(pending(pod, Outbound).is_none());
    });
}

#[test]
fn all_workers_get_their_share() {
    on_stage(|stage| {
        let datapath = crate::Datapath::start(crate::Config { workers: 4, ..stage.config() }).unwrap();
        let scratch = Scratch::new().unwrap();
        let pod = datapath.enrol(spec(&scratch)).unwrap();
        let destination = SocketAddr::new(scratch.pairs()[0].1, 4321);
        let clients =
            stage.app(&scratch, || (0..200).map(|_| connect(destination).unwrap()).collect::<Vec<_>>());
        let mut accepted = [0; 4];
        for listener in pod.listeners.iter().filter(|listener| listener.kind == Outbound) {
            while listener.socket.accept().is_ok() {
                accepted[listener.worker] += 1;
            }
        }
        assert_eq!(accepted.iter().sum::<i32>(), clients.len() as i32);
        assert!(accepted.iter().all(|count| *count > 20), "{accepted:?}");
        datapath.shutdown(crate::Leave::Open).unwrap();
    });
}
