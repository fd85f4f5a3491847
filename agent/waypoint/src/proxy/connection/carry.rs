//! One connection that is copied, from the decision where it goes to its line in the log.

use std::rc::Rc;

use bytes::BytesMut;

use super::between::{between, count_failed};
use super::refuse;
use super::undecided::{undecided, wait_for_client};
use crate::proxy::arrival::Settings;
use crate::proxy::choice::{Choice, Wish, choose};
use crate::proxy::report::{Account, Flags};
use crate::proxy::serve::Client;
use crate::proxy::wire::{Prefixed, Stream};
use crate::route::{Backend, ConnectionRouted, Target};

/// What is known of a connection that is to be copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Carried {
    Tcp,
    /// TLS that is passed through, with the name in the client's hello.
    Tls(Option<String>),
    /// The client has said nothing yet. If it says something that we know before the server speaks, it is served so.
    Undecided,
}

/// Carries a connection; `bytes` have been read from it already.
pub(crate) async fn carry(client: Rc<Client>, stream: Stream, bytes: BytesMut, what: Carried) {
    let settings = client.settings();
    let server_name = match &what {
        Carried::Tls(name) => name.clone(),
        Carried::Tcp | Carried::Undecided => None,
    };
    let ledger = Client::ledger_of(&client.worker, &client.arrival, server_name.clone());
    let mut account = Account::of_connection(&ledger);
    if let Err(denied) = settings.allow(&client.arrival, server_name.as_deref(), None) {
        if what == Carried::Undecided {
            // What may not pass as it is may still be HTTP, which may.
            account.unsaid();
            return wait_for_client(client, stream).await;
        }
        account.details = "rbac_access_denied";
        account.reason = Some(denied.to_string());
        return refuse(stream);
    }
    match server(&client, &settings, &what, &mut account).await {
        None => {
            count_failed(&client, &account);
            refuse(stream);
        }
        Some((server, choice)) if what == Carried::Undecided => {
            undecided(client, stream, server, choice, account).await;
        }
        Some((server, choice)) => {
            between(&client, Prefixed::put_back(bytes, stream), server, choice, account).await;
        }
    }
}

/// A connection to where the route says. `None`: the account knows why not.
async fn server(
    client: &Rc<Client>,
    settings: &Settings,
    what: &Carried,
    account: &mut Account,
) -> Option<(Stream, Choice)> {
    let arrival = &client.arrival;
    let port = settings.frontend.port(arrival.port)?;
    let (view, address) = (arrival.view(), arrival.destination.ip());
    let routed = match what {
        Carried::Tls(name) => match port.tls_route(name.as_deref(), address, &view) {
            ConnectionRouted::Own => port.tcp_route(address, &view),
            routed => routed,
        },
        Carried::Tcp | Carried::Undecided => port.tcp_route(address, &view),
    };
    match routed {
        ConnectionRouted::Refused => {
            account.flags |= Flags::NO_ROUTE;
            account.details = "filter_chain_not_found";
            None
        }
        ConnectionRouted::Own => connect(client, settings.own(arrival.port)?, account).await,
        ConnectionRouted::Route(route) => {
            account.route = Some(route.name.clone());
            let backend = route.backends.pick(client.worker.random());
            let Some(backend) = backend else {
                account.flags |= Flags::NO_CLUSTER;
                return None;
            };
            connect(client, backend, account).await
        }
    }
}

async fn connect(client: &Rc<Client>, backend: &Backend, account: &mut Account) -> Option<(Stream, Choice)> {
    let backend = match &backend.target {
        Target::Service(backend) => backend,
        Target::Unavailable { reason, .. } => {
            account.flags |= Flags::NO_CLUSTER;
            account.reason = Some(reason.to_string());
            return None;
        }
    };
    let mut tried = Vec::new();
    for _ in 0..ATTEMPTS {
        let wish = Wish { tried: &tried, ..Wish::default() };
        let choice = match choose(client, backend, wish) {
            Ok(choice) => choice,
            Err(none) => {
                if tried.is_empty() {
                    account.flags |= none.flags();
                    account.details = none.details();
                }
                return None;
            }
        };
        account.chose(&choice);
        match choice.connect(&client.worker).await {
            Ok(stream) => return Some((stream, choice)),
            Err(error) => {
                account.flags |= Flags::UPSTREAM_CONNECT_FAILURE;
                account.reason = Some(error.to_string());
                tried.push(choice.endpoint().clone());
                choice.failed();
            }
        }
    }
    None
}

/// Endpoints that are tried for a connection.
const ATTEMPTS: usize = 3;
