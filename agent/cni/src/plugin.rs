//! What is done for each call.

use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::call::{Config, VERSIONS};
use crate::message::{Answer, Pod, Question, SOCKET, ask};
use crate::{Call, CniError, Command};

/// What the process leaves with.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Goes to stdout.
    pub stdout: String,
    /// The exit code.
    pub code: u8,
}

/// Serves one call.
pub fn run(environment: &dyn Fn(&str) -> Option<String>, stdin: io::Result<&[u8]>) -> Outcome {
    let read = stdin.map_err(CniError::from).and_then(|stdin| Call::read(environment, stdin));
    let version = match &read {
        Ok(call) => call.config.cni_version.clone(),
        Err(_) => NEWEST.to_owned(),
    };
    let served = read.and_then(|call| {
        let socket = call.config.socket.as_deref().unwrap_or(SOCKET).to_owned();
        serve(&call, &|question, patience| ask(Path::new(&socket), question, patience))
    });
    match served {
        Ok(stdout) => Outcome { stdout, code: 0 },
        Err(error) => Outcome { stdout: error.body(&version).to_string(), code: 1 },
    }
}

/// How the agent is asked.
type Ask<'a> = &'a dyn Fn(&Question, Duration) -> io::Result<Answer>;

fn serve(call: &Call, ask: Ask<'_>) -> Result<String, CniError> {
    match call.command {
        Command::Version => Ok(versions(&call.config)),
        Command::Add => add(call, ask),
        // Whatever comes of it, the pod goes: the agent finds out by itself.
        Command::Del => {
            let _ = ask(&Question::Del(pod(call)), SHORT);
            Ok(String::new())
        }
        Command::Check => check(call, ask),
        // The agent keeps nothing that pods of the node do not have, and is told of those by the controller.
        Command::Gc => Ok(String::new()),
        Command::Status => match ask(&Question::Status, SHORT) {
            Ok(Answer::Done) => Ok(String::new()),
            Ok(Answer::TryAgain(why) | Answer::Refused(why)) => Err(CniError::NotAvailable(why)),
            Err(error) => Err(CniError::NotAvailable(absent(&call.config, &error))),
        },
    }
}

fn add(call: &Call, ask: Ask<'_>) -> Result<String, CniError> {
    let Some(previous) = &call.config.prev_result else {
        return Err(CniError::Config(
            "there is no prevResult: weir-cni must stand behind the plugin that makes the pod's interface"
                .into(),
        ));
    };
    // A container that is nobody's pod, or a pod of which nothing is asked.
    if !call.name.is_empty() && !is_exempt(call) {
        match ask(&Question::Add(pod(call)), PATIENCE) {
            Ok(Answer::Done) => {}
            Ok(Answer::TryAgain(why)) => return Err(CniError::TryAgain(why)),
            Ok(Answer::Refused(why)) => return Err(CniError::Refused(why)),
            Err(error) => return Err(CniError::TryAgain(absent(&call.config, &error))),
        }
    }
    Ok(previous.to_string())
}

fn check(call: &Call, ask: Ask<'_>) -> Result<String, CniError> {
    if call.name.is_empty() || is_exempt(call) {
        return Ok(String::new());
    }
    match ask(&Question::Check(pod(call)), SHORT) {
        Ok(Answer::Done) => Ok(String::new()),
        Ok(Answer::TryAgain(why)) => Err(CniError::TryAgain(why)),
        Ok(Answer::Refused(why)) => Err(CniError::Refused(why)),
        Err(error) => Err(CniError::TryAgain(absent(&call.config, &error))),
    }
}

/// The agent's own namespace is among them: without its pods there would be nobody to ask.
fn is_exempt(call: &Call) -> bool {
    call.config.exclude_namespaces.contains(&call.namespace)
}

fn absent(config: &Config, error: &io::Error) -> String {
    let socket = config.socket.as_deref().unwrap_or(SOCKET);
    format!(
        "the node's agent does not answer at {socket} ({error}); a pod that may be in the mesh does not start without it. \
         Look at the weir-agent pod of this node, and its log; pods of excludeNamespaces in the plugin's configuration are \
         not held up"
    )
}

fn pod(call: &Call) -> Pod {
    Pod {
        namespace: call.namespace.clone(),
        name: call.name.clone(),
        uid: call.uid.clone(),
        container: call.container.clone(),
        netns: call.netns.clone(),
        addresses: addresses(call.config.prev_result.as_ref().unwrap_or(&Value::Null)),
    }
}

/// The addresses in a result, in its order, without their prefix lengths.
fn addresses(result: &Value) -> Vec<IpAddr> {
    let ips = result["ips"].as_array().into_iter().flatten();
    let texts = ips.filter_map(|ip| ip["address"].as_str());
    texts.filter_map(|text| text.split('/').next()?.parse().ok()).collect()
}

fn versions(config: &Config) -> String {
    let version = match config.cni_version.as_str() {
        "" => NEWEST,
        version => version,
    };
    json!({"cniVersion": version, "supportedVersions": VERSIONS}).to_string()
}

const NEWEST: &str = "1.1.0";
/// A runtime waits for minutes; the kubelet tries a pod again after that.
const PATIENCE: Duration = Duration::from_secs(40);
/// Where the answer does not decide about a pod's start.
const SHORT: Duration = Duration::from_secs(5);

#[cfg(test)]
#[path = "plugin_tests.rs"]
mod tests;
