//! Which VirtualServices concern a service.

use rstest::rstest;

use super::{rules, world};

#[rstest]
#[case::short("default", "[web]", true)]
#[case::full("default", "[web.default.svc.cluster.local]", true)]
#[case::capitals("default", "[WEB.default.svc.cluster.local]", true)]
#[case::dot_at_the_end("default", "[web.default.svc.cluster.local.]", true)]
#[case::short_of_another_namespace("back", "[web]", false)]
#[case::two_parts_are_full("default", "[web.default]", false)]
#[case::everything("default", "['*']", true)]
#[case::wildcard("default", "['*.default.svc.cluster.local']", true)]
#[case::wide_wildcard("default", "['*.cluster.local']", true)]
#[case::other_wildcard("default", "['*.back.svc.cluster.local']", false)]
#[case::address("default", "[10.0.0.1]", true)]
#[case::other_address("default", "[10.0.0.2]", false)]
#[case::one_of_several("default", "[nobody, web]", true)]
#[case::none("default", "[]", false)]
#[case::one_is_bad("default", "[web, 'a b']", false)]
fn concerned(#[case] namespace: &str, #[case] hosts: &str, #[case] expected: bool) {
    let world = world(&format!(
        "{{kind: VirtualService, metadata: {{namespace: {namespace}}}, spec: {{hosts: {hosts}, http: [{{directResponse: {{status: 200}}}}]}}}}"
    ));
    assert_eq!(!rules(&world, "web.default.svc.cluster.local", 80).is_empty(), expected);
}

#[rstest]
#[case::not_said("", true)]
#[case::mesh("[mesh]", true)]
#[case::mesh_and_more("[a/b, mesh]", true)]
#[case::gateway("[gateway]", false)]
#[case::empty("[]", true)]
fn for_the_mesh(#[case] gateways: &str, #[case] expected: bool) {
    let gateways = if gateways.is_empty() { String::new() } else { format!("gateways: {gateways}, ") };
    let world = world(&format!(
        "{{kind: VirtualService, metadata: {{}}, spec: {{hosts: [web], {gateways}http: [{{directResponse: {{status: 200}}}}]}}}}"
    ));
    assert_eq!(!rules(&world, "web.default.svc.cluster.local", 80).is_empty(), expected);
}

#[rstest]
#[case::not_said("", "*")]
#[case::all("['*']", "*")]
#[case::all_and_more("['*', back]", "*")]
#[case::own("['.']", "default")]
#[case::others("[b, a]", "a b")]
#[case::nobody("['~']", "")]
#[case::own_by_name("[default]", "default")]
fn exported(#[case] export: &str, #[case] expected: &str) {
    let export = if export.is_empty() { String::new() } else { format!("exportTo: {export}, ") };
    let world = world(&format!(
        "{{kind: VirtualService, metadata: {{}}, spec: {{hosts: [web], {export}http: [{{directResponse: {{status: 200}}}}]}}}}"
    ));
    let frontend = world.frontend(world.find("web.default.svc.cluster.local")).form;
    let sets = frontend.ports[0].http.iter().map(|set| match set.source_namespace.as_str() {
        "" => "*",
        namespace => namespace,
    });
    assert_eq!(sets.collect::<Vec<_>>().join(" "), expected);
}
