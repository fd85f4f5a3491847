//! The page that a reader sees.

use std::fmt::Write;
use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use clap::Args;
use http::header::{COOKIE, LOCATION, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::Full;
use serde_json::{Value, json};

use crate::{answer, call};

/// Joins the other services' answers.
#[derive(Debug, Clone, Args)]
pub(crate) struct Productpage {
    /// The details service
    #[arg(long, default_value = "http://details:9080", value_name = "URL")]
    details: Uri,
    /// The reviews service
    #[arg(long, default_value = "http://reviews:9080", value_name = "URL")]
    reviews: Uri,
    /// The ratings service
    #[arg(long, default_value = "http://ratings:9080", value_name = "URL")]
    ratings: Uri,
}

impl Productpage {
    pub(crate) async fn handle<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        let headers = with_user(request.headers());
        match request.uri().path() {
            "/" | "/productpage" => self.page(&headers).await,
            "/login" => log_in(request.uri().query().unwrap_or_default()),
            "/logout" => redirect("session=; Max-Age=0"),
            "/api/v1/products" => answer::json(&json!([{"id": 0, "title": TITLE}])),
            path => match path.strip_prefix("/api/v1/products/") {
                Some(rest) => self.api(rest, &headers).await,
                None => answer::not_found(),
            },
        }
    }

    async fn page(&self, headers: &HeaderMap) -> Response<Full<Bytes>> {
        let (details, reviews) = tokio::join!(self.details("0", headers), self.reviews("0", headers));
        answer::html(render(details.ok().as_ref(), reviews.ok().as_ref(), user(headers)))
    }

    async fn api(&self, rest: &str, headers: &HeaderMap) -> Response<Full<Bytes>> {
        let found = match rest.split_once('/') {
            None => self.details(rest, headers).await,
            Some((id, "reviews")) => self.reviews(id, headers).await,
            Some((id, "ratings")) => {
                call::get(&self.ratings, &format!("/ratings/{id}"), headers, PATIENCE).await
            }
            Some(_) => return answer::not_found(),
        };
        match found {
            Ok(value) => answer::json(&value),
            Err(error) => answer::error(StatusCode::SERVICE_UNAVAILABLE, &format!("{error:#}")),
        }
    }

    async fn details(&self, id: &str, headers: &HeaderMap) -> Result<Value> {
        call::get(&self.details, &format!("/details/{id}"), headers, PATIENCE).await
    }

    /// Twice, as everybody's productpage does.
    async fn reviews(&self, id: &str, headers: &HeaderMap) -> Result<Value> {
        let path = format!("/reviews/{id}");
        match call::get(&self.reviews, &path, headers, PATIENCE).await {
            Ok(value) => Ok(value),
            Err(_) => call::get(&self.reviews, &path, headers, PATIENCE).await,
        }
    }
}

/// With `end-user`, if a session says who it is.
fn with_user(headers: &HeaderMap) -> HeaderMap {
    let mut headers = headers.clone();
    let session = headers.get_all(COOKIE).iter().find_map(|cookies| {
        let mut cookies = cookies.to_str().ok()?.split(';');
        cookies.find_map(|cookie| cookie.trim().strip_prefix("session=").map(str::to_owned))
    });
    if let Some(user) = session.and_then(|user| HeaderValue::from_str(&user).ok()) {
        headers.insert("end-user", user);
    }
    headers
}

fn user(headers: &HeaderMap) -> Option<&str> {
    headers.get("end-user")?.to_str().ok()
}

fn log_in(query: &str) -> Response<Full<Bytes>> {
    let name = query.split('&').find_map(|pair| pair.strip_prefix("username="));
    match name.filter(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric())) {
        Some(name) => redirect(&format!("session={name}; HttpOnly; SameSite=Lax")),
        None => answer::error(StatusCode::BAD_REQUEST, "username is letters and digits"),
    }
}

fn redirect(cookie: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::FOUND;
    response.headers_mut().insert(LOCATION, HeaderValue::from_static("/productpage"));
    if let Ok(cookie) = HeaderValue::from_str(cookie) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    response
}

fn render(details: Option<&Value>, reviews: Option<&Value>, user: Option<&str>) -> String {
    let mut page = format!(
        "<!DOCTYPE html>\n<html>\n<head><title>Simple Bookstore App</title></head>\n<body>\n<h1>{TITLE}</h1>\n"
    );
    if let Some(user) = user {
        _ = writeln!(page, "<p>Logged in: {}</p>", escaped(user));
    }
    match details {
        Some(details) => {
            _ = writeln!(
                page,
                "<h2>Book Details</h2>\n<p>{}, {} pages</p>",
                text(&details["author"]),
                details["pages"]
            );
        }
        None => page.push_str("<h2>Error fetching product details!</h2>\n"),
    }
    match reviews {
        Some(reviews) => render_reviews(&mut page, reviews),
        None => page.push_str("<h2>Error fetching product reviews!</h2>\n"),
    }
    page.push_str("</body>\n</html>\n");
    page
}

fn render_reviews(page: &mut String, reviews: &Value) {
    page.push_str("<h2>Book Reviews</h2>\n");
    for review in reviews["reviews"].as_array().into_iter().flatten() {
        _ = writeln!(page, "<blockquote>{} - {}", text(&review["text"]), text(&review["reviewer"]));
        let rating = &review["rating"];
        if let Some(stars) = rating["stars"].as_u64() {
            let stars = "&#9733;".repeat(stars.min(5) as usize);
            _ = writeln!(page, "<font color=\"{}\">{stars}</font>", text(&rating["color"]));
        } else if let Some(error) = rating["error"].as_str() {
            _ = writeln!(page, "<i>{}</i>", escaped(error));
        }
        page.push_str("</blockquote>\n");
    }
    _ = writeln!(
        page,
        "<p>Reviews served by: {} ({})</p>",
        text(&reviews["podname"]),
        text(&reviews["version"])
    );
}

fn text(value: &Value) -> String {
    escaped(value.as_str().unwrap_or_default())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

const TITLE: &str = "The Comedy of Errors";
/// For each of the other services.
const PATIENCE: Duration = Duration::from_secs(3);
