//! Configuration as it was written: files, or what a cluster has, each object with where it is from.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use weir_resources::{Kind, YamlProblem};

use crate::cluster::{Cluster, ClusterError, ObjectRef};

/// An object and its place.
#[derive(Debug, Clone)]
pub struct Item {
    /// The object.
    pub object: Value,
    /// The file that it is in, and the line; `None`: the cluster.
    pub place: Option<(PathBuf, usize)>,
}

/// Why files cannot be read at all.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {}: {source}", path.display())]
pub struct ReadError {
    path: PathBuf,
    source: std::io::Error,
}

/// What some files say.
#[derive(Debug, Default)]
pub struct Objects {
    /// Every object that is one.
    pub items: Vec<Item>,
    /// What is no YAML, and where.
    pub broken: Vec<(PathBuf, YamlProblem)>,
    /// Every text, with its name.
    pub texts: Vec<(PathBuf, String)>,
    /// Namespace and name of Secrets that something names and that the user may not read.
    pub unread: Vec<(Arc<str>, Arc<str>)>,
}

impl Item {
    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.object["kind"].as_str().unwrap_or_default()
    }

    /// Its namespace; what says none is in `default`.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.object["metadata"]["namespace"].as_str().filter(|name| !name.is_empty()).unwrap_or("default")
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.object["metadata"]["name"].as_str().unwrap_or_default()
    }

    /// A label or an annotation.
    #[must_use]
    pub fn meta(&self, list: &str, name: &str) -> Option<&str> {
        self.object["metadata"][list][name].as_str()
    }

    /// Which one.
    #[must_use]
    pub fn reference(&self) -> ObjectRef {
        ObjectRef::of(&self.object)
    }
}

impl Objects {
    /// Those in files, and in all manifests below directories; `-` is standard input.
    ///
    /// # Errors
    /// A file or a directory cannot be read.
    pub fn read(paths: &[PathBuf]) -> Result<Self, ReadError> {
        let mut objects = Self::default();
        for path in paths {
            for (file, text) in texts(path)? {
                for document in weir_resources::documents(&text) {
                    match document {
                        Ok((line, object)) => {
                            objects.items.push(Item { object, place: Some((file.clone(), line)) })
                        }
                        Err(problem) => objects.broken.push((file.clone(), problem)),
                    }
                }
                objects.texts.push((file, text));
            }
        }
        Ok(objects)
    }

    /// All that the mesh is made of in a cluster, and what else the analysis looks at. Secrets are not asked for.
    ///
    /// # Errors
    /// The cluster does not say.
    pub async fn of(cluster: &Cluster) -> Result<Self, ClusterError> {
        let mut items = Vec::new();
        for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Secret) {
            let slash = if kind.group().is_empty() { "" } else { "/" };
            for version in kind.versions() {
                let version = format!("{}{slash}{version}", kind.group());
                if cluster.serves(&version, kind.name()).await? {
                    items.extend(cluster.list(&version, kind.name(), "", "").await?);
                    break;
                }
            }
        }
        for (version, kind) in OTHERS {
            items.extend(cluster.list(version, kind, "", "").await?);
        }
        let items = items.into_iter().map(|object| Item { object, place: None }).collect();
        Ok(Self { items, ..Self::default() })
    }

    /// Adds these Secrets, by namespace and name, of a cluster. Those that are not there are not, and those that may not be read
    /// are remembered.
    ///
    /// # Errors
    /// The cluster does not say.
    pub async fn read_secrets(
        &mut self,
        cluster: &Cluster,
        wanted: impl IntoIterator<Item = (Arc<str>, Arc<str>)>,
    ) -> Result<(), ClusterError> {
        for (namespace, name) in wanted {
            match cluster.get(&ObjectRef::new("v1", "Secret", &namespace, &name)).await {
                Ok(found) => self.items.extend(found.map(|object| Item { object, place: None })),
                Err(ClusterError::Refused { code: 401 | 403, .. }) => self.unread.push((namespace, name)),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Objects of a kind.
    pub fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Item> {
        self.items.iter().filter(move |item| item.kind() == kind)
    }
}

fn texts(path: &Path) -> Result<Vec<(PathBuf, String)>, ReadError> {
    let fail = |path: &Path| {
        let path = path.to_owned();
        move |source| ReadError { path, source }
    };
    if path.as_os_str() == "-" {
        let text = std::io::read_to_string(std::io::stdin()).map_err(fail(path))?;
        return Ok(vec![("stdin.yaml".into(), text)]);
    }
    if !path.is_dir() {
        return Ok(vec![(path.to_owned(), std::fs::read_to_string(path).map_err(fail(path))?)]);
    }
    let mut below = Vec::new();
    for entry in std::fs::read_dir(path).map_err(fail(path))? {
        below.push(entry.map_err(fail(path))?.path());
    }
    below.sort();
    let mut all = Vec::new();
    for path in below {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let is_manifest = [".yaml", ".yml", ".json"].iter().any(|end| name.ends_with(end));
        if !name.starts_with('.') && (path.is_dir() || is_manifest) {
            all.extend(texts(&path)?);
        }
    }
    Ok(all)
}

/// Kinds that the mesh does not read, and that bear on it.
const OTHERS: [(&str, &str); 5] = [
    ("networking.k8s.io/v1", "NetworkPolicy"),
    ("networking.istio.io/v1", "Sidecar"),
    ("networking.istio.io/v1alpha3", "EnvoyFilter"),
    ("extensions.istio.io/v1alpha1", "WasmPlugin"),
    ("telemetry.istio.io/v1", "Telemetry"),
];
