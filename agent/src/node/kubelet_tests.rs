use rstest::rstest;

use super::*;

fn kubelet() -> Facts {
    Facts {
        name: "kubelet".into(),
        program: Some("/usr/bin/kubelet".into()),
        user: Some(0),
        network: Some(1),
        processes: Some(2),
        pod: None,
    }
}

fn program(path: &str) -> Facts {
    Facts { program: Some(path.into()), ..kubelet() }
}

const NODE: Node = Node { network: Some(1), processes: Some(2), pod: None };

#[rstest]
#[case::by_systemd_or_by_hand(kubelet(), true)]
#[case::upgraded_below_its_feet(program("/usr/bin/kubelet (deleted)"), true)]
#[case::k3s(program("/var/lib/rancher/k3s/data/8c1f/bin/k3s"), true)]
#[case::a_shell_that_took_the_name(program("/usr/bin/bash"), false)]
#[case::a_name_that_goes_on(program("/usr/bin/kubelet-wrapper"), false)]
#[case::not_to_be_looked_at(Facts { program: None, ..kubelet() }, false)]
#[case::a_users(Facts { user: Some(1000), ..kubelet() }, false)]
#[case::of_an_unknown_user(Facts { user: None, ..kubelet() }, false)]
#[case::in_a_pods_network(Facts { network: Some(9), ..kubelet() }, false)]
#[case::in_an_unknown_network(Facts { network: None, ..kubelet() }, false)]
#[case::in_a_containers_pid_namespace(Facts { processes: Some(9), ..kubelet() }, false)]
#[case::in_a_host_network_pod(Facts { pod: Some("u1".into()), ..kubelet() }, false)]
fn who_is_a_kubelet(#[case] facts: Facts, #[case] is: bool) {
    assert_eq!(facts.judge(&NODE).is_ok(), is, "{:?}", facts.judge(&NODE));
}

#[test]
fn a_node_that_is_a_pod_itself_has_its_kubelet_in_it() {
    let node = Node { pod: Some("u1".into()), ..NODE };
    assert!(Facts { pod: Some("u1".into()), ..kubelet() }.judge(&node).is_ok());
    assert!(Facts { pod: Some("u2".into()), ..kubelet() }.judge(&node).is_err());
}

#[test]
fn the_user_is_the_one_whose_rights_count() {
    assert_eq!(effective_user("Name:\tkubelet\nUid:\t1000\t0\t1000\t1000\n"), Some(0));
    assert_eq!(effective_user("Name:\tkubelet\n"), None);
}
