//! Objects and requests of each case.

mod calls;
mod frontends;
mod redirects;
mod requests;

/// A case of the suite.
#[derive(Debug)]
pub(super) struct Case {
    /// The suite's name for it.
    pub(super) name: &'static str,
    pub(super) routes: &'static [Route],
    /// Lines as in `line.rs`.
    pub(super) asks: &'static str,
    /// A request, and the first version's percentage of the answers to it.
    pub(super) share: Option<(&'static str, f64)>,
}

/// A route.
#[derive(Debug)]
pub(super) struct Route {
    pub(super) kind: &'static str,
    /// Of no other route of these cases.
    pub(super) name: &'static str,
    pub(super) namespace: &'static str,
    /// The Service: `name: ..`, and more if there is more to say.
    pub(super) parent: &'static str,
    /// A list.
    pub(super) rules: &'static str,
    /// Whether all that it names is there.
    pub(super) resolves: bool,
}

impl Route {
    /// As the waypoint (by a slash) and the statuses (by a space) call it.
    pub(super) fn object(&self, by: &str) -> String {
        format!("{}{by}{}/{}", self.kind, self.namespace, self.name)
    }
}

/// All of them.
pub(super) const ALL: &[&Case] = &[
    &frontends::BASIC,
    &frontends::SPLIT,
    &frontends::PORTS,
    &frontends::FRONTEND,
    &frontends::FRONTEND_HOSTNAME,
    &frontends::CONSUMER,
    &requests::SIMPLE,
    &requests::MATCHING,
    &requests::QUERY,
    &requests::WEIGHT,
    &requests::HEADERS,
    &requests::BACKEND_HEADERS,
    &requests::REWRITE_PATH,
    &requests::NAMED,
    &redirects::HOST_AND_STATUS,
    &redirects::PATH,
    &redirects::PORT,
    &redirects::SCHEME,
    &redirects::SEE_OTHER,
    &redirects::TEMPORARY,
    &redirects::PERMANENT,
    &calls::WEIGHT,
    &calls::HEADERS,
];

impl Case {
    /// As a file.
    pub(super) fn objects(&self) -> String {
        let object = |route: &Route| {
            let Route { kind, name, namespace, parent, rules, .. } = route;
            format!(
                "apiVersion: gateway.networking.k8s.io/v1\nkind: {kind}\nmetadata: {{name: {name}, namespace: {namespace}}}\n\
                 spec:\n  parentRefs: [{{group: '', kind: Service, {parent}}}]\n  rules:{rules}\n---\n"
            )
        };
        self.routes.iter().map(object).collect()
    }
}

/// An HTTPRoute of the Service `echo`, port 80.
const fn of_echo(name: &'static str, rules: &'static str) -> Route {
    Route {
        kind: "HTTPRoute",
        name,
        namespace: "mesh",
        parent: "name: echo, port: 80",
        rules,
        resolves: true,
    }
}

/// The Services, with the ports of the suite's, and the namespace that asks for the waypoint.
pub(super) fn services() -> String {
    let services = [("echo", 1, ""), ("echo-v1", 2, ", version: v1"), ("echo-v2", 3, ", version: v2")];
    let service = |(name, number, version): &(&str, u8, &str)| {
        // The suite says it of this one only.
        let calls = if *name == "echo" { ", appProtocol: kubernetes.io/h2c" } else { "" };
        format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: mesh}}\n\
             spec:\n  clusterIP: 10.96.4.{number}\n  selector: {{app: echo{version}}}\n  ports:\n  \
             - {{name: http, port: 80, appProtocol: http, targetPort: 8080}}\n  \
             - {{name: http-alt, port: 8080, appProtocol: http}}\n  - {{name: https, port: 443, targetPort: 8443}}\n  \
             - {{name: tcp, port: 9090}}\n  - {{name: grpc, port: 7070{calls}}}\n---\n"
        )
    };
    let services: String = services.iter().map(service).collect();
    services
        + "apiVersion: v1\nkind: Namespace\nmetadata: {name: mesh, labels: {istio.io/use-waypoint: waypoint}}\n---\n\
           apiVersion: v1\nkind: Namespace\nmetadata: {name: consumer}\n"
}
