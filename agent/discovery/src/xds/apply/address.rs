//! Workloads and services.

use std::sync::Arc;

use weir_model::{ServiceKey, Workload};
use weir_proto::workload as proto;

use super::{Name, Picture, same_name};
use crate::Changes;
use crate::convert::{self, Resource};

impl Picture {
    pub(super) fn put_address(
        &mut self,
        name: &str,
        message: proto::Address,
        changes: &mut Changes,
    ) -> Result<Name, String> {
        match convert::address(message).map_err(|rejection| rejection.to_string())? {
            Resource::Workload(workload) => self.put_workload(name, *workload, changes),
            Resource::Service(service) => {
                let mut service = *service;
                let key = service.key.to_string();
                same_name(name, &key)?;
                self.texts.share_service(&mut service);
                // One name is one thing: a workload that had it is no more.
                changes.workloads_removed += usize::from(self.directory.remove_workload(&key));
                changes.services += usize::from(self.directory.upsert_service(service));
                Ok(key.into())
            }
        }
    }

    fn put_workload(
        &mut self,
        name: &str,
        mut workload: Workload,
        changes: &mut Changes,
    ) -> Result<Name, String> {
        same_name(name, &workload.uid)?;
        self.texts.share_workload(&mut workload);
        let mut uid: Arc<str> = workload.uid.clone();
        if let Some(key) = service_key(&uid) {
            changes.services_removed += usize::from(self.directory.remove_service(&key));
        }
        changes.workloads += usize::from(self.directory.upsert_workload(workload));
        // The directory keeps an equal workload that it has; its name is the one to share.
        if let Some(known) = self.directory.workload(&uid) {
            uid = known.uid.clone();
        }
        Ok(uid)
    }

    /// A name is tried as that of a workload first.
    pub(super) fn remove_address(&mut self, name: &str, changes: &mut Changes) {
        if self.directory.remove_workload(name) {
            changes.workloads_removed += 1;
        } else if let Some(key) = service_key(name) {
            changes.services_removed += usize::from(self.directory.remove_service(&key));
        }
    }

    pub(super) fn has_address(&self, name: &str) -> bool {
        let service = || service_key(name).is_some_and(|key| self.directory.service(&key).is_some());
        self.directory.workload(name).is_some() || service()
    }
}

/// The key in the name of a service: `namespace/hostname`, without further slashes.
fn service_key(name: &str) -> Option<ServiceKey> {
    let (namespace, hostname) = name.split_once('/')?;
    (!hostname.contains('/')).then(|| ServiceKey::new(namespace, hostname))
}
