//! bind() and listen() as an application's start or restart does them.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use serde_json::json;

use crate::dial;
use crate::serve::Listen;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Address to bind.
    #[arg(long)]
    at: SocketAddr,
    /// How many sockets to bind at once; with port 0 all ports must differ.
    #[arg(long, default_value_t = 1)]
    count: usize,
    #[command(flatten)]
    listen: Listen,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let (mut sockets, mut bind, mut listen) = (Vec::new(), None, None);
    let mut ports = BTreeSet::new();
    for _ in 0..args.count {
        match args.listen.bound(args.at) {
            Ok(socket) => {
                ports.extend(socket.local_addr()?.as_socket().map(|address| address.port()));
                if let Err(error) = socket.listen(args.listen.backlog) {
                    listen = Some(dial::name(&error));
                }
                sockets.push(socket);
            }
            Err(error) => bind = Some(dial::name(&error)),
        }
    }
    println!("{}", json!({ "bind": bind, "listen": listen, "ports": ports.len() }));
    Ok(())
}
