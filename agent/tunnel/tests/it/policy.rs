//! Policy at the destination: who comes in, and who has to go when policy changes.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use http::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use weir_model::policy::{Action, Clause, Match, Rule, StringMatch};
use weir_model::{Policy, PolicyScope, Workload};
use weir_tunnel::{Config, LocalPod, PodNetwork};

use crate::app::{End, echo, end, open, serve};
use crate::peers::{connect, dial};
use crate::refusals::refused;
use crate::world::{Node, Plain, World};

/// A policy of the namespace with one rule of one match.
fn policy(name: &str, action: Action, one: Match) -> Policy {
    let rule = Rule { clauses: vec![Clause { matches: vec![one] }] };
    Policy { rules: vec![rule], ..Policy::new("shop", name, PolicyScope::Namespace, action) }
}

fn deny_port(port: u16) -> Policy {
    policy(
        "deny-port",
        Action::Deny,
        Match { destination_ports: [port].into_iter().collect(), ..Match::default() },
    )
}

fn from(account: &str) -> Match {
    let exact = StringMatch::Exact(format!("cluster.local/ns/shop/sa/{account}").into());
    Match { principals: [exact].into_iter().collect(), ..Match::default() }
}

/// A connection whose both ends have heard of each other.
async fn established(vip: SocketAddr) -> TcpStream {
    let mut socket = open(vip).await;
    answers(&mut socket).await;
    socket
}

async fn answers(socket: &mut TcpStream) {
    socket.write_all(b"x").await.unwrap();
    socket.read_exact(&mut [0]).await.unwrap();
}

/// The server's pod is the client's neighbour.
fn same_node(world: &World) -> &Node {
    world.a.shared.pods.insert(LocalPod::new(world.b.pod.uid().clone(), Arc::new(Plain(world.server))));
    &world.a
}

#[tokio::test]
async fn the_first_connection_is_asked() {
    let world = World::plain().await;
    let (app, vip) = world.service();
    echo(app);
    world.b.change(|d| d.upsert_policy(policy("only-web", Action::Allow, from("web"))));
    refused(vip).await;
    world.a.line(&["Complete Outbound", "error DENY", "answered 401"]).await;
    world.b.line(&["Failed Inbound", "error DENY no ALLOW policy matches: not shop/only-web"]).await;
    world.b.change(|d| d.upsert_policy(policy("and-client", Action::Allow, from("client"))));
    established(vip).await;
    // The source's side is not asked.
    world.a.change(|d| d.upsert_policy(deny_port(vip.port())));
    established(vip).await;
}

#[tokio::test]
async fn the_source_address_is_the_tcp_peers_and_the_port_is_the_applications() {
    let world = World::plain().await;
    let (app, vip) = world.service();
    echo(app);
    let port = vip.port();
    let (client, server) = (world.client, world.server);
    let exactly = Match {
        source_ips: [client.into()].into_iter().collect(),
        destination_ips: [server.into()].into_iter().collect(),
        destination_ports: [port].into_iter().collect(),
        not_destination_ports: [15008].into_iter().collect(),
        ..from("client")
    };
    for node in [&world.b, same_node(&world)] {
        node.change(|d| d.upsert_policy(policy("exactly", Action::Allow, exactly.clone())));
    }
    // First over the hand-over, then through a tunnel.
    established(vip).await;
    world.a.shared.pods.remove(world.b.pod.uid());
    established(vip).await;
}

#[tokio::test]
async fn an_open_stream_that_is_denied_is_reset_on_both_sides_and_its_neighbour_stays() {
    let world = World::plain().await;
    let (app, vip) = world.service();
    let (tell, mut ended) = tokio::sync::mpsc::unbounded_channel();
    serve(app, move |mut socket, _| {
        let tell = tell.clone();
        async move {
            answer_one(&mut socket).await;
            tell.send(end(&mut socket).await).unwrap();
        }
    });
    let (other_app, other) = world.service();
    echo(other_app);
    let (mut socket, mut neighbour) = (established(vip).await, established(other).await);
    world.b.change(|d| d.upsert_policy(deny_port(vip.port())));
    assert_eq!(end(&mut socket).await, End::Rst);
    assert_eq!(ended.recv().await, Some(End::Rst), "the application");
    let line =
        world.b.line(&["Complete Inbound", "error DENY policy shop/deny-port denies it (rules[0])"]).await;
    assert!(line.contains("sent 1 recv 1"), "{line}");
    world.a.line(&["Complete Outbound", "the stream failed", "internal error"]).await;
    assert!(world.b.metrics().contains("response_flags=\"DENY\""));
    answers(&mut neighbour).await;
}

async fn answer_one(socket: &mut TcpStream) {
    let mut one = [0];
    socket.read_exact(&mut one).await.unwrap();
    socket.write_all(&one).await.unwrap();
}

#[tokio::test]
async fn a_foreign_client_reads_a_code_that_is_no_clean_end() {
    let world = World::plain().await;
    let (app, vip) = world.service();
    echo(app);
    let authority = format!("{}:{}", world.server, vip.port());
    let mut requests = dial(&world).await.ready().await.unwrap();
    let (answer, mut send) = requests.send_request(connect(&authority), false).unwrap();
    send.send_data(Bytes::from_static(b"early"), false).unwrap();
    let mut body = answer.await.unwrap().into_body();
    assert_eq!(body.data().await.unwrap().unwrap(), "early");
    world.b.change(|d| d.upsert_policy(deny_port(vip.port())));
    assert_eq!(body.data().await.unwrap().unwrap_err().reason(), Some(Reason::INTERNAL_ERROR));
    // The tunnel stays; the next stream is told why.
    let mut requests = requests.ready().await.unwrap();
    let (answer, _send) = requests.send_request(connect(&authority), false).unwrap();
    assert_eq!(answer.await.unwrap().status(), StatusCode::UNAUTHORIZED);
    world.b.change(|d| d.remove_policy("shop/deny-port"));
    let mut requests = requests.ready().await.unwrap();
    let (answer, _send) = requests.send_request(connect(&authority), false).unwrap();
    assert_eq!(answer.await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn an_open_connection_of_the_same_node_is_denied_too() {
    let world = World::plain().await;
    let (app, vip) = world.service();
    echo(app);
    let node = same_node(&world);
    let mut socket = established(vip).await;
    node.change(|d| d.upsert_policy(deny_port(vip.port())));
    assert_eq!(end(&mut socket).await, End::Rst);
    for side in ["Complete Outbound", "Complete Inbound"] {
        node.line(&[side, "sent 1 recv 1", "error DENY policy shop/deny-port"]).await;
    }
}

/// What the directory says of the destination or the source, without any policy that changes.
#[tokio::test]
async fn a_change_of_either_workload_is_a_reason_too() {
    type Edit = fn(&mut Vec<Workload>);
    let cases: [(Edit, &str); 4] = [
        (
            |w| w[1].authorization_policies = vec!["shop/unknown".into()],
            "lists policy shop/unknown, which is not known here",
        ),
        (|w| w[1].trust_domain = "elsewhere".into(), "is not of trust domain elsewhere"),
        (|w| w[0].service_account = "other".into(), "sa/client, but"),
        (|w| w[0].trust_domain = "elsewhere".into(), "sa/client, but"),
    ];
    for local in [false, true] {
        for (edit, why) in cases {
            let soon = |c: &mut Config| {
                c.source_interval = Duration::from_millis(20);
                c.missing_policy_grace = Duration::from_millis(20);
            };
            let world = World::new(soon, |_, _| {}).await;
            let (app, vip) = world.service();
            echo(app);
            let node = if local { same_node(&world) } else { &world.b };
            let mut socket = established(vip).await;
            node.change(|d| {
                let uids = [world.a.pod.uid(), world.b.pod.uid()];
                let mut pods = uids.map(|uid| Workload::clone(d.workload(uid).unwrap())).to_vec();
                edit(&mut pods);
                for pod in pods {
                    d.upsert_workload(pod);
                }
            });
            assert_eq!(end(&mut socket).await, End::Rst, "{why}");
            node.line(&["Complete Inbound", "error DENY", why]).await;
        }
    }
}

/// Istio's control plane sends the workload before the policy that it lists.
#[tokio::test]
async fn a_policy_that_comes_behind_its_workload_cuts_off_whom_it_forbids() {
    let world = World::new(|c| c.missing_policy_grace = Duration::from_secs(60), |_, _| {}).await;
    let ((app, vip), (other_app, other)) = (world.service(), world.service());
    echo(app);
    echo(other_app);
    let (mut allowed, mut forbidden) = (established(vip).await, established(other).await);
    world.b.change(|d| {
        let mut server = Workload::clone(d.workload(world.b.pod.uid()).unwrap());
        server.authorization_policies = vec!["shop/late".into()];
        d.upsert_workload(server)
    });
    // Nobody comes in meanwhile.
    refused(vip).await;
    world.b.line(&["Failed Inbound", "lists policy shop/late, which is not known here"]).await;
    let late = Match { destination_ports: [vip.port()].into_iter().collect(), ..Match::default() };
    let late = policy("late", Action::Allow, late);
    world.b.change(|d| d.upsert_policy(Policy { scope: PolicyScope::WorkloadSelector, ..late }));
    assert_eq!(end(&mut forbidden).await, End::Rst);
    answers(&mut allowed).await;
    established(vip).await;
}

#[tokio::test]
async fn while_a_policy_is_missing_another_one_denies() {
    let world = World::new(|c| c.missing_policy_grace = Duration::from_secs(60), |_, _| {}).await;
    let (app, vip) = world.service();
    echo(app);
    let mut socket = established(vip).await;
    world.b.change(|d| {
        let mut server = Workload::clone(d.workload(world.b.pod.uid()).unwrap());
        server.authorization_policies = vec!["shop/late".into()];
        d.upsert_workload(server);
        d.upsert_policy(deny_port(vip.port()))
    });
    assert_eq!(end(&mut socket).await, End::Rst);
    world.b.line(&["Complete Inbound", "policy shop/deny-port denies it"]).await;
}

#[tokio::test]
async fn what_changes_nothing_for_a_connection_leaves_it_alone() {
    let world = World::plain().await;
    let (app, vip) = world.service();
    echo(app);
    let mut socket = established(vip).await;
    let dry = Policy { dry_run: true, ..deny_port(vip.port()) };
    world.b.change(|d| d.upsert_policy(dry));
    world.b.change(|d| d.upsert_policy(policy("a", Action::Allow, from("client"))));
    world.b.change(|d| d.upsert_policy(policy("b", Action::Allow, from("web"))));
    world.b.change(|d| {
        d.upsert_policy(Policy { namespace: "other".into(), ..policy("c", Action::Allow, from("web")) })
    });
    world.b.change(|d| d.upsert_workload(Workload::pod("shop", "new")));
    // Another connection is denied by a later change: when that has happened, this one has been asked for.
    let (other_app, other) = world.service();
    echo(other_app);
    let mut denied = established(other).await;
    world.b.change(|d| d.upsert_policy(Policy { key: "shop/d".into(), ..deny_port(other.port()) }));
    assert_eq!(end(&mut denied).await, End::Rst);
    answers(&mut socket).await;
}

/// The application's side of a pod, where policy changes while it is being dialled.
struct Meanwhile(Plain, Box<dyn Fn() + Send + Sync>);

impl PodNetwork for Meanwhile {
    fn dial(&self, remote: SocketAddr) -> io::Result<socket2::Socket> {
        self.0.dial(remote)
    }

    fn deliver(&self, client: IpAddr, app: SocketAddr) -> io::Result<socket2::Socket> {
        (self.1)();
        self.0.deliver(client, app)
    }

    fn owns(&self, ip: IpAddr) -> bool {
        self.0.owns(ip)
    }

    fn is_self(&self, ip: IpAddr) -> bool {
        self.0.is_self(ip)
    }
}

#[tokio::test]
async fn a_change_while_the_application_is_dialled_is_not_missed() {
    let world = World::plain().await;
    let (app, vip) = world.service();
    echo(app);
    let directory = world.a.directory.clone();
    let deny = move || {
        let mut current = directory.lock().unwrap();
        let mut changed = weir_model::Directory::clone(&current);
        changed.upsert_policy(deny_port(vip.port()));
        *current = Arc::new(changed);
    };
    let pod = Arc::new(Meanwhile(Plain(world.server), Box::new(deny)));
    world.a.shared.pods.insert(LocalPod::new(world.b.pod.uid().clone(), pod));
    refused(vip).await;
    world.a.line(&["Failed Inbound", "error DENY policy shop/deny-port"]).await;
}

#[tokio::test]
async fn of_many_connections_those_that_are_denied_go_and_the_others_stay() {
    let world = World::plain().await;
    let ((app, vip), (other_app, other)) = (world.service(), world.service());
    echo(app);
    echo(other_app);
    let (mut gone, mut kept) = (Vec::new(), Vec::new());
    // More than are asked for at a time, mixed.
    for _ in 0..150 {
        gone.push(established(vip).await);
        kept.push(established(other).await);
    }
    world.b.change(|d| d.upsert_policy(deny_port(vip.port())));
    for socket in &mut gone {
        assert_eq!(end(socket).await, End::Rst);
    }
    for socket in &mut kept {
        answers(socket).await;
    }
}
