//! Manifests, configurations and the archive around them (OCI image specification 1.1).

use std::collections::HashMap;
use std::path::Path;
use std::str::FromStr;

use anyhow::{Context, Result};
use oci_spec::image as oci;
use oci_spec::image::{Descriptor, MediaType};
use serde::Serialize;
use tar::{EntryType, Header};

use super::binaries::Content;
use super::layer::Layer;
use super::platform::Platform;
use super::{Blob, Source};

/// The image of one platform.
pub(super) struct Image {
    manifest: Descriptor,
    /// Everything that the manifest leads to, itself included.
    blobs: Vec<Blob>,
}

/// Joins layers into an image.
pub(super) fn image(
    content: Content,
    platform: &Platform,
    layers: [Layer; 3],
    source: &Source,
) -> Result<Image> {
    let config = Blob::new(json(&configuration(content, platform, &layers, source)?)?);
    let described = layers
        .iter()
        .map(|layer| descriptor(MediaType::ImageLayerGzip, &layer.blob))
        .collect::<Result<Vec<_>>>()?;
    let manifest = oci::ImageManifestBuilder::default()
        .schema_version(oci::SCHEMA_VERSION)
        .media_type(MediaType::ImageManifest)
        .config(descriptor(MediaType::ImageConfig, &config)?)
        .layers(described)
        .annotations(labels(content, source)?)
        .build()?;
    let blob = Blob::new(json(&manifest)?);
    let mut manifest = descriptor(MediaType::ImageManifest, &blob)?;
    manifest.set_platform(Some(
        oci::PlatformBuilder::default().os(oci::Os::Linux).architecture(platform.arch.clone()).build()?,
    ));
    let blobs = layers.into_iter().map(|layer| layer.blob).chain([config, blob]).collect();
    Ok(Image { manifest, blobs })
}

fn configuration(
    content: Content,
    platform: &Platform,
    layers: &[Layer],
    source: &Source,
) -> Result<oci::ImageConfiguration> {
    let created = timestamp(source)?;
    let process = oci::ConfigBuilder::default()
        // The agent's DaemonSet asks for root by itself; nobody else gets it.
        .user("65532:65532")
        .env(vec!["PATH=/usr/local/bin".to_owned()])
        .working_dir("/")
        .labels(labels(content, source)?)
        .build()?;
    let history = layers
        .iter()
        .map(|layer| oci::HistoryBuilder::default().created(created.clone()).created_by(layer.origin).build())
        .collect::<Result<Vec<_>, _>>()?;
    let content = oci::RootFsBuilder::default()
        .typ("layers")
        .diff_ids(layers.iter().map(|layer| layer.diff_id.clone()).collect::<Vec<_>>())
        .build()?;
    Ok(oci::ImageConfigurationBuilder::default()
        .created(created)
        .architecture(platform.arch.clone())
        .os(oci::Os::Linux)
        .config(process)
        .rootfs(content)
        .history(history)
        .build()?)
}

/// Writes the archive, and returns the digest that the image is known by.
pub(super) fn write(out: &Path, name: &str, images: Vec<Image>, source: &Source) -> Result<String> {
    let manifests: Vec<Descriptor> = images.iter().map(|image| image.manifest.clone()).collect();
    let mut blobs: Vec<Blob> = images.into_iter().flat_map(|image| image.blobs).collect();
    let mut root = match manifests.as_slice() {
        [only] => only.clone(),
        _ => {
            let blob = Blob::new(json(&index(manifests)?)?);
            let described = descriptor(MediaType::ImageIndex, &blob)?;
            blobs.push(blob);
            described
        }
    };
    let digest = root.digest().to_string();
    // containerd and kind read the first, podman and skopeo the second.
    root.set_annotations(Some(HashMap::from([
        ("io.containerd.image.name".to_owned(), name.to_owned()),
        ("org.opencontainers.image.ref.name".to_owned(), super::name::tag(name).to_owned()),
    ])));
    let mut entries = vec![
        ("oci-layout".to_owned(), br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec()),
        ("index.json".to_owned(), json(&index(vec![root])?)?),
    ];
    blobs.sort_by(|a, b| a.digest.cmp(&b.digest));
    // Two platforms share the layers that hold no program.
    blobs.dedup_by(|a, b| a.digest == b.digest);
    entries.extend(blobs.into_iter().map(|blob| (blob.path(), blob.bytes)));
    pack(out, entries, source)?;
    Ok(digest)
}

fn pack(out: &Path, entries: Vec<(String, Vec<u8>)>, source: &Source) -> Result<()> {
    // A reader of `out` sees the old archive or the new one.
    let partial = out.with_extension("partial");
    let file = std::fs::File::create(&partial).context("cannot make the file")?;
    let mut tar = tar::Builder::new(std::io::BufWriter::new(file));
    for (path, bytes) in entries {
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(0o644);
        header.set_mtime(source.time);
        header.set_size(bytes.len() as u64);
        tar.append_data(&mut header, &path, bytes.as_slice())
            .with_context(|| format!("cannot add {path}"))?;
    }
    let mut file = tar.into_inner().context("cannot end the archive")?;
    std::io::Write::flush(&mut file).context("cannot end the archive")?;
    std::fs::rename(&partial, out).context("cannot rename the archive")
}

fn index(manifests: Vec<Descriptor>) -> Result<oci::ImageIndex> {
    Ok(oci::ImageIndexBuilder::default()
        .schema_version(oci::SCHEMA_VERSION)
        .media_type(MediaType::ImageIndex)
        .manifests(manifests)
        .build()?)
}

fn descriptor(kind: MediaType, blob: &Blob) -> Result<Descriptor> {
    let digest = oci::Digest::from_str(&blob.digest)?;
    Ok(oci::DescriptorBuilder::default()
        .media_type(kind)
        .size(blob.bytes.len() as u64)
        .digest(digest)
        .build()?)
}

/// OCI's own annotation keys.
fn labels(content: Content, source: &Source) -> Result<HashMap<String, String>> {
    let pairs = [
        ("title", content.title().to_owned()),
        ("description", content.description().to_owned()),
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
        ("revision", source.revision.clone()),
        ("created", timestamp(source)?),
        ("licenses", "Apache-2.0".to_owned()),
    ];
    Ok(pairs.into_iter().map(|(key, value)| (format!("org.opencontainers.image.{key}"), value)).collect())
}

fn timestamp(source: &Source) -> Result<String> {
    let time = time::OffsetDateTime::from_unix_timestamp(i64::try_from(source.time)?)?;
    Ok(time.format(&time::format_description::well_known::Rfc3339)?)
}

/// JSON in one order: maps of the library have none of their own.
fn json(value: &impl Serialize) -> Result<Vec<u8>> {
    let mut value = serde_json::to_value(value)?;
    value.sort_all_objects();
    Ok(serde_json::to_vec(&value)?)
}
