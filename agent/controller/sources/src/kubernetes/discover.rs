//! In which version the API serves a kind, if at all.

use kube::Client;
use kube::core::ApiResource;
use weir_resources::Kind;

use super::ApiError;
use super::error::call;

/// A kind as it is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Served {
    /// Its names, in the version to use.
    pub(super) resource: ApiResource,
    /// Its status can be written.
    pub(super) has_status: bool,
}

/// Asks how a kind is served; `None`: it is not, and the API server is sure.
pub(super) async fn find(client: &Client, kind: Kind) -> Result<Option<Served>, ApiError> {
    if kind.group().is_empty() || kind.group() == "discovery.k8s.io" {
        return Ok(Some(built_in(kind)));
    }
    let groups = call("reading which API groups there are", client.list_api_groups()).await?;
    let group = groups.groups.into_iter().find(|group| group.name == kind.group());
    let served: Vec<String> = group.into_iter().flat_map(|group| group.versions).map(|v| v.version).collect();
    for version in kind.versions().iter().filter(|version| served.iter().any(|v| v == *version)) {
        let api = format!("{}/{version}", kind.group());
        let what = format!("reading what is in {api}");
        let list = match call(&what, client.list_api_group_resources(&api)).await {
            Ok(list) => list,
            // The group is listed, and goes away at this moment.
            Err(error) if error.code() == Some(404) => continue,
            Err(error) => return Err(error),
        };
        let has = |name: &str| list.resources.iter().any(|resource| resource.name == name);
        if has(kind.plural()) {
            let has_status = has(&format!("{}/status", kind.plural()));
            return Ok(Some(Served { resource: resource(kind, version), has_status }));
        }
    }
    be_sure(client).await.map(|()| None)
}

/// An API server that has just started serves custom kinds a moment later than its own. To take that moment for a cluster
/// without policies would open the mesh, so nothing is called absent until the server calls itself ready. One that does
/// not let us ask is believed.
async fn be_sure(client: &Client) -> Result<(), ApiError> {
    match call("asking whether the API server is ready", get_text(client, "/readyz")).await {
        Err(error) if !matches!(error.code(), Some(401 | 403 | 404)) => Err(error),
        _ => Ok(()),
    }
}

pub(super) fn built_in(kind: Kind) -> Served {
    let has_status = matches!(kind, Kind::Namespace | Kind::Node | Kind::Pod | Kind::Service);
    Served { resource: resource(kind, kind.versions()[0]), has_status }
}

fn resource(kind: Kind, version: &str) -> ApiResource {
    let group = kind.group();
    ApiResource {
        group: group.to_owned(),
        version: version.to_owned(),
        api_version: if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") },
        kind: kind.name().to_owned(),
        plural: kind.plural().to_owned(),
    }
}

/// GET of a path that is no resource.
async fn get_text(client: &Client, path: &str) -> Result<String, kube::Error> {
    let request = http::Request::get(path).body(Vec::new()).map_err(kube::Error::HttpError)?;
    client.request_text(request).await
}
