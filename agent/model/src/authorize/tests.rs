//! The verdict, as tables: what one match asks, how matches make a policy, how policies make a verdict, which policies
//! are for a workload. `naive` says the same again in the plainest way, for whatever proptest thinks of.

use std::net::SocketAddr;
use std::sync::Arc;

use rstest::rstest;

use super::*;
use crate::policy::{Clause, Match, Rule};
use crate::{Directory, PolicyScope, Workload, admit};

mod matches;
mod naive;
mod notation;

use notation::{WORLD, read};

fn of(action: Action, rules: Vec<Rule>) -> Arc<Policy> {
    Arc::new(Policy { rules, ..Policy::new("shop", "p", PolicyScope::Namespace, action) })
}

/// One rule of one clause of these matches.
fn rule(matches: Vec<Match>) -> Rule {
    Rule { clauses: vec![Clause { matches }] }
}

fn verdict(policies: &[Arc<Policy>], connection: &Connection<'_>) -> Verdict {
    authorize(policies, connection)
}

/// `T` matches the connection, `F` does not, `E` asks nothing. A word is a clause, `-` one without matches.
fn structure(rules: &[&str]) -> Vec<Rule> {
    let letter = |letter: char| match letter {
        'T' => read("ports=8080"),
        'F' => read("ports=1"),
        _ => Match::default(),
    };
    let clause = |word: &str| Clause { matches: word.chars().filter(|c| *c != '-').map(letter).collect() };
    rules.iter().map(|rule| Rule { clauses: rule.split_whitespace().map(clause).collect() }).collect()
}

#[rstest]
#[case::no_rules(&[], false)]
#[case::rule_without_clauses(&[""], true)]
#[case::clause_without_matches(&["-"], true)]
#[case::clauses_without_matches(&["- -"], true)]
#[case::hit(&["T"], true)]
#[case::miss(&["F"], false)]
#[case::empty_match(&["E"], false)]
#[case::empty_matches(&["EE"], false)]
#[case::matches_are_alternatives(&["FT"], true)]
#[case::in_any_order(&["TF"], true)]
#[case::empty_match_beside_a_hit(&["ET"], true)]
#[case::empty_match_beside_a_miss(&["EF"], false)]
#[case::no_match_hits(&["FF"], false)]
#[case::clauses_are_conditions(&["T F"], false)]
#[case::in_any_order_too(&["F T"], false)]
#[case::all_hold(&["T T"], true)]
#[case::three(&["T T F"], false)]
#[case::three_hold(&["T FT -"], true)]
#[case::empty_clause_beside_a_miss(&["- F"], false)]
#[case::empty_clause_beside_a_hit(&["- T"], true)]
#[case::empty_match_in_a_clause_of_its_own(&["T E"], false)]
#[case::rules_are_alternatives(&["F", "T"], true)]
#[case::no_rule_hits(&["F", "E", "T F"], false)]
#[case::one_of_many(&["F", "E", "T F", "T"], true)]
#[case::a_rule_without_clauses_among_others(&["F", ""], true)]
#[case::product(&["FT TF"], true)]
#[case::product_misses(&["FT FF"], false)]
fn rules_clauses_and_matches(#[case] rules: &[&str], #[case] matches: bool) {
    for (_, connection) in WORLD.iter().filter(|(_, c)| c.destination.port() == 8080) {
        let allowed = verdict(&[of(Action::Allow, structure(rules))], &connection.borrow()).is_allowed();
        let denied = !verdict(&[of(Action::Deny, structure(rules))], &connection.borrow()).is_allowed();
        assert_eq!((allowed, denied), (matches, matches));
    }
}

/// A letter is a policy: `A` allows and matches, `a` allows and does not, `0` allows without rules; `D` denies and
/// matches, `d` denies and does not, `n` denies without rules. Behind `~` it is a dry run.
fn policies(letters: &str) -> Vec<Arc<Policy>> {
    let (mut policies, mut dry_run) = (Vec::new(), false);
    for letter in letters.chars() {
        let (action, rules): (_, &[&str]) = match letter {
            '~' => {
                dry_run = true;
                continue;
            }
            'A' => (Action::Allow, &["F", "T"]),
            'a' => (Action::Allow, &["F"]),
            '0' => (Action::Allow, &[]),
            'D' => (Action::Deny, &["F", "T"]),
            'd' => (Action::Deny, &["F"]),
            _ => (Action::Deny, &[]),
        };
        let name = format!("{letter}{}", policies.len());
        let policy = Policy::new("shop", &name, PolicyScope::Namespace, action);
        policies.push(Arc::new(Policy { rules: structure(rules), dry_run, ..policy }));
        dry_run = false;
    }
    policies
}

#[rstest]
#[case::none("", "")]
#[case::denies_that_miss("d", "")]
#[case::deny_without_rules("n", "")]
#[case::only_denies_that_miss("dnd", "")]
#[case::denied("D", "policy shop/D0 denies it (rules[1])")]
#[case::denied_behind_a_miss("dD", "policy shop/D1 denies it (rules[1])")]
#[case::the_first_is_named("DD", "policy shop/D0 denies it (rules[1])")]
#[case::allowed("A", "")]
#[case::not_allowed("a", "no ALLOW policy matches: not shop/a0")]
#[case::allow_without_rules("0", "no ALLOW policy matches: not shop/00")]
#[case::one_is_enough("aA", "")]
#[case::in_any_order("Aa", "")]
#[case::beside_one_without_rules("0A", "")]
#[case::none_is_enough("a0a", "no ALLOW policy matches: not shop/a0 nor 2 more")]
#[case::deny_before_allow("DA", "policy shop/D0 denies it (rules[1])")]
#[case::deny_behind_allow("AD", "policy shop/D1 denies it (rules[1])")]
#[case::deny_behind_all("aA0nD", "policy shop/D4 denies it (rules[1])")]
#[case::a_denial_names_the_policy_that_denies("aD", "policy shop/D1 denies it (rules[1])")]
#[case::a_deny_that_misses_allows_nothing("da", "no ALLOW policy matches: not shop/a1")]
#[case::a_deny_that_misses_forbids_nothing("dA", "")]
#[case::dry_deny("~D", "")]
#[case::dry_deny_beside_allow("A~D", "")]
#[case::dry_allow_that_misses("~a", "")]
#[case::dry_allow_without_rules("~0", "")]
#[case::dry_allow_allows_nothing("a~A", "no ALLOW policy matches: not shop/a0")]
#[case::dry_allow_does_not_count("a~a", "no ALLOW policy matches: not shop/a0")]
#[case::dry_deny_hides_no_other("~DD", "policy shop/D1 denies it (rules[1])")]
fn policies_in_force(#[case] letters: &str, #[case] expected: &str) {
    for (_, connection) in WORLD.iter().filter(|(_, c)| c.destination.port() == 8080) {
        let said = match verdict(&policies(letters), &connection.borrow()) {
            Verdict::Allow => String::new(),
            Verdict::Deny(denial) => denial.to_string(),
        };
        assert_eq!(said, expected);
    }
}

#[rstest]
#[case::none("AD", None)]
#[case::deny("~D", Some(false))]
#[case::deny_beside_allow("A~D", Some(false))]
#[case::deny_that_misses("A~d", Some(true))]
#[case::allow_that_misses("~a", Some(false))]
#[case::allow_beside_another("A~a", Some(true))]
#[case::allow_that_would_be_enough("a~A", Some(true))]
#[case::enforced_all_the_same("D~A", Some(false))]
fn a_rehearsal_enforces_everything(#[case] letters: &str, #[case] expected: Option<bool>) {
    let (_, connection) = &WORLD[0];
    let policies = policies(letters);
    assert_eq!(rehearse(&policies, &connection.borrow()).map(|v| v.is_allowed()), expected);
}

/// Every list of up to four policies, against the order of evaluation in words.
#[test]
fn every_short_list_of_policies() {
    let kinds = ["A", "a", "0", "D", "d", "n", "~A", "~a", "~D"];
    let mut lists = vec![Vec::new()];
    for _ in 0..4 {
        let longer = lists.iter().flat_map(|list| kinds.map(|kind| [&list[..], &[kind]].concat()));
        lists = std::iter::once(Vec::new()).chain(longer).collect();
    }
    let (_, connection) = &WORLD[0];
    for list in lists {
        let has = |kind: &str| list.contains(&kind);
        let expected = if has("D") { false } else { has("A") || !(has("a") || has("0")) };
        let allowed = verdict(&policies(&list.concat()), &connection.borrow()).is_allowed();
        assert_eq!(allowed, expected, "{list:?}");
    }
}

/// Who is under which policy: one that denies everything, in every scope.
#[rstest]
#[case::global("istio-system", PolicyScope::Global, &[], false)]
#[case::global_of_any_namespace("other", PolicyScope::Global, &[], false)]
#[case::own_namespace("shop", PolicyScope::Namespace, &[], false)]
#[case::other_namespace("other", PolicyScope::Namespace, &[], true)]
#[case::longer_namespace("shop-2", PolicyScope::Namespace, &[], true)]
#[case::shorter_namespace("sho", PolicyScope::Namespace, &[], true)]
#[case::not_listed("shop", PolicyScope::WorkloadSelector, &[], true)]
#[case::listed("shop", PolicyScope::WorkloadSelector, &["shop/p"], false)]
#[case::listed_of_another_namespace("istio-system", PolicyScope::WorkloadSelector, &["istio-system/p"], false)]
#[case::another_is_listed("shop", PolicyScope::WorkloadSelector, &["shop/q"], false)]
#[case::listed_twice("shop", PolicyScope::WorkloadSelector, &["shop/p", "shop/p"], false)]
#[case::listed_and_of_the_namespace("shop", PolicyScope::Namespace, &["shop/p"], false)]
#[case::a_namespaced_one_is_listed("other", PolicyScope::Namespace, &["other/p"], false)]
fn what_a_policy_is_for(
    #[case] namespace: &str,
    #[case] scope: PolicyScope,
    #[case] listed: &[&str],
    #[case] allowed: bool,
) {
    let dst = Workload {
        authorization_policies: listed.iter().map(|key| Arc::from(*key)).collect(),
        ..Workload::pod("shop", "web")
    };
    let mut directory = Directory::new();
    let policy = Policy::new(namespace, "p", scope, Action::Deny);
    assert!(directory.upsert_policy(Policy { rules: vec![Rule::default()], ..policy }));
    for (_, connection) in &*WORLD {
        // Trust domains are another matter.
        let peer = connection.peer.as_ref().filter(|peer| peer.trust_domain() == "cluster.local");
        let connection = Connection { peer, ..connection.borrow() };
        assert_eq!(admit(&directory, &dst, &connection).is_allowed(), allowed);
    }
}

#[test]
fn a_policy_that_changes_its_scope_leaves_the_old_one() {
    let mut directory = Directory::new();
    let dst = Workload::pod("shop", "web");
    let count = |directory: &Directory| directory.policies_for(&dst).count();
    let scopes = [
        (PolicyScope::Global, 1),
        (PolicyScope::Namespace, 1),
        (PolicyScope::WorkloadSelector, 0),
        (PolicyScope::Global, 1),
        (PolicyScope::WorkloadSelector, 0),
        (PolicyScope::Namespace, 1),
    ];
    for (place, (scope, expected)) in scopes.into_iter().enumerate() {
        let policy = Policy::new("shop", "p", scope, Action::Deny);
        let before = directory.policy_revision();
        assert!(directory.upsert_policy(policy.clone()));
        let revision = directory.policy_revision();
        assert_ne!(revision, before);
        assert!(!directory.upsert_policy(policy), "the same again changes nothing");
        assert_eq!(directory.policy_revision(), revision);
        assert_eq!(count(&directory), expected, "step {place}");
        assert_eq!(directory.policies().len(), 1);
    }
    let before = directory.clone();
    assert!(directory.remove_policy("shop/p"));
    assert!(!directory.remove_policy("shop/p"));
    assert_ne!(directory.policy_revision(), before.policy_revision());
    assert_eq!((count(&directory), directory.policies().len()), (0, 0));
    assert_eq!((count(&before), before.policies().len()), (1, 1), "an older picture stays as it was");
}

#[test]
fn a_policy_that_refuses_all_lets_nobody_in_but_by_another() {
    let (_, connection) = &WORLD[0];
    let refuse = Arc::new(Policy::refuse_all("shop", "p", PolicyScope::Namespace));
    let Verdict::Deny(denial) = verdict(std::slice::from_ref(&refuse), &connection.borrow()) else {
        panic!()
    };
    assert_eq!(denial.policy().map(|key| &**key), Some("shop/p"));
    assert_eq!((&*refuse.namespace, refuse.name()), ("shop", "p"));
}

#[test]
fn the_config_dump_shows_three_levels() {
    let mut policy = Policy::new("shop", "p", PolicyScope::WorkloadSelector, Action::Deny);
    policy.rules = vec![rule(vec![read("principals=*,td/*; not_ports=80,81; src=10.0.0.0/8; accounts=a/b")])];
    let json = serde_json::json!({
        "key": "shop/p", "namespace": "shop", "scope": "WorkloadSelector", "action": "Deny", "dryRun": false,
        "rules": [[[{
            "principals": [{"Prefix": "td/"}, "Presence"],
            "notDestinationPorts": [80, 81],
            "sourceIps": ["10.0.0.0/8"],
            "serviceAccounts": [{"namespace": "a", "serviceAccount": "b"}],
        }]]],
    });
    assert_eq!(serde_json::to_value(&policy).unwrap(), json);
}

/// What a peer can reach is where the kernel brought it, in whatever form the socket says so.
#[test]
fn a_dual_stack_socket_makes_no_difference() {
    let mapped = |ip: &str| format!("::ffff:{ip}").parse::<std::net::IpAddr>().unwrap();
    let connection = Connection {
        peer: None,
        source_ip: mapped("10.0.0.1"),
        destination: SocketAddr::new(mapped("10.0.0.2"), 80),
    };
    for asked in ["src=10.0.0.0/24", "dst=10.0.0.2/32", "not_src=::/0", "not_dst=::ffff:0:0/96"] {
        let policies = [of(Action::Allow, vec![rule(vec![read(asked)])])];
        assert!(verdict(&policies, &connection).is_allowed(), "{asked}");
    }
}
