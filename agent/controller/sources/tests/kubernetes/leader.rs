//! One replica at a time.

use std::time::Duration;

use tokio::sync::{oneshot, watch};
use weir_harness::kube_api::{Call, Fault, KubeApi};
use weir_sources::{LeaderConfig, LeaderElection};

use crate::support::{LONG, connect, until};

struct Replica {
    leading: watch::Receiver<bool>,
    stop: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<()>,
}

impl Replica {
    async fn start(api: &KubeApi, identity: &str) -> Self {
        let mut config = LeaderConfig::new("default", "weir-controller", identity);
        config.duration = Duration::from_secs(1);
        config.deadline = Duration::from_millis(600);
        config.retry = Duration::from_millis(50);
        let election = LeaderElection::new(&connect(api).await, config);
        let (stop, stopped) = oneshot::channel();
        let leading = election.leading();
        let task = tokio::spawn(election.run(async {
            let _ = stopped.await;
        }));
        Self { leading, stop, task }
    }

    fn leads(&self) -> bool {
        *self.leading.borrow()
    }

    async fn wait(&mut self, leads: bool) {
        let wait = self.leading.wait_for(|is| *is == leads);
        assert!(tokio::time::timeout(LONG, wait).await.is_ok());
    }
}

fn holder(api: &KubeApi) -> Option<String> {
    let lease = api.get("leases", "default", "weir-controller")?;
    lease["spec"]["holderIdentity"].as_str().map(str::to_owned)
}

#[tokio::test]
async fn of_two_replicas_one_leads_and_its_end_is_the_others_turn() {
    let api = KubeApi::start().unwrap();
    let mut replicas = [Replica::start(&api, "a").await, Replica::start(&api, "b").await];
    until("a leader", || replicas.iter().any(Replica::leads)).await;
    let writes = || api.requests().iter().filter(|r| r.resource == "leases" && r.verb == "update").count();
    let before = writes();
    until("renewals", || writes() > before + 5).await;
    assert_eq!(replicas.iter().filter(|r| r.leads()).count(), 1);
    let first = usize::from(replicas[1].leads());
    let other = 1 - first;
    assert_eq!(holder(&api).as_deref(), Some(["a", "b"][first]));
    let lease = api.get("leases", "default", "weir-controller").unwrap();
    assert_eq!(lease["spec"]["leaseTransitions"], 0);
    // Given back at the end: nobody has to wait.
    let (stop, _) = oneshot::channel();
    let _ = std::mem::replace(&mut replicas[first].stop, stop).send(());
    replicas[other].wait(true).await;
    assert_eq!(holder(&api).as_deref(), Some(["a", "b"][other]));
}

/// A leader that is killed without a word is followed when its lease is over.
#[tokio::test]
async fn a_dead_leader_is_followed() {
    let api = KubeApi::start().unwrap();
    let mut first = Replica::start(&api, "a").await;
    first.wait(true).await;
    let mut second = Replica::start(&api, "b").await;
    first.task.abort();
    second.wait(true).await;
    assert_eq!(holder(&api).as_deref(), Some("b"));
}

/// Who cannot renew stops to lead, before the other can begin, and even when the API hangs.
#[tokio::test]
async fn a_leader_without_an_api_stops() {
    let api = KubeApi::start().unwrap();
    let mut replica = Replica::start(&api, "a").await;
    replica.wait(true).await;
    api.fault(Call::new("*", "leases"), Fault::Hang, usize::MAX);
    replica.wait(false).await;
    api.heal();
    replica.wait(true).await;
}
