//! Whom a route is about: services, ports, clients.

use super::{Case, Route};

pub(super) const BASIC: Case = Case {
    name: "MeshBasic",
    routes: &[],
    share: None,
    asks: "
    echo / -> any
    grpc:echo:7070 -> any
",
};

pub(super) const SPLIT: Case = Case {
    name: "MeshTrafficSplit",
    routes: &[Route {
        parent: "name: echo",
        ..super::of_echo(
            "split",
            "
  - matches: [{path: {type: Exact, value: /v1}}]
    backendRefs: [{name: echo-v1, port: 80}]
  - matches: [{path: {type: Exact, value: /v2}}]
    backendRefs: [{name: echo-v2, port: 80}]",
        )
    }],
    share: None,
    asks: "
    echo /v1 -> v1
    echo /v2 -> v2
    echo:8080 /v2 -> v2
    echo /v1/more -> 404
",
};

pub(super) const PORTS: Case = Case {
    name: "MeshPorts",
    routes: &[
        Route { parent: "name: echo-v1, port: 80", ..super::of_echo("ports-v1", "
  - filters: [{type: ResponseHeaderModifier, responseHeaderModifier: {set: [{name: X-Header-Set, value: v1}]}}]
    backendRefs: [{name: echo-v1, port: 80}]") },
        Route { parent: "name: echo-v2", ..super::of_echo("ports-v2", "
  - filters: [{type: ResponseHeaderModifier, responseHeaderModifier: {set: [{name: X-Header-Set, value: v2}]}}]
    backendRefs: [{name: echo-v2, port: 80}]") },
    ],
    share: None,
    asks: "
    echo-v1 / -> v1 <x-header-set=v1
    echo-v1:8080 / -> v1 <!x-header-set
    echo-v2 / -> v2 <x-header-set=v2
    echo-v2:8080 / -> v2 <x-header-set=v2
" };

const MARKED: &str = "
  - filters: [{type: ResponseHeaderModifier, responseHeaderModifier: {set: [{name: X-Header-Set, value: set}]}}]
    backendRefs: [{name: echo-v2, port: 80}]";

pub(super) const FRONTEND: Case = Case {
    name: "MeshFrontend",
    routes: &[Route { parent: "name: echo-v2", ..super::of_echo("frontend", MARKED) }],
    share: None,
    asks: "
    echo-v2 / -> v2 <x-header-set=set
    pod-v2:8080 / -> v2 <!x-header-set
",
};

pub(super) const FRONTEND_HOSTNAME: Case = Case {
    name: "MeshFrontendHostname",
    routes: &[Route { parent: "name: echo-v2", ..super::of_echo("frontend-hostname", MARKED) }],
    share: None,
    asks: "
    echo-v2 / host=echo-v1 -> v2 <x-header-set=set
    echo-v1 / host=echo-v2 -> v1 <!x-header-set
",
};

pub(super) const CONSUMER: Case = Case {
    name: "MeshConsumerRoute",
    routes: &[Route {
        namespace: "consumer",
        parent: "name: echo-v1, namespace: mesh",
        ..super::of_echo("consumer-route", "
  - filters: [{type: ResponseHeaderModifier, responseHeaderModifier: {set: [{name: X-Header-Set, value: set}]}}]
    backendRefs: [{name: echo-v1, namespace: mesh, port: 80}]")
    }],
    share: None,
    asks: "
    consumer@echo-v1.mesh / -> v1 <x-header-set=set
    echo-v1.mesh / -> v1 <!x-header-set
" };
