//! `cargo xtask <verb>`: the only entry that people and CI use for anything beyond a plain `cargo build`.
//!
//! One verb, one file. Everything a verb tells on its way goes to stderr; stdout belongs to its result, so
//! that `--output json` can be piped.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod bench;
mod build_ebpf;
mod codegen;
mod demo;
mod deps;
mod image;
mod kind;
mod lint;
mod preflight;
mod release;
mod setup;
mod shell;
mod test;

/// The tasks of the Weir repository.
///
/// A new user needs two of them: `cargo xtask demo` and `cargo xtask test`. Each installs what it needs
/// (and says what), checks first whether this machine can run it, and cleans up behind itself.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    Demo(demo::DemoArgs),
    Test(test::TestArgs),
    Bench(bench::BenchArgs),
    Setup(setup::SetupArgs),
    Lint(lint::LintArgs),
    Deps(deps::DepsArgs),
    Image(image::ImageArgs),
    Kind(kind::KindArgs),
    BuildEbpf(build_ebpf::BuildEbpfArgs),
    /// Write the Rust code of the protobuf messages (proto/src/gen)
    Codegen {
        /// Write nothing; fail if the checked-in code is not what the .proto files say
        #[arg(long)]
        check: bool,
    },
}

fn main() -> ExitCode {
    let result = match Cli::parse().verb {
        Verb::Demo(args) => demo::run(&args),
        Verb::Test(args) => test::run(&args),
        Verb::Bench(args) => bench::run(&args),
        Verb::Setup(args) => setup::run(&args),
        Verb::Lint(args) => lint::run(&args),
        Verb::Deps(args) => deps::run(&args),
        Verb::Image(args) => image::run(&args),
        Verb::Kind(args) => kind::run(&args),
        Verb::BuildEbpf(args) => build_ebpf::run(&args),
        Verb::Codegen { check } => codegen::run(check),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
