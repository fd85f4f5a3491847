//! `labelSelector` and `fieldSelector`.

use serde_json::Value;

use super::route::Route;

/// Which objects of a kind are asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Selector {
    namespace: Option<String>,
    labels: Vec<Term>,
    fields: Vec<Term>,
}

#[derive(Debug, Clone)]
enum Term {
    Is(String, String),
    IsNot(String, String),
    In(String, Vec<String>),
    Exists(String),
    Absent(String),
}

impl Selector {
    pub(crate) fn of(route: &Route, namespace: Option<&str>) -> Self {
        Self {
            namespace: namespace.map(str::to_owned),
            labels: terms(route.text("labelSelector")),
            fields: terms(route.text("fieldSelector")),
        }
    }

    pub(crate) fn takes(&self, object: &Value) -> bool {
        let metadata = &object["metadata"];
        let here = self.namespace.as_deref().is_none_or(|n| metadata["namespace"].as_str() == Some(n));
        let label = |name: &str| metadata["labels"][name].as_str().map(str::to_owned);
        let field = |path: &str| {
            let found = path.split('.').fold(object, |value, part| &value[part]);
            Some(found.as_str().unwrap_or_default().to_owned())
        };
        here && self.labels.iter().all(|term| term.holds(label))
            && self.fields.iter().all(|term| term.holds(field))
    }
}

impl Term {
    fn holds(&self, value: impl Fn(&str) -> Option<String>) -> bool {
        match self {
            Self::Is(name, wanted) => value(name).as_ref() == Some(wanted),
            Self::IsNot(name, other) => value(name).as_ref() != Some(other),
            Self::In(name, all) => value(name).is_some_and(|value| all.contains(&value)),
            Self::Exists(name) => value(name).is_some(),
            Self::Absent(name) => value(name).is_none(),
        }
    }
}

fn terms(text: &str) -> Vec<Term> {
    // Commas inside `in (a,b)` do not separate terms.
    let mut depth = 0;
    let parts = text.split(|c| {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        c == ',' && depth == 0
    });
    parts.map(str::trim).filter(|part| !part.is_empty()).map(term).collect()
}

fn term(part: &str) -> Term {
    let own = |text: &str| text.trim().to_owned();
    if let Some((name, rest)) = part.split_once(" in ") {
        let values = rest.trim().trim_start_matches('(').trim_end_matches(')');
        return Term::In(own(name), values.split(',').map(own).collect());
    }
    if let Some((name, value)) = part.split_once("!=") {
        return Term::IsNot(own(name), own(value));
    }
    if let Some((name, value)) = part.split_once('=') {
        return Term::Is(own(name), own(value.trim_start_matches('=')));
    }
    match part.strip_prefix('!') {
        Some(name) => Term::Absent(own(name)),
        None => Term::Exists(own(part)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn selectors_are_those_of_kubernetes() {
        let object =
            json!({"metadata": {"name": "a", "namespace": "n", "labels": {"app": "web", "tier": "x"}}});
        for (labels, fields, takes) in [
            ("", "", true),
            ("app=web,tier==x", "", true),
            ("app!=web", "", false),
            ("app in (db,web),tier", "", true),
            ("!app", "", false),
            ("", "metadata.name=a", true),
            ("", "metadata.name=b", false),
        ] {
            let selector = Selector { namespace: None, labels: terms(labels), fields: terms(fields) };
            assert_eq!(selector.takes(&object), takes, "{labels:?} {fields:?}");
        }
    }
}
