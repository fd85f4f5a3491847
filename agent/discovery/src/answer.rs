//! What a response is answered with.

use weir_proto::discovery::DeltaDiscoveryRequest;
use weir_proto::google::rpc::Status;

/// An acknowledgement, or a refusal that says what was `refused` and why.
pub(crate) fn answer(type_url: String, response_nonce: String, refused: &[String]) -> DeltaDiscoveryRequest {
    let error_detail = (!refused.is_empty()).then(|| refusal(refused));
    DeltaDiscoveryRequest { type_url, response_nonce, error_detail, ..DeltaDiscoveryRequest::default() }
}

/// The code stays 0, as control planes expect of a refusal; they log the message.
fn refusal(refused: &[String]) -> Status {
    let mut message = refused.iter().take(MOST_SAID).cloned().collect::<Vec<_>>().join("; ");
    if refused.len() > MOST_SAID {
        message.push_str(&format!("; and {} more", refused.len() - MOST_SAID));
    }
    Status { message, ..Status::default() }
}

/// Reasons that fit a line of somebody's log.
const MOST_SAID: usize = 20;
