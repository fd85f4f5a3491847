//! Configurations: one worker, no access log, `/route/N/` for each route, connections to the server kept, and
//! `x-forwarded-for` and `x-request-id` added, as the waypoint does. Each in the form in which its program is fastest that
//! is still how people use it.

use std::fmt::Write as _;
use std::fs;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::proxy::{HTTP2, Task};

pub(super) fn nginx(task: &Task<'_>) -> Result<Vec<String>> {
    let (dir, port, http2) = (task.dir.display(), task.port, task.port + HTTP2);
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|kind| format!("{kind}_temp_path {dir}/{kind}-{port};\n"))
        .collect();
    let locations: String =
        (0..task.routes).map(|n| format!("location /route/{n}/ {{ proxy_pass http://origin; }}\n")).collect();
    let text = format!(
        "daemon off;\nmaster_process off;\nuser root;\npid {dir}/nginx-{port}.pid;\nerror_log {dir}/nginx-{port}.log;\n\
         events {{ worker_connections {CONNECTIONS}; }}\n\
         http {{\n{temporary}access_log off;\nkeepalive_requests 1000000000;\nkeepalive_timeout 3600s;\n\
         upstream origin {{ server {}; keepalive 64; keepalive_requests 1000000000; }}\n\
         server {{\nlisten {port} backlog=4096;\nlisten {http2} http2;\nhttp2_max_requests 1000000000;\n\
         proxy_http_version 1.1;\nproxy_set_header Connection \"\";\nproxy_set_header Host $host;\n\
         proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\nproxy_set_header X-Request-Id $request_id;\n\
         {locations}}}\n}}\n",
        task.origin
    );
    Ok(vec!["-c".into(), write(task, "nginx", "conf", &text)?])
}

/// The routes are a map, which is a tree: one rule for each would be looked at one after the other.
pub(super) fn haproxy(task: &Task<'_>) -> Result<Vec<String>> {
    let map: String = (0..task.routes).map(|n| format!("/route/{n}/ origin\n")).collect();
    let map = write(task, "haproxy", "map", &map)?;
    let text = format!(
        "global\n  nbthread 1\n  maxconn {HELD}\n  no strict-limits\n\
         defaults\n  mode http\n  timeout connect 5s\n  timeout client 1h\n  timeout server 1h\n\
         \x20 timeout http-keep-alive 1h\n  option forwardfor\n  http-reuse always\n\
         frontend requests\n  bind :{}\n  bind :{} proto h2\n\
         \x20 http-request set-header x-request-id %[uuid]\n\
         \x20 use_backend %[path,map_beg({map})]\n\
         backend origin\n  server origin {}\n",
        task.port,
        task.port + HTTP2,
        task.origin
    );
    Ok(vec!["-f".into(), write(task, "haproxy", "cfg", &text)?])
}

/// The routes are a list, as Istio's control plane makes one.
pub(super) fn envoy(task: &Task<'_>) -> Result<Vec<String>> {
    const API: &str = "type.googleapis.com/envoy.extensions.filters";
    let (host, port) = task.origin.rsplit_once(':').context("the server has no port")?;
    let address = |host: &str, port: u16| json!({"socket_address": {"address": host, "port_value": port}});
    let route = |n| json!({"match": {"prefix": format!("/route/{n}/")}, "route": {"cluster": "origin", "timeout": "0s"}});
    let routes: Vec<Value> = (0..task.routes).map(route).collect();
    let manager = json!({
        "@type": format!("{API}.network.http_connection_manager.v3.HttpConnectionManager"),
        "stat_prefix": "requests",
        "use_remote_address": true,
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
        "http_filters": [{
            "name": "envoy.filters.http.router",
            "typed_config": {"@type": format!("{API}.http.router.v3.Router")},
        }],
    });
    let filter = json!({"name": "envoy.filters.network.http_connection_manager", "typed_config": manager});
    let endpoint = json!({"endpoint": {"address": address(host, port.parse()?)}});
    let config = json!({"static_resources": {
        "listeners": [{"address": address("0.0.0.0", task.port), "filter_chains": [{"filters": [filter]}]}],
        "clusters": [{
            "name": "origin", "type": "STATIC", "lb_policy": "LEAST_REQUEST",
            "load_assignment": {"cluster_name": "origin", "endpoints": [{"lb_endpoints": [endpoint]}]},
        }],
    }});
    let path = write(task, "envoy", "json", &config.to_string())?;
    let arguments = ["-c", &path, "--concurrency", "1", "--log-level", "warn", "--disable-hot-restart"];
    Ok(arguments.map(str::to_owned).to_vec())
}

pub(super) fn weir(task: &Task<'_>) -> Vec<String> {
    let mut arguments = Vec::new();
    for (name, value) in [
        ("--listen", format!("0.0.0.0:{}", task.port)),
        ("--to", task.origin.clone()),
        ("--routes", task.routes.to_string()),
        ("--workers", "1".to_owned()),
    ] {
        arguments.extend([name.to_owned(), value]);
    }
    arguments.push("--policy".to_owned());
    arguments
}

fn write(task: &Task<'_>, program: &str, ending: &str, text: &str) -> Result<String> {
    let mut name = String::new();
    // Writing to a String does not fail.
    let _ = write!(name, "{program}-{}.{ending}", task.port);
    let path = task.dir.join(name);
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path.to_string_lossy().into_owned())
}

/// Clients that are held open; the descriptors of a process are not many more.
pub(super) const HELD: usize = 10_000;
/// Of nginx, with those to the server.
const CONNECTIONS: usize = HELD + 1024;
