//! Pages of a process in a pod, through the API server: what its admin endpoint says needs no open port this way.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{Cluster, ClusterError};

/// A pod by its names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodRef {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl std::fmt::Display for PodRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "pod {}/{}", self.namespace, self.name)
    }
}

impl Cluster {
    /// `GET http://localhost:PORT/PATH` as if from inside the pod.
    ///
    /// # Errors
    /// It cannot be reached, or answers otherwise than with 200.
    pub async fn page(&self, pod: &PodRef, port: u16, path: &str) -> Result<Bytes, ClusterError> {
        let fail =
            |why: String| ClusterError::Page { pod: pod.to_string(), port, path: path.to_owned(), why };
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &pod.namespace);
        let page = async {
            let mut forwarder = api.portforward(&pod.name, &[port]).await.map_err(|e| e.to_string())?;
            let stream = forwarder.take_stream(port).ok_or("the API server forwards nothing")?;
            let problem = forwarder.take_error(port);
            // Whoever cannot be reached sends nothing and ends nothing: the node says so beside it.
            let problem = async {
                match problem {
                    Some(problem) => problem.await,
                    None => None,
                }
            };
            let page = tokio::select! {
                // First: that the stream ended is only what comes of it.
                biased;
                Some(why) = problem => Err(why),
                page = get(stream, "localhost", path) => page,
            };
            forwarder.abort();
            page
        };
        let page = tokio::time::timeout(LIMIT, page).await;
        page.unwrap_or_else(|_| Err(format!("no answer within {LIMIT:?}"))).map_err(fail)
    }
}

/// `GET http://ADDRESS/PATH`, directly.
///
/// # Errors
/// It cannot be reached, or answers otherwise than with 200.
pub async fn page_at(address: SocketAddr, path: &str) -> Result<Bytes, ClusterError> {
    let page = async {
        let stream = tokio::net::TcpStream::connect(address).await.map_err(|error| error.to_string())?;
        get(stream, &address.to_string(), path).await
    };
    let page = tokio::time::timeout(LIMIT, page).await;
    page.unwrap_or_else(|_| Err(format!("no answer within {LIMIT:?}"))).map_err(|why| ClusterError::Page {
        pod: address.ip().to_string(),
        port: address.port(),
        path: path.to_owned(),
        why,
    })
}

async fn get(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    host: &str,
    path: &str,
) -> Result<Bytes, String> {
    let text = |error: hyper::Error| error.to_string();
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(text)?;
    let connection = tokio::spawn(connection);
    let request = hyper::Request::get(path).header(hyper::header::HOST, host).body(Empty::<Bytes>::new());
    let answer = sender.send_request(request.map_err(|error| error.to_string())?).await.map_err(text)?;
    let status = answer.status();
    let body =
        Limited::new(answer.into_body(), MOST).collect().await.map_err(|error| error.to_string())?.to_bytes();
    connection.abort();
    if status.is_success() {
        return Ok(body);
    }
    let said = String::from_utf8_lossy(&body[..body.len().min(300)]).trim().to_owned();
    Err(format!("answered {status}: {said}"))
}

const LIMIT: Duration = Duration::from_secs(20);
/// A dump of a large mesh is some hundred megabytes at most.
const MOST: usize = 1 << 30;
