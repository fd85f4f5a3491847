//! What a verdict costs: `cargo run --release -p weir-model --example verdict`.

use std::hint::black_box;
use std::net::IpAddr;
use std::time::Instant;

use ipnet::IpNet;
use weir_model::policy::{Action, Clause, Match, Rule, StringMatch};
use weir_model::{Connection, Directory, Identity, Policy, PolicyScope, Workload, admit};

fn main() {
    let peer = Identity::new("cluster.local", "shop", "web").expect("an identity");
    let (source_ip, destination) = ([10, 0, 1, 5].into(), ([10, 0, 2, 7], 8080).into());
    let tunnel = Connection { peer: Some(&peer), source_ip, destination };
    let plaintext = Connection { peer: None, ..tunnel };
    println!("{:48} {:>10} {:>10}", "policies", "tunnel ns", "plain ns");
    let rows: [Row; 6] = [
        ("none", |_| {}),
        ("1 ALLOW of 1 principal", |d| allow(d, 1, 1)),
        ("10 ALLOW of 10 principals, the last matches", |d| allow(d, 10, 10)),
        ("100 ALLOW of 10 principals, the last matches", |d| allow(d, 100, 10)),
        ("1 ALLOW of 10,000 principals", |d| allow(d, 1, 10_000)),
        ("1 DENY of 10,000 ranges", deny),
    ];
    for (name, fill) in rows {
        let mut directory = Directory::new();
        fill(&mut directory);
        println!("{name:48} {:10.0} {:10.0}", time(&directory, &tunnel), time(&directory, &plaintext));
    }
}

/// A name, and what makes the policies.
type Row = (&'static str, fn(&mut Directory));

/// Nanoseconds per verdict.
fn time(directory: &Directory, connection: &Connection<'_>) -> f64 {
    const ROUNDS: u32 = 200_000;
    let dst = Workload::pod("shop", "server");
    let start = Instant::now();
    for _ in 0..ROUNDS {
        black_box(admit(black_box(directory), &dst, black_box(connection)));
    }
    start.elapsed().as_nanos() as f64 / f64::from(ROUNDS)
}

fn allow(directory: &mut Directory, policies: usize, principals: usize) {
    for place in 0..policies {
        let name = |n: usize| match (place + 1 == policies, n + 1 == principals) {
            (true, true) => "cluster.local/ns/shop/sa/web".to_owned(),
            _ => format!("cluster.local/ns/shop/sa/web-{place}-{n}"),
        };
        let principals = (0..principals).map(|n| StringMatch::Exact(name(n).into())).collect();
        add(directory, place, Action::Allow, Match { principals, ..Match::default() });
    }
}

fn deny(directory: &mut Directory) {
    let range = |n: u32| IpNet::new(IpAddr::from((0x0b00_0000 + n * 512).to_be_bytes()), 24);
    let source_ips = (0..10_000).filter_map(|n| range(n).ok()).collect();
    add(directory, 0, Action::Deny, Match { source_ips, ..Match::default() });
}

fn add(directory: &mut Directory, place: usize, action: Action, one: Match) {
    let rules = vec![Rule { clauses: vec![Clause { matches: vec![one] }] }];
    let policy = Policy::new("shop", &format!("p{place:03}"), PolicyScope::Namespace, action);
    directory.upsert_policy(Policy { rules, ..policy });
}
