//! What is to be done with each object.

use serde::Serialize;
use serde_json::Value;

use crate::chart::Manifest;
use crate::cluster::ObjectRef;

/// All that is to be done, in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// What is applied, or left alone.
    pub steps: Vec<(Step, Value)>,
    /// What an earlier version made, and this one does not: it goes at the end.
    pub prune: Vec<ObjectRef>,
}

/// What is to be done with an object, or was.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// Which one.
    #[serde(flatten)]
    pub object: ObjectRef,
    /// What.
    pub what: What,
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum What {
    /// It is applied; what comes of it is not known yet.
    Apply,
    /// It was not there.
    Create,
    /// Some of its fields are other than they were.
    Change,
    /// It is as it should be.
    Same,
    /// It is somebody else's definition, which serves as well.
    Leave,
    /// It is not needed any more.
    Prune,
}

impl What {
    /// For people.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Apply => "apply",
            Self::Create => "create",
            Self::Change => "change",
            Self::Same => "same",
            Self::Leave => "leave (not ours)",
            Self::Prune => "delete (not needed any more)",
        }
    }
}

impl Plan {
    /// Of the chart's objects, of what was installed, and of the definitions that are there without being ours.
    #[must_use]
    pub fn new(manifests: Vec<Manifest>, installed: &[ObjectRef], foreign: &[ObjectRef]) -> Self {
        let step = |manifest: Manifest| {
            let object = ObjectRef::of(&manifest.object);
            let what = if foreign.iter().any(|other| other.is(&object)) { What::Leave } else { What::Apply };
            (Step { object, what }, manifest.object)
        };
        let steps: Vec<_> = manifests.into_iter().map(step).collect();
        let wanted = |object: &&ObjectRef| !steps.iter().any(|(step, _)| step.object.is(object));
        // A definition takes all objects of its kind with it: that is not done in passing.
        let may_go = |object: &&ObjectRef| !is_kept(&object.kind);
        let prune = installed.iter().filter(wanted).filter(may_go).rev().cloned().collect();
        Self { steps, prune }
    }

    /// What is ours when all is done.
    pub fn objects(&self) -> impl Iterator<Item = &ObjectRef> {
        self.steps.iter().filter(|(step, _)| step.what != What::Leave).map(|(step, _)| &step.object)
    }
}

/// Whether objects of this kind stay unless their removal is asked for: with them goes what is not ours.
pub(super) fn is_kept(kind: &str) -> bool {
    matches!(kind, "Namespace" | "CustomResourceDefinition")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_wanted_any_more_goes_backwards_and_definitions_stay() {
        let manifest = |kind: &str, name: &str| Manifest {
            template: String::new(),
            object: json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name}}),
        };
        let object = |kind: &str, name: &str| ObjectRef::new("v1", kind, "", name);
        let installed = [
            object("Role", "a"),
            object("Service", "b"),
            object("CustomResourceDefinition", "c"),
            object("Role", "d"),
        ];
        let foreign = [object("CustomResourceDefinition", "e")];
        let plan = Plan::new(
            vec![manifest("Service", "b"), manifest("CustomResourceDefinition", "e")],
            &installed,
            &foreign,
        );
        assert_eq!(plan.prune, [object("Role", "d"), object("Role", "a")]);
        assert_eq!(plan.objects().collect::<Vec<_>>(), [&object("Service", "b")]);
        assert_eq!(plan.steps[1].0.what, What::Leave);
    }
}
