//! What an archive is made of, without building a program.

use oci_spec::image::{Arch, ImageConfiguration, ImageIndex, ImageManifest};

use super::Source;
use super::archive;
use super::binaries::{Binary, Content};
use super::blob::digest;
use super::layer;
use super::platform::Platform;

fn source() -> Source {
    Source { revision: "0123456789".to_owned(), time: 1_700_000_000 }
}

fn image(arch: Arch, program: &[u8]) -> archive::Image {
    let platform = Platform { triple: "of-no-matter".to_owned(), arch };
    let binaries = [Binary { name: "weir-agent", bytes: program.to_vec() }];
    let layers = [
        layer::base(&source()).unwrap(),
        layer::programs(&binaries, &source()).unwrap(),
        layer::documents(b"{}", &source()).unwrap(),
    ];
    archive::image(Content::Mesh, &platform, layers, &source()).unwrap()
}

/// Path and content of each file of an archive.
fn files(path: &std::path::Path) -> std::collections::BTreeMap<String, Vec<u8>> {
    let mut tar = tar::Archive::new(std::fs::File::open(path).unwrap());
    tar.entries()
        .unwrap()
        .map(|entry| {
            let mut entry = entry.unwrap();
            let name = entry.path().unwrap().display().to_string();
            let mut bytes = Vec::new();
            std::io::Read::read_to_end(&mut entry, &mut bytes).unwrap();
            (name, bytes)
        })
        .collect()
}

fn blob(files: &std::collections::BTreeMap<String, Vec<u8>>, digest: &impl ToString) -> Vec<u8> {
    files[&format!("blobs/{}", digest.to_string().replacen(':', "/", 1))].clone()
}

#[test]
fn the_same_input_gives_the_same_file() {
    let folder = tempfile::tempdir().unwrap();
    let [one, two] = ["one.tar", "two.tar"].map(|name| folder.path().join(name));
    for out in [&one, &two] {
        archive::write(out, "docker.io/library/weir:v1", vec![image(Arch::Amd64, b"program")], &source())
            .unwrap();
    }
    assert_eq!(std::fs::read(one).unwrap(), std::fs::read(two).unwrap());
}

#[test]
fn every_blob_has_the_digest_that_it_is_named_by() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("weir.tar");
    let images = vec![image(Arch::Amd64, b"for amd64"), image(Arch::ARM64, b"for arm64")];
    let known = archive::write(&out, "docker.io/library/weir:v1", images, &source()).unwrap();
    let files = files(&out);
    for (name, bytes) in files.iter().filter(|(name, _)| name.starts_with("blobs/")) {
        assert_eq!(format!("blobs/{}", digest(bytes).replacen(':', "/", 1)), *name);
    }
    let top = ImageIndex::from_reader(files["index.json"].as_slice()).unwrap();
    assert_eq!(top.manifests()[0].digest().to_string(), known);
    let list = ImageIndex::from_reader(blob(&files, top.manifests()[0].digest()).as_slice()).unwrap();
    let processors: Vec<String> =
        list.manifests().iter().map(|m| m.platform().as_ref().unwrap().architecture().to_string()).collect();
    assert_eq!(processors, ["amd64", "arm64"]);
}

#[test]
fn the_configuration_names_what_the_layers_hold() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("weir.tar");
    let known =
        archive::write(&out, "docker.io/library/weir:v1", vec![image(Arch::Amd64, b"program")], &source())
            .unwrap();
    let files = files(&out);
    let manifest = ImageManifest::from_reader(blob(&files, &known).as_slice()).unwrap();
    let config =
        ImageConfiguration::from_reader(blob(&files, manifest.config().digest()).as_slice()).unwrap();
    assert_eq!(config.config().as_ref().unwrap().user().as_deref(), Some("65532:65532"));
    for (layer, expected) in manifest.layers().iter().zip(config.rootfs().diff_ids()) {
        let packed = blob(&files, layer.digest());
        let mut plain = Vec::new();
        std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(packed.as_slice()), &mut plain).unwrap();
        assert_eq!(digest(&plain), *expected);
    }
}
