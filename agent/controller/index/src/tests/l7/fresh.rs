//! Whatever changes in whatever order: what is told in the end is what one is told who begins with it.

use std::collections::BTreeMap;

use proptest::prelude::*;
use weir_resources::{Event, Object};

use super::{GATEWAY, NAMESPACE, SERVICES, SUBSETS, TO_DB, TO_SUBSETS};
use crate::tests::{Mesh, objects, pod};
use crate::{Layer7, StatusUpdate};

/// Objects, each in some forms.
fn forms() -> Vec<Vec<String>> {
    let [web, db] = [0, 1].map(|n| SERVICES.split("---\n").nth(n).unwrap().to_owned());
    let bound = db.replace(
        "namespace: bank",
        "namespace: bank, labels: {istio.io/use-waypoint: wp, istio.io/use-waypoint-namespace: shop}",
    );
    let open =
        GATEWAY.replace("protocol: HBONE", "protocol: HBONE, allowedRoutes: {namespaces: {from: All}}");
    let delegating = TO_DB
        .replace("{route: [{destination: {host: db.bank.svc.cluster.local}}]}", "{delegate: {name: child}}");
    let child = TO_DB.replace("name: web,", "name: child,").replace("hosts: [web]", "hosts: []");
    let wide =
        TO_DB.replace("name: web,", "name: wide,").replace("hosts: [web]", "hosts: ['*.svc.cluster.local']");
    let entry = |rest: &str| {
        format!(
            "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: db, namespace: shop}}
spec: {{hosts: [db.bank.svc.cluster.local], ports: [{{number: 80, name: http, protocol: HTTP}}], {rest}}}
"
        )
    };
    let route = |kind: &str, to: &str| {
        format!(
            "
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: r, namespace: shop}}
spec:
  parentRefs: [{{group: {kind}, name: web}}, {{group: networking.istio.io, kind: ServiceEntry, name: db}}]
  rules: [{{backendRefs: [{{name: {to}, namespace: bank, port: 80}}]}}]
"
        )
    };
    let grant = "
apiVersion: gateway.networking.k8s.io/v1
kind: ReferenceGrant
metadata: {name: shop, namespace: bank}
spec:
  from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: shop}]
  to: [{group: '', kind: Service}]
";
    let policy = |target: &str| {
        format!(
            "
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {{name: p, namespace: shop}}
spec: {{targetRefs: [{target}]}}
"
        )
    };
    vec![
        vec![NAMESPACE.to_owned(), NAMESPACE.replace("use-waypoint: wp", "x: y")],
        vec![GATEWAY.to_owned(), open, GATEWAY.replace("weir-waypoint", "other")],
        vec![web.clone(), web.replace("port: 80", "port: 81"), web.replace("name: http", "name: tcp")],
        vec![db, bound],
        vec![TO_DB.to_owned(), TO_SUBSETS.to_owned(), delegating],
        vec![child],
        vec![wide],
        vec![
            SUBSETS.to_owned(),
            SUBSETS.replace("version: v2", "version: v1"),
            SUBSETS.replace("host: web", "host: '*'"),
        ],
        vec![entry("resolution: DNS"), entry("resolution: STATIC, endpoints: [{address: 1.2.3.4}]")],
        vec![route("'', kind: Service", "db"), route("gateway.networking.k8s.io, kind: Gateway", "web")],
        vec![grant.to_owned()],
        vec![
            policy("{group: '', kind: Service, name: web}"),
            policy("{group: networking.istio.io, kind: ServiceEntry, name: db}"),
            policy("7"),
        ],
        vec![
            pod("shop", "a", "10.0.0.1", "app: web, version: v1"),
            pod("shop", "a", "10.0.0.1", "app: web, version: v2"),
        ],
        vec![pod("bank", "b", "10.0.0.2", "app: db")],
    ]
}

fn object(yaml: &str) -> Object {
    let Event::Apply(object) = objects(yaml).remove(0) else { panic!("{yaml}") };
    *object
}

/// All that is told, and all that is to be said.
fn all(mesh: &Mesh) -> (BTreeMap<String, Vec<u8>>, Vec<StatusUpdate>) {
    let mut told = BTreeMap::new();
    for kind in Layer7::ALL {
        for resource in mesh.index.snapshot().all_layer7(kind) {
            told.insert(format!("{kind:?} {}", resource.name), resource.body.to_vec());
        }
    }
    let mut statuses = mesh.index.statuses();
    statuses.sort_by(|a, b| a.key.cmp(&b.key));
    (told, statuses)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn what_is_told_does_not_depend_on_how_it_came(
        steps in prop::collection::vec((0..14_usize, prop::option::weighted(0.75, 0..3_usize), any::<bool>()), 1..40)
    ) {
        let forms = forms();
        let mut mesh = Mesh::new();
        let mut live: BTreeMap<usize, String> = BTreeMap::new();
        for (number, form, commits) in steps {
            let of = &forms[number];
            match form {
                Some(form) => {
                    let yaml = of[form % of.len()].clone();
                    mesh.index.apply(Event::Apply(Box::new(object(&yaml))));
                    live.insert(number, yaml);
                }
                None => {
                    mesh.index.apply(Event::Delete(object(&of[0]).key()));
                    live.remove(&number);
                }
            }
            if commits {
                mesh.index.commit();
            }
        }
        mesh.index.commit();
        let mut fresh = Mesh::new();
        live.values().for_each(|yaml| fresh.index.apply(Event::Apply(Box::new(object(yaml)))));
        fresh.index.commit();
        prop_assert_eq!(all(&mesh), all(&fresh));
    }
}
