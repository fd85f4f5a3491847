//! What the one door lets in.

use super::*;

fn settings(pairs: &[(&str, &str)]) -> Settings {
    let yaml: String = pairs.iter().map(|(name, value)| format!("{name}: {value:?}\n")).collect();
    serde_saphyr::from_str(&yaml).unwrap()
}

const REQUIRED: [(&str, &str); 4] =
    [("node", "a"), ("meshFile", "mesh.yaml"), ("caDir", "ca"), ("podsCgroup", "/sys/fs/cgroup/kubepods")];

fn build(flags: Settings, config: Option<String>) -> Result<Config, String> {
    Config::build(&RunOptions { config, settings: flags }).map_err(|problems| problems.to_string())
}

#[test]
fn defaults_are_those_of_the_help() {
    let config = build(settings(&REQUIRED), None).unwrap();
    assert_eq!(config.listen.admin.to_string(), "127.0.0.1:15000");
    assert_eq!(config.listen.metrics.to_string(), "[::]:15020");
    assert_eq!(config.drain, Duration::from_secs(5));
    assert!((2..=16).contains(&config.workers));
    assert!(!config.capture.leave_closed && config.capture.ebpf_log == 0);
}

#[test]
fn a_flag_wins_over_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("agent.yaml");
    std::fs::write(&path, "node: from-file\nworkers: 3\nleave: closed\n").unwrap();
    let config = build(settings(&REQUIRED), Some(path.display().to_string())).unwrap();
    assert_eq!((config.node.as_str(), config.workers, config.capture.leave_closed), ("a", 3, true));
}

#[test]
fn all_problems_are_said_at_once() {
    let wrong = [
        ("workers", "17"),
        ("admin", "15000"),
        ("drain", "5"),
        ("exclude", "10.0.0.0/33, 10.0.0.1, x"),
        ("leave", "ajar"),
        ("ebpfLog", "loud"),
        ("logFormat", "xml"),
    ];
    let text = build(settings(&wrong), Some("/does/not/exist".into())).unwrap_err();
    let expected = [
        "13 problems",
        "node: not set",
        "mesh-file: not set",
        "ca-dir: not set",
        "pods-cgroup: not set",
        "/does/not/exist",
        "workers: \"17\"",
        "admin: \"15000\"",
        "drain: \"5\"",
        "exclude: \"10.0.0.0/33\"",
        "exclude: \"x\"",
        "leave: \"ajar\"",
        "ebpf-log: \"loud\"",
        "log-format: \"xml\"",
    ];
    for part in expected {
        assert!(text.contains(part), "{part} is not in: {text}");
    }
}

#[test]
fn an_unknown_line_of_the_file_is_a_problem() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("agent.yaml");
    std::fs::write(&path, "wrokers: 3\n").unwrap();
    let text = build(settings(&REQUIRED), Some(path.display().to_string())).unwrap_err();
    assert!(text.contains("wrokers") && text.contains("agent.yaml"), "{text}");
}
