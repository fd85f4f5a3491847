//! A version grows from nothing to all while it is read, and no request fails.

use anyhow::ensure;
use weir_harness::until_ok;

use super::{Finding, SOON, Shop, samples};

/// From 0 to 100 in steps, in both APIs, under one load that never stops.
pub(super) fn check(shop: &Shop<'_>) -> Finding {
    shop.each(samples!("all-v1", "reviews-v1"), || Ok(String::new()))?;
    shop.book.soon("x", &["v1"])?;
    let mut lines = Vec::new();
    for (title, route) in
        [("VirtualService", virtual_service as fn(u32) -> String), ("HTTPRoute", http_route)]
    {
        lines.push(format!("{title}: {}", grow(shop, route)?));
    }
    Ok(lines.join("\n"))
}

fn grow(shop: &Shop<'_>, route: fn(u32) -> String) -> Finding {
    shop.cluster.apply("routes", &route(0))?;
    shop.book.soon("x", &["v1"])?;
    let reading = shop.book.read(4, &[])?;
    let grown = STEPS.into_iter().try_for_each(|percent| {
        shop.cluster.apply("routes", &route(percent))?;
        until_ok("version 2 to be seen", SOON, || {
            ensure!(shop.book.versions("x", 20)?.iter().any(|version| version == "v2"), "it is not");
            Ok(())
        })
    });
    let grown = grown.and_then(|()| shop.book.soon("x", &["v2"]));
    let seen = reading.stop()?;
    grown?;
    let count = |what: &str| seen["answers"][what].as_u64().unwrap_or(0);
    let (v1, v2) = (count("200 v1"), count("200 v2"));
    ensure!(v1 > 0 && v2 > 0 && seen["asked"] == v1 + v2, "{seen}");
    let steps: Vec<String> = STEPS.iter().map(u32::to_string).collect();
    Ok(format!("0, {} %: {} requests, {v1} by v1, {v2} by v2, 0 failed", steps.join(", "), v1 + v2))
}

fn virtual_service(percent: u32) -> String {
    let subset =
        |name, weight| format!("{{destination: {{host: reviews, subset: {name}}}, weight: {weight}}}");
    format!(
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\n\
         metadata: {{name: reviews, namespace: bookinfo}}\n\
         spec: {{hosts: [reviews], http: [{{route: [{}, {}]}}]}}\n",
        subset("v1", 100 - percent),
        subset("v2", percent)
    )
}

fn http_route(percent: u32) -> String {
    let service = |name, weight| format!("{{name: reviews-{name}, port: 9080, weight: {weight}}}");
    format!(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\n\
         metadata: {{name: reviews, namespace: bookinfo}}\n\
         spec:\n  parentRefs: [{{group: \"\", kind: Service, name: reviews, port: 9080}}]\n  \
         rules: [{{backendRefs: [{}, {}]}}]\n",
        service("v1", 100 - percent),
        service("v2", percent)
    )
}

const STEPS: [u32; 4] = [10, 50, 90, 100];
