//! Interfaces and addresses that come and go after enrolment.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;

use super::stage::*;
use crate::ListenerKind::{Hbone, Outbound, Plaintext};
use crate::netlink::Netlink;
use crate::scratch::Scratch;
use crate::{EnrolledPod, Leave, PodSpec};

const SECOND_POD: &str = "198.51.100.2";
const SECOND_REMOTE: &str = "198.51.100.1";

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A second link between the two namespaces.
fn add_eth1(scratch: &Scratch) {
    scratch
        .remote
        .run(|| {
            let mut netlink = Netlink::new().unwrap();
            netlink.add_veth("eth1", "eth1", scratch.pod.as_fd()).unwrap();
            let eth1 = netlink.index_of("eth1").unwrap();
            netlink.set_up(eth1, true).unwrap();
            netlink.add_address(eth1, ip(SECOND_REMOTE), 24).unwrap();
        })
        .unwrap();
    scratch
        .pod
        .run(|| {
            let mut netlink = Netlink::new().unwrap();
            let eth1 = netlink.index_of("eth1").unwrap();
            netlink.set_up(eth1, true).unwrap();
            netlink.add_address(eth1, ip(SECOND_POD), 24).unwrap();
        })
        .unwrap();
}

/// Moves listeners that were announced into the pod's list.
fn take_new(pod: &mut EnrolledPod) -> usize {
    let before = pod.listeners.len();
    while let Ok(listener) = pod.new_listeners.try_recv() {
        pod.listeners.push(listener);
    }
    pod.listeners.len() - before
}

#[test]
fn a_second_interface_that_appears_later_is_captured() {
    on_stage(|stage| {
        let datapath = stage.datapath();
        let scratch = Scratch::new().unwrap();
        let mut pod = datapath.enrol(spec(&scratch)).unwrap();
        let workers = stage.config().workers;
        assert_eq!(pod.listeners.len(), 3 * workers);
        add_eth1(&scratch);
        assert!(eventually(|| pod.sockets.owns(ip(SECOND_POD))), "the address is own without a reconcile");
        let mut new = 0;
        assert!(
            eventually(|| {
                new += take_new(&mut pod);
                new == 2 * workers
            }),
            "{new} new listeners"
        );

        let app = SocketAddr::new(ip(SECOND_POD), 8080);
        let listener = stage.app_listens(&scratch, app);
        for (port, kind) in [(8080, Plaintext), (15008, Hbone)] {
            let _client = remote_connects(&scratch, SocketAddr::new(ip(SECOND_POD), port)).unwrap();
            let agent = agent_accepts(&pod, kind).expect("captured on eth1");
            assert_eq!(agent.peer_addr().unwrap().ip().to_canonical(), ip(SECOND_REMOTE));
        }
        deliver(&pod, ip(SECOND_REMOTE), app).unwrap();
        assert_eq!(listener.accept().unwrap().1.ip(), ip(SECOND_REMOTE));

        // A client that is bound to the device has the device's address.
        let client = stage.app(&scratch, || {
            let socket = socket_in(&scratch.pod, socket2::Domain::IPV4);
            socket.bind_device(Some(b"eth1")).unwrap();
            socket.connect_timeout(&SocketAddr::new(ip("203.0.113.1"), 80).into(), LONG).map(|()| socket)
        });
        assert!(client.is_ok(), "{client:?}");
        let agent = agent_accepts(&pod, Outbound).expect("captured");
        assert_eq!(agent.peer_addr().unwrap().ip().to_canonical(), ip(SECOND_POD));
        datapath.shutdown(Leave::Open).unwrap();
    });
}

#[test]
fn an_interface_that_goes_takes_its_listeners_along() {
    on_stage(|stage| {
        let datapath = stage.datapath();
        let scratch = Scratch::new().unwrap();
        add_eth1(&scratch);
        let pod = datapath.enrol(spec(&scratch)).unwrap();
        let workers = stage.config().workers;
        assert_eq!(pod.listeners.len(), 5 * workers);
        scratch
            .pod
            .run(|| {
                let mut netlink = Netlink::new().unwrap();
                let eth1 = netlink.index_of("eth1").unwrap();
                netlink.remove_link(eth1).unwrap();
            })
            .unwrap();
        assert!(eventually(|| !pod.sockets.owns(ip(SECOND_POD))));
        let ended = |listener: &crate::PodListener| {
            listener.socket.accept().is_err_and(|error| error.raw_os_error() == Some(libc::EINVAL))
        };
        assert!(
            eventually(|| pod.listeners.iter().filter(|listener| ended(listener)).count() == 2 * workers),
            "accept says EINVAL"
        );
        assert_eq!(datapath.reconcile().unprotected, []);
        datapath.shutdown(Leave::Open).unwrap();
    });
}

#[test]
fn an_address_that_is_added_and_removed_is_followed() {
    on_pod(|stage, scratch, datapath, pod| {
        for added in [ip("192.0.2.77"), ip("2001:db8:5::77")] {
            let prefix = if added.is_ipv4() { 24 } else { 64 };
            let change = |add: bool| {
                scratch
                    .pod
                    .run(|| {
                        let mut netlink = Netlink::new().unwrap();
                        let eth0 = netlink.index_of("eth0").unwrap();
                        if add {
                            netlink.add_address(eth0, added, prefix)
                        } else {
                            netlink.remove_address(eth0, added, prefix)
                        }
                        .unwrap();
                    })
                    .unwrap();
            };
            change(true);
            assert!(eventually(|| pod.sockets.owns(added)));
            let _client = remote_connects(scratch, SocketAddr::new(added, 8080)).unwrap();
            assert!(agent_accepts(pod, Plaintext).is_some());
            let listener = stage.app_listens(scratch, SocketAddr::new(added, 8080));
            stage.app_connects(scratch, listener.local_addr().unwrap()).expect("direct to the own address");
            change(false);
            assert!(eventually(|| !pod.sockets.owns(added)));
        }
        assert_eq!(datapath.reconcile().unprotected, []);
    });
}

#[test]
fn a_pod_whose_lo_has_no_ipv6_works_with_ipv4() {
    on_stage(|stage| {
        let datapath = stage.datapath();
        let scratch = Scratch::new().unwrap();
        scratch.pod.run(|| std::fs::write("/proc/sys/net/ipv6/conf/lo/disable_ipv6", "1").unwrap()).unwrap();
        let pod = datapath.enrol(spec(&scratch)).unwrap();
        let remote = scratch.pairs()[0].1;
        let _app = stage.app_connects(&scratch, SocketAddr::new(remote, 80)).unwrap();
        assert!(agent_accepts(&pod, Outbound).is_some());
        let v6 = stage.app_connects(&scratch, SocketAddr::new(scratch.pairs()[1].1, 80));
        assert!(v6.is_err(), "closed, not open: {v6:?}");
        let report = datapath.reconcile();
        assert_eq!(report.unprotected, []);
        assert!(report.notes.iter().any(|(_, note)| note.contains("IPv6")), "{report:?}");
        datapath.shutdown(Leave::Open).unwrap();
    });
}

#[test]
fn a_family_without_an_address_is_unreachable() {
    on_stage(|stage| {
        let datapath = stage.datapath();
        let scratch = Scratch::new().unwrap();
        scratch
            .pod
            .run(|| {
                let mut netlink = Netlink::new().unwrap();
                let eth0 = netlink.index_of("eth0").unwrap();
                netlink.remove_address(eth0, scratch.pairs()[1].0, 64).unwrap();
            })
            .unwrap();
        let _pod = datapath.enrol(spec(&scratch)).unwrap();
        let error = stage.app_connects(&scratch, SocketAddr::new(ip("2001:db8:7::7"), 80)).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EHOSTUNREACH), "{error}");
        datapath.shutdown(Leave::Open).unwrap();
    });
}

#[test]
fn a_pod_with_ipv6_alone_is_captured() {
    on_stage(|stage| {
        let datapath = stage.datapath();
        let scratch = Scratch::new().unwrap();
        let [(v4, remote_v4), (v6, remote_v6)] = scratch.pairs()[..] else { panic!("both families") };
        scratch
            .pod
            .run(|| {
                let mut netlink = Netlink::new().unwrap();
                let eth0 = netlink.index_of("eth0").unwrap();
                netlink.remove_address(eth0, v4, 24).unwrap();
            })
            .unwrap();
        let pod = datapath.enrol(PodSpec { addresses: vec![v6], ..spec(&scratch) }).unwrap();
        let _app = stage.app_connects(&scratch, SocketAddr::new(remote_v6, 80)).unwrap();
        assert!(agent_accepts(&pod, Outbound).is_some());
        let error = stage.app_connects(&scratch, SocketAddr::new(remote_v4, 80)).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EHOSTUNREACH), "{error}");
        assert_eq!(datapath.reconcile().protected, 1);
        datapath.shutdown(Leave::Open).unwrap();
    });
}

#[test]
fn an_address_still_under_duplicate_detection_is_captured_when_it_is_ready() {
    on_pod(|_stage, scratch, _datapath, pod| {
        // Through the kernel's own duplicate detection, which takes about a second.
        let status = scratch
            .pod
            .run(|| {
                std::process::Command::new("ip")
                    .args(["addr", "add", "2001:db8:5::99/64", "dev", "eth0"])
                    .status()
            })
            .unwrap();
        assert!(status.unwrap().success());
        let added = ip("2001:db8:5::99");
        assert!(eventually(|| pod.sockets.owns(added)), "own from the start");
        let usable = || {
            let snapshot = scratch.pod.run(|| Netlink::new().unwrap().snapshot().unwrap()).unwrap();
            let mut addresses = snapshot.interfaces.into_values().flat_map(|interface| interface.addresses);
            addresses.any(|address| address.ip == added && address.usable)
        };
        assert!(eventually(usable) || eventually(usable), "detection ends");
        let _client = remote_connects(scratch, SocketAddr::new(added, 8080)).unwrap();
        assert!(agent_accepts(pod, Plaintext).is_some());
    });
}
