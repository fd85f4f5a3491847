//! A node's directories, and the plugin in them.

use super::*;

struct Node {
    _dir: tempfile::TempDir,
    target: Target,
}

fn node(file: &str, text: &str) -> Node {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    for name in ["bin", "conf"] {
        fs::create_dir(at(name)).unwrap();
    }
    fs::write(at("plugin"), "program").unwrap();
    if !file.is_empty() {
        fs::write(at("conf").join(file), text).unwrap();
    }
    let target = Target {
        plugin: at("plugin"),
        bin_dir: at("bin"),
        conf_dir: at("conf"),
        socket: "/run/weir/cni.sock".into(),
        exclude_namespaces: vec!["kube-system".into()],
    };
    Node { _dir: dir, target }
}

impl Node {
    fn conf(&self, file: &str) -> Option<Value> {
        serde_json::from_str(&fs::read_to_string(self.target.conf_dir.join(file)).ok()?).ok()
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(&self.target.conf_dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

const LIST: &str = r#"{"cniVersion":"1.0.0","name":"k8s","plugins":[{"type":"bridge"}]}"#;

#[test]
fn it_is_installed_once_and_healed_when_somebody_writes_the_list() {
    let node = node("10-k8s.conflist", LIST);
    assert!(node.target.ensure().unwrap());
    assert_eq!(node.conf("10-k8s.conflist").unwrap()["plugins"][1]["type"], PLUGIN);
    let program = node.target.bin_dir.join(PLUGIN);
    assert_eq!(fs::read_to_string(&program).unwrap(), "program");
    assert_eq!(fs::metadata(&program).unwrap().permissions().mode() & 0o777, 0o755);
    assert!(!node.target.ensure().unwrap(), "nothing is left to do");
    fs::write(node.target.conf_dir.join("10-k8s.conflist"), LIST).unwrap();
    fs::write(&program, "older").unwrap();
    assert!(node.target.ensure().unwrap());
    assert_eq!(fs::read_to_string(&program).unwrap(), "program");
    assert_eq!(node.names(), ["10-k8s.conflist"], "no leftovers");
}

#[test]
fn the_first_list_by_name_is_the_runtimes() {
    let node = node("20-other.conflist", LIST);
    fs::write(node.target.conf_dir.join("10-k8s.conflist"), LIST).unwrap();
    fs::write(node.target.conf_dir.join("05-broken.conflist"), "{").unwrap();
    fs::write(node.target.conf_dir.join("00-readme.txt"), LIST).unwrap();
    assert!(node.target.ensure().unwrap());
    assert!(node.conf("10-k8s.conflist").unwrap()["plugins"][1]["type"] == PLUGIN);
    assert!(node.conf("20-other.conflist").unwrap()["plugins"].as_array().unwrap().len() == 1);
}

#[test]
fn a_single_plugin_becomes_a_list_and_comes_back() {
    let single = r#"{"cniVersion":"1.0.0","name":"k8s","type":"bridge"}"#;
    let node = node("10-k8s.conf", single);
    assert!(node.target.ensure().unwrap());
    assert_eq!(node.names(), ["10-k8s.conf.before-weir", "10-k8s.conflist"]);
    assert!(!node.target.ensure().unwrap());
    remove(&node.target.bin_dir, &node.target.conf_dir).unwrap();
    assert_eq!(node.names(), ["10-k8s.conf"]);
    assert_eq!(fs::read_to_string(node.target.conf_dir.join("10-k8s.conf")).unwrap(), single);
}

#[test]
fn what_is_removed_leaves_nothing() {
    let node = node("10-k8s.conflist", LIST);
    node.target.ensure().unwrap();
    let done = remove(&node.target.bin_dir, &node.target.conf_dir).unwrap();
    assert_eq!(done.len(), 2);
    assert_eq!(node.conf("10-k8s.conflist"), serde_json::from_str(LIST).ok());
    assert_eq!(fs::read_dir(&node.target.bin_dir).unwrap().count(), 0);
    assert!(remove(&node.target.bin_dir, &node.target.conf_dir).unwrap().is_empty(), "twice does no harm");
}

#[test]
fn a_node_without_a_network_is_waited_for() {
    let node = node("", "");
    let error = node.target.ensure().unwrap_err();
    assert!(format!("{error:#}").contains("not set up yet"), "{error:#}");
    fs::write(node.target.conf_dir.join("10-k8s.conflist"), "{").unwrap();
    let error = node.target.ensure().unwrap_err();
    assert!(format!("{error:#}").contains("10-k8s.conflist"), "{error:#}");
}

#[test]
fn two_who_write_again_and_again_do_not_do_it_for_ever() {
    let (start, mut pace) = (Instant::now(), Pace::default());
    let at = |seconds| start + Duration::from_secs(seconds);
    for second in 0..OFTEN as u64 {
        pace.wrote(at(second));
        assert_eq!(pace.wait(at(second)), None);
    }
    pace.wrote(at(6));
    assert_eq!(pace.wait(at(6)), Some(FIRST_PAUSE));
    assert_eq!(pace.wait(at(7)), None, "and it begins to count anew");
    for second in 100..106 {
        pace.wrote(at(second));
    }
    assert_eq!(pace.wait(at(106)), Some(FIRST_PAUSE * 2), "longer the next time");
    for minute in 1..20 {
        pace.wrote(at(1000 + minute * 61));
        assert_eq!(pace.wait(at(1000 + minute * 61)), None, "now and then is no quarrel");
    }
}
