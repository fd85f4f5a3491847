//! The bill of materials: every crate that is in a program of the image (CycloneDX 1.5).

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package, PackageId};
use cyclonedx_bom::models::component::{Classification, Component, Components};
use cyclonedx_bom::models::dependency::{Dependencies, Dependency};
use cyclonedx_bom::models::hash::{Hash, HashAlgorithm, HashValue, Hashes};
use cyclonedx_bom::models::license::{LicenseChoice, Licenses};
use cyclonedx_bom::models::metadata::Metadata as About;
use cyclonedx_bom::prelude::{Bom, DateTime, NormalizedString, Purl, SpdxExpression};

use super::Source;
use super::binaries::Content;
use super::platform::Platform;
use crate::shell;

/// The bill as JSON. It has neither a serial number nor a time of its own: it would differ from build to build.
pub(super) fn make(content: Content, platforms: &[Platform], source: &Source) -> Result<Vec<u8>> {
    let metadata = metadata(platforms)?;
    let sums = checksums()?;
    let used = used(content, &metadata)?;
    let packages: BTreeMap<&PackageId, &Package> =
        metadata.packages.iter().filter(|p| used.contains_key(&p.id)).map(|p| (&p.id, p)).collect();
    let mut named: Vec<&&Package> = packages.values().collect();
    named.sort_by_key(|package| (package.name.as_str(), &package.version));
    let bom = Bom {
        serial_number: None,
        metadata: Some(about(content, source)?),
        components: Some(Components(
            named.iter().map(|package| component(package, &sums)).collect::<Result<Vec<_>>>()?,
        )),
        dependencies: Some(Dependencies(
            named
                .iter()
                .map(|package| Dependency {
                    dependency_ref: reference(package),
                    dependencies: used[&package.id]
                        .iter()
                        .map(|id| reference(packages[id]))
                        .collect::<BTreeSet<_>>()
                        .into_iter()
                        .collect(),
                })
                .collect(),
        )),
        ..Bom::default()
    };
    let mut json = Vec::new();
    bom.output_as_json_v1_5(&mut json).context("cannot write the bill of materials")?;
    Ok(json)
}

fn metadata(platforms: &[Platform]) -> Result<Metadata> {
    let mut command = MetadataCommand::new();
    command.current_dir(shell::root());
    let mut options = vec!["--locked".to_owned()];
    for platform in platforms {
        options.extend(["--filter-platform".to_owned(), platform.triple.clone()]);
    }
    command.other_options(options);
    command.exec().context("cargo metadata")
}

/// What the programs are linked from, and what each of these is linked from: no build scripts, no tests.
fn used(content: Content, metadata: &Metadata) -> Result<BTreeMap<&PackageId, Vec<&PackageId>>> {
    let resolve = metadata.resolve.as_ref().context("cargo metadata has no graph")?;
    let edges: BTreeMap<&PackageId, Vec<&PackageId>> = resolve
        .nodes
        .iter()
        .map(|node| {
            let normal = node.deps.iter().filter(|dependency| {
                dependency.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal)
            });
            (&node.id, normal.map(|dependency| &dependency.pkg).collect())
        })
        .collect();
    let mut found = BTreeMap::new();
    let mut open: Vec<&PackageId> = metadata
        .workspace_packages()
        .into_iter()
        .filter(|package| content.packages().any(|name| name == package.name.as_str()))
        .map(|package| &package.id)
        .collect();
    while let Some(id) = open.pop() {
        if found.contains_key(id) {
            continue;
        }
        let next = edges.get(id).cloned().unwrap_or_default();
        open.extend(&next);
        found.insert(id, next);
    }
    Ok(found)
}

fn about(content: Content, source: &Source) -> Result<About> {
    let stamp = time::OffsetDateTime::from_unix_timestamp(i64::try_from(source.time)?)?
        .format(&time::format_description::well_known::Rfc3339)?;
    let title = content.title();
    let mut weir =
        Component::new(Classification::Container, title, env!("CARGO_PKG_VERSION"), Some(title.to_owned()));
    weir.description = Some(NormalizedString::new(&format!("commit {}", source.revision)));
    Ok(About {
        timestamp: Some(DateTime::try_from(stamp).context("a time that is none")?),
        component: Some(weir),
        ..About::default()
    })
}

fn component(package: &Package, sums: &BTreeMap<String, String>) -> Result<Component> {
    let version = package.version.to_string();
    let mut component =
        Component::new(Classification::Library, package.name.as_str(), &version, Some(reference(package)));
    component.purl = Some(Purl::new("cargo", package.name.as_str(), &version)?);
    if let Some(license) = &package.license {
        // Crates older than SPDX expressions write `MIT/Apache-2.0`.
        let expression = SpdxExpression::try_from(license.replace('/', " OR "));
        component.licenses = Some(Licenses(vec![match expression {
            Ok(expression) => LicenseChoice::Expression(expression),
            Err(_) => LicenseChoice::License(cyclonedx_bom::models::license::License::named_license(license)),
        }]));
    }
    component.hashes = sums
        .get(&reference(package))
        .map(|sum| Hashes(vec![Hash { alg: HashAlgorithm::SHA_256, content: HashValue(sum.clone()) }]));
    Ok(component)
}

fn reference(package: &Package) -> String {
    format!("{}@{}", package.name, package.version)
}

/// What the lock file says that each crate's archive hashes to, by `name@version`.
fn checksums() -> Result<BTreeMap<String, String>> {
    let text = std::fs::read_to_string(shell::root().join("Cargo.lock")).context("cannot read Cargo.lock")?;
    let mut sums = BTreeMap::new();
    for entry in text.split("[[package]]") {
        let value = |key: &str| {
            entry.lines().find_map(|line| line.strip_prefix(&format!("{key} = \""))?.strip_suffix('"'))
        };
        if let (Some(name), Some(version), Some(sum)) = (value("name"), value("version"), value("checksum")) {
            sums.insert(format!("{name}@{version}"), sum.to_owned());
        }
    }
    Ok(sums)
}
