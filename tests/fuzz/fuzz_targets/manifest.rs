//! What a user writes: Kubernetes objects in YAML. Each is taken or refused with a line of reasons, and what is
//! wrong has a place in the file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_resources::{documents, kind_of, locate, parse};

fuzz_target!(|text: &str| {
    for document in documents(text) {
        match document {
            Ok((line, value)) => {
                let kind = kind_of(&value);
                match parse(value) {
                    Ok(object) => {
                        assert_eq!(Some(object.kind()), kind);
                        assert!(!object.meta().name.is_empty() && !object.meta().name.contains('/'));
                    }
                    Err(invalid) => {
                        one_line(&invalid.to_string());
                        assert!(locate(text, line, &invalid.problem.field).is_some());
                    }
                }
            }
            Err(problem) => one_line(&problem.to_string()),
        }
    }
});

fn one_line(said: &str) {
    assert!(!said.contains(char::is_control) && said.chars().count() < 1500, "{said:?}");
}
