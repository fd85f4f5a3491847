//! Accept loops.

use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};

use super::ListenerKind;
use crate::io::context::{Context, PodContext};
use crate::io::tasks::Running;
use crate::io::{abort_on_close, inbound, outbound, plaintext};

/// Accepts until the worker drains.
pub(super) async fn accept(
    _running: Running,
    context: Rc<Context>,
    pod: Rc<PodContext>,
    kind: ListenerKind,
    listener: TcpListener,
) {
    let mut draining = pin!(context.draining.cancelled());
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut draining => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((socket, peer)) => {
                let options = SockRef::from(&socket);
                // Not inherited by what was in the queue before the listener came here.
                let _ = options.set_tcp_nodelay(true);
                if kind != ListenerKind::Hbone {
                    abort_on_close(options);
                }
                serve(&context, &pod, kind, socket, peer);
            }
            Err(error) if is_of_the_connection(&error) => {}
            // Shut down by its owner (accept(2): EINVAL, not listening): the interface or the pod is gone.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => return,
            Err(error) => {
                // Out of descriptors or memory: what is waiting stays in the kernel's queue.
                let uid = pod.pod.uid();
                tracing::warn!(pod = %uid, ?kind, %error, "cannot accept; trying again");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

fn serve(
    context: &Rc<Context>,
    pod: &Rc<PodContext>,
    kind: ListenerKind,
    socket: TcpStream,
    peer: std::net::SocketAddr,
) {
    let (context, owner) = (context.clone(), pod.clone());
    match kind {
        ListenerKind::Outbound => {
            pod.connections.spawn(move |running| outbound::serve(running, context, owner, socket, peer))
        }
        ListenerKind::Plaintext => {
            pod.connections.spawn(move |running| plaintext::serve(running, context, owner, socket, peer))
        }
        ListenerKind::Hbone => pod.services.spawn(move |running| async move {
            let _running = running;
            inbound::serve(context, owner, socket, peer).await;
        }),
    }
}

/// accept(2): errors that were waiting on the new socket are reported here.
fn is_of_the_connection(error: &io::Error) -> bool {
    use io::ErrorKind::*;
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionReset | ConnectionRefused | HostUnreachable | NetworkUnreachable
    )
}

const PAUSE: Duration = Duration::from_millis(50);
