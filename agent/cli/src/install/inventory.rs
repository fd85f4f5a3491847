//! The record of what is installed.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::InstallError;
use crate::cluster::{Cluster, ObjectRef, Write};

/// What is installed, with what it was made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Inventory {
    /// Version of the `weir` that installed it.
    pub version: String,
    /// All values, as they were after profile, files and flags.
    pub values: Value,
    /// Every object, in the order in which they were made.
    pub objects: Vec<ObjectRef>,
}

impl Inventory {
    /// What the namespace's says; `None`: there is none.
    ///
    /// # Errors
    /// The cluster does not say, or what it says is none.
    pub async fn read(cluster: &Cluster, namespace: &str) -> Result<Option<Self>, InstallError> {
        let place = Self::place(namespace);
        let Some(map) = cluster.get(&place).await? else { return Ok(None) };
        let text = map["data"][KEY].as_str().unwrap_or_default();
        let read = serde_json::from_str(text);
        read.map(Some).map_err(|error| InstallError::Inventory { inventory: place, why: error.to_string() })
    }

    /// Keeps it.
    ///
    /// # Errors
    /// The cluster does not take it.
    pub async fn write(&self, cluster: &Cluster, namespace: &str) -> Result<(), InstallError> {
        let text = serde_json::to_string(self).map_err(crate::cluster::ClusterError::Json)?;
        let place = Self::place(namespace);
        let map = json!({
            "apiVersion": place.api_version, "kind": place.kind,
            "metadata": {
                "name": place.name, "namespace": place.namespace, "labels": {"app.kubernetes.io/part-of": "weir"},
            },
            "data": {KEY: text},
        });
        cluster.apply(&map, Write::Really).await?;
        Ok(())
    }

    /// Where it is.
    #[must_use]
    pub fn place(namespace: &str) -> ObjectRef {
        ObjectRef::new("v1", "ConfigMap", namespace, NAME)
    }
}

const NAME: &str = "weir-installation";
const KEY: &str = "inventory.json";
