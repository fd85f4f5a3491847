//! The mesh as an agent knows it, and what names mean in it.

use std::net::SocketAddr;
use std::sync::Arc;

use prost::Message;
use weir_discovery::convert;
use weir_index::Snapshot;
use weir_model::{Directory, Service, Workload};

use super::{Dialled, ExplainError};

/// A directory, and the names in it.
pub struct Names {
    /// What an agent knows.
    pub directory: Directory,
}

impl Names {
    /// Of what a controller publishes.
    ///
    /// # Errors
    /// An agent would not take it.
    pub fn of(mesh: &Snapshot) -> Result<Self, ExplainError> {
        let mut directory = Directory::new();
        let fail = |error: &dyn std::fmt::Display| ExplainError::Index(error.to_string());
        for resource in mesh.addresses() {
            let message =
                weir_proto::workload::Address::decode(resource.body.clone()).map_err(|error| fail(&error))?;
            match convert::address(message).map_err(|error| fail(&error))? {
                convert::Resource::Workload(workload) => drop(directory.upsert_workload(*workload)),
                convert::Resource::Service(service) => drop(directory.upsert_service(*service)),
            }
        }
        for resource in mesh.authorizations() {
            let message = weir_proto::security::Authorization::decode(resource.body.clone())
                .map_err(|error| fail(&error))?;
            directory.upsert_policy(convert::authorization(message).map_err(|error| fail(&error))?);
        }
        Ok(Self { directory })
    }

    /// The workload of `NAMESPACE/NAME`: a pod's name, or that of what it belongs to.
    ///
    /// # Errors
    /// There is none.
    pub fn workload(&self, text: &str) -> Result<Arc<Workload>, ExplainError> {
        let (namespace, name) = text.split_once('/').unwrap_or(("default", text));
        let mut all: Vec<_> = self.directory.workloads().filter(|one| &*one.namespace == namespace).collect();
        all.sort_by(|a, b| a.uid.cmp(&b.uid));
        let is_named = |one: &&&Arc<Workload>| &*one.name == name;
        let is_of = |one: &&&Arc<Workload>| {
            &*one.workload_name == name || &*one.canonical_name == name || &*one.service_account == name
        };
        let found = all.iter().find(is_named).or_else(|| all.iter().find(is_of));
        let unknown =
            || ExplainError::Unknown { what: "the workload", name: text.to_owned(), list: "workloads" };
        found.map(|found| (**found).clone()).ok_or_else(unknown)
    }

    /// Where `[NAMESPACE/]NAME:PORT`, `HOST:PORT` or `IP:PORT` leads; a name is a service's, else a pod's.
    ///
    /// # Errors
    /// It leads nowhere.
    pub fn dialled(&self, text: &str, from: &Workload) -> Result<Dialled, ExplainError> {
        if let Ok(address) = text.parse() {
            return Ok(Dialled { address, name: text.to_owned() });
        }
        let unreadable = |why| ExplainError::Unreadable { text: text.to_owned(), why };
        let (name, port) = match text.rsplit_once(':') {
            Some((name, port)) => {
                (name, Some(port.parse().map_err(|_| unreadable("the port is no number"))?))
            }
            None => (text, None),
        };
        let (namespace, short) = name.split_once('/').unwrap_or((&from.namespace, name));
        if let Some(service) = self.service(namespace, short) {
            let only = || match service.ports.as_slice() {
                [one] => Some(one.service_port),
                _ => None,
            };
            let port = port
                .or_else(only)
                .ok_or_else(|| unreadable("the service has several ports; give one: NAME:PORT"))?;
            return Ok(Dialled { address: self.address(service, port, unreadable)?, name: name.to_owned() });
        }
        let full = format!("{namespace}/{short}");
        let unknown =
            || ExplainError::Unknown { what: "the destination", name: name.to_owned(), list: "services" };
        let workload = self.workload(&full).map_err(|_| unknown())?;
        let ip = workload.addresses.first().copied().ok_or_else(|| unreadable("it has no address"))?;
        let port = port.ok_or_else(|| unreadable("a pod has no port of its own; give one: NAME:PORT"))?;
        Ok(Dialled { address: SocketAddr::new(ip, port), name: full })
    }

    fn service(&self, namespace: &str, name: &str) -> Option<&Arc<Service>> {
        let mut all: Vec<_> = self.directory.services().collect();
        all.sort_by(|a, b| a.key.cmp(&b.key));
        let by_host = |service: &&&Arc<Service>| &*service.key.hostname == name;
        let by_name = |service: &&&Arc<Service>| {
            let host: &str = &service.key.hostname;
            &*service.key.namespace == namespace
                && (&*service.name == name || host.split('.').next() == Some(name))
        };
        let short = |service: &&&Arc<Service>| {
            let host: &str = &service.key.hostname;
            host.strip_prefix(name)
                .is_some_and(|rest| rest.starts_with(".svc.") || rest.starts_with('.') && name.contains('.'))
        };
        all.iter()
            .find(by_name)
            .or_else(|| all.iter().find(by_host))
            .or_else(|| all.iter().find(short))
            .copied()
    }

    /// What DNS would say; of a service without an address of its own, an endpoint's.
    fn address(
        &self,
        service: &Service,
        port: u16,
        unreadable: impl Fn(&'static str) -> ExplainError,
    ) -> Result<SocketAddr, ExplainError> {
        if let Some((_, ip)) = service.vips.first() {
            return Ok(SocketAddr::new(*ip, port));
        }
        let endpoint = self.directory.endpoints(&service.key).find_map(|workload| {
            let target = workload.services.get(&service.key)?.iter().find(|row| row.service_port == port);
            Some(SocketAddr::new(*workload.addresses.first()?, target.map_or(port, |row| row.target_port)))
        });
        endpoint.ok_or_else(|| unreadable("the service has neither an address nor an endpoint"))
    }
}
