//! What the documents tell people to type is there: commands, flags, files.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::cluster::weir;

/// Repository's documents for users, with their texts.
fn documents() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
    let mut files: Vec<_> =
        std::fs::read_dir(root.join("docs")).unwrap().map(|file| file.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|end| end == "md"));
    files.extend(
        ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "deploy/README.md"].map(|name| root.join(name)),
    );
    files.into_iter().map(|file| (file.clone(), std::fs::read_to_string(&file).unwrap())).collect()
}

/// Pieces of code: what stands between backquotes, and the lines of blocks.
fn code(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut block = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            block = !block;
        } else if block {
            found.push(line.split(" #").next().unwrap().trim().to_owned());
        } else {
            found.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    found
}

/// Words of a command line of `weir`, up to what is another command's. Values in quotes are one word.
fn words(line: &str) -> Option<Vec<String>> {
    let line = line.trim_start_matches("target/release/").strip_prefix("weir ")?;
    let line = line.split(['|', '&', ';', '>']).next().unwrap();
    let mut words = vec![String::new()];
    let mut quote = None;
    for letter in line.chars() {
        match (letter, quote) {
            (mark @ ('\'' | '"'), None) => quote = Some(mark),
            (mark, Some(open)) if mark == open => quote = None,
            (' ', None) => words.push(String::new()),
            (letter, _) => words.last_mut().unwrap().push(letter),
        }
    }
    words.retain(|word| !word.is_empty() && word != "\\");
    Some(words)
}

#[test]
fn every_command_that_a_document_shows_is_one() {
    let mut tried = BTreeSet::new();
    for (file, text) in documents() {
        for line in code(&text) {
            let Some(words) = words(&line) else { continue };
            // The command and its flags; what people put in the place of NAME is theirs.
            let verbs = words.iter().take_while(|word| {
                word.chars().all(|c| c.is_ascii_lowercase() || c == '-') && !word.starts_with('-')
            });
            let verbs: Vec<_> = verbs.take(2).map(String::as_str).collect();
            let help = |verbs: &[&str]| {
                let answer = weir(&[verbs, &["--help"]].concat());
                (answer.code == 0).then_some(answer.out)
            };
            let help = help(&verbs).or_else(|| help(verbs.get(..1).unwrap_or_default()));
            let help = help.unwrap_or_else(|| panic!("{}: there is no command `{line}`", file.display()));
            for flag in words.iter().filter(|word| word.starts_with('-') && word.len() > 1) {
                let flag = flag.split('=').next().unwrap();
                let is_there = help.split([' ', ',', '\n', '[', '=']).any(|word| word == flag);
                assert!(is_there, "{}: `{line}`: no flag {flag}\n{help}", file.display());
            }
            tried.insert(verbs.join(" "));
        }
    }
    assert!(tried.len() > 15, "{tried:?}");
}

#[test]
fn every_file_that_a_document_names_is_there() {
    let mut seen = 0;
    for (file, text) in documents() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let links =
            text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link.to_owned());
        let names = code(&text).into_iter().filter(|name| {
            let first = name.split('/').next().unwrap();
            name.contains('/')
                && ["docs", "deploy", "agent", "tests", "xtask", "proto", "ebpf"].contains(&first)
                && !name.contains(['{', '*', ' ', '<'])
        });
        for name in links.filter(|link| !link.contains("://") && !link.starts_with('#')).chain(names) {
            let name = name.split('#').next().unwrap().trim_end_matches(['.', ',', ';']);
            let beside = file.parent().unwrap().join(name);
            assert!(
                root.join(name).exists() || beside.exists(),
                "{} names {name}, which is not there",
                file.display()
            );
            seen += 1;
        }
    }
    assert!(seen > 50, "{seen}");
}

/// Metrics by the names under which somebody registers them.
#[test]
fn every_metric_that_a_document_names_is_registered() {
    let mut source = String::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    read(&root, &mut source);
    for (file, text) in documents() {
        for word in text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')) {
            let Some(rest) = word.strip_prefix("weir_").or_else(|| word.strip_prefix("istio_")) else {
                continue;
            };
            // Names of crates, programs and policies of our own, and what is said of a family.
            let is_metric = rest.ends_with("_total")
                || ["weir_pods", "weir_discovery", "weir_cni", "weir_xds", "weir_source", "weir_index"]
                    .iter()
                    .any(|family| word.starts_with(family));
            if !is_metric || word.ends_with('_') {
                continue;
            }
            let name = word.trim_end_matches("_total");
            let tail = ["weir_discovery_", "weir_xds_"].iter().find_map(|prefix| name.strip_prefix(prefix));
            let is_there =
                std::iter::once(name).chain(tail).any(|name| source.contains(&format!("\"{name}\"")));
            assert!(is_there, "{} names {word}, which nobody registers", file.display());
        }
    }
}

fn read(directory: &Path, into: &mut String) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(&path, into);
        } else if path.extension().is_some_and(|end| end == "rs") {
            into.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
}
