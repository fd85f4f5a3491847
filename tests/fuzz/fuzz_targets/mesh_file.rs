//! What a user writes: a mesh file. It is refused with a message of one line, or it is a mesh without two
//! workloads of one uid.
#![no_main]

use std::collections::HashSet;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use weir_discovery::{FileError, parse};

fuzz_target!(|text: &str| {
    match parse(Path::new("mesh.yaml"), text) {
        Ok(file) => {
            let uids: HashSet<_> = file.workloads.iter().map(|entry| &entry.workload.uid).collect();
            assert_eq!(uids.len(), file.workloads.len());
        }
        Err(error) => {
            assert!(!error.to_string().contains('\n'), "{error}");
            let FileError::Refused { problems, .. } = error else { panic!("nothing was read") };
            assert!(!problems.is_empty());
        }
    }
});
