//! Endpoints that are names: a DNS server of UDP says what they lead to.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::watch;
use weir_proto::l7;
use weir_waypoint::configuration::Answer;
use weir_waypoint::run::{Dns, Families, NamesMetrics, Resolve as _};

use crate::world::{World, answer, run, web};

/// What a name server says.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Says {
    Address(Ipv4Addr),
    NoSuchName,
    ServerFailure,
}

/// Answers every question for an IPv4 address so, and says that there are no others.
async fn name_server(says: watch::Receiver<Says>) -> (std::net::SocketAddr, Arc<AtomicU32>) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let (at, asked) = (socket.local_addr().unwrap(), Arc::<AtomicU32>::default());
    let count = asked.clone();
    tokio::task::spawn_local(async move {
        let mut buffer = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
            count.fetch_add(1, Ordering::Relaxed);
            let reply = reply(&buffer[..length], *says.borrow());
            socket.send_to(&reply, from).await.unwrap();
        }
    });
    (at, asked)
}

/// RFC 1035 4.1: the question again, and perhaps one answer that holds for a second.
fn reply(question: &[u8], says: Says) -> Vec<u8> {
    let end = 12 + question[12..].iter().position(|byte| *byte == 0).unwrap() + 5;
    let is_v4 = question[end - 4..end - 2] == [0, 1];
    let (code, answers) = match says {
        Says::Address(_) => (0, u8::from(is_v4)),
        Says::NoSuchName => (3, 0),
        Says::ServerFailure => (2, 0),
    };
    let mut reply = question[..2].to_vec();
    reply.extend([0x81, 0x80 | code, 0, 1, 0, answers, 0, 0, 0, 0]);
    reply.extend(&question[12..end]);
    if let (Says::Address(ip), true) = (says, is_v4) {
        reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4]);
        reply.extend(ip.octets());
    }
    reply
}

#[tokio::test]
async fn dns_is_understood() {
    run(async {
        let (say, says) = watch::channel(Says::Address([192, 0, 2, 7].into()));
        let (at, _) = name_server(says).await;
        let dns = Dns::new(&[at]).unwrap();
        let found = dns.resolve("db.example", Families::default()).await;
        assert_eq!(found.answer, Answer::Addresses(vec![[192, 0, 2, 7].into()]));
        assert!(found.ttl <= std::time::Duration::from_secs(1), "{:?}", found.ttl);
        let only_v6 = dns.resolve("db.example", Families { v4: false, v6: true }).await.answer;
        assert!(matches!(only_v6, Answer::None(_)), "{only_v6:?}");
        say.send(Says::NoSuchName).unwrap();
        let none = dns.resolve("db.example", Families::default()).await.answer;
        assert!(matches!(none, Answer::None(_)), "{none:?}");
        say.send(Says::ServerFailure).unwrap();
        let failed = dns.resolve("db.example", Families::default()).await.answer;
        assert!(matches!(failed, Answer::Failed(_)), "{failed:?}");
    })
    .await;
}

#[tokio::test]
async fn a_service_goes_where_its_name_leads() {
    run(async {
        let mut world = World::new(true).await;
        let IpAddr::V4(ip) = world.server else { unreachable!() };
        let app = TcpListener::bind((ip, 0)).await.unwrap();
        let port = app.local_addr().unwrap().port();
        tokio::task::spawn_local(async move {
            while let Ok((socket, _)) = app.accept().await {
                tokio::task::spawn_local(answer(socket, "by name".into()));
            }
        });
        let (say, says) = watch::channel(Says::NoSuchName);
        let (at, asked) = name_server(says).await;
        let dns = Arc::new(Dns::new(&[at]).unwrap());
        tokio::spawn(world.feed.names().keep(dns, NamesMetrics::default()));
        let endpoint = l7::Endpoint {
            tunnel: false,
            addresses: Vec::new(),
            hostname: "app.example".into(),
            ..world.endpoint(port)
        };
        world.say(&[web()], &[], vec![endpoint]);
        let until = async |expected: &str| loop {
            // The service is not served before its name was asked for.
            if let Ok(stream) = world.open(crate::world::VIP).await {
                drop(stream);
                let got = world.get("/").await;
                if got.contains(expected) {
                    return got;
                }
            }
            tokio::task::yield_now().await;
        };
        let refused = until("HTTP/1.1 503 ").await;
        assert!(refused.contains("names of endpoints lead nowhere"), "{refused}");
        say.send(Says::Address(ip)).unwrap();
        until("by name").await;
        say.send(Says::ServerFailure).unwrap();
        // The answer was good for a second; nobody gives another.
        let before = asked.load(Ordering::Relaxed);
        while asked.load(Ordering::Relaxed) < before + 4 {
            assert!(world.get("/").await.contains("by name"), "the address of before stays");
        }
    })
    .await;
}
