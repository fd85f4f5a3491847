//! What a runtime gives the CNI plugin on stdin, what comes over the agent's socket, and the node's list of plugins.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_cni::conflist::{Edit, entry, install, uninstall};
use weir_cni::message::{Answer, Question, line, parse};
use weir_cni::{Call, run};

fuzz_target!(|data: &[u8]| {
    for command in ["ADD", "DEL", "CHECK", "GC", "STATUS", "VERSION", "?"] {
        let environment = |name: &str| {
            Some(match name {
                "CNI_COMMAND" => command.to_owned(),
                "CNI_ARGS" => String::from_utf8_lossy(data).into_owned(),
                _ => "x".to_owned(),
            })
        };
        // Read, whatever it is; what could reach a socket is not run: the configuration names it.
        if Call::read(&environment, data).is_err() || command == "VERSION" {
            let outcome = run(&environment, Ok(data));
            assert!(outcome.code <= 1 && serde_json::from_str::<serde_json::Value>(&outcome.stdout).is_ok());
        }
    }
    if let Ok(question) = parse::<Question>(data) {
        assert_eq!(parse::<Question>(&line(&question).unwrap()).unwrap(), question);
    }
    let _ = parse::<Answer>(data);
    let Ok(text) = std::str::from_utf8(data) else { return };
    let ours = entry("/run/weir/cni.sock", &[]);
    if let Ok(Edit::Write(text) | Edit::Wrap(text)) = install(text, &ours) {
        // Once is enough, and what is put in can be taken out.
        assert_eq!(install(&text, &ours), Ok(Edit::Nothing));
        assert!(uninstall(&text).unwrap().is_some());
    }
});
