//! The mesh that objects make: the controller's own index, fed with files or with what a cluster has.

use serde_json::Value;
use weir_index::{Changes, Config, Index};
use weir_resources::{Event, Invalid, Key, Kind, Meta, Problem, kind_of, parse};
use weir_sources::Directory;

use crate::objects::Objects;

/// An index of these objects, and what each is to be told.
pub struct Mesh {
    /// The index.
    pub index: Index,
    /// What came of it.
    pub changes: Changes,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum MeshError {
    /// Copies of the files cannot be written.
    #[error("cannot copy the files to read them: {0}")]
    Copy(#[from] std::io::Error),
    /// The directory of copies cannot be read.
    #[error(transparent)]
    Directory(#[from] weir_sources::DirError),
}

impl Mesh {
    /// What a controller with `--source dir:` would make of these files. What an API server would fill in, is.
    ///
    /// # Errors
    /// The files cannot be handed over.
    pub async fn of_files(objects: &Objects, config: Config) -> Result<Self, MeshError> {
        let dir = tempfile::tempdir()?;
        for (number, (_, text)) in objects.texts.iter().enumerate() {
            std::fs::write(dir.path().join(format!("{number:06}.yaml")), text)?;
        }
        let source = Directory::new(dir.path().to_owned()).cluster_domain(config.cluster_domain.clone());
        let (sender, mut batches) = tokio::sync::mpsc::channel::<Vec<Event>>(64);
        let mut index = Index::new(config);
        let read = async {
            while let Some(batch) = batches.recv().await {
                batch.into_iter().for_each(|event| index.apply(event));
                if index.is_synced() {
                    break;
                }
            }
        };
        tokio::select! {
            ended = source.run(sender) => match ended {
                Ok(never) => match never {},
                Err(error) => return Err(error.into()),
            },
            () = read => {}
        }
        let changes = index.commit();
        Ok(Self { index, changes })
    }

    /// What a controller would make of the objects of a cluster. What their statuses say already, they are told again.
    #[must_use]
    pub fn of_cluster(objects: &Objects, config: Config) -> Self {
        let mut index = Index::new(config);
        Kind::ALL.into_iter().for_each(|kind| index.apply(Event::Relist(kind)));
        for item in &objects.items {
            if kind_of(&item.object).is_none() {
                continue;
            }
            index.apply(match parse(untold(item.object.clone())) {
                Ok(object) => Event::Apply(Box::new(object)),
                Err(invalid) => Event::Invalid(Box::new(invalid)),
            });
        }
        for (namespace, name) in &objects.unread {
            let key = Key { kind: Kind::Secret, namespace: namespace.clone(), name: name.clone() };
            let meta = Meta { namespace: namespace.clone(), name: name.clone(), ..Meta::default() };
            let problem = Problem::new("data", UNREAD);
            let invalid = Invalid { key: Some(key), meta: Box::new(meta), problem, spec: None };
            index.apply(Event::Invalid(Box::new(invalid)));
        }
        Kind::ALL.into_iter().for_each(|kind| index.apply(Event::Synced(kind)));
        let changes = index.commit();
        Self { index, changes }
    }
}

/// What is said of a Secret that only the controller may read.
pub(crate) const UNREAD: &str =
    "you may not read it (right to get secrets there), so what is in it was not looked at";

/// Without what a controller told it.
fn untold(mut object: Value) -> Value {
    let is_theirs = matches!(object["kind"].as_str(), Some("Pod" | "Node" | "Namespace"));
    if let Some(status) = object.get_mut("status").and_then(Value::as_object_mut).filter(|_| !is_theirs) {
        status.remove("conditions");
        status.remove("parents");
    }
    object
}
