//! A set of service accounts.

use serde::Serialize;

/// A service account of a namespace, in any trust domain.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceAccountMatch {
    /// Kubernetes namespace.
    pub namespace: Box<str>,
    /// Kubernetes service account.
    pub service_account: Box<str>,
}

/// A set of service accounts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Accounts(Box<[ServiceAccountMatch]>);

impl Accounts {
    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the account is in it.
    pub fn contains(&self, namespace: &str, service_account: &str) -> bool {
        let order = |one: &ServiceAccountMatch| {
            (&*one.namespace, &*one.service_account).cmp(&(namespace, service_account))
        };
        self.0.binary_search_by(order).is_ok()
    }

    /// The accounts, in order.
    pub fn iter(&self) -> impl Iterator<Item = &ServiceAccountMatch> {
        self.0.iter()
    }
}

impl FromIterator<ServiceAccountMatch> for Accounts {
    fn from_iter<I: IntoIterator<Item = ServiceAccountMatch>>(accounts: I) -> Self {
        let mut accounts: Vec<_> = accounts.into_iter().collect();
        accounts.sort_unstable();
        accounts.dedup();
        Self(accounts.into())
    }
}
