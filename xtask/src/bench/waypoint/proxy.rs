//! The proxies: what each program is told, and how it is started.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use clap::ValueEnum;
use weir_harness::{Pod, Process};

use super::super::plane::Placement;
use super::configs;
use super::rows::Routes;

/// A proxy under test; the first is what the others are compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Kind {
    Nginx,
    Haproxy,
    Envoy,
    Weir,
}

/// A proxy and where its program is.
#[derive(Clone, Debug)]
pub(super) struct Program {
    pub(super) kind: Kind,
    pub(super) path: PathBuf,
}

/// What a proxy is to do.
pub(super) struct Task<'a> {
    pub(super) routes: u32,
    /// Of HTTP/1.1; of HTTP/2, where a port can have one of them only, is [`HTTP2`] more.
    pub(super) port: u16,
    /// Where requests go.
    pub(super) origin: String,
    /// For configurations.
    pub(super) dir: &'a Path,
}

/// A running proxy.
pub(super) struct Proxy {
    pub(super) kind: Kind,
    pub(super) routes: Routes,
    port: u16,
    process: Process,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
            Self::Envoy => "envoy",
            Self::Weir => "weir",
        }
    }
}

impl Program {
    /// Starts it in a pod, one worker on the server's processor, and waits until it listens.
    pub(super) fn start(
        &self,
        pod: &Pod,
        placement: Placement,
        routes: Routes,
        task: &Task<'_>,
    ) -> Result<Proxy> {
        let arguments = match self.kind {
            Kind::Nginx => configs::nginx(task),
            Kind::Haproxy => configs::haproxy(task),
            Kind::Envoy => configs::envoy(task),
            Kind::Weir => Ok(configs::weir(task)),
        }?;
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let (program, arguments) = placement.server_command(&self.path.to_string_lossy(), &arguments);
        let process = pod.spawn(&program, &arguments)?;
        pod.wait_listening(task.port).with_context(|| process.log())?;
        Ok(Proxy { kind: self.kind, routes, port: task.port, process })
    }

    /// What it says of itself; the name alone if it says nothing.
    pub(super) fn version(&self) -> String {
        let flag = if self.kind == Kind::Envoy { "--version" } else { "-v" };
        let output = match self.kind {
            Kind::Weir => return format!("weir {}", env!("CARGO_PKG_VERSION")),
            _ => Command::new(&self.path).arg(flag).output(),
        };
        // nginx says it on stderr.
        let said = output.map(|output| [output.stdout, output.stderr].concat()).unwrap_or_default();
        let said = String::from_utf8_lossy(&said);
        let line = said.lines().map(str::trim).find(|line| !line.is_empty());
        line.unwrap_or(self.kind.name()).to_owned()
    }
}

impl Proxy {
    pub(super) fn pid(&self) -> u32 {
        self.process.pid()
    }

    pub(super) fn http1_port(&self) -> u16 {
        self.port
    }

    pub(super) fn http2_port(&self) -> u16 {
        match self.kind {
            Kind::Nginx | Kind::Haproxy => self.port + HTTP2,
            Kind::Envoy | Kind::Weir => self.port,
        }
    }
}

/// From a port of HTTP/1.1 to that of HTTP/2.
pub(super) const HTTP2: u16 = 1000;
