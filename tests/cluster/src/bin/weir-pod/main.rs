//! What runs in the pods of the suite, one program for all that they do: the image has nothing else in it, not even a shell.
//!
//! It prints JSON ([`weir_cluster::said`]).
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;

mod ask;
mod client;
mod grpc;
mod load;
mod node;
mod serve;

/// A program for pods of tests
#[derive(Parser)]
#[command(name = "weir-pod", version)]
enum Verb {
    /// Answer HTTP, TCP and gRPC's question for health
    Serve(serve::Serve),
    /// Ask a page, on a new connection each time; fails if an answer is not a success
    Ask(ask::Ask),
    /// Ask a page again and again, on a new connection each time, until somebody ends the program
    Load(load::Load),
    /// Tell what is on the node, as seen from its own namespaces
    NodeState(node::NodeState),
}

#[tokio::main]
async fn main() -> ExitCode {
    let end = match Verb::parse() {
        Verb::Serve(serve) => serve.run().await,
        Verb::Ask(ask) => ask.run().await,
        Verb::Load(load) => load.run().await,
        Verb::NodeState(node) => node.run(),
    };
    match end {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("weir-pod: {error:#}");
            ExitCode::FAILURE
        }
    }
}
