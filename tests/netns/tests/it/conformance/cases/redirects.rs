//! Redirects.

use super::{Case, of_echo};

pub(super) const HOST_AND_STATUS: Case = Case {
    name: "MeshHTTPRouteRedirectHostAndStatus",
    routes: &[of_echo(
        "redirect-host-and-status",
        "
  - matches: [{path: {type: PathPrefix, value: /hostname-redirect}}]
    filters: [{type: RequestRedirect, requestRedirect: {hostname: example.org}}]
  - matches: [{path: {type: PathPrefix, value: /host-and-status}}]
    filters: [{type: RequestRedirect, requestRedirect: {hostname: example.org, statusCode: 301}}]",
    )],
    share: None,
    asks: "
    echo /hostname-redirect -> 302 http://example.org/hostname-redirect
    echo /host-and-status -> 301 http://example.org/host-and-status
",
};

pub(super) const PATH: Case = Case {
    name: "MeshHTTPRouteRedirectPath",
    routes: &[of_echo("redirect-path", "
  - matches: [{path: {type: PathPrefix, value: /original-prefix}}]
    filters: [{type: RequestRedirect, requestRedirect: {path: &prefix {type: ReplacePrefixMatch, replacePrefixMatch: /replacement-prefix}}}]
  - matches: [{path: {type: PathPrefix, value: /full}}]
    filters: [{type: RequestRedirect, requestRedirect: {path: {type: ReplaceFullPath, replaceFullPath: /full-path-replacement}}}]
  - matches: [{path: {type: PathPrefix, value: /path-and-host}}]
    filters: [{type: RequestRedirect, requestRedirect: {hostname: example.org, path: *prefix}}]
  - matches: [{path: {type: PathPrefix, value: /path-and-status}}]
    filters: [{type: RequestRedirect, requestRedirect: {statusCode: 301, path: *prefix}}]
  - matches: [{path: {type: PathPrefix, value: /full-path-and-host}}]
    filters: [{type: RequestRedirect, requestRedirect: {hostname: example.org, path: &full {type: ReplaceFullPath, replaceFullPath: /replacement-full}}}]
  - matches: [{path: {type: PathPrefix, value: /full-path-and-status}}]
    filters: [{type: RequestRedirect, requestRedirect: {statusCode: 301, path: *full}}]")],
    share: None,
    asks: "
    echo /original-prefix/lemon -> 302 http://echo/replacement-prefix/lemon
    echo /full/path/original -> 302 http://echo/full-path-replacement
    echo /path-and-host -> 302 http://example.org/replacement-prefix
    echo /path-and-status -> 301 http://echo/replacement-prefix
    echo /full-path-and-host -> 302 http://example.org/replacement-full
    echo /full-path-and-status -> 301 http://echo/replacement-full
" };

pub(super) const PORT: Case = Case {
    name: "MeshHTTPRouteRedirectPort",
    routes: &[of_echo("redirect-port", "
  - matches: [{path: {type: PathPrefix, value: /port}}]
    filters: [{type: RequestRedirect, requestRedirect: {port: 8083}}]
  - matches: [{path: {type: PathPrefix, value: /port-and-host}}]
    filters: [{type: RequestRedirect, requestRedirect: {port: 8083, hostname: example.org}}]
  - matches: [{path: {type: PathPrefix, value: /port-and-status}}]
    filters: [{type: RequestRedirect, requestRedirect: {port: 8083, statusCode: 301}}]
  - matches: [{path: {type: PathPrefix, value: /port-and-host-and-status}}]
    filters: [{type: RequestRedirect, requestRedirect: {port: 8083, hostname: example.org, statusCode: 302}}]")],
    share: None,
    asks: "
    echo /port -> 302 http://echo:8083/port
    echo /port-and-host -> 302 http://example.org:8083/port-and-host
    echo /port-and-status -> 301 http://echo:8083/port-and-status
    echo /port-and-host-and-status -> 302 http://example.org:8083/port-and-host-and-status
" };

pub(super) const SCHEME: Case = Case {
    name: "MeshHTTPRouteSchemeRedirect",
    routes: &[of_echo("redirect-scheme", "
  - matches: [{path: {type: PathPrefix, value: /scheme}}]
    filters: [{type: RequestRedirect, requestRedirect: {scheme: https}}]
  - matches: [{path: {type: PathPrefix, value: /scheme-and-host}}]
    filters: [{type: RequestRedirect, requestRedirect: {scheme: https, hostname: example.org}}]
  - matches: [{path: {type: PathPrefix, value: /scheme-and-status}}]
    filters: [{type: RequestRedirect, requestRedirect: {scheme: https, statusCode: 301}}]
  - matches: [{path: {type: PathPrefix, value: /scheme-and-host-and-status}}]
    filters: [{type: RequestRedirect, requestRedirect: {scheme: https, hostname: example.org, statusCode: 302}}]")],
    share: None,
    asks: "
    echo /scheme -> 302 https://echo/scheme
    echo /scheme-and-host -> 302 https://example.org/scheme-and-host
    echo /scheme-and-status -> 301 https://echo/scheme-and-status
    echo /scheme-and-host-and-status -> 302 https://example.org/scheme-and-host-and-status
" };

pub(super) const SEE_OTHER: Case = Case {
    name: "MeshHTTPRoute303Redirect",
    routes: &[of_echo(
        "redirect-303",
        "
  - matches: [{path: {type: PathPrefix, value: /redirect}}]
    filters: [{type: RequestRedirect, requestRedirect: {statusCode: 303}}]",
    )],
    share: None,
    asks: "echo /redirect -> 303 http://echo/redirect",
};

pub(super) const TEMPORARY: Case = Case {
    name: "MeshHTTPRoute307Redirect",
    routes: &[of_echo(
        "redirect-307",
        "
  - matches: [{path: {type: PathPrefix, value: /temporary}}]
    filters: [{type: RequestRedirect, requestRedirect: {statusCode: 307}}]",
    )],
    share: None,
    asks: "echo /temporary -> 307 http://echo/temporary",
};

pub(super) const PERMANENT: Case = Case {
    name: "MeshHTTPRoute308Redirect",
    routes: &[of_echo(
        "redirect-308",
        "
  - matches: [{path: {type: PathPrefix, value: /permanent}}]
    filters: [{type: RequestRedirect, requestRedirect: {statusCode: 308}}]",
    )],
    share: None,
    asks: "echo /permanent -> 308 http://echo/permanent",
};
