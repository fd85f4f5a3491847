use std::time::Instant;

use rstest::rstest;

use super::*;
use crate::balance::fixture::{compiled, form, form_at};

fn own() -> Own {
    Own {
        locality: "r1/z1/s1".into(),
        labels: [("version".into(), "v1".into())].into(),
        cluster: "c1".into(),
        node: "n1".into(),
    }
}

fn nearness(form: l7::Locality) -> Nearness {
    Nearness::compile(&l7::Locality { enabled: true, ..form }, &own()).unwrap()
}

fn failover(pairs: &[(&str, &str)]) -> Vec<l7::Failover> {
    pairs.iter().map(|(from, to)| l7::Failover { from: (*from).into(), to: (*to).into() }).collect()
}

#[rstest]
#[case::same("r1/z1/s1", 0, 0)]
#[case::subzone("r1/z1/s2", 1, 1)]
#[case::no_subzone("r1/z1", 1, 1)]
#[case::zone("r1/z2/s1", 2, 2)]
#[case::failover_region("r2/z1/s1", 3, 3)]
#[case::other_region("r3/z1/s1", 3, 4)]
#[case::unknown("", 3, 4)]
fn levels(#[case] locality: &str, #[case] plain: usize, #[case] with_failover: usize) {
    let endpoint = compiled(&form_at(1, locality), Instant::now());
    assert_eq!(nearness(l7::Locality::default()).level(&endpoint), plain);
    let pairs = failover(&[("r9", "r3"), ("r1", "r2")]);
    let form = l7::Locality { failover: pairs, ..Default::default() };
    assert_eq!(nearness(form).level(&endpoint), with_failover);
}

#[rstest]
#[case::all(&["topology.kubernetes.io/region", "version"], "r1/z9", &[("version", "v1")], 0)]
#[case::not_the_last(&["topology.kubernetes.io/region", "version"], "r1/z9", &[("version", "v2")], 1)]
#[case::not_the_first(&["topology.kubernetes.io/region", "version"], "r2", &[("version", "v1")], 2)]
#[case::not_there(&["version"], "", &[], 1)]
#[case::value_in_the_form(&["version=v2"], "", &[("version", "v2")], 0)]
#[case::other_than_in_the_form(&["version=v2"], "", &[("version", "v1")], 1)]
#[case::missing_on_both_sides(&["absent"], "", &[], 0)]
#[case::zone(&["topology.kubernetes.io/zone"], "r2/z1", &[], 0)]
#[case::subzone(&["topology.istio.io/subzone"], "r1/z1/s2", &[], 1)]
#[case::node(&["kubernetes.io/hostname"], "", &[], 0)]
#[case::cluster(&["topology.istio.io/cluster"], "", &[], 1)]
fn levels_by_label(
    #[case] priority: &[&str],
    #[case] locality: &str,
    #[case] labels: &[(&str, &str)],
    #[case] expected: usize,
) {
    let labels = labels.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    let (node, cluster) = ("n1".into(), "c2".into());
    let endpoint = l7::Endpoint { locality: locality.into(), labels, node, cluster, ..form(1) };
    let failover_priority = priority.iter().map(ToString::to_string).collect();
    let nearness = nearness(l7::Locality { failover_priority, ..Default::default() });
    // Without regions to fail over to, levels are as many apart as there could be of them.
    assert_eq!(nearness.level(&compiled(&endpoint, Instant::now())), expected * (FARTHEST + 1));
}

#[rstest]
#[case::all("*", "r1/z1/s1", true)]
#[case::nothing("", "r1/z1/s1", true)]
#[case::region("r1", "r1/z1/s1", true)]
#[case::region_star("r1/*", "r1/z1/s1", true)]
#[case::zone_star("r1/z1/*", "r1/z1/s1", true)]
#[case::exact("r1/z1/s1", "r1/z1/s1", true)]
#[case::subzone("r1/z1/s2", "r1/z1/s1", false)]
#[case::zone("r1/z2/*", "r1/z1/s1", false)]
#[case::other("r2", "r1/z1/s1", false)]
#[case::more_than_is_known("r1/z1", "r1", false)]
fn patterns(#[case] pattern: &str, #[case] locality: &str, #[case] expected: bool) {
    assert_eq!(Place::parse(pattern).covers(&Place::parse(locality)), expected);
}

fn distribution(from: &str, to: &[(&str, u32)]) -> l7::Distribution {
    l7::Distribution {
        from: from.into(),
        to: to.iter().map(|(to, percent)| ((*to).into(), *percent)).collect(),
    }
}

#[test]
fn the_first_distribution_that_fits_holds() {
    let distribute = vec![
        distribution("r2/*", &[("r2", 100)]),
        distribution("r1/z1/*", &[("r1/*", 30), ("r1/z2/*", 70)]),
        distribution("*", &[("r1", 100)]),
    ];
    let Nearness::Shares(shares) = nearness(l7::Locality { distribute, ..Default::default() }) else {
        panic!("no shares")
    };
    let percents: Vec<_> = shares.iter().map(|(_, percent)| *percent).collect();
    assert_eq!(percents, [70, 30], "the most specific comes first");
}

#[rstest]
#[case::off(l7::Locality::default(), own())]
#[case::no_distribution_fits(
    l7::Locality { enabled: true, distribute: vec![distribution("r2", &[("r2", 100)])], ..Default::default() },
    own()
)]
#[case::own_place_not_known(l7::Locality { enabled: true, ..Default::default() }, Own::default())]
fn all_are_alike(#[case] form: l7::Locality, #[case] own: Own) {
    assert!(matches!(Nearness::compile(&form, &own).unwrap(), Nearness::Alike));
}

#[test]
fn shares_that_are_no_percentages_are_refused() {
    let distribute = vec![distribution("*", &[("r1", 50), ("r2", 60)])];
    let form = l7::Locality { enabled: true, distribute, ..Default::default() };
    assert_eq!(Nearness::compile(&form, &own()).unwrap_err().path, "distribute.to");
}
