//! Whatever happens, counts are what lives, and no more are left out than may be.

use http::StatusCode;
use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Update(Vec<(u8, bool)>),
    Pick(u8),
    Done(prop::sample::Index, u16),
    Fail(prop::sample::Index),
    Drop(prop::sample::Index),
    Pass(u64),
    Reconfigure(u32),
}

fn step() -> impl Strategy<Value = Step> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        2 => prop::collection::vec((0_u8..8, prop::bool::weighted(0.2)), 0..8).prop_map(Step::Update),
        8 => (0_u8..3).prop_map(Step::Pick),
        4 => (index(), prop::sample::select(vec![200, 500, 503])).prop_map(|(n, code)| Step::Done(n, code)),
        4 => index().prop_map(Step::Fail),
        4 => index().prop_map(Step::Drop),
        2 => (0_u64..100).prop_map(Step::Pass),
        1 => (0_u32..101).prop_map(Step::Reconfigure),
    ]
}

fn detecting(percent: u32) -> l7::Cluster {
    let outlier_detection = (percent <= 100).then(|| l7::OutlierDetection {
        consecutive_5xx: 1,
        max_ejection_percent: percent,
        min_health_percent: percent / 2,
        ..Default::default()
    });
    let pool = l7::ConnectionPool { max_requests: 20, ..Default::default() };
    let least = l7::load_balancer::Algorithm::LeastRequest(l7::LeastRequest::default());
    l7::Cluster { outlier_detection, connection_pool: Some(pool), ..balanced(least) }
}

proptest! {
    #[test]
    fn counts_are_what_lives(steps in prop::collection::vec(step(), 0..150)) {
        let mut world = World::new(&detecting(50), &[endpoint(0), endpoint(1), endpoint(2)]);
        let mut live: Vec<Picked> = Vec::new();
        for step in steps {
            match step {
                Step::Update(all) => {
                    let form = |(n, unhealthy): &(u8, bool)| l7::Endpoint { unhealthy: *unhealthy, ..endpoint(*n) };
                    world.update(&all.iter().map(form).collect::<Vec<_>>());
                }
                Step::Pick(purpose) => {
                    let purposes = [Purpose::Request, Purpose::Retry, Purpose::Connection];
                    let context = PickContext { purpose: purposes[usize::from(purpose)], ..Default::default() };
                    live.extend(world.pick_with(&context));
                }
                Step::Done(n, code) if !live.is_empty() => {
                    n.get(&live).done(world.now, Outcome::Status(StatusCode::from_u16(code).unwrap()));
                }
                Step::Fail(n) if !live.is_empty() => n.get(&live).done(world.now, Outcome::LocalFailure),
                Step::Drop(n) if !live.is_empty() => drop(live.swap_remove(n.index(live.len()))),
                Step::Done(..) | Step::Fail(_) | Step::Drop(_) => {}
                Step::Pass(seconds) => world.pass(seconds),
                Step::Reconfigure(percent) => {
                    world.cluster.reconfigure(&detecting(percent), &own(), world.now).unwrap();
                }
            }
            let breakers = world.cluster.breakers();
            let counted = breakers.count(Limit::Requests) + breakers.count(Limit::Connections);
            prop_assert_eq!(counted as usize, live.len());
            prop_assert!(breakers.count(Limit::Requests) <= 20);
            for endpoint in world.cluster.endpoints() {
                let there = live.iter().filter(|picked| Arc::ptr_eq(&picked.endpoint().known, &endpoint.known));
                prop_assert_eq!(endpoint.active() as usize, there.count());
            }
        }
        drop(live);
        prop_assert!(world.cluster.endpoints().iter().all(|endpoint| endpoint.active() == 0));
    }
}
