//! One case as it goes.

use std::collections::BTreeMap;

use weir_model::{Connection, Directory, Identity, Verdict, authorize};
use weir_resources::{Condition, Event, Key, Kind};

use super::line;
use super::written::{GENERATION, POD, kind_named, merge, object};
use crate::tests::{Mesh, objects};
use crate::{Config, check};

/// A mesh, and what its objects were told.
pub(super) struct Case {
    mesh: Mesh,
    config: Config,
    /// As if they were written to the objects.
    statuses: BTreeMap<Key, Vec<Condition>>,
}

type Checked = Result<(), String>;

impl Case {
    /// Runs a block; what is not as it should be, if anything.
    pub(super) fn run(block: &str) -> Checked {
        let mut lines =
            block.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let name = lines.next().expect("a name");
        let config = Config { root_namespace: "mesh-root".into(), ..Config::default() };
        let mut case = Self { mesh: Mesh::with(config.clone()), config, statuses: BTreeMap::new() };
        case.apply(POD)?;
        for line in lines {
            let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
            case.step(verb, rest.trim()).map_err(|wrong| format!("{name}\n    {line}\n    {wrong}"))?;
        }
        Ok(())
    }

    fn step(&mut self, verb: &str, rest: &str) -> Checked {
        match verb {
            "policy" => return self.apply(&object("AuthorizationPolicy", "shop/p", "", rest)),
            "object" => {
                let mut yaml = object("AuthorizationPolicy", "shop/p", "", "null");
                merge(&mut yaml, rest);
                return self.apply(&yaml);
            }
            "apply" => {
                let (kind, rest) = rest.split_once(' ').expect("a kind");
                let (name, rest) = rest.split_once(' ').expect("a name");
                let created = rest.strip_prefix('@').and_then(|rest| rest.split_once(' '));
                let (created, spec) = created.unwrap_or(("", rest));
                return self.apply(&object(kind, name, created, spec));
            }
            "put" => return self.apply(rest),
            "delete" => {
                let (kind, name) = rest.split_once(' ').expect("a kind");
                let (namespace, name) = name.split_once('/').expect("a name");
                let changes = self.mesh.delete(kind_named(kind), namespace, name);
                self.note(changes);
            }
            "sent" if rest.starts_with("ALLOW") || rest.starts_with("DENY") => {
                return same(&self.sent("shop/p"), rest);
            }
            "sent" => {
                let (name, line) = rest.split_once(' ').expect("a name");
                return same(&self.sent(name), line);
            }
            "none" => return same(&self.sent("shop/p"), "not sent"),
            "gone" => return same(&self.sent(rest), "not sent"),
            "keys" => return self.lists("Kubernetes//Pod/shop/web", rest),
            "lists" => {
                let (uid, keys) = rest.split_once(' ').unwrap_or((rest, ""));
                return self.lists(uid, keys.trim());
            }
            "ok" => return self.status("shop/p", ("Accepted", rest)),
            "bad" => return self.status("shop/p", rest.split_once(' ').expect("a field")),
            "status" => {
                let (name, rest) = rest.split_once(' ').expect("a name");
                return self.status(name, rest.split_once(' ').expect("a field"));
            }
            "allow" | "deny" => {
                return rest.split(' ').try_for_each(|who| self.verdict(who, verb == "allow"));
            }
            _ => panic!("{verb} is no verb"),
        }
        Ok(())
    }

    fn apply(&mut self, yaml: &str) -> Checked {
        let changes = self.mesh.apply(yaml);
        self.note(changes);
        objects(yaml).iter().try_for_each(|event| self.webhook_agrees(event))
    }

    /// What the webhook refuses is what the status refuses, in the same words, and of the generation that was looked at.
    fn webhook_agrees(&self, event: &Event) -> Checked {
        let (key, problems) = match event {
            Event::Apply(object) => (Some(object.key()), check(object, &self.config)),
            Event::Invalid(invalid) => (invalid.key.clone(), vec![invalid.problem.clone()]),
            _ => return Ok(()),
        };
        let is_policy = |key: &&Key| matches!(key.kind, Kind::AuthorizationPolicy | Kind::PeerAuthentication);
        let told = key.as_ref().filter(is_policy).and_then(|key| self.statuses.get(key));
        let Some(accepted) = told.and_then(|all| all.iter().find(|c| c.kind == "Accepted")) else {
            return Ok(());
        };
        let missing = problems.iter().find(|problem| !accepted.message.contains(&problem.to_string()));
        let other = problems.is_empty() != (accepted.status == "True") && accepted.reason != "Conflict";
        let old = told.into_iter().flatten().any(|condition| condition.observed_generation != GENERATION);
        let good = missing.is_none() && !other && !old;
        good.then_some(()).ok_or_else(|| format!("the webhook says {problems:?}, the status {accepted:?}"))
    }

    fn note(&mut self, changes: crate::Changes) {
        self.statuses.extend(changes.statuses.into_iter().map(|update| (update.key, update.conditions)));
    }

    fn sent(&self, key: &str) -> String {
        let snapshot = self.mesh.index.snapshot();
        let found = snapshot.authorizations().find(|resource| *resource.name == *key);
        let message = found.map(|resource| prost::Message::decode(resource.body.clone()).expect("a message"));
        message.map_or("not sent".to_owned(), |message| line::of(&message))
    }

    fn lists(&self, uid: &str, keys: &str) -> Checked {
        let workload = self.mesh.workload(uid).ok_or_else(|| format!("only {:?}", self.mesh.names()))?;
        same(&workload.authorization_policies.join(" "), keys)
    }

    /// What the object is told.
    fn status(&self, name: &str, (reason, field): (&str, &str)) -> Checked {
        let (namespace, name) = name.split_once('/').expect("a name");
        let of = |kind| self.statuses.get(&Key::new(kind, namespace, name));
        let told = of(Kind::AuthorizationPolicy).or_else(|| of(Kind::PeerAuthentication));
        let accepted = told.and_then(|all| all.iter().find(|c| c.kind == "Accepted")).ok_or("no status")?;
        let field = field.trim();
        let mut places =
            accepted.message.match_indices(field).map(|(at, _)| &accepted.message[at + field.len()..]);
        let named = places.any(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric()));
        let wanted = if reason == "Accepted" { "True" } else { "False" };
        let good = accepted.status == wanted
            && (reason == "*" || accepted.reason == reason)
            && (field.is_empty() || named);
        let said = || format!("{} {}: {}", accepted.status, accepted.reason, accepted.message);
        good.then_some(()).ok_or_else(said)
    }

    fn verdict(&self, who: &str, allowed: bool) -> Checked {
        let (peer, source) = who.split_once('@').expect("a peer");
        let source: std::net::SocketAddr = source.parse().expect("an address");
        let peer = match peer.split('/').collect::<Vec<_>>()[..] {
            [_] => None,
            [namespace, account] => Identity::new("cluster.local", namespace, account).ok(),
            [domain, namespace, account] => Identity::new(domain, namespace, account).ok(),
            _ => panic!("{who}"),
        };
        let to = if source.is_ipv4() { "10.9.0.9" } else { "fd00::9" };
        let destination = (to.parse::<std::net::IpAddr>().expect("an address"), source.port()).into();
        let connection = Connection { peer: peer.as_ref(), source_ip: source.ip(), destination };
        let mut directory = Directory::new();
        for resource in self.mesh.index.snapshot().authorizations() {
            let message = prost::Message::decode(resource.body.clone()).expect("a message");
            directory
                .upsert_policy(weir_discovery::convert::authorization(message).expect("our agent takes it"));
        }
        let pod = self.mesh.pod("shop/web").expect("the pod");
        if let Some(key) = directory.missing_policy(&pod) {
            return Err(format!("{key} is not published"));
        }
        let verdict = authorize(directory.policies_for(&pod), &connection);
        (verdict.is_allowed() == allowed).then_some(()).ok_or_else(|| match verdict {
            Verdict::Allow => format!("{who} is let in"),
            Verdict::Deny(denial) => format!("{who}: {denial}"),
        })
    }
}

fn same(is: &str, expected: &str) -> Checked {
    (is == expected).then_some(()).ok_or_else(|| format!("is: {is}"))
}
