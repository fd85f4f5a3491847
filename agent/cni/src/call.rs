//! One call of a runtime, read: the environment and the configuration of the CNI specification.

use serde::Deserialize;
use serde_json::Value;

use crate::CniError;
use crate::message::LONGEST;

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// A container comes.
    Add,
    /// It goes.
    Del,
    /// It should be as ADD left it.
    Check,
    /// What is not named any more should be gone.
    Gc,
    /// Whether ADD would be served.
    Status,
    /// Which versions are known.
    Version,
}

/// A call.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// What is to be done.
    pub command: Command,
    /// `CNI_CONTAINERID`; empty for GC, STATUS and VERSION.
    pub container: String,
    /// `CNI_NETNS`; empty where there is none (any more).
    pub netns: String,
    /// `CNI_IFNAME`.
    pub interface: String,
    /// `K8S_POD_NAMESPACE`, `_NAME` and `_UID` of `CNI_ARGS`; empty if the runtime is not Kubernetes'.
    pub namespace: String,
    /// The pod's name.
    pub name: String,
    /// The pod's uid.
    pub uid: String,
    /// The configuration.
    pub config: Config,
}

/// What is read of the configuration.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Config {
    /// The version that the runtime speaks.
    pub cni_version: String,
    /// What the plugins before said, as they said it.
    pub prev_result: Option<Value>,
    /// The agent's socket.
    pub socket: Option<String>,
    /// Pods of these namespaces start whether or not the agent answers.
    pub exclude_namespaces: Vec<String>,
    /// GC: attachments that are still there.
    #[serde(rename = "cni.dev/valid-attachments")]
    pub valid: Vec<Attachment>,
}

/// A container and one of its interfaces.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Attachment {
    /// Its id.
    #[serde(rename = "containerID")]
    pub container: String,
}

impl Call {
    /// Reads a call from the environment and stdin.
    ///
    /// # Errors
    /// What is missing or wrong, with the number of the specification.
    pub fn read(environment: &dyn Fn(&str) -> Option<String>, stdin: &[u8]) -> Result<Self, CniError> {
        let command = command(environment("CNI_COMMAND"))?;
        let config = config(command, stdin)?;
        let needs_container = matches!(command, Command::Add | Command::Del | Command::Check);
        let needs_netns = matches!(command, Command::Add | Command::Check);
        let arguments = environment("CNI_ARGS").unwrap_or_default();
        Ok(Self {
            command,
            container: variable(environment, "CNI_CONTAINERID", needs_container)?,
            netns: variable(environment, "CNI_NETNS", needs_netns)?,
            interface: variable(environment, "CNI_IFNAME", needs_container)?,
            namespace: argument(&arguments, "K8S_POD_NAMESPACE"),
            name: argument(&arguments, "K8S_POD_NAME"),
            uid: argument(&arguments, "K8S_POD_UID"),
            config,
        })
    }
}

fn command(text: Option<String>) -> Result<Command, CniError> {
    let text = text.unwrap_or_default();
    Ok(match text.as_str() {
        "ADD" => Command::Add,
        "DEL" => Command::Del,
        "CHECK" => Command::Check,
        "GC" => Command::Gc,
        "STATUS" => Command::Status,
        "VERSION" => Command::Version,
        _ => {
            let reason = match text.is_empty() {
                true => "not set; this program is called by a container runtime".to_owned(),
                false => format!("{text:?} is no command"),
            };
            return Err(CniError::Environment { name: "CNI_COMMAND", reason });
        }
    })
}

fn config(command: Command, stdin: &[u8]) -> Result<Config, CniError> {
    if stdin.len() > LONGEST {
        return Err(CniError::Decode(format!("it has more than {LONGEST} bytes")));
    }
    // VERSION may come without one.
    if command == Command::Version && stdin.iter().all(u8::is_ascii_whitespace) {
        return Ok(Config::default());
    }
    let config: Config =
        serde_json::from_slice(stdin).map_err(|error| CniError::Decode(error.to_string()))?;
    if command != Command::Version && !VERSIONS.contains(&config.cni_version.as_str()) {
        return Err(CniError::Version(config.cni_version));
    }
    Ok(config)
}

fn variable(
    environment: &dyn Fn(&str) -> Option<String>,
    name: &'static str,
    is_needed: bool,
) -> Result<String, CniError> {
    match environment(name) {
        Some(value) if !value.is_empty() => Ok(value),
        _ if is_needed => Err(CniError::Environment { name, reason: "not set".to_owned() }),
        _ => Ok(String::new()),
    }
}

/// A value of `CNI_ARGS`, which is `KEY=VALUE;...`.
fn argument(arguments: &str, key: &str) -> String {
    let pairs = arguments.split(';').filter_map(|pair| pair.split_once('='));
    pairs.filter(|(name, _)| *name == key).map(|(_, value)| value.to_owned()).next_back().unwrap_or_default()
}

/// The versions of the specification that are known.
pub(crate) const VERSIONS: [&str; 5] = ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"];

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn read(environment: &[(&str, &str)], stdin: &str) -> Result<Call, CniError> {
        let of = |name: &str| {
            environment.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        Call::read(&of, stdin.as_bytes())
    }

    const POD: &str = "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0;K8S_POD_UID=u-1;K8S_POD_INFRA_CONTAINER_ID=c";

    #[test]
    fn a_call_of_a_runtime() {
        let environment = [
            ("CNI_COMMAND", "ADD"),
            ("CNI_CONTAINERID", "c1"),
            ("CNI_NETNS", "/var/run/netns/cni-1"),
            ("CNI_IFNAME", "eth0"),
            ("CNI_ARGS", POD),
        ];
        let stdin =
            r#"{"cniVersion":"1.0.0","name":"n","type":"weir-cni","socket":"/s","prevResult":{"ips":[]}}"#;
        let call = read(&environment, stdin).unwrap();
        assert_eq!(call.command, Command::Add);
        assert_eq!((&*call.namespace, &*call.name, &*call.uid), ("shop", "web-0", "u-1"));
        assert_eq!(
            (&*call.container, &*call.netns, &*call.interface),
            ("c1", "/var/run/netns/cni-1", "eth0")
        );
        assert_eq!(call.config.socket.as_deref(), Some("/s"));
    }

    #[rstest]
    #[case::no_command(&[], "{}", 4)]
    #[case::another_command(&[("CNI_COMMAND", "EAT")], "{}", 4)]
    #[case::no_container(&[("CNI_COMMAND", "DEL")], r#"{"cniVersion":"1.0.0"}"#, 4)]
    #[case::no_netns(&[("CNI_COMMAND", "ADD"), ("CNI_CONTAINERID", "c")], r#"{"cniVersion":"1.0.0"}"#, 4)]
    #[case::no_json(&[("CNI_COMMAND", "STATUS")], "what?", 6)]
    #[case::nothing(&[("CNI_COMMAND", "STATUS")], "", 6)]
    #[case::another_shape(&[("CNI_COMMAND", "STATUS")], "5", 6)]
    #[case::another_type(&[("CNI_COMMAND", "STATUS")], r#"{"cniVersion":1}"#, 6)]
    #[case::no_version(&[("CNI_COMMAND", "STATUS")], "{}", 1)]
    #[case::an_old_version(&[("CNI_COMMAND", "STATUS")], r#"{"cniVersion":"0.1.0"}"#, 1)]
    #[case::a_newer_version(&[("CNI_COMMAND", "STATUS")], r#"{"cniVersion":"2.0.0"}"#, 1)]
    fn what_is_no_call(#[case] environment: &[(&str, &str)], #[case] stdin: &str, #[case] code: u16) {
        assert_eq!(read(environment, stdin).unwrap_err().code(), code);
    }

    #[test]
    fn too_much_is_refused_before_it_is_read() {
        let stdin = format!(r#"{{"cniVersion":"1.0.0","x":"{}"}}"#, "y".repeat(LONGEST));
        assert_eq!(read(&[("CNI_COMMAND", "STATUS")], &stdin).unwrap_err().code(), 6);
    }

    #[rstest]
    #[case("", "")]
    #[case("K8S_POD_NAME=a", "a")]
    #[case("K8S_POD_NAME=a;K8S_POD_NAME=b", "b")]
    #[case("XK8S_POD_NAME=a;;=;K8S_POD_NAME", "")]
    #[case("K8S_POD_NAME=a=b", "a=b")]
    fn arguments(#[case] text: &str, #[case] name: &str) {
        assert_eq!(argument(text, "K8S_POD_NAME"), name);
    }
}
