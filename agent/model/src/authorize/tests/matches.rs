//! What one match asks: each row names the connections that it matches; it matches no other of them. Six connections
//! a row, each as ALLOW, as DENY and behind its opposite.

use rstest::rstest;

use super::notation::{WORLD, read};
use super::{of, rule, verdict};
use crate::policy::Action;

#[rstest]
// Principals.
#[case("principals=cluster.local/ns/shop/sa/web", "web")]
#[case("principals=cluster.local/ns/data/sa/db", "db")]
#[case("principals=example.org/ns/shop/sa/web", "far")]
#[case("principals=cluster.local/ns/shop/sa/web,cluster.local/ns/data/sa/db", "web db")]
#[case("principals=cluster.local/ns/shop/sa/we", "")]
#[case("principals=cluster.local/ns/shop/sa/web/", "")]
#[case("principals=cluster.local/ns/shop/sa/web2", "")]
#[case("principals=luster.local/ns/shop/sa/web", "")]
#[case("principals=spiffe://cluster.local/ns/shop/sa/web", "")]
#[case("principals=CLUSTER.LOCAL/ns/shop/sa/web", "")]
#[case("principals=cluster.local/ns/shop/sa", "")]
#[case("principals=", "")]
#[case("principals=*", "web db far six")]
#[case("principals=cluster.local/*", "web db six")]
#[case("principals=cluster.local/ns/shop*", "web six")]
#[case("principals=cluster.local/ns/shop/*", "web")]
#[case("principals=cluster.local/ns/shop/sa/web*", "web")]
#[case("principals=cluster.local/ns/shop/sa/webb*", "")]
#[case("principals=cluster.loca*", "web db six")]
#[case("principals=cluster.local/n*", "web db six")]
#[case("principals=cluster.local/ns/*", "web db six")]
#[case("principals=cluster.local/sa/*", "")]
#[case("principals=c*,e*", "web db far six")]
#[case("principals=*/sa/web", "web far")]
#[case("principals=*sa/web", "web far")]
#[case("principals=*b", "web db far")]
#[case("principals=*/ns/shop/sa/web", "web far")]
#[case("principals=*.org/ns/shop/sa/web", "far")]
#[case("principals=*cluster.local/ns/shop/sa/web", "web")]
#[case("principals=*xcluster.local/ns/shop/sa/web", "")]
#[case("principals=*-2", "six")]
#[case("principals=*db,cluster.local/ns/shop/sa/web", "web db")]
#[case("principals=clu*web", "")]
#[case("principals=**", "")]
// Not these principals: who proved nothing is none of them.
#[case("not_principals=*", "plain plain6")]
#[case("not_principals=cluster.local/ns/shop/sa/web", "db far six plain plain6")]
#[case("not_principals=cluster.local/*", "far plain plain6")]
#[case("not_principals=*/sa/web", "db six plain plain6")]
#[case("not_principals=nobody", "web db far six plain plain6")]
#[case("not_principals=nobody,*db", "web far six plain plain6")]
#[case("not_principals=cluster.local/*,example.org/*", "plain plain6")]
#[case("principals=cluster.local/*; not_principals=*/sa/web", "db six")]
#[case("principals=*; not_principals=*", "")]
// Namespaces: plaintext has the empty one.
#[case("namespaces=shop", "web far")]
#[case("namespaces=data", "db")]
#[case("namespaces=shop,data", "web db far")]
#[case("namespaces=Shop", "")]
#[case("namespaces=sho", "")]
#[case("namespaces=sho*", "web far six")]
#[case("namespaces=shop*", "web far six")]
#[case("namespaces=shop-*", "six")]
#[case("namespaces=*op", "web far")]
#[case("namespaces=*2", "six")]
#[case("namespaces=*", "web db far six")]
#[case("namespaces=", "plain plain6")]
#[case("namespaces=,shop", "web far plain plain6")]
#[case("not_namespaces=shop", "db six plain plain6")]
#[case("not_namespaces=shop*", "db plain plain6")]
#[case("not_namespaces=*", "plain plain6")]
#[case("not_namespaces=", "web db far six")]
#[case("not_namespaces=shop,data,shop-2", "plain plain6")]
#[case("namespaces=shop; not_namespaces=shop", "")]
#[case("namespaces=shop*; not_namespaces=shop", "six")]
// Service accounts, in any trust domain.
#[case("accounts=shop/web", "web far")]
#[case("accounts=data/db", "db")]
#[case("accounts=shop/web,data/db,shop-2/web-2", "web db far six")]
#[case("accounts=shop/db", "")]
#[case("accounts=data/web", "")]
#[case("accounts=web/shop", "")]
#[case("accounts=shop/*", "")]
#[case("accounts=/", "")]
#[case("not_accounts=shop/web", "db six plain plain6")]
#[case("not_accounts=shop/web,data/db,shop-2/web-2", "plain plain6")]
#[case("not_accounts=shop/db", "web db far six plain plain6")]
#[case("accounts=shop/web; not_accounts=shop/web", "")]
#[case("accounts=shop/web; principals=cluster.local/*", "web")]
// Source addresses.
#[case("src=10.0.1.5/32", "web plain")]
#[case("src=10.0.1.4/32", "")]
#[case("src=10.0.1.4/31", "web plain")]
#[case("src=10.0.1.6/31", "")]
#[case("src=10.0.0.0/16", "web db plain")]
#[case("src=10.0.77.77/16", "web db plain")]
#[case("src=10.0.0.0/8", "web db far plain")]
#[case("src=0.0.0.0/0", "web db far plain")]
#[case("src=::/0", "six plain6")]
#[case("src=2001:db8::/64", "six plain6")]
#[case("src=2001:db8::5/128", "six")]
#[case("src=2001:db8::4/127", "six")]
#[case("src=2001:db8::4/126", "six plain6")]
#[case("src=2001:db9::/32", "")]
#[case("src=10.0.3.1/32,10.9.0.1/32", "db far")]
#[case("src=10.0.0.0/8,10.0.1.5/32", "web db far plain")]
#[case("src=10.0.1.0/24,10.0.3.0/24,10.9.0.0/16,2001:db8::5/128", "web db far six plain")]
#[case("src=0.0.0.0/0,::/0", "web db far six plain plain6")]
#[case("src=0.0.0.0/32", "")]
#[case("not_src=10.0.1.5/32", "db far six plain6")]
#[case("not_src=10.0.0.0/8", "six plain6")]
#[case("not_src=0.0.0.0/0", "six plain6")]
#[case("not_src=::/0", "web db far plain")]
#[case("not_src=0.0.0.0/0,::/0", "")]
#[case("not_src=1.1.1.1/32", "web db far six plain plain6")]
#[case("src=10.0.0.0/8; not_src=10.0.1.0/24", "db far")]
#[case("src=10.0.1.0/24; not_src=10.0.0.0/8", "")]
// Destination addresses.
#[case("dst=10.0.2.7/32", "web db plain")]
#[case("dst=10.0.2.8/32", "far")]
#[case("dst=10.0.2.6/31", "web db plain")]
#[case("dst=10.0.2.0/24", "web db far plain")]
#[case("dst=2001:db8:1::/48", "six plain6")]
#[case("dst=2001:db8::/48", "")]
#[case("dst=10.0.1.5/32", "")]
#[case("dst=10.0.2.7/32,2001:db8:1::7/128", "web db six plain plain6")]
#[case("not_dst=10.0.2.7/32", "far six plain6")]
#[case("not_dst=10.0.2.0/24", "six plain6")]
#[case("not_dst=2001:db8::/32", "web db far plain")]
#[case("not_dst=0.0.0.0/0,::/0", "")]
#[case("dst=10.0.2.0/24; not_dst=10.0.2.7/32", "far")]
#[case("src=10.0.2.7/32", "")]
// Ports.
#[case("ports=8080", "web far six plain")]
#[case("ports=9090", "db")]
#[case("ports=443,9090", "db plain6")]
#[case("ports=80", "")]
#[case("ports=0", "")]
#[case("ports=808,8081", "")]
#[case("ports=15008", "")]
#[case("ports=65535,9090,1,443,8080", "web db far six plain plain6")]
#[case("not_ports=8080", "db plain6")]
#[case("not_ports=8080,9090,443", "")]
#[case("not_ports=15008", "web db far six plain plain6")]
#[case("ports=8080; not_ports=8080", "")]
#[case("ports=8080,443; not_ports=443", "web far six plain")]
// Several kinds: all of them.
#[case("namespaces=shop; ports=8080", "web far")]
#[case("namespaces=shop; ports=9090", "")]
#[case("namespaces=shop; src=10.0.0.0/16", "web")]
#[case("principals=*; ports=8080", "web far six")]
#[case("not_principals=*; ports=8080", "plain")]
#[case("not_principals=*; not_ports=8080", "plain6")]
#[case("not_namespaces=shop; not_ports=9090", "six plain plain6")]
#[case("src=10.0.1.5/32; principals=*", "web")]
#[case("src=10.0.1.5/32; not_principals=*", "plain")]
#[case("src=10.0.1.5/32; dst=10.0.2.7/32; ports=8080", "web plain")]
#[case("src=10.0.1.5/32; dst=10.0.2.8/32; ports=8080", "")]
#[case(
    "namespaces=shop; not_namespaces=data; principals=*; not_principals=*db; src=10.0.0.0/8; not_src=10.9.0.0/16; \
     dst=10.0.0.0/8; not_dst=10.0.2.8/32; ports=8080; not_ports=9090; accounts=shop/web; not_accounts=data/db",
    "web"
)]
// Nothing asked, nothing matched.
#[case("", "")]
fn matches(#[case] asked: &str, #[case] who: &str) {
    let who: Vec<&str> = who.split_whitespace().collect();
    for (name, visit) in &*WORLD {
        let (connection, one) = (visit.borrow(), || vec![rule(vec![read(asked)])]);
        let hit = who.contains(name);
        let [allow, deny] = [Action::Allow, Action::Deny].map(|action| of(action, one()));
        let everybody = of(Action::Allow, vec![crate::policy::Rule::default()]);
        assert_eq!(verdict(std::slice::from_ref(&allow), &connection).is_allowed(), hit, "allow {name}");
        assert_eq!(verdict(std::slice::from_ref(&deny), &connection).is_allowed(), !hit, "deny {name}");
        assert_eq!(verdict(&[everybody, deny.clone()], &connection).is_allowed(), !hit, "all but {name}");
        assert!(!verdict(&[allow, deny], &connection).is_allowed(), "allow and deny {name}");
    }
}
