//! Lists of plugins with and without ours.

use rstest::rstest;

use super::*;

const BRIDGE: &str = r#"{"cniVersion":"1.0.0","name":"k8s","zz":{"n":[1,null,1.5]},"plugins":[{"type":"bridge","mtu":1500},{"type":"portmap","capabilities":{"portMappings":true}}]}"#;

fn ours() -> Value {
    entry("/run/weir/cni.sock", &["kube-system".into()])
}

fn write(text: &str) -> Value {
    match install(text, &ours()).unwrap() {
        Edit::Write(text) => serde_json::from_str(&text).unwrap(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn we_come_last_and_the_rest_stays() {
    let after = write(BRIDGE);
    let mut expected: Value = serde_json::from_str(BRIDGE).unwrap();
    expected["plugins"].as_array_mut().unwrap().push(ours());
    assert_eq!(after, expected);
    assert_eq!(install(&after.to_string(), &ours()), Ok(Edit::Nothing), "and once is enough");
    let before: Value = serde_json::from_str(&uninstall(&after.to_string()).unwrap().unwrap()).unwrap();
    assert_eq!(before, serde_json::from_str::<Value>(BRIDGE).unwrap());
    assert_eq!(uninstall(BRIDGE), Ok(None));
}

#[rstest]
#[case::dense(BRIDGE)]
#[case::airy(
    "{\n  \"cniVersion\": \"1.0.0\", \"name\": \"n\",\n  \"plugins\": [\n    {\"type\": \"a\", \"mtu\": 1.50},\n    {\"type\": \"b\"}\n  ]\n}\n\n"
)]
#[case::one_line(
    r#" {"n":-1.5e3 ,"plugins": [ {"type":"a","x":"]},{\\\""} ],"cniVersion":"1.0.0","name":"n", "b":true}"#
)]
fn what_others_wrote_stays_to_the_letter(#[case] before: &str) {
    let Edit::Write(with) = install(before, &ours()).unwrap() else { panic!() };
    assert_eq!(install(&with, &ours()), Ok(Edit::Nothing));
    assert_eq!(uninstall(&with).unwrap().as_deref(), Some(before));
}

#[rstest]
#[case::first(r#"[{"type":"weir-cni"}, {"type":"z"}]"#, r#"[{"type":"z"}]"#)]
#[case::alone(r#"[{"type":"weir-cni"}]"#, "[]")]
#[case::twice(
    r#"[{"type":"a"},{"type":"weir-cni"}, {"type":"weir-cni"},{"type":"z"}]"#,
    r#"[{"type":"a"},{"type":"z"}]"#
)]
fn wherever_we_are_we_go(#[case] with: &str, #[case] without: &str) {
    let list = |plugins: &str| format!(r#"{{"cniVersion":"1.0.0","name":"n","plugins":{plugins}}}"#);
    assert_eq!(uninstall(&list(with)), Ok(Some(list(without))));
}

#[test]
fn an_entry_of_an_older_agent_is_replaced_where_it_is() {
    let text = r#"{"cniVersion":"1.0.0","name":"n","plugins":[{"type":"a"},{"type":"weir-cni","socket":"/old"},{"type":"z"}]}"#;
    let after = write(text);
    assert_eq!(after["plugins"], json!([{"type": "a"}, ours(), {"type": "z"}]));
}

#[test]
fn a_single_plugin_becomes_a_list() {
    let text = r#"{"cniVersion":"0.4.0","name":"n","type":"bridge","ipam":{"type":"host-local"}}"#;
    let Edit::Wrap(after) = install(text, &ours()).unwrap() else { panic!() };
    let after: Value = serde_json::from_str(&after).unwrap();
    let bridge = json!({"type": "bridge", "ipam": {"type": "host-local"}});
    assert_eq!(after, json!({"cniVersion": "0.4.0", "name": "n", "plugins": [bridge, ours()]}));
    assert_eq!(uninstall(text), Ok(None));
}

#[rstest]
#[case::nothing("")]
#[case::half(r#"{"cniVersion":"1.0.0","plugins":[{"ty"#)]
#[case::a_list("[1]")]
#[case::no_version(r#"{"plugins":[{"type":"a"}]}"#)]
#[case::too_old(r#"{"cniVersion":"0.2.0","plugins":[{"type":"a"}]}"#)]
#[case::no_plugins(r#"{"cniVersion":"1.0.0","plugins":[]}"#)]
#[case::plugins_twice(r#"{"cniVersion":"1.0.0","plugins":[{"type":"a"}],"plugins":[{"type":"b"}]}"#)]
#[case::plugins_of_another_shape(r#"{"cniVersion":"1.0.0","plugins":{"type":"a"}}"#)]
fn what_is_left_alone(#[case] text: &str) {
    assert!(install(text, &ours()).is_err());
}

#[rstest]
#[case("10-a.conflist", true)]
#[case("10-a.conf", true)]
#[case("10-a.json", true)]
#[case("10-a.conf.before-weir", false)]
#[case(".10-a.conflist.tmp", false)]
#[case("conflist", false)]
fn names_that_a_runtime_reads(#[case] name: &str, #[case] is: bool) {
    assert_eq!(is_read(name), is);
}
