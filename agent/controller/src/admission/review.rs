//! An AdmissionReview, and the answer to it.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use weir_index::{Config, check, warnings};
use weir_resources::{Problem, kind_of, parse};

/// Why there is no answer to a review.
#[derive(Debug, thiserror::Error)]
pub enum Malformed {
    /// It cannot be read.
    #[error("the body is no AdmissionReview: {0}")]
    NotJson(#[from] serde_json::Error),
    /// It is something else.
    #[error("the body is {api_version:?} {kind:?}, not admission.k8s.io/v1 AdmissionReview")]
    NotAReview {
        /// Its `apiVersion`.
        api_version: String,
        /// Its `kind`.
        kind: String,
    },
    /// It has no object to look at, or no uid to answer to.
    #[error("the review has no {0}")]
    Missing(&'static str),
}

/// An answer, as it goes out, and whether it is a yes.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) body: Vec<u8>,
    pub(super) allowed: bool,
}

/// Answers a review.
///
/// # Errors
/// The review is none. The API server does as its failure policy says.
pub fn answer(body: &[u8], config: &Config) -> Result<Vec<u8>, Malformed> {
    judge(body, config).map(|answer| answer.body)
}

pub(super) fn judge(body: &[u8], config: &Config) -> Result<Answer, Malformed> {
    let review: Review = serde_json::from_slice(body)?;
    if review.api_version != API_VERSION || review.kind != KIND {
        return Err(Malformed::NotAReview { api_version: review.api_version, kind: review.kind });
    }
    let request = review.request.ok_or(Malformed::Missing("request"))?;
    if request.uid.is_empty() {
        return Err(Malformed::Missing("request.uid"));
    }
    let uid = request.uid.clone();
    let Judgement { problems, warnings } = request.judge(config)?;
    let allowed = problems.is_empty();
    let status = (!allowed).then(|| Status { code: 422, reason: "Invalid", message: join(&problems) });
    let warnings = warnings.iter().map(ToString::to_string).collect();
    let response = Response { uid, allowed, status, warnings };
    let body = serde_json::to_vec(&Answered { api_version: API_VERSION, kind: KIND, response })?;
    Ok(Answer { body, allowed })
}

/// At most so many values are in a JSON text; what looks like them inside strings counts, too.
pub(super) fn most_values(body: &[u8]) -> usize {
    1 + body.iter().filter(|byte| matches!(byte, b',' | b'[' | b'{')).count()
}

/// As in an object's status.
fn join(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

#[derive(Default)]
struct Judgement {
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
}

impl Request {
    fn judge(self, config: &Config) -> Result<Judgement, Malformed> {
        // A status is a controller's, and who deletes an object takes nothing worse into the mesh.
        if !self.sub_resource.is_empty() || !matches!(&*self.operation, "CREATE" | "UPDATE") {
            return Ok(Judgement::default());
        }
        let object = self.object.filter(|object| !object.is_null()).ok_or(Malformed::Missing("object"))?;
        // An object on its way out must be let go, whatever it holds: only its finalizers change.
        let leaving = object.pointer("/metadata/deletionTimestamp").is_some_and(|at| !at.is_null());
        if leaving || kind_of(&object).is_none() {
            return Ok(Judgement::default());
        }
        let object = named(object, &self.namespace, &self.name);
        Ok(match parse(object) {
            Ok(object) => Judgement { problems: check(&object, config), warnings: warnings(&object, config) },
            Err(invalid) => Judgement { problems: vec![invalid.problem], warnings: Vec::new() },
        })
    }
}

/// The object with the names that the API server knows or will make: an object that is created may have neither.
fn named(mut object: Value, namespace: &str, name: &str) -> Value {
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else { return object };
    if !namespace.is_empty() {
        metadata.entry("namespace").or_insert_with(|| namespace.into());
    }
    let generated = metadata.get("generateName").and_then(Value::as_str).map(|prefix| format!("{prefix}x"));
    let name = if name.is_empty() { generated } else { Some(name.to_owned()) };
    if let Some(name) = name {
        metadata.entry("name").or_insert_with(|| name.into());
    }
    object
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Review {
    #[serde(default)]
    api_version: String,
    #[serde(default)]
    kind: String,
    request: Option<Request>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    #[serde(default)]
    uid: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    operation: String,
    #[serde(default)]
    sub_resource: String,
    object: Option<Value>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answered {
    api_version: &'static str,
    kind: &'static str,
    response: Response,
}

#[derive(Serialize)]
struct Response {
    uid: String,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

#[derive(Serialize)]
struct Status {
    code: u16,
    reason: &'static str,
    message: String,
}

const API_VERSION: &str = "admission.k8s.io/v1";
const KIND: &str = "AdmissionReview";
