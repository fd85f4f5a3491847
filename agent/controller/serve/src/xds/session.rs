//! One stream, without the stream: requests and pictures in, responses out.
//!
//! A client is brought from one picture to the next in rounds. A round sends new and changed policies first, then
//! workloads and services, then says which policies are gone, or are for single workloads and were for more. The order
//! is a matter of safety: a node proxy passes over the name of a policy that it does not know (Istio's ztunnel lets the
//! connection through), so no workload may name a policy before the client has it, and none may be taken away while a
//! workload still names it, or from one that does not name it yet. That is why everything in a round is from one picture,
//! and why a new picture waits for the end of the round.

use std::collections::VecDeque;
use std::sync::Arc;

use weir_proto::discovery::{DeltaDiscoveryRequest, DeltaDiscoveryResponse};

use super::node::{Node, shortened};
use super::response::Collection;
use super::subscription::{Asked, Subscription};
use super::{Refusal, XdsConfig};
use crate::auth::Caller;
use crate::connections::TypeInfo;
use crate::store::Published;

mod node_pods;
mod nonce;
mod typed;
mod waypoint;

use nonce::Nonces;
pub(crate) use typed::Push;
use typed::Typed;

/// The state of a stream.
pub(crate) struct Session {
    config: XdsConfig,
    caller: Caller,
    stream: u64,
    issued: u64,
    node: Option<Node>,
    typed: Vec<Typed>,
    /// Types that we do not have, to be answered with nothing.
    unknown: VecDeque<String>,
    /// The picture of the round that is not finished.
    round: Option<Arc<Published>>,
    impatient: bool,
    /// The node that the caller proved to be the agent of, or why it is none's.
    place: Result<Arc<str>, String>,
}

/// A response was refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Nack {
    pub(crate) label: &'static str,
    pub(crate) reason: String,
}

impl Session {
    pub(crate) fn new(caller: Caller, stream: u64, config: XdsConfig) -> Self {
        Self {
            config,
            caller,
            stream,
            issued: 0,
            node: None,
            typed: Vec::new(),
            unknown: VecDeque::new(),
            round: None,
            impatient: false,
            place: Err("it is not known where the caller is".to_owned()),
        }
    }

    /// Says which node the caller proved to be the agent of, or why it is none's.
    pub(crate) fn at(self, place: Result<Arc<str>, String>) -> Self {
        Self { place, ..self }
    }

    /// Takes a request. An error ends the stream.
    pub(crate) fn request(
        &mut self,
        request: &DeltaDiscoveryRequest,
        newest: &Arc<Published>,
    ) -> Result<Option<Nack>, Refusal> {
        let mut node = match &self.node {
            Some(node) => node.node_name.clone(),
            None => {
                let node = Node::admit(request.node.as_ref().ok_or(Refusal::NoNode)?, &self.caller)?;
                self.node.insert(node).node_name.clone()
            }
        };
        self.check(&Asked::of(request), &request.type_url)?;
        let Some(collection) = Collection::of(&request.type_url) else {
            self.answer_unknown(request);
            return Ok(None);
        };
        let inside;
        let mut asked = Asked::of(request);
        match collection {
            Collection::Layer7(_) => inside = self.by_name(request, collection, newest)?,
            Collection::NodePod => (node, inside) = self.of_its_node(request)?,
            Collection::Authorization | Collection::Address | Collection::Workload => {
                inside = DeltaDiscoveryRequest::default();
            }
        }
        if matches!(collection, Collection::Layer7(_) | Collection::NodePod) {
            asked = Asked::of(&inside);
        }
        // Answers are of the picture of the round they are part of: one that is under way, or else one that begins here.
        let now = self.round.clone().unwrap_or_else(|| newest.clone());
        let Some(typed) = self.typed.iter_mut().find(|typed| typed.collection == collection) else {
            // A nonce here is of another stream: the client comes from there and means a first request.
            let subscription = Subscription::open(collection, &asked, node, &now);
            self.typed.push(Typed { collection, subscription, nonces: Nonces::default() });
            self.typed.sort_by_key(|typed| typed.collection);
            self.round = Some(now);
            return Ok(None);
        };
        let nonce = &*request.response_nonce;
        let reason = request.error_detail.as_ref().map(|error| shortened(&error.message));
        let (is_ours, refused) = typed.nonces.take(nonce, self.stream, reason);
        // A client may ask in the same request in which it acknowledges, and responses may be on their way meanwhile:
        // names count with any nonce that this stream has given out, and a nonce from elsewhere makes the request void.
        if is_ours && !asked.is_empty() {
            typed.subscription.update(&asked, &now);
            self.round = Some(now);
            if typed.subscription.asked_here() > self.config.max_names {
                return Err(Refusal::ManyNames(self.config.max_names));
            }
        }
        Ok(refused.map(|reason| Nack { label: collection.label(), reason }))
    }

    /// The next response, if there is something to say.
    pub(crate) fn next(&mut self, newest: &Arc<Published>) -> Result<Option<Push>, Refusal> {
        if let Some(type_url) = self.unknown.pop_front() {
            return Ok(Some(self.empty(type_url, newest.position)));
        }
        if self.waits() {
            return Ok(None);
        }
        let now = self.round.clone().unwrap_or_else(|| newest.clone());
        if self.typed.iter().any(|typed| !typed.subscription.is_remembered(&now)) {
            return Err(Refusal::Behind);
        }
        if let Some(push) = self.advance(&now) {
            self.round = Some(now);
            return Ok(Some(push));
        }
        match self.round.take() {
            Some(_) if !Arc::ptr_eq(&now, newest) => self.next(newest),
            _ => Ok(None),
        }
    }

    /// Whether workloads wait for the client to ask for policies, as every node proxy does.
    pub(crate) fn waits(&self) -> bool {
        let has = |collection| self.typed.iter().any(|typed| typed.collection == collection);
        !self.impatient
            && self.node.as_ref().is_some_and(|node| node.is_node_proxy)
            && has(Collection::Address)
            && !has(Collection::Authorization)
    }

    /// Whether the client is to be sent a first response, of any size: it would take a part of one for all there is, and
    /// a node proxy that thinks it knows the mesh sends what it does not know past its tunnels.
    pub(crate) fn owes_first(&self) -> bool {
        let joins_parts = self.node.as_ref().is_some_and(|node| node.joins_parts);
        !joins_parts && !self.waits() && self.typed.iter().any(|typed| !typed.subscription.is_answered())
    }

    /// Whether the client has acknowledged, or refused, all that was sent.
    pub(crate) fn is_taken(&self) -> bool {
        self.typed.iter().all(|typed| typed.nonces.are_answered())
    }

    /// The client had its time to ask for policies.
    pub(crate) fn wait_no_longer(&mut self) {
        self.impatient = true;
    }

    /// The id of the client; empty before its first request.
    pub(crate) fn node_id(&self) -> &str {
        self.node.as_ref().map_or("", |node| &node.id)
    }

    /// For people who look.
    pub(crate) fn types(&self) -> Vec<TypeInfo> {
        self.typed.iter().map(Typed::info).collect()
    }

    fn check(&self, asked: &Asked<'_>, type_url: &str) -> Result<(), Refusal> {
        let longest = asked.longest().max(type_url.len());
        if longest > self.config.max_name {
            return Err(Refusal::LongName(longest));
        }
        let names = asked.subscribe.len().max(asked.unsubscribe.len());
        // What a client comes back with may be a whole mesh. But names that are much shorter than those of resources cost
        // a multiple of what they take on the wire; only those that were asked for can be that short.
        let brought = self.config.max_names + self.config.max_request / SHORTEST_HELD;
        for (count, most) in [(names, self.config.max_names), (asked.held.len(), brought)] {
            if count > most {
                return Err(Refusal::ManyNames(most));
            }
        }
        Ok(())
    }

    fn answer_unknown(&mut self, request: &DeltaDiscoveryRequest) {
        let is_question = request.response_nonce.is_empty() && request.error_detail.is_none();
        if is_question && self.unknown.len() < UNKNOWN {
            self.unknown.push_back(request.type_url.clone());
        }
    }

    /// Policies, then addresses, then the policies that are gone.
    fn advance(&mut self, now: &Published) -> Option<Push> {
        let joins_parts = self.node.as_ref().is_some_and(|node| node.joins_parts);
        let steps = self.typed.len() + 1;
        for step in 0..steps {
            let is_last = step + 1 == steps;
            let Some(typed) = self.typed.get_mut(if is_last { 0 } else { step }) else { continue };
            let is_whole = !joins_parts && !typed.subscription.is_answered();
            let budget = if is_whole { self.config.first_response } else { self.config.response };
            let removals = is_last || typed.collection != Collection::Authorization;
            if let Some(batch) = typed.subscription.next(now, budget, removals) {
                self.issued += 1;
                let nonce = nonce::nonce(now.position, self.stream, self.issued);
                typed.nonces.sent(&nonce, self.issued);
                return Some(typed::push(typed.collection, batch, nonce));
            }
        }
        None
    }

    fn empty(&mut self, type_url: String, position: u64) -> Push {
        self.issued += 1;
        let nonce = nonce::nonce(position, self.stream, self.issued);
        let response = DeltaDiscoveryResponse { type_url, nonce, ..DeltaDiscoveryResponse::default() };
        Push { response, label: "unknown", bytes: 0 }
    }
}

/// Bytes on the wire of a resource that is held, at least: its name, its version, and what is around them.
const SHORTEST_HELD: usize = 40;
/// Most unknown types that wait for their answer; a client has one or two that we do not know.
const UNKNOWN: usize = 16;
