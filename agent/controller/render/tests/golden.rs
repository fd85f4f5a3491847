//! Files: `golden/x.yaml` (a Gateway, perhaps its GatewayClass and ConfigMaps) becomes what `golden/x.out` says.
//! `WEIR_BLESS=1 cargo test -p weir-render` writes the latter.
#![allow(clippy::unwrap_used, reason = "a failed unwrap in a test is a failed test")]

use std::fs;
use std::path::{Path, PathBuf};

use rstest::rstest;
use weir_render::{DEFAULTS_FOR_CLASS, Input, Overlay, Settings, parameters, render};
use weir_resources::{ConfigMap, Gateway, GatewayClass, Object, Problem, documents, parse};

#[rstest]
fn golden(#[files("tests/golden/*.yaml")] input: PathBuf) {
    let text = fs::read_to_string(&input).unwrap();
    let found = match made(&text) {
        Ok(documents) => documents.join("---\n"),
        Err(problem) => format!("refused: {problem}\n"),
    };
    check(&input.with_extension("out"), &found);
}

fn check(path: &Path, found: &str) {
    if std::env::var_os("WEIR_BLESS").is_some() {
        fs::write(path, found).unwrap();
    }
    let expected = fs::read_to_string(path).unwrap_or_default();
    assert!(expected == found, "{} says otherwise; this was found:\n{found}", path.display());
}

fn made(text: &str) -> Result<Vec<String>, Problem> {
    let (mut gateway, mut class, mut maps) =
        (Gateway::default(), None::<GatewayClass>, Vec::<ConfigMap>::new());
    for document in documents(text) {
        match parse(document.unwrap().1).unwrap() {
            Object::Gateway(one) => gateway = one,
            Object::GatewayClass(one) => class = Some(one),
            Object::ConfigMap(one) => maps.push(one),
            other => panic!("{:?} is not for here", other.kind()),
        }
    }
    let own = parameters(&gateway)?.unwrap_or_default();
    let of_class = |map: &&ConfigMap| map.meta.labels.get(DEFAULTS_FOR_CLASS) == Some(&gateway.class);
    let its_own = |map: &&ConfigMap| *map.meta.name == *own && map.meta.namespace == gateway.meta.namespace;
    let chosen = maps.iter().filter(of_class).chain(maps.iter().filter(its_own));
    let overlay = |map: &ConfigMap| Overlay {
        place: format!("ConfigMap {}/{}", map.meta.namespace, map.meta.name),
        data: map.data.clone(),
    };
    let overlays: Vec<Overlay> = chosen.map(overlay).collect();
    // Told by the first line of the file.
    let scaled = text.starts_with("# scaled");
    let settings = Settings {
        image: if text.starts_with("# no image") { String::new() } else { "example.com/weir:1".to_owned() },
        control: "https://weir-controller.weir-system.svc:15012".to_owned(),
        cluster_id: "Kubernetes".to_owned(),
    };
    let network = if text.starts_with("# network") { "east" } else { "" };
    let input = Input { gateway: &gateway, class: class.as_ref(), overlays: &overlays, network, scaled };
    let parts = render(&input, &settings)?;
    Ok(parts.into_iter().map(|part| serde_saphyr::to_string(&part.object).unwrap()).collect())
}
