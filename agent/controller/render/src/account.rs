//! The service account: who the waypoint is to its peers.

use serde_json::{Value, json};
use weir_resources::Gateway;

use crate::PartKind;
use crate::names::{Names, metadata};

pub(crate) fn account(gateway: &Gateway, names: &Names) -> Value {
    json!({
        "apiVersion": PartKind::ServiceAccount.api_version(), "kind": PartKind::ServiceAccount.name(),
        "metadata": metadata(gateway, &names.account),
    })
}
