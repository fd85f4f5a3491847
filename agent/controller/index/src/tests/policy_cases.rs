//! Policies as their authors write them, and what becomes of each: from YAML to the verdict of a node proxy.
//!
//! The tables are text files, in blocks. Each block has a mesh of its own, whose root namespace is `mesh-root` and whose one
//! pod is `shop/web`, with the labels `app: web, version: v1` and the addresses 10.9.0.9 and fd00::9.
//!
//! ```text
//!   case    what it is about
//!   policy  SPEC                            the AuthorizationPolicy shop/p
//!   object  OBJECT                          the same, with other parts than a spec
//!   apply   KIND[/VERSION] NS/NAME [@CREATED] SPEC
//!   put     OBJECT                          any other object
//!   delete  KIND NS/NAME
//!   sent    [NS/NAME] ACTION SCOPE RULE..   what is published; without a name, shop/p
//!   none                                    shop/p is not published
//!   gone    NS/NAME                         neither is this
//!   keys    KEY..                           what the pod lists
//!   lists   UID KEY..                       what another workload lists
//!   ok      [FIELD]                         shop/p is accepted, with a word about the field
//!   bad     REASON FIELD                    it is not; REASON may be *
//!   status  NS/NAME REASON FIELD            the same, of another object
//!   allow   [TRUSTDOMAIN/]PEER@SOURCE:PORT..   who is let in; PEER is NS/ACCOUNT, or - without an identity
//!   deny    the same                        who is not
//! ```
//! A rule stands in brackets: clauses with `&`, matches of a clause with `|`, fields of a match with a space, `!` before what
//! must not be. An empty rule is `[]`, an empty match `[never]`.

use std::collections::BTreeMap;

use rstest::rstest;
use weir_model::{Connection, Directory, Identity, Verdict, authorize};
use weir_resources::{Condition, Key, Kind};

use super::Mesh;
use crate::Config;

mod line;

#[rstest]
#[case::shapes(include_str!("policy_cases/shapes.txt"))]
#[case::head(include_str!("policy_cases/head.txt"))]
#[case::values(include_str!("policy_cases/values.txt"))]
#[case::requests(include_str!("policy_cases/requests.txt"))]
#[case::peers(include_str!("policy_cases/peers.txt"))]
#[case::workloads(include_str!("policy_cases/workloads.txt"))]
fn policies(#[case] table: &str) {
    let blocks: Vec<&str> = table.split("\ncase ").skip(1).collect();
    assert!(blocks.len() > 20, "only {} cases were read", blocks.len());
    let wrong: Vec<String> = blocks.into_iter().filter_map(|block| Case::run(block).err()).collect();
    assert!(wrong.is_empty(), "{} are not as they should be:\n{}", wrong.len(), wrong.join("\n"));
}

/// One case as it goes.
struct Case {
    mesh: Mesh,
    /// As if they were written to the objects.
    statuses: BTreeMap<Key, Vec<Condition>>,
}

type Checked = Result<(), String>;

impl Case {
    fn run(block: &str) -> Checked {
        let mut lines =
            block.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let name = lines.next().expect("a name");
        let config = Config { root_namespace: "mesh-root".into(), ..Config::default() };
        let mut case = Self { mesh: Mesh::with(config), statuses: BTreeMap::new() };
        case.apply(POD);
        for line in lines {
            let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
            case.step(verb, rest.trim()).map_err(|wrong| format!("{name}\n    {line}\n    {wrong}"))?;
        }
        Ok(())
    }

    fn step(&mut self, verb: &str, rest: &str) -> Checked {
        match verb {
            "policy" => self.apply(&object("AuthorizationPolicy", "shop/p", "", rest)),
            "object" => {
                let mut yaml = object("AuthorizationPolicy", "shop/p", "", "null");
                merge(&mut yaml, rest);
                self.apply(&yaml);
            }
            "apply" => {
                let (kind, rest) = rest.split_once(' ').expect("a kind");
                let (name, rest) = rest.split_once(' ').expect("a name");
                let created = rest.strip_prefix('@').and_then(|rest| rest.split_once(' '));
                let (created, spec) = created.unwrap_or(("", rest));
                self.apply(&object(kind, name, created, spec));
            }
            "put" => self.apply(rest),
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

    fn apply(&mut self, yaml: &str) {
        let changes = self.mesh.apply(yaml);
        self.note(changes);
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

fn kind_named(name: &str) -> Kind {
    Kind::ALL.into_iter().find(|kind| kind.name() == name).expect("a kind")
}

fn object(kind: &str, name: &str, created: &str, spec: &str) -> String {
    let (kind, version) = kind.split_once('/').unwrap_or((kind, "v1"));
    let (namespace, name) = name.split_once('/').expect("a name");
    let created = match created {
        "" => String::new(),
        day => format!("creationTimestamp: 2026-01-01T00:{}0:00Z, ", &day[..1]),
    };
    format!(
        "apiVersion: security.istio.io/{version}\nkind: {kind}\n\
         metadata: {{{created}name: {name}, namespace: {namespace}}}\nspec: {spec}\n"
    )
}

/// Puts other parts in place of those of the object.
fn merge(yaml: &mut String, parts: &str) {
    let one = |text: &str| weir_resources::documents(text).next().expect("a document").expect("YAML").1;
    let (mut object, parts) = (one(yaml), one(parts));
    object.as_object_mut().expect("an object").remove("spec");
    for (name, part) in parts.as_object().expect("an object") {
        match (object.get_mut(name).and_then(|old| old.as_object_mut()), part.as_object()) {
            (Some(old), Some(new)) => old.extend(new.clone()),
            _ => object[name] = part.clone(),
        }
    }
    *yaml = object.to_string();
}

const POD: &str = "
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web, version: v1}}
spec: {nodeName: a}
status: {phase: Running, podIP: 10.9.0.9, podIPs: [{ip: 10.9.0.9}, {ip: 'fd00::9'}], conditions: [{type: Ready, status: 'True'}]}
";
