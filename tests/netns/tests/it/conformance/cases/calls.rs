//! Calls of gRPC.

use super::{Case, Route};

const fn of_calls(name: &'static str, rules: &'static str) -> Route {
    Route {
        kind: "GRPCRoute",
        name,
        namespace: "mesh",
        parent: "name: echo, port: 7070",
        rules,
        resolves: true,
    }
}

/// The third backend does not exist, in the suite either, and has nothing to do.
pub(super) const WEIGHT: Case = Case {
    name: "MeshGRPCRouteWeight",
    routes: &[Route { resolves: false, ..of_calls("grpc-weight", "
  - backendRefs: [{name: echo-v1, port: 7070, weight: 70}, {name: echo-v2, port: 7070, weight: 30}, {name: echo-v3, port: 7070, weight: 0}]") }],
    share: Some(("grpc:echo:7070 -> any", 70.0)),
    asks: "grpc:echo:7070 -> any",
};

pub(super) const HEADERS: Case = Case {
    name: "MeshGRPCRouteRequestHeaderModifier",
    routes: &[of_calls("grpc-header-modifier", "
  - matches: [{headers: [{name: x-test-case, value: set}]}]
    filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: x-header-set, value: set-overwrites-values}]}}]
    backendRefs: [&v1 {name: echo-v1, port: 7070}]
  - matches: [{headers: [{name: x-test-case, value: add}]}]
    filters: [{type: RequestHeaderModifier, requestHeaderModifier: {add: [{name: x-header-add, value: add-appends-values}]}}]
    backendRefs: [*v1]
  - matches: [{headers: [{name: x-test-case, value: remove}]}]
    filters: [{type: RequestHeaderModifier, requestHeaderModifier: {remove: [x-header-remove]}}]
    backendRefs: [*v1]
  - matches: [{headers: [{name: x-test-case, value: multi}]}]
    filters:
    - type: RequestHeaderModifier
      requestHeaderModifier:
        set: [{name: x-header-set-1, value: header-set-1}, {name: x-header-set-2, value: header-set-2}]
        add: [{name: x-header-add-1, value: header-add-1}, {name: x-header-add-2, value: header-add-2}]
        remove: [x-header-remove-1, x-header-remove-2]
    backendRefs: [{name: echo-v2, port: 7070}]")],
    share: None,
    asks: "
    grpc:echo:7070 x-test-case=set some-other-header=this-header-should-be-set x-header-set=this-value-should-be-overwritten \
        -> v1 x-test-case=set some-other-header=this-header-should-be-set x-header-set=set-overwrites-values
    grpc:echo:7070 x-test-case=add x-header-add=this-value-should-be-appended \
        -> v1 x-test-case=add x-header-add=this-value-should-be-appended,add-appends-values
    grpc:echo:7070 x-test-case=remove x-header-remove=this-should-be-removed -> v1 x-test-case=remove !x-header-remove
    grpc:echo:7070 x-test-case=multi x-header-set-2=set-header-2 x-header-add-2=add-header-2 x-header-remove-2=should-be-removed-2 \
        -> v2 x-test-case=multi x-header-set-1=header-set-1 x-header-set-2=header-set-2 x-header-add-1=header-add-1 \
        x-header-add-2=add-header-2,header-add-2 !x-header-remove-1 !x-header-remove-2
" };
