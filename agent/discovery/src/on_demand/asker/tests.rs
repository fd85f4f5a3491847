//! Who asks by name, against a control plane that follows a script.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use weir_proto::{MORE_FOLLOWS, type_url};

use super::*;
use crate::follow::FIRST_ANSWER;
use crate::xds::tests::fixture::{Call, Plane, config_of_n1, resource};

const ONE: &str = type_url::WAYPOINT;
const OTHER: &str = type_url::FRONTEND;

/// Wants what is in its table's first resource; refuses "bad".
#[derive(Clone, Default)]
struct Reader(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    bodies: BTreeMap<String, String>,
    settled: usize,
    refused: Vec<String>,
}

impl Asker for Reader {
    fn put(&mut self, _: &'static str, name: &str, body: &Bytes) -> Result<(), String> {
        let text = String::from_utf8(body.to_vec()).unwrap();
        if text == "bad" {
            return Err("it is bad".into());
        }
        self.0.lock().unwrap().bodies.insert(name.to_owned(), text);
        Ok(())
    }

    fn remove(&mut self, _: &'static str, name: &str) {
        self.0.lock().unwrap().bodies.remove(name);
    }

    fn settle(&mut self) -> Vec<(&'static str, BTreeSet<String>)> {
        let mut state = self.0.lock().unwrap();
        state.settled += 1;
        let named = state.bodies.get("first").into_iter().flat_map(|names| names.split(' '));
        let named = named.filter(|name| !name.is_empty()).map(str::to_owned).collect();
        vec![(ONE, BTreeSet::from(["first".to_owned()])), (OTHER, named)]
    }

    fn refused(&mut self, refused: &mut dyn Iterator<Item = (&'static str, &str, &str)>) {
        self.0.lock().unwrap().refused = refused.map(|(_, name, why)| format!("{name}: {why}")).collect();
    }
}

struct World {
    plane: Plane,
    reader: Reader,
    status: Arc<Status>,
}

impl World {
    fn start() -> Self {
        let (plane, reader, status) = (Plane::new(), Reader::default(), Arc::<Status>::default());
        let (channel, asker, shared) = (plane.channel.clone(), reader.clone(), status.clone());
        tokio::spawn(async move {
            match run(config_of_n1().node, &[ONE, OTHER], channel, asker, shared, Metrics::default()).await {}
        });
        Self { plane, reader, status }
    }

    fn body(&self, name: &str) -> Option<String> {
        self.reader.0.lock().unwrap().bodies.get(name).cloned()
    }
}

fn response(type_url: &str, nonce: &str, bodies: &[(&str, &str)]) -> DeltaDiscoveryResponse {
    let resource = |(name, body): &(&str, &str)| resource(name, body, type_url, body.as_bytes().to_vec());
    DeltaDiscoveryResponse {
        type_url: type_url.into(),
        nonce: nonce.into(),
        resources: bodies.iter().map(resource).collect(),
        ..DeltaDiscoveryResponse::default()
    }
}

/// Reads the first request, answers it, and reads what is asked for then.
async fn begin(call: &mut Call) -> DeltaDiscoveryRequest {
    let first = call.request().await;
    assert_eq!((first.type_url.as_str(), first.resource_names_subscribe), (ONE, vec!["first".to_owned()]));
    let ack = call.ask(response(ONE, "n1", &[("first", "a b")])).await;
    assert_eq!((ack.response_nonce.as_str(), ack.error_detail), ("n1", None));
    call.request().await
}

#[tokio::test(start_paused = true)]
async fn what_comes_says_what_else_is_asked_for() {
    let mut world = World::start();
    let mut call = world.plane.call().await;
    let next = begin(&mut call).await;
    assert_eq!(
        (next.type_url.as_str(), next.resource_names_subscribe),
        (OTHER, vec!["a".into(), "b".into()])
    );
    assert!(next.node.is_some(), "the first of its type");
    assert!(!world.status.is_ready());
    call.ask(response(OTHER, "n2", &[("a", "1"), ("b", "2")])).await;
    assert!(world.status.is_ready());
    assert_eq!((world.body("a"), world.body("b")), (Some("1".into()), Some("2".into())));
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_is_said_and_shown_until_it_is_good() {
    let mut world = World::start();
    let mut call = world.plane.call().await;
    begin(&mut call).await;
    let nack = call.ask(response(OTHER, "n2", &[("a", "bad"), ("b", "2")])).await;
    assert_eq!(nack.error_detail.unwrap().message, "a: it is bad");
    assert_eq!(world.reader.0.lock().unwrap().refused, ["a: it is bad"]);
    assert_eq!(world.status.report().rejected, [("a".into(), "it is bad".into())]);
    call.ask(response(OTHER, "n3", &[("a", "1")])).await;
    assert!(world.status.report().rejected.is_empty() && world.reader.0.lock().unwrap().refused.is_empty());
}

#[tokio::test(start_paused = true)]
async fn half_a_picture_is_not_put_to_use() {
    let mut world = World::start();
    let mut call = world.plane.call().await;
    begin(&mut call).await;
    let before = world.reader.0.lock().unwrap().settled;
    let half = response(OTHER, "n2", &[("a", "1")]);
    call.ask(DeltaDiscoveryResponse { system_version_info: MORE_FOLLOWS.into(), ..half }).await;
    assert_eq!(world.reader.0.lock().unwrap().settled, before);
    call.ask(response(OTHER, "n3", &[("b", "2")])).await;
    assert_eq!(world.reader.0.lock().unwrap().settled, before + 1);
}

#[tokio::test(start_paused = true)]
async fn a_new_stream_asks_for_all_and_what_is_held_stays() {
    let mut world = World::start();
    let mut call = world.plane.call().await;
    begin(&mut call).await;
    call.ask(response(OTHER, "n2", &[("a", "1"), ("b", "2")])).await;
    drop(call);
    let mut call = world.plane.call().await;
    let mut requests = [call.request().await, call.request().await];
    requests.sort_by(|one, other| other.type_url.cmp(&one.type_url));
    assert_eq!(requests[0].resource_names_subscribe, ["first"]);
    assert_eq!(requests[1].initial_resource_versions.len(), 2, "with what is held");
    assert_eq!(world.body("a"), Some("1".into()));
}

#[tokio::test(start_paused = true)]
async fn a_type_that_is_asked_for_late_has_its_own_time() {
    let mut world = World::start();
    let mut call = world.plane.call().await;
    call.request().await;
    call.ask(response(ONE, "n1", &[("first", "")])).await;
    tokio::time::sleep(FIRST_ANSWER * 10).await;
    call.ask(response(ONE, "n2", &[("first", "a")])).await;
    assert_eq!(call.request().await.resource_names_subscribe, ["a"]);
    tokio::time::sleep(FIRST_ANSWER - Duration::from_secs(1)).await;
    call.ask(response(OTHER, "n3", &[("a", "1")])).await;
    assert_eq!(world.body("a"), Some("1".into()), "on the same stream");
}
