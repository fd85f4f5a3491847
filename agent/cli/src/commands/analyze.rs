//! `weir analyze`.

use std::path::PathBuf;

use clap::Args;
use weir_index::Config;

use super::{Error, print};
use crate::analyze::{self, CODES, Finding, Severity};
use crate::chart::Values;
use crate::cli::{Global, Outcome};
use crate::cluster::Cluster;
use crate::install::Inventory;
use crate::mesh::Mesh;
use crate::objects::Objects;
use crate::output::{self, Format};

/// Options of `weir analyze`.
#[derive(Args)]
#[command(
    after_help = "Without files the cluster is looked at. Exits with 2 if something is found that is as bad as --failure-threshold.\n\
An object's annotation galley.istio.io/analyze-suppress: \"IST0101,WEIR0011\" (or \"*\") keeps it from being told of.\n\n  \
weir analyze                       # the cluster\n  weir analyze shop/ policy.yaml      # files, as if they were all there is\n  weir analyze --list-codes"
)]
pub(crate) struct Analyze {
    /// Files and directories of YAML; - is standard input.
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Only objects of this namespace are told of.
    #[arg(long, short, value_name = "NAME")]
    namespace: Option<String>,
    /// Tell nothing that is less bad.
    #[arg(long, value_name = "SEVERITY", default_value = "info")]
    output_threshold: Severity,
    /// Exit with 2 from here on.
    #[arg(long, value_name = "SEVERITY", default_value = "error")]
    failure_threshold: Severity,
    /// Leave out a code, everywhere or for objects of the name (with * in it): CODE or CODE=KIND NAME. May be given several times.
    #[arg(long, short = 'S', value_name = "CODE[=RESOURCE]")]
    suppress: Vec<String>,
    /// List the codes, with what each means.
    #[arg(long, short = 'L')]
    list_codes: bool,
    /// table (lines), json or yaml.
    #[arg(long, short, default_value = "table", value_name = "FORMAT")]
    output: Format,
}

impl Analyze {
    pub(crate) async fn run(self, global: &Global) -> Result<Outcome, Error> {
        if self.list_codes {
            let rows = CODES.iter().map(|code| {
                [
                    code.code.to_owned(),
                    format!("{:?}", code.severity).to_lowercase(),
                    code.name.to_owned(),
                    code.about.to_owned(),
                ]
            });
            let people = || output::table(&["CODE", "SEVERITY", "NAME", "MEANING"], rows);
            print(&output::text(self.output, &CODES, people)?)?;
            return Ok(Outcome::Done);
        }
        let mut findings = if self.files.is_empty() {
            let cluster = global.cluster().await?;
            let config = config(&cluster, global).await?;
            let mut objects = Objects::of(&cluster).await?;
            let named = Mesh::of_cluster(&objects, config.clone()).index.wanted_secrets();
            objects.read_secrets(&cluster, named).await?;
            analyze::analyze(&objects, config, true).await?
        } else {
            let config =
                Config { root_namespace: global.mesh_namespace.as_str().into(), ..Config::default() };
            analyze::analyze(&Objects::read(&self.files)?, config, false).await?
        };
        let is_in = |finding: &Finding| {
            let Some(wanted) = &self.namespace else { return true };
            finding
                .object
                .as_ref()
                .is_some_and(|object| object.namespace == *wanted || object.name == *wanted)
        };
        let is_wanted = |finding: &Finding| {
            finding.severity <= self.output_threshold && is_in(finding) && !self.is_suppressed(finding)
        };
        findings.retain(is_wanted);
        let lines = || findings.iter().map(|finding| format!("{finding}\n")).collect::<String>();
        let people = || if findings.is_empty() { "nothing found\n".to_owned() } else { lines() };
        print(&output::text(self.output, &findings, people)?)?;
        let is_bad = findings.iter().any(|finding| finding.severity <= self.failure_threshold);
        Ok(if is_bad { Outcome::Found } else { Outcome::Done })
    }

    fn is_suppressed(&self, finding: &Finding) -> bool {
        self.suppress.iter().any(|text| match text.split_once('=') {
            None => text == finding.code,
            Some((code, resource)) => {
                let object = finding.object.as_ref().map(ToString::to_string).unwrap_or_default();
                code == finding.code && is_like(resource, &object)
            }
        })
    }
}

/// What the installation tells its controller.
pub(super) async fn config(cluster: &Cluster, global: &Global) -> Result<Config, Error> {
    let mut config = Config { root_namespace: global.mesh_namespace.as_str().into(), ..Config::default() };
    let Ok(Some(inventory)) = Inventory::read(cluster, &global.mesh_namespace).await else {
        return Ok(config);
    };
    let values = Values::checked(inventory.values)?;
    let text = |at: &str| values.as_json().pointer(at).and_then(serde_json::Value::as_str).map(Into::into);
    config.trust_domain = text("/mesh/trustDomain").unwrap_or(config.trust_domain);
    config.cluster_domain = text("/mesh/clusterDomain").unwrap_or(config.cluster_domain);
    config.cluster_id = text("/mesh/clusterId").unwrap_or(config.cluster_id);
    config.adopt_istio_classes = values.is_on("/mesh/adoptIstioClasses");
    config.waypoint_fallback_direct = values.is_on("/mesh/waypointFallbackDirect");
    Ok(config)
}

/// Whether a text is like a pattern, in which * stands for anything.
fn is_like(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => {
            let Some(tail) = text.strip_prefix(start) else { return false };
            (0..=tail.len()).any(|at| tail.is_char_boundary(at) && is_like(rest, &tail[at..]))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        assert!(is_like("Pod shop/*", "Pod shop/a"));
        assert!(is_like("*web*", "Service shop/web-1"));
        assert!(!is_like("Pod shop/*", "Pod other/a"));
        assert!(!is_like("Pod", "Pod shop/a"));
    }
}
