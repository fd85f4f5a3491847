//! Commands that ask no cluster.

use rstest::rstest;

use crate::cluster::weir;

#[test]
fn a_manifest_is_yaml_that_kubectl_takes() {
    let out = weir(&["manifest", "generate", "--set", "profile=minimal"]).expect(0);
    let documents: Vec<_> = weir_resources::documents(&out).map(|document| document.unwrap().1).collect();
    assert_eq!(documents[0]["kind"], "Namespace");
    assert_eq!(documents.last().unwrap()["kind"], "Deployment");
    let list = weir(&["manifest", "generate", "--set", "profile=minimal", "-o", "json"]).expect(0);
    let list: serde_json::Value = serde_json::from_str(&list).unwrap();
    assert_eq!(list["items"].as_array().unwrap(), &documents);
}

#[test]
fn profiles() {
    let out = weir(&["profile", "list"]).expect(0);
    assert!(out.starts_with("NAME       WHAT IT IS\nambient    "), "{out}");
    let out = weir(&["profile", "diff", "default", "minimal"]).expect(2);
    assert_eq!(
        out,
        "VALUE                  default  minimal\n\
         agent.enabled          true     false\n\
         holder.enabled         true     false\n\
         waypoint.gatewayClass  \"auto\"   \"never\"\n"
    );
    assert_eq!(weir(&["profile", "diff", "default", "ambient"]).expect(0), "");
    assert!(weir(&["profile", "dump", "demo"]).expect(0).contains("replicas: 1"));
}

#[rstest]
#[case(&["profile", "dump", "grande"], 1, "there is no profile \"grande\"")]
#[case(&["manifest", "generate", "--set", "x=1"], 1, "x: is not known")]
#[case(&["manifest", "generate", "-f", "/nonexistent"], 1, "cannot read the values in /nonexistent")]
#[case(&["verify-install", "--kubeconfig", "/nonexistent"], 1, "the kubeconfig /nonexistent cannot be used")]
#[case(&["isntall"], 64, "unrecognized subcommand 'isntall'")]
#[case(&["profile", "diff", "one"], 64, "required arguments were not provided")]
fn what_is_wrong_is_said(#[case] arguments: &[&str], #[case] code: i32, #[case] why: &str) {
    let answer = weir(arguments);
    assert_eq!(answer.code, code, "{}", answer.err);
    assert!(answer.err.contains(why), "{}", answer.err);
    assert_eq!(answer.out, "");
}

#[test]
fn completion_knows_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        assert!(weir(&["completion", shell]).expect(0).contains("verify-install"));
    }
}
