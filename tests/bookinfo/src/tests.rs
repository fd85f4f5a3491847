//! All of it, on loopback.

use http::Method;

use super::*;

async fn start(service: Service) -> http::Uri {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, service));
    format!("http://{address}").parse().unwrap()
}

fn parse(args: &[&str]) -> Service {
    let Role::Serve(service) = Cli::parse_from(std::iter::once(&"weir-bookinfo").chain(args)).role else {
        panic!("{args:?} is no service")
    };
    service
}

/// The page of a shop whose reviews are of this version.
async fn page(version: &str, cookie: &str) -> String {
    let details = start(parse(&["details"])).await.to_string();
    let ratings = start(parse(&["ratings"])).await.to_string();
    let reviews = parse(&["reviews", "--version", version, "--ratings", &ratings, "--pod", "r"]);
    let reviews = start(reviews).await.to_string();
    let urls = ["--details", &details, "--reviews", &reviews, "--ratings", &ratings];
    let Service::Productpage(page) = parse(&[&["productpage"], &urls[..]].concat()) else { unreachable!() };
    let request = Request::builder().method(Method::GET).uri("/productpage").header("cookie", cookie);
    let response = page.handle(&request.body(()).unwrap()).await;
    assert_eq!(response.status(), 200);
    let body = http_body_util::BodyExt::collect(response.into_body()).await.unwrap().to_bytes();
    String::from_utf8(body.into()).unwrap()
}

#[tokio::test]
async fn the_stars_say_which_version_it_is() {
    for (version, color) in [("v1", None), ("v2", Some("black")), ("v3", Some("red"))] {
        let page = page(version, "").await;
        assert!(page.contains("<title>Simple Bookstore App</title>"), "{page}");
        assert!(page.contains("William Shakespeare, 200 pages"), "{page}");
        assert_eq!(page.contains("&#9733;"), color.is_some(), "{page}");
        if let Some(color) = color {
            assert!(page.contains(&format!("<font color=\"{color}\">")), "{page}");
        }
        assert!(page.contains(&format!("({version})")), "{page}");
    }
}

#[tokio::test]
async fn who_is_logged_in_is_said() {
    assert!(page("v1", "a=b; session=jason").await.contains("Logged in: jason"));
    assert!(!page("v1", "session=<x>").await.contains("<x>"));
}

#[tokio::test]
async fn a_service_that_is_not_there_leaves_the_rest() {
    let gone = "http://127.0.0.1:1";
    let Service::Productpage(page) =
        parse(&["productpage", "--details", gone, "--reviews", gone, "--ratings", gone])
    else {
        unreachable!()
    };
    let response = page.handle(&Request::get("/productpage").body(()).unwrap()).await;
    let body = http_body_util::BodyExt::collect(response.into_body()).await.unwrap().to_bytes();
    let page = String::from_utf8(body.into()).unwrap();
    assert!(
        page.contains("Error fetching product details!") && page.contains("Error fetching product reviews!")
    );
}

#[tokio::test]
async fn every_second_answer_of_ratings_fails_if_it_is_told_to() {
    let Service::Ratings(ratings) = parse(&["ratings", "--fail-but-every", "2"]) else { unreachable!() };
    let mut statuses = Vec::new();
    for _ in 0..4 {
        let request = Request::get("/ratings/0").body(()).unwrap();
        statuses.push(ratings.handle(&request).await.status().as_u16());
    }
    assert_eq!(statuses, [503, 200, 503, 200]);
}
