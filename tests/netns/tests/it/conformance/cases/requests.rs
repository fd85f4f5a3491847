//! What a route looks at, and what it changes.

use super::{Case, of_echo};

pub(super) const SIMPLE: Case = Case {
    name: "MeshHTTPRouteSimpleSameNamespace",
    routes: &[of_echo(
        "simple",
        "
  - backendRefs: [{name: echo-v1, port: 8080}]",
    )],
    share: Some(("echo / -> v1", 100.0)),
    asks: "",
};

pub(super) const MATCHING: Case = Case {
    name: "MeshHTTPRouteMatching",
    routes: &[of_echo(
        "matching",
        "
  - matches: [{path: {type: PathPrefix, value: /}}, {headers: [{name: version, value: one}]}]
    backendRefs: [{name: echo-v1, port: 8080}]
  - matches: [{path: {type: PathPrefix, value: /v2}}, {headers: [{name: version, value: two}]}]
    backendRefs: [{name: echo-v2, port: 8080}]",
    )],
    share: None,
    asks: "
    echo / -> v1
    echo /example -> v1
    echo / Version=one -> v1
    echo /v2 -> v2
    echo /v2/example -> v2
    echo / Version=two -> v2
    echo /v2/ -> v2
    echo /v2example -> v1
    echo /foo/v2/example -> v1
",
};

pub(super) const QUERY: Case = Case {
    name: "MeshHTTPRouteQueryParamMatching",
    routes: &[of_echo("query", "
  - matches: [{queryParams: [&whale {name: animal, value: whale}]}]
    backendRefs: [&v1 {name: echo-v1, port: 8080}]
  - matches: [{queryParams: [{name: animal, value: dolphin}]}]
    backendRefs: [&v2 {name: echo-v2, port: 8080}]
  - matches: [{path: {type: PathPrefix, value: /path1}, queryParams: [*whale]}]
    backendRefs: [*v1]
  - matches: [{headers: [{name: version, value: one}], queryParams: [*whale]}]
    backendRefs: [*v2]
  - matches:
    - {path: {type: PathPrefix, value: /path3}, queryParams: [{name: animal, value: shark}]}
    - {path: {type: PathPrefix, value: /path4}, headers: [{name: version, value: three}], queryParams: [{name: animal, value: kraken}]}
    backendRefs: [*v1]
  - matches: [{path: {type: PathPrefix, value: /path5}}]
    backendRefs: [*v1]
  - matches: [{queryParams: [{name: animal, value: hydra}]}]
    backendRefs: [*v2]")],
    share: None,
    asks: "
    echo /?animal=whale -> v1
    echo /?animal=dolphin -> v2
    echo /?animal=whale&otherparam=irrelevant -> v1
    echo /?animal=dolphin&color=yellow -> v2
    echo /?color=blue -> 404
    echo /?animal=dog -> 404
    echo /?animal=whaledolphin -> 404
    echo / -> 404
    echo /path1?animal=whale -> v1
    echo /?animal=whale version=one -> v2
    echo /path3?animal=shark -> v1
    echo /path4?animal=kraken version=three -> v1
    echo /?animal=shark -> 404
    echo /path4?animal=kraken -> 404
    echo /path5?animal=hydra -> v1
" };

pub(super) const WEIGHT: Case = Case {
    name: "MeshHTTPRouteWeight",
    routes: &[of_echo(
        "weight",
        "
  - backendRefs: [{name: echo-v1, port: 8080, weight: 70}, {name: echo-v2, port: 8080, weight: 30}]",
    )],
    share: Some(("echo / -> any", 70.0)),
    asks: "echo / -> any",
};

pub(super) const HEADERS: Case = Case {
    name: "MeshHTTPRouteRequestHeaderModifier",
    routes: &[of_echo("header-modifier", "
  - matches: [{path: {type: PathPrefix, value: /set}}]
    filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: X-Header-Set, value: set-overwrites-values}]}}]
    backendRefs: [&v1 {name: echo-v1, port: 8080}]
  - matches: [{path: {type: PathPrefix, value: /add}}]
    filters: [{type: RequestHeaderModifier, requestHeaderModifier: {add: [{name: X-Header-Add, value: add-appends-values}]}}]
    backendRefs: [*v1]
  - matches: [{path: {type: PathPrefix, value: /remove}}]
    filters: [{type: RequestHeaderModifier, requestHeaderModifier: {remove: [X-Header-Remove]}}]
    backendRefs: [*v1]
  - matches: [{path: {type: PathPrefix, value: /multiple}}]
    filters:
    - type: RequestHeaderModifier
      requestHeaderModifier:
        set: [{name: X-Header-Set-1, value: header-set-1}, {name: X-Header-Set-2, value: header-set-2}]
        add: [{name: X-Header-Add-1, value: header-add-1}, {name: X-Header-Add-2, value: header-add-2}, {name: X-Header-Add-3, value: header-add-3}]
        remove: [X-Header-Remove-1, X-Header-Remove-2]
    backendRefs: [*v1]
  - matches: [{path: {type: PathPrefix, value: /case-insensitivity}}]
    filters:
    - type: RequestHeaderModifier
      requestHeaderModifier:
        set: [{name: X-Header-Set, value: header-set}]
        add: [{name: X-Header-Add, value: header-add}]
        remove: [X-Header-Remove]
    backendRefs: [*v1]")],
    share: None,
    asks: MODIFIED,
};

/// The same of the backends.
pub(super) const BACKEND_HEADERS: Case = Case {
    name: "MeshHTTPRouteBackendRequestHeaderModifier",
    routes: &[of_echo("backend-header-modifier", "
  - matches: [{path: {type: PathPrefix, value: /set}}]
    backendRefs:
    - name: echo-v1
      port: 8080
      filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: X-Header-Set, value: set-overwrites-values}]}}]
  - matches: [{path: {type: PathPrefix, value: /add}}]
    backendRefs:
    - name: echo-v1
      port: 8080
      filters: [{type: RequestHeaderModifier, requestHeaderModifier: {add: [{name: X-Header-Add, value: add-appends-values}]}}]
  - matches: [{path: {type: PathPrefix, value: /remove}}]
    backendRefs:
    - name: echo-v1
      port: 8080
      filters: [{type: RequestHeaderModifier, requestHeaderModifier: {remove: [X-Header-Remove]}}]
  - matches: [{path: {type: PathPrefix, value: /multiple}}]
    backendRefs:
    - name: echo-v1
      port: 8080
      filters:
      - type: RequestHeaderModifier
        requestHeaderModifier:
          set: [{name: X-Header-Set-1, value: header-set-1}, {name: X-Header-Set-2, value: header-set-2}]
          add: [{name: X-Header-Add-1, value: header-add-1}, {name: X-Header-Add-2, value: header-add-2}, {name: X-Header-Add-3, value: header-add-3}]
          remove: [X-Header-Remove-1, X-Header-Remove-2]
  - matches: [{path: {type: PathPrefix, value: /case-insensitivity}}]
    backendRefs:
    - name: echo-v1
      port: 8080
      filters:
      - type: RequestHeaderModifier
        requestHeaderModifier:
          set: [{name: X-Header-Set, value: header-set}]
          add: [{name: X-Header-Add, value: header-add}]
          remove: [X-Header-Remove]")],
    share: None,
    asks: MODIFIED,
};

const MODIFIED: &str = "
    echo /set Some-Other-Header=val -> v1 some-other-header=val x-header-set=set-overwrites-values path=/set
    echo /set Some-Other-Header=val X-Header-Set=some-other-value -> v1 some-other-header=val x-header-set=set-overwrites-values
    echo /add Some-Other-Header=val -> v1 some-other-header=val x-header-add=add-appends-values
    echo /add Some-Other-Header=val X-Header-Add=some-other-value -> v1 some-other-header=val x-header-add=some-other-value,add-appends-values
    echo /remove X-Header-Remove=val -> v1 !x-header-remove
    echo /multiple X-Header-Set-2=set-val-2 X-Header-Add-2=add-val-2 X-Header-Remove-2=remove-val-2 Another-Header=another-header-val \
        -> v1 x-header-set-1=header-set-1 x-header-set-2=header-set-2 x-header-add-1=header-add-1 x-header-add-2=add-val-2,header-add-2 \
        x-header-add-3=header-add-3 another-header=another-header-val !x-header-remove-1 !x-header-remove-2
    echo /case-insensitivity x-header-set=original-val-set x-header-add=original-val-add x-header-remove=original-val-remove \
        Another-Header=another-header-val -> v1 x-header-set=header-set x-header-add=original-val-add,header-add \
        another-header=another-header-val !x-header-remove
";

pub(super) const REWRITE_PATH: Case = Case {
    name: "MeshHTTPRouteRewritePath",
    routes: &[of_echo("rewrite-path", "
  - matches: [{path: {type: PathPrefix, value: /prefix/one}}]
    filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /one}}}]
    backendRefs: [&v1 {name: echo-v1, port: 80}]
  - matches: [{path: {type: PathPrefix, value: /strip-prefix}}]
    filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /}}}]
    backendRefs: [*v1]
  - matches: [{path: {type: PathPrefix, value: /full/one}}]
    filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplaceFullPath, replaceFullPath: /one}}}]
    backendRefs: [*v1]
  - matches: [{path: {type: PathPrefix, value: /full/rewrite-path-and-modify-headers}}]
    filters:
    - {type: URLRewrite, urlRewrite: {path: {type: ReplaceFullPath, replaceFullPath: /test}}}
    - &headers
      type: RequestHeaderModifier
      requestHeaderModifier:
        set: [{name: X-Header-Set, value: set-overwrites-values}]
        add: [{name: X-Header-Add, value: header-val-1}, {name: X-Header-Add-Append, value: header-val-2}]
        remove: [X-Header-Remove]
    backendRefs: [*v1]
  - matches: [{path: {type: PathPrefix, value: /prefix/rewrite-path-and-modify-headers}}]
    filters:
    - {type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /prefix}}}
    - *headers
    backendRefs: [*v1]")],
    share: None,
    asks: "
    echo /prefix/one/two -> v1 path=/one/two
    echo /strip-prefix/three -> v1 path=/three
    echo /strip-prefix -> v1 path=/
    echo /full/one/two -> v1 path=/one
    echo /full/rewrite-path-and-modify-headers/test X-Header-Remove=remove-val X-Header-Add-Append=append-val-1 X-Header-Set=set-val \
        -> v1 path=/test x-header-add=header-val-1 x-header-add-append=append-val-1,header-val-2 x-header-set=set-overwrites-values !x-header-remove
    echo /prefix/rewrite-path-and-modify-headers/one X-Header-Remove=remove-val X-Header-Add-Append=append-val-1 X-Header-Set=set-val \
        -> v1 path=/prefix/one x-header-add=header-val-1 x-header-add-append=append-val-1,header-val-2 x-header-set=set-overwrites-values !x-header-remove
" };

pub(super) const NAMED: Case = Case {
    name: "MeshHTTPRouteNamedRule",
    routes: &[of_echo(
        "named-rules",
        "
  - name: named-rule
    matches: [{path: {type: PathPrefix, value: /named}}]
    backendRefs: [{name: echo-v1, port: 8080}]
  - matches: [{path: {type: PathPrefix, value: /unnamed}}]
    backendRefs: [{name: echo-v2, port: 8080}]",
    )],
    share: None,
    asks: "
    echo /named -> v1 path=/named
    echo /unnamed -> v2 path=/unnamed
",
};
