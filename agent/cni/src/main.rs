//! `weir-cni`: called by the container runtime, with the call in the environment and the configuration on stdin.
#![forbid(unsafe_code)]

use std::io::{Read, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut stdin = Vec::new();
    // One byte more than may be: that it is too much is then said with the rest.
    let read = std::io::stdin().take(weir_cni::message::LONGEST as u64 + 1).read_to_end(&mut stdin);
    let environment = |name: &str| std::env::var(name).ok();
    let outcome = weir_cni::run(&environment, read.map(|_| stdin.as_slice()));
    // Who does not read the answer has ended.
    let _ = std::io::stdout().write_all(outcome.stdout.as_bytes());
    ExitCode::from(outcome.code)
}
