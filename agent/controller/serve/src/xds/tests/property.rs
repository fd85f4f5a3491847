//! Whatever changes and whatever is asked, however slowly it is read: a client ends up with what there is, and never
//! holds a workload that names a policy it does not have.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use weir_index::ResourceKind;

use super::client::*;
use super::mesh::{Mesh, pod, policy, service};
use crate::xds::XdsConfig;

/// Whether a pod serves the service, and the policies that it names.
type Pod = (bool, Vec<u8>);

#[derive(Debug, Clone)]
enum Step {
    /// A commit: pods, policies (false: gone), and whether there is the service.
    Commit(Vec<(u8, Option<Pod>)>, Vec<(u8, bool)>, bool),
    /// The client takes so many responses.
    Take(u8),
    /// A client on demand asks for a pod by name, a pod by address, or the service.
    Ask(u8, u8),
    /// The client gives up a pod.
    Drop(u8),
    /// The connection breaks, and the client comes back with what it has.
    Reconnect,
}

fn step() -> impl Strategy<Value = Step> {
    let pods = prop::collection::vec(
        (0..8u8, prop::option::of((any::<bool>(), prop::collection::vec(0..5u8, 0..3)))),
        0..5,
    );
    let policies = prop::collection::vec((0..5u8, any::<bool>()), 0..4);
    prop_oneof![
        4 => (pods, policies, any::<bool>()).prop_map(|(pods, policies, service)| Step::Commit(pods, policies, service)),
        4 => (0..4u8).prop_map(Step::Take),
        2 => (0..3u8, 0..8u8).prop_map(|(how, pod)| Step::Ask(how, pod)),
        1 => (0..8u8).prop_map(Step::Drop),
        1 => Just(Step::Reconnect),
    ]
}

const SERVICE: &str = "shop/web";

fn uid(pod: u8) -> String {
    format!("c//Pod/shop/p{pod}")
}

/// The mesh as numbers. A commit is consistent: no workload names a policy that is not there.
#[derive(Default)]
struct World {
    mesh: Mesh,
    pods: BTreeMap<u8, Pod>,
    policies: BTreeSet<u8>,
    version: u64,
}

impl World {
    fn commit(&mut self, pods: &[(u8, Option<Pod>)], policies: &[(u8, bool)], with_service: bool) {
        self.version += 1;
        for (number, live) in policies {
            match live {
                true => {
                    self.policies.insert(*number);
                    self.mesh.set(policy(&format!("shop/{number}"), self.version));
                }
                false => {
                    self.policies.remove(number);
                    self.mesh.unset(&format!("shop/{number}"));
                }
            }
        }
        for (number, change) in pods {
            match change {
                Some(change) => drop(self.pods.insert(*number, change.clone())),
                None => {
                    self.pods.remove(number);
                    self.mesh.unset(&uid(*number));
                }
            }
        }
        let touched: BTreeSet<u8> = pods.iter().map(|(number, _)| *number).collect();
        for (number, (serves, wanted)) in &mut self.pods {
            let before = wanted.len();
            wanted.retain(|policy| self.policies.contains(policy));
            if touched.contains(number) || wanted.len() != before {
                let named: Vec<String> = wanted.iter().map(|policy| format!("shop/{policy}")).collect();
                let named: Vec<&str> = named.iter().map(String::as_str).collect();
                let services: &[&str] = if *serves { &[SERVICE] } else { &[] };
                let (ip, node) = (format!("10.0.0.{number}"), if number % 4 == 0 { "a" } else { "b" });
                self.mesh.set(pod(&uid(*number), &ip, node, services, &named, self.version));
            }
        }
        match with_service {
            true => self.mesh.set(service(SERVICE, "10.96.0.1", self.version)),
            false => self.mesh.unset(SERVICE),
        }
        self.mesh.commit();
    }

    fn versions(&self, of: impl Fn(ResourceKind) -> bool) -> BTreeMap<String, String> {
        let live = self.mesh.live().filter(|resource| of(resource.kind));
        live.map(|r| (r.name.to_string(), format!("{:016x}", r.version))).collect()
    }
}

fn connect(world: &World, before: Option<Client>, on_demand_mode: bool) -> Client {
    let mut client = Client::new(XdsConfig { response: 150, ..XdsConfig::default() });
    let (mut addresses, mut policies) = (BTreeMap::new(), BTreeMap::new());
    if let Some(before) = before {
        (addresses, policies) = (before.addresses.clone(), before.policies.clone());
        // The same client: what it has stays in force.
        client = Client { session: client.session, ..before };
    }
    let mut request = if on_demand_mode { on_demand() } else { first(ADDRESS) };
    request.initial_resource_versions = addresses;
    client.send(&world.mesh, &request);
    let mut request = first(AUTHORIZATION);
    request.initial_resource_versions = std::mem::take(&mut policies);
    client.send(&world.mesh, &request);
    client
}

fn play(steps: &[Step], on_demand_mode: bool) -> Result<(), TestCaseError> {
    let mut world = World::default();
    world.commit(&[(0, Some((true, vec![]))), (1, Some((true, vec![])))], &[(0, true)], true);
    let mut client = connect(&world, None, on_demand_mode);
    let mut asked = BTreeSet::new();
    for step in steps {
        match step {
            Step::Commit(pods, policies, service) => world.commit(pods, policies, *service),
            Step::Take(count) => {
                for _ in 0..*count {
                    client.take(&world.mesh);
                    prop_assert_eq!(client.unknown_policies(), Vec::<&str>::new());
                }
            }
            Step::Ask(how, pod) => {
                let name =
                    [uid(*pod), format!("/10.0.0.{pod}"), SERVICE.to_owned()][usize::from(*how)].clone();
                client.send(&world.mesh, &ask(ADDRESS, &[&name], &[]));
                asked.insert(name);
            }
            Step::Drop(pod) => {
                client.send(&world.mesh, &ask(ADDRESS, &[], &[&uid(*pod)]));
                asked.remove(&uid(*pod));
                if on_demand_mode {
                    // It is not told of it any more, and throws it away.
                    client.addresses.remove(&uid(*pod));
                    client.named.remove(&uid(*pod));
                }
            }
            Step::Reconnect => {
                client = connect(&world, Some(client), on_demand_mode);
                asked.clear();
            }
        }
    }
    while client.take(&world.mesh).is_some() {
        prop_assert_eq!(client.unknown_policies(), Vec::<&str>::new());
    }
    let live = world.versions(|kind| kind != ResourceKind::Authorization);
    prop_assert_eq!(&client.policies, &world.versions(|kind| kind == ResourceKind::Authorization));
    if !on_demand_mode {
        prop_assert_eq!(&client.addresses, &live);
        return Ok(());
    }
    for name in asked.iter().filter(|name| live.contains_key(*name)) {
        prop_assert_eq!(client.addresses.get(name), live.get(name), "asked for {}", name);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn a_client_of_everything_ends_up_with_everything(steps in prop::collection::vec(step(), 0..40)) {
        play(&steps, false)?;
    }

    #[test]
    fn a_client_on_demand_ends_up_with_what_it_asked_for(steps in prop::collection::vec(step(), 0..40)) {
        play(&steps, true)?;
    }
}
