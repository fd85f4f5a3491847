//! Another data plane beside Weir, brought up by the user's own script.
//!
//! The contract is in docs/benchmark-method.md and in tests/bench/peers/none.sh; the variables' names are here.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::str::FromStr;

use anyhow::{Context, Result, bail};

/// `NAME=SCRIPT` of the command line.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct PeerSpec {
    pub(super) name: String,
    pub(super) script: PathBuf,
}

impl FromStr for PeerSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, script) = text.split_once('=').ok_or("expected NAME=SCRIPT")?;
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.is_empty()
            || name.len() > 12
            || !name.chars().all(plain)
            || ["direct", "weir"].contains(&name)
        {
            return Err(format!(
                "{name:?} cannot be a peer's name: 1 to 12 of a-z, 0-9 and -, not direct or weir"
            ));
        }
        let script = fs::canonicalize(script).map_err(|error| format!("{script}: {error}"))?;
        Ok(Self { name: name.to_owned(), script })
    }
}

/// One side of the cluster, as the script is told.
pub(super) struct Side {
    pub(super) node_netns: String,
    pub(super) pod_netns: String,
    pub(super) pod_cgroup: PathBuf,
    pub(super) pod_v4: IpAddr,
    pub(super) pod_v6: IpAddr,
    /// Where its programs, and so its proxy, belong.
    pub(super) cpu: usize,
}

/// A peer that is up; `down` is called when it is dropped.
pub(super) struct Peer {
    spec: PeerSpec,
    environment: Vec<(String, String)>,
}

/// What the script wrote into its file.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Answer {
    pub(super) client_pids: Vec<u32>,
    pub(super) server_pids: Vec<u32>,
    /// What clients dial instead of the server's own address.
    pub(super) address: Option<IpAddr>,
}

impl Peer {
    /// Calls `SCRIPT up` and reads what it answers.
    pub(super) fn up(spec: &PeerSpec, dir: &Path, client: &Side, server: &Side) -> Result<(Self, Answer)> {
        let answer = dir.join("answer");
        fs::write(&answer, "").with_context(|| format!("cannot write {}", answer.display()))?;
        let mut environment = side_environment("CLIENT", client);
        environment.extend(side_environment("SERVER", server));
        environment.push(("WEIR_PEER_DIR".to_owned(), dir.display().to_string()));
        environment.push(("WEIR_PEER_ANSWER".to_owned(), answer.display().to_string()));
        // Made before `up`, so that a script that fails half-way is told to clean up.
        let peer = Self { spec: spec.clone(), environment };
        peer.call("up")?;
        let text =
            fs::read_to_string(&answer).with_context(|| format!("cannot read {}", answer.display()))?;
        let answer = parse_answer(&text)
            .with_context(|| format!("{} up wrote into WEIR_PEER_ANSWER", spec.script.display()))?;
        Ok((peer, answer))
    }

    fn call(&self, verb: &str) -> Result<()> {
        let script = self.spec.script.display();
        let mut command = Command::new(&self.spec.script);
        command.arg(verb).envs(self.environment.iter().cloned()).stdin(Stdio::null());
        // Ours is for the result; what a script prints is for the reader.
        command.stdout(std::io::stderr());
        let status = command.status().with_context(|| format!("cannot start {script}"))?;
        if !status.success() {
            bail!("`{script} {verb}` for peer {} failed ({status})", self.spec.name);
        }
        Ok(())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        if let Err(error) = self.call("down") {
            eprintln!("bench: {error:#}");
        }
    }
}

fn side_environment(side: &str, facts: &Side) -> Vec<(String, String)> {
    let values = [
        ("NODE_NETNS", facts.node_netns.clone()),
        ("POD_NETNS", facts.pod_netns.clone()),
        ("POD_CGROUP", facts.pod_cgroup.display().to_string()),
        ("POD_IP4", facts.pod_v4.to_string()),
        ("POD_IP6", facts.pod_v6.to_string()),
        ("CPU", facts.cpu.to_string()),
    ];
    values.into_iter().map(|(name, value)| (format!("WEIR_PEER_{side}_{name}"), value)).collect()
}

fn parse_answer(text: &str) -> Result<Answer> {
    let mut answer = Answer::default();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (key, value) = line.split_once(' ').unwrap_or((line, ""));
        let wrong = || format!("{line:?}, expected `client-pid PID`, `server-pid PID` or `address IP`");
        match key {
            "client-pid" => answer.client_pids.push(value.parse().with_context(wrong)?),
            "server-pid" => answer.server_pids.push(value.parse().with_context(wrong)?),
            "address" => answer.address = Some(value.parse().with_context(wrong)?),
            _ => bail!(wrong()),
        }
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_a_script_answers() {
        let text = "client-pid 12\nserver-pid 13\n\n server-pid 14\naddress 10.9.2.9\n";
        let want = Answer {
            client_pids: vec![12],
            server_pids: vec![13, 14],
            address: Some("10.9.2.9".parse().unwrap()),
        };
        assert_eq!(parse_answer(text).unwrap(), want);
        assert_eq!(parse_answer("").unwrap(), Answer::default());
        for wrong in ["client-pid", "client-pid x", "pid 3", "address here"] {
            assert!(parse_answer(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn names_of_peers() {
        assert_eq!("other=/bin/true".parse::<PeerSpec>().unwrap().name, "other");
        for wrong in ["other", "=/bin/true", "weir=/bin/true", "a b=/bin/true", "other=/no/such/script"] {
            assert!(wrong.parse::<PeerSpec>().is_err(), "{wrong:?}");
        }
    }
}
