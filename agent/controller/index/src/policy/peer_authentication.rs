//! A PeerAuthentication, read.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use weir_resources::{Labels, Policy, Problem};

use super::finding::{Findings, Severity};
use super::mode::Mode;
use super::path::Path;
use super::read::{self, Unknown};
use super::{selector, value};
use crate::Config;

/// What a PeerAuthentication asks for. Where it cannot be told, it asks for mTLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PeerAuthentication {
    pub(super) level: Level,
    pub(super) mode: Mode,
    /// Ports of the workloads with a mode of their own.
    pub(super) ports: BTreeMap<u16, Mode>,
    pub(super) findings: Findings,
}

/// What it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Level {
    /// Its namespace, or in the root namespace the mesh, as far as nothing more special speaks.
    Namespace,
    /// The workloads that it selects.
    Workloads(Labels),
    /// There is no telling whom it was for, and it may ask for mTLS: it does, of all of its namespace (of the mesh, in the
    /// root namespace), whatever else says.
    Forced,
    /// Nobody.
    Nobody,
}

/// Reads a PeerAuthentication.
pub(super) fn read(policy: &Policy, config: &Config) -> PeerAuthentication {
    let mut findings = Findings::default();
    let root = Path::root("spec");
    let empty = Map::new();
    let spec = match &policy.spec {
        Value::Null => Ok(&empty),
        spec => read::object(spec, &root, &mut findings),
    };
    let broken = spec.is_err();
    let mut reading = Reading { findings, broken, mode: Mode::Unset, ports: BTreeMap::new() };
    let selector = reading.read(spec.unwrap_or(&empty), &root);
    reading.finish(selector, policy.meta.namespace == config.root_namespace)
}

struct Reading {
    findings: Findings,
    /// Something is there that may ask for mTLS where nothing that was read does.
    broken: bool,
    mode: Mode,
    ports: BTreeMap<u16, Mode>,
}

impl Reading {
    fn read(&mut self, spec: &Map<String, Value>, root: &Path<'_>) -> Result<Labels, Unknown> {
        let mut selector = Ok(Labels::default());
        let mut misspelled = false;
        for (name, value) in spec {
            let at = root.field(name);
            match name.as_str() {
                "selector" => selector = selector::read(value, &at, &mut self.findings),
                "mtls" => self.mode = Mode::read(value, &at, &mut self.findings),
                "portLevelMtls" => self.ports(value, &at),
                _ => {
                    read::unknown_field(&at, &mut self.findings);
                    (self.broken, misspelled) = (true, true);
                }
            }
        }
        match selector {
            // What is misspelled may be the selector.
            Ok(labels) if labels.is_empty() && misspelled => Err(Unknown),
            _ if self.broken && spec.is_empty() => Err(Unknown),
            selector => selector,
        }
    }

    fn ports(&mut self, value: &Value, path: &Path<'_>) {
        let Ok(ports) = read::object(value, path, &mut self.findings) else {
            self.broken = true;
            return;
        };
        for (port, mode) in ports {
            let at = path.field(port);
            let mode = Mode::read(mode, &at, &mut self.findings);
            match value::port(port) {
                // Twice the same port (80 and 080): the stricter counts.
                Ok(port) => {
                    let known = self.ports.entry(port as u16).or_insert(mode);
                    *known = known.stricter(mode);
                }
                Err(message) => {
                    self.findings.add(Severity::Invalid, at, message);
                    // An exception for no port is none; a port that must be strict may be any.
                    self.broken |= mode == Mode::Strict;
                }
            }
        }
    }

    fn finish(mut self, selector: Result<Labels, Unknown>, is_root: bool) -> PeerAuthentication {
        let asks_for_ports = self.ports.values().any(|mode| *mode == Mode::Strict);
        let level = match selector {
            Ok(labels) if !labels.is_empty() && is_root => {
                let message = "is in the root namespace, where Istio knows only what is for the whole mesh";
                self.findings.add(Severity::Unsupported, "spec.selector", message);
                Level::Nobody
            }
            Ok(labels) if !labels.is_empty() => Level::Workloads(labels),
            Ok(_) => {
                if !self.ports.is_empty() {
                    let message = "needs a selector with labels: ports are those of a workload";
                    self.findings.add(Severity::Invalid, "spec.portLevelMtls", message);
                    self.broken |= asks_for_ports;
                    self.ports.clear();
                }
                Level::Namespace
            }
            Err(_) if self.broken || self.mode == Mode::Strict || asks_for_ports => Level::Forced,
            Err(_) => Level::Nobody,
        };
        if self.broken {
            self.mode = Mode::Strict;
            self.ports.clear();
        }
        PeerAuthentication { level, mode: self.mode, ports: self.ports, findings: self.findings }
    }
}

impl PeerAuthentication {
    /// What stands for one of which nothing could be read.
    pub(super) fn unreadable(problem: &Problem) -> Self {
        let mut findings = Findings::default();
        findings.add(Severity::Invalid, &problem.field, &*problem.message);
        Self { level: Level::Forced, mode: Mode::Strict, ports: BTreeMap::new(), findings }
    }

    /// The selector of one for single workloads.
    pub(super) fn selector(&self) -> Option<&Labels> {
        match &self.level {
            Level::Workloads(labels) => Some(labels),
            Level::Namespace | Level::Forced | Level::Nobody => None,
        }
    }
}
