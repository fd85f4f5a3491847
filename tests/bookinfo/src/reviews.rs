//! What readers say.

use std::time::Duration;

use bytes::Bytes;
use clap::{Args, ValueEnum};
use http::{HeaderMap, Request, Response, Uri};
use http_body_util::Full;
use serde_json::{Value, json};

use crate::{answer, call};

/// Reviews, with the stars of ratings.
#[derive(Debug, Clone, Args)]
pub(crate) struct Reviews {
    /// Which version to be
    #[arg(long, default_value = "v1")]
    version: Version,
    /// The ratings service
    #[arg(long, default_value = "http://ratings:9080", value_name = "URL")]
    ratings: Uri,
    /// Name of this pod, for the answer
    #[arg(long, env = "HOSTNAME", default_value = "", value_name = "NAME")]
    pod: String,
}

/// What tells the versions apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Version {
    /// No stars
    V1,
    /// Black stars
    V2,
    /// Red stars
    V3,
}

impl Reviews {
    pub(crate) async fn handle<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        let Some(Ok(id)) = request.uri().path().strip_prefix("/reviews/").map(str::parse::<u32>) else {
            return answer::not_found();
        };
        let texts = [
            (
                "Reviewer1",
                "Entertaining from the first page to the last: one laughs, and one thinks about it after.",
            ),
            (
                "Reviewer2",
                "Fun, and light. Compared with the author's other plays it has a little less depth.",
            ),
        ];
        let ratings = self.ratings(id, request.headers()).await;
        let reviews: Vec<Value> = texts
            .iter()
            .map(|(reviewer, text)| match &ratings {
                None => json!({"reviewer": reviewer, "text": text}),
                Some(ratings) => json!({"reviewer": reviewer, "text": text, "rating": ratings(reviewer)}),
            })
            .collect();
        let version = format!("{:?}", self.version).to_lowercase();
        answer::json(
            &json!({"id": id.to_string(), "podname": self.pod, "version": version, "reviews": reviews}),
        )
    }

    /// What a reviewer's `rating` is; `None` for the version without.
    async fn ratings(&self, id: u32, headers: &HeaderMap) -> Option<impl Fn(&str) -> Value + use<>> {
        let color = match self.version {
            Version::V1 => return None,
            Version::V2 => "black",
            Version::V3 => "red",
        };
        let answer = call::get(&self.ratings, &format!("/ratings/{id}"), headers, PATIENCE).await;
        Some(move |reviewer: &str| match &answer {
            Ok(answer) => json!({"stars": answer["ratings"][reviewer], "color": color}),
            Err(_) => json!({"error": "Ratings service is currently unavailable"}),
        })
    }
}

/// Longer than productpage's: the classic bug that a made delay between reviews and ratings shows.
const PATIENCE: Duration = Duration::from_secs(10);
