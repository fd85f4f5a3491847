//! One worker's share of the listener.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Notify;
use weir_tunnel::gateway::Gateway;

use super::arrive::Door;

/// Accepts tunnels until it is told to stop.
pub(super) async fn accept(listener: TcpListener, gateway: Rc<Gateway>, door: Rc<Door>, stop: Rc<Notify>) {
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.notified() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((socket, client)) => {
                // A socket on which it cannot be set has gone.
                let _ = socket.set_nodelay(true);
                let (gateway, door) = (gateway.clone(), door.clone());
                tokio::task::spawn_local(async move {
                    gateway.serve(socket, client, move |stream| door.open(stream)).await;
                });
            }
            Err(error) if is_of_the_connection(&error) => {}
            Err(error) => {
                // Out of descriptors or memory: what is waiting stays in the kernel's queue.
                tracing::warn!(%error, "cannot accept tunnels; trying again");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// accept(2): errors that were waiting on the new socket are reported here.
fn is_of_the_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionAborted, ConnectionRefused, ConnectionReset, HostUnreachable, NetworkUnreachable,
    };
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionReset | ConnectionRefused | HostUnreachable | NetworkUnreachable
    )
}

const PAUSE: Duration = Duration::from_millis(50);
