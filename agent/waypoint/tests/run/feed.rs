//! What is asked for, and when all of it is there.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use prost::Message;
use weir_discovery::on_demand::Asker as _;
use weir_proto::{l7, type_url};
use weir_waypoint::run::{Feed, Serving};

use crate::world::{WEB, web};

struct Told {
    feed: Feed,
    serving: Arc<Serving>,
}

impl Told {
    fn new() -> Self {
        let serving = Arc::<Serving>::default();
        Self { feed: Feed::new("shop/wp", serving.clone()), serving }
    }

    fn put(&mut self, url: &'static str, name: &str, message: &impl Message) -> Result<(), String> {
        self.feed.put(url, name, &Bytes::from(message.encode_to_vec()))
    }

    fn waypoint(&mut self) {
        let waypoint = l7::Waypoint { frontends: vec![WEB.into()], ..l7::Waypoint::default() };
        self.put(type_url::WAYPOINT, "shop/wp", &waypoint).unwrap();
    }

    /// What is missing after this.
    fn settle(&mut self) -> Vec<String> {
        self.feed.settle();
        self.serving.pending().to_vec()
    }
}

#[test]
fn one_thing_is_asked_for_after_the_other() {
    let mut told = Told::new();
    let names = |wanted: Vec<(&'static str, BTreeSet<String>)>| -> Vec<Vec<String>> {
        wanted.into_iter().map(|(_, names)| names.into_iter().collect()).collect()
    };
    let first = names(told.feed.settle());
    assert_eq!(first[0], ["shop/wp"]);
    assert!(first[1..].iter().all(Vec::is_empty), "{first:?}");
    told.waypoint();
    assert_eq!(names(told.feed.settle())[1], [WEB]);
    told.put(type_url::FRONTEND, WEB, &web()).unwrap();
    assert_eq!(names(told.feed.settle())[2..4], [[WEB], [WEB]]);
}

#[test]
fn it_is_complete_when_everything_is_in_force() {
    let mut told = Told::new();
    assert_eq!(told.settle(), ["waypoint shop/wp"]);
    told.waypoint();
    assert_eq!(told.settle(), [format!("frontend {WEB}")]);
    told.put(type_url::FRONTEND, WEB, &web()).unwrap();
    assert_eq!(told.settle(), [format!("backend {WEB} of {WEB}")]);
    told.put(type_url::BACKEND, WEB, &l7::Backend::default()).unwrap();
    told.settle();
    assert!(!told.serving.is_complete());
    told.feed.remove(type_url::ENDPOINTS, WEB);
    assert!(told.settle().is_empty() && told.serving.is_complete());
}

#[test]
fn what_is_refused_or_not_there_is_not_waited_for() {
    for end in ["refused", "absent", "refused backend"] {
        let mut told = Told::new();
        told.waypoint();
        match end {
            "refused" => {
                let bad = l7::Frontend { ports: vec![l7::FrontendPort::default()], ..web() };
                let why = told.put(type_url::FRONTEND, WEB, &bad).unwrap_err();
                told.feed.refused(&mut [(type_url::FRONTEND, WEB, why.as_str())].into_iter());
            }
            "absent" => told.feed.remove(type_url::FRONTEND, WEB),
            _ => {
                told.put(type_url::FRONTEND, WEB, &web()).unwrap();
                let clusters = vec![l7::Cluster::default()];
                let bad = l7::Backend { clusters, ..l7::Backend::default() };
                let why = told.put(type_url::BACKEND, WEB, &bad).unwrap_err();
                assert!(why.starts_with("clusters[0].port"), "{why}");
                told.feed.refused(&mut [(type_url::BACKEND, WEB, why.as_str())].into_iter());
            }
        }
        assert!(told.settle().is_empty() && told.serving.is_complete(), "{end}");
    }
}
