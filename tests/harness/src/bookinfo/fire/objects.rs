//! What is written: the n-th VirtualService and DestinationRule.

/// Whole in itself; nothing of it is like the one before.
pub(super) fn of(n: u32) -> String {
    // Names of subsets live for three revisions, so that some stay and some go with each change.
    let name = |version: u32| format!("v{version}-{}", (n + version) / 3);
    let weights = [1 + n % 7, 1 + n % 5, 1 + n % 3];
    let routes: String = (1..=3)
        .zip(weights)
        .map(|(version, weight)| {
            format!("    - {{destination: {{host: reviews, subset: {}}}, weight: {weight}}}\n", name(version))
        })
        .collect();
    let subsets: String = (1..=3)
        .map(|version| format!("  - {{name: {}, labels: {{version: v{version}}}}}\n", name(version)))
        .collect();
    let retries = if n.is_multiple_of(4) { "    retries: {attempts: 3, perTryTimeout: 2s}\n" } else { "" };
    let other = if n.is_multiple_of(3) {
        "  - match: [{uri: {prefix: /elsewhere}}]\n    directResponse: {status: 418}\n"
    } else {
        ""
    };
    let balancer = ["ROUND_ROBIN", "LEAST_REQUEST", "RANDOM"][n as usize % 3];
    format!(
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\n\
         metadata: {{name: reviews, namespace: bookinfo}}\n\
         spec:\n  hosts: [reviews]\n  http:\n{other}  \
         - headers: {{response: {{set: {{x-revision: \"{n}\"}}}}}}\n    timeout: 8s\n{retries}    \
         route:\n{routes}---\n\
         apiVersion: networking.istio.io/v1\nkind: DestinationRule\n\
         metadata: {{name: reviews, namespace: bookinfo}}\n\
         spec:\n  host: reviews\n  trafficPolicy:\n    loadBalancer: {{simple: {balancer}}}\n    \
         connectionPool: {{http: {{maxRequestsPerConnection: {}}}}}\n  subsets:\n{subsets}",
        n % 11
    )
}
