//! Whatever happens between a control plane and the client, in the end they agree.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use weir_proto::MORE_FOLLOWS;
use weir_proto::discovery::{DeltaDiscoveryResponse, Resource};

use super::fixture::*;
use crate::xds::Client;

#[derive(Debug, Clone)]
enum Step {
    /// A pod has this version from now on.
    Put(u8, u8),
    /// A service has.
    PutService(u8, u8),
    Remove(u8),
    RemoveService(u8),
    /// The client hears of what changed.
    Push,
    /// The stream breaks, with what was not pushed, and there is another.
    Reconnect,
    /// The same, and the control plane sends its batches in parts of so many.
    ReconnectInParts(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let (name, version) = (0..6_u8, 0..4_u8);
    prop_oneof![
        3 => (name.clone(), version.clone()).prop_map(|(n, v)| Step::Put(n, v)),
        2 => (name.clone(), version).prop_map(|(n, v)| Step::PutService(n, v)),
        2 => name.clone().prop_map(Step::Remove),
        1 => name.prop_map(Step::RemoveService),
        3 => Just(Step::Push),
        1 => Just(Step::Reconnect),
        1 => (1..4_u8).prop_map(Step::ReconnectInParts),
    ]
}

/// A control plane, as wire.md 2.5 describes it.
#[derive(Default)]
struct Server {
    resources: BTreeMap<String, Resource>,
    changed: BTreeSet<String>,
}

impl Server {
    fn put(&mut self, resource: Resource) {
        self.changed.insert(resource.name.clone());
        self.resources.insert(resource.name.clone(), resource);
    }

    fn remove(&mut self, name: String) {
        if self.resources.remove(&name).is_some() {
            self.changed.insert(name);
        }
    }

    fn push(&mut self, client: &mut Client) {
        let names = std::mem::take(&mut self.changed);
        let resources = names.iter().filter_map(|name| self.resources.get(name)).cloned().collect();
        let gone = names.into_iter().filter(|name| !self.resources.contains_key(name)).collect();
        client.receive(DeltaDiscoveryResponse { removed_resources: gone, ..addresses("n", resources) });
    }

    fn reconnect(&mut self, client: &mut Client, part: usize) {
        self.changed.clear();
        let held = client.open().remove(0).initial_resource_versions;
        let news = |resource: &&Resource| held.get(&resource.name) != Some(&resource.version);
        let resources: Vec<_> = self.resources.values().filter(news).cloned().collect();
        let gone = held.keys().filter(|name| !self.resources.contains_key(*name)).cloned().collect();
        let mut parts = resources.chunks(part).peekable();
        while let Some(resources) = parts.next() {
            let more = if parts.peek().is_some() { MORE_FOLLOWS } else { "" };
            let response = addresses("n", resources.to_vec());
            client.receive(DeltaDiscoveryResponse { system_version_info: more.into(), ..response });
        }
        client.receive(DeltaDiscoveryResponse { removed_resources: gone, ..addresses("n", vec![]) });
    }
}

proptest! {
    #[test]
    fn the_client_ends_with_what_the_server_has(steps in prop::collection::vec(step(), 0..60)) {
        let (mut server, mut client) = (Server::default(), Client::new(config_of_n1().node.message()));
        server.reconnect(&mut client, usize::MAX);
        for step in steps {
            match step {
                // Some versions are bad: they keep the last good one in force until there is another.
                Step::Put(n, 3) => server.put(bad_pod(&n.to_string(), "3")),
                Step::Put(n, v) => server.put(pod(&n.to_string(), &v.to_string())),
                Step::PutService(n, v) => server.put(service(&n.to_string(), &v.to_string())),
                Step::Remove(n) => server.remove(uid(&n.to_string())),
                Step::RemoveService(n) => server.remove(format!("shop/{n}")),
                Step::Push => server.push(&mut client),
                Step::Reconnect => server.reconnect(&mut client, usize::MAX),
                Step::ReconnectInParts(part) => server.reconnect(&mut client, part.into()),
            }
        }
        server.push(&mut client);
        let directory = client.directory();
        for (name, resource) in &server.resources {
            let found = match name.strip_prefix("shop/") {
                Some(host) => {
                    let key = weir_model::ServiceKey::new("shop", host);
                    directory.service(&key).map(|service| service.name.to_string())
                }
                None => directory.workload(name).map(|workload| workload.canonical_revision.to_string()),
            };
            if resource.version != "3" || name.starts_with("shop/") {
                prop_assert_eq!(found.as_deref(), Some(resource.version.as_str()), "{}", name);
            }
        }
        // And nothing else: what is gone there is gone here.
        let known = directory.workloads().map(|w| w.uid.to_string()).chain(directory.services().map(|s| s.key.to_string()));
        for name in known {
            prop_assert!(server.resources.contains_key(&name), "{} is still in force", name);
        }
    }
}
