//! One case as it goes.

use weir_proto::l7;
use weir_resources::{Condition, Event, Object};
use weir_waypoint::authorize::Policies as Compiled;

use super::{line, visit};
use crate::policy::tests::authorization_key;
use crate::policy::{Policies, Standing, Target, TargetKind};
use crate::{Config, check};

/// Policies, and what is asked about.
pub(super) struct Case {
    policies: Policies,
    config: Config,
    target: Target,
    changed: String,
}

type Checked = Result<(), String>;

impl Case {
    /// Runs a block; what is not as it should be, if anything.
    pub(super) fn run(block: &str) -> Checked {
        let mut lines =
            block.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let name = lines.next().expect("a name");
        let config = Config { root_namespace: "mesh-root".into(), ..Config::default() };
        let mut case = Self {
            policies: Policies::new(&config),
            config,
            target: target("Service", "shop/web"),
            changed: String::new(),
        };
        for line in lines {
            let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
            case.step(verb, rest.trim()).map_err(|wrong| format!("{name}\n    {line}\n    {wrong}"))?;
        }
        Ok(())
    }

    fn step(&mut self, verb: &str, rest: &str) -> Checked {
        match verb {
            "policy" => return self.apply("shop/p", &at_web(rest), ""),
            "apply" => {
                let (name, spec) = rest.split_once(' ').expect("a name");
                return self.apply(name, spec, "");
            }
            "dry" => {
                let (value, spec) = rest.split_once(' ').expect("a value");
                let annotations = format!(", annotations: {{istio.io/dry-run: '{value}'}}");
                return self.apply("shop/p", &at_web(spec), &annotations);
            }
            "delete" => {
                let (namespace, name) = rest.split_once('/').expect("a name");
                self.policies.apply(None, &authorization_key(namespace, name));
            }
            "on" => {
                let (kind, name) = rest.split_once(' ').expect("a name");
                self.target = target(kind, name);
            }
            "at" => {
                let words: Vec<_> = rest.split(' ').collect();
                self.policies.judge(target(words[0], words[1]), standing(words[2]));
            }
            "form" => {
                let forms: Vec<String> = self.forms().iter().map(line::of).collect();
                let is = if forms.is_empty() { "none".to_owned() } else { forms.join(" ; ") };
                return same(&is, rest);
            }
            "ok" => return self.told("Accepted", "Accepted", rest),
            "bad" => {
                let (reason, field) = rest.split_once(' ').expect("a field");
                return self.told("Accepted", reason, field);
            }
            "bound" => {
                let (reason, words) = rest.split_once(' ').unwrap_or((rest, ""));
                return self.told("WaypointAccepted", reason, words);
            }
            "programmed" => return self.told("Programmed", "Programmed", rest),
            "says" => {
                let accepted = self.condition("Accepted")?;
                return accepted.message.contains(rest).then_some(()).ok_or(accepted.message);
            }
            "changed" => {
                self.note_changes();
                return same(&std::mem::take(&mut self.changed), rest);
            }
            "allow" | "deny" | "noted" | "silent" => return self.verdict(verb, rest),
            _ => panic!("{verb} is no verb"),
        }
        Ok(())
    }

    fn apply(&mut self, name: &str, spec: &str, metadata: &str) -> Checked {
        let (namespace, name) = name.split_once('/').expect("a name");
        let yaml = format!(
            "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\n\
             metadata: {{name: {name}, namespace: {namespace}, generation: 7{metadata}}}\nspec: {spec}\n"
        );
        for event in crate::tests::objects(&yaml) {
            match event {
                Event::Apply(object) => {
                    let Object::AuthorizationPolicy(policy) = &*object else { panic!("{object:?}") };
                    let key = authorization_key(namespace, name);
                    self.policies.apply(Some(policy), &key);
                    self.webhook_agrees(&object)?;
                }
                Event::Invalid(invalid) => drop(self.policies.invalid(&invalid)),
                other => panic!("{other:?}"),
            }
        }
        Ok(())
    }

    /// What the webhook refuses is what the status refuses, in the same words.
    fn webhook_agrees(&self, object: &Object) -> Checked {
        let problems = check(object, &self.config);
        let update = self.policies.status_of(&object.key()).ok_or("no status")?;
        let accepted = &update.conditions[0];
        let missing = problems.iter().find(|problem| !accepted.message.contains(&problem.to_string()));
        let good = missing.is_none() && problems.is_empty() == (accepted.status == "True");
        good.then_some(()).ok_or_else(|| format!("the webhook says {problems:?}, the status {accepted:?}"))
    }

    fn forms(&self) -> Vec<l7::Authorization> {
        self.policies.policies_for_target(self.target.kind, &self.target.namespace, &self.target.name)
    }

    fn condition(&self, kind: &str) -> Result<Condition, String> {
        let update = self.policies.status_of(&authorization_key("shop", "p")).ok_or("no status")?;
        update.conditions.into_iter().find(|c| c.kind == kind).ok_or_else(|| format!("no {kind}"))
    }

    fn told(&self, kind: &str, reason: &str, words: &str) -> Checked {
        let told = self.condition(kind)?;
        let wanted = if ["Accepted", "Programmed"].contains(&reason) { "True" } else { "False" };
        let good = told.status == wanted
            && told.reason == reason
            && told.message.contains(words)
            && !told.message.is_empty()
            && told.observed_generation == 7;
        good.then_some(()).ok_or_else(|| format!("{} {}: {}", told.status, told.reason, told.message))
    }

    fn note_changes(&mut self) {
        let changed = self.policies.take_reattached();
        let mut words: Vec<String> = changed.targets.iter().map(ToString::to_string).collect();
        words.extend(changed.namespaces.iter().map(|namespace| format!("all of {namespace}")));
        words.extend(changed.everything.then(|| "all".to_owned()));
        self.changed = if words.is_empty() { "-".to_owned() } else { words.join(", ") };
    }

    fn verdict(&self, verb: &str, visit: &str) -> Checked {
        let forms = self.forms();
        let compiled = Compiled::compile(&forms).expect("our waypoint takes it");
        visit::ask(visit, |visit| {
            let verdict = compiled.check(visit);
            let notes = compiled.remarks(visit).count();
            let good = match verb {
                "allow" => verdict.is_ok(),
                "deny" => verdict.is_err(),
                "noted" => verdict.is_ok() && notes > 0,
                _ => verdict.is_ok() && notes == 0,
            };
            good.then_some(()).ok_or_else(|| format!("{verdict:?}, {notes} remarks"))
        })
    }
}

/// The spec with a target, if it has none.
fn at_web(spec: &str) -> String {
    match spec.strip_prefix('{').filter(|_| !spec.contains("targetRef") && !spec.contains("selector")) {
        Some(rest) => format!("{{targetRefs: [{{kind: Service, group: '', name: web}}], {rest}"),
        None => spec.to_owned(),
    }
}

fn target(kind: &str, name: &str) -> Target {
    let kinds =
        [TargetKind::Gateway, TargetKind::GatewayClass, TargetKind::Service, TargetKind::ServiceEntry];
    let kind = kinds.into_iter().find(|one| format!("{one:?}") == kind).expect("a kind");
    let (namespace, name) = name.split_once('/').unwrap_or(("", name));
    Target { kind, namespace: namespace.into(), name: name.into() }
}

fn standing(word: &str) -> Standing {
    match word {
        "found" => Standing::NotBound("it has no waypoint".to_owned()),
        "lost" => Standing::NotFound,
        "bound" => Standing::Bound,
        _ => panic!("{word} is no standing"),
    }
}

fn same(is: &str, expected: &str) -> Checked {
    (is == expected).then_some(()).ok_or_else(|| format!("is: {is}"))
}
