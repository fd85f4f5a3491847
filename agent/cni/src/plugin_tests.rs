//! Calls, and what the runtime is answered.

use std::cell::RefCell;

use rstest::rstest;

use super::*;

const POD: &str = "K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0;K8S_POD_UID=u-1";
const SYSTEM: &str = "K8S_POD_NAMESPACE=kube-system;K8S_POD_NAME=dns;K8S_POD_UID=u-2";
const RESULT: &str = r#"{"cniVersion":"1.0.0","ips":[{"address":"10.0.0.5/24","interface":1},{"address":"fd00::5/64"}],"zz":[1,{"b":null}]}"#;

/// Calls with an agent that answers `answer`; `None`: it is not there. Also what it was asked.
fn call(command: &str, args: &str, answer: Option<Answer>) -> (Result<String, CniError>, Vec<Question>) {
    let stdin = format!(
        r#"{{"cniVersion":"1.0.0","name":"n","type":"weir-cni","excludeNamespaces":["kube-system"],"prevResult":{RESULT}}}"#
    );
    let environment = |name: &str| {
        Some(match name {
            "CNI_COMMAND" => command.to_owned(),
            "CNI_CONTAINERID" => "c1".to_owned(),
            "CNI_NETNS" => "/run/netns/x".to_owned(),
            "CNI_IFNAME" => "eth0".to_owned(),
            "CNI_ARGS" => args.to_owned(),
            _ => return None,
        })
    };
    let call = Call::read(&environment, stdin.as_bytes()).unwrap();
    let asked = RefCell::new(Vec::new());
    let ask = |question: &Question, _| {
        asked.borrow_mut().push(question.clone());
        answer.clone().ok_or_else(|| io::Error::from(io::ErrorKind::ConnectionRefused))
    };
    let served = serve(&call, &ask);
    (served, asked.into_inner())
}

#[test]
fn a_result_goes_through_unchanged_and_the_agent_hears_of_the_pod() {
    let (served, asked) = call("ADD", POD, Some(Answer::Done));
    let before: Value = serde_json::from_str(RESULT).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&served.unwrap()).unwrap(), before);
    let [Question::Add(pod)] = &asked[..] else { panic!("{asked:?}") };
    assert_eq!((&*pod.namespace, &*pod.name, &*pod.uid), ("shop", "web-0", "u-1"));
    assert_eq!((&*pod.container, &*pod.netns), ("c1", "/run/netns/x"));
    assert_eq!(pod.addresses, ["10.0.0.5".parse::<IpAddr>().unwrap(), "fd00::5".parse().unwrap()]);
}

#[rstest]
#[case::done("ADD", POD, Some(Answer::Done), None)]
#[case::not_yet("ADD", POD, Some(Answer::TryAgain("no controller".into())), Some(11))]
#[case::refused("ADD", POD, Some(Answer::Refused("gvisor".into())), Some(100))]
#[case::no_agent("ADD", POD, None, Some(11))]
#[case::no_agent_and_excluded("ADD", SYSTEM, None, None)]
#[case::refused_and_excluded("ADD", SYSTEM, Some(Answer::Refused("x".into())), None)]
#[case::nobodys_container("ADD", "", None, None)]
#[case::gone("DEL", POD, Some(Answer::Done), None)]
#[case::gone_without_an_agent("DEL", POD, None, None)]
#[case::gone_and_refused("DEL", POD, Some(Answer::Refused("x".into())), None)]
#[case::as_it_was("CHECK", POD, Some(Answer::Done), None)]
#[case::not_as_it_was("CHECK", POD, Some(Answer::Refused("x".into())), Some(100))]
#[case::nobody_knows("CHECK", POD, None, Some(11))]
#[case::excluded("CHECK", SYSTEM, None, None)]
#[case::collected("GC", "", None, None)]
#[case::serving("STATUS", "", Some(Answer::Done), None)]
#[case::starting("STATUS", "", Some(Answer::TryAgain("x".into())), Some(50))]
#[case::not_serving("STATUS", "", None, Some(50))]
fn what_holds_up_a_pod(
    #[case] command: &str,
    #[case] args: &str,
    #[case] answer: Option<Answer>,
    #[case] code: Option<u16>,
) {
    let (served, _) = call(command, args, answer);
    assert_eq!(served.as_ref().err().map(CniError::code), code, "{served:?}");
}

#[test]
fn who_is_held_up_is_told_what_to_look_at() {
    let (served, _) = call("ADD", POD, None);
    let body = served.unwrap_err().body("1.0.0");
    assert_eq!((&body["code"], &body["cniVersion"]), (&json!(11), &json!("1.0.0")));
    let details = body["details"].as_str().unwrap();
    assert!(details.contains("weir-agent pod") && details.contains(SOCKET), "{details}");
}

#[test]
fn without_a_result_it_stands_in_the_wrong_place() {
    let environment = |name: &str| Some(if name == "CNI_COMMAND" { "ADD".into() } else { "x".to_owned() });
    let outcome = run(&environment, Ok(br#"{"cniVersion":"1.0.0","type":"weir-cni"}"#));
    let body: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!((outcome.code, &body["code"]), (1, &json!(7)));
}

#[test]
fn versions_are_told_with_and_without_a_configuration() {
    let environment = |name: &str| (name == "CNI_COMMAND").then(|| "VERSION".to_owned());
    for (stdin, version) in
        [("", "1.1.0"), (r#"{"cniVersion":"0.4.0"}"#, "0.4.0"), (r#"{"cniVersion":"9.9"}"#, "9.9")]
    {
        let outcome = run(&environment, Ok(stdin.as_bytes()));
        let body: Value = serde_json::from_str(&outcome.stdout).unwrap();
        assert_eq!((outcome.code, &body["cniVersion"]), (0, &json!(version)));
        assert_eq!(body["supportedVersions"].as_array().unwrap().len(), 5);
    }
}

#[rstest]
#[case(r#"{}"#, 0)]
#[case(r#"{"ips": 3}"#, 0)]
#[case(r#"{"ips": [{"address": "10.0.0.1/8"}, {"address": "x"}, {"address": 4}, {}, 5]}"#, 1)]
#[case(r#"null"#, 0)]
fn addresses_of_a_result(#[case] text: &str, #[case] count: usize) {
    assert_eq!(addresses(&serde_json::from_str(text).unwrap()).len(), count);
}
