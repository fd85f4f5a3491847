//! The stories, in their order.

use anyhow::{Result, ensure};

use crate::cluster::Cluster;
use crate::picture::Picture;
use crate::report::Report;
use crate::settings::Settings;
use crate::shop::Shop;

mod bookinfo;
mod come_and_go;
mod enrolment;
mod load;
mod policy;
mod probes;

type Story = (&'static str, fn(&Shop) -> Result<()>);

/// Each finds the shop in the mesh and without policies, and leaves it so.
const STORIES: &[Story] = &[
    ("a pod of the node's network is refused", enrolment::a_pod_of_the_nodes_network_is_refused),
    ("strict keeps out who has no identity", policy::strict_keeps_out_who_has_no_identity),
    ("accounts are allowed and denied", policy::accounts_are_allowed_and_denied),
    ("a pod leaves and comes back", enrolment::a_pod_leaves_and_comes_back),
    ("probes pass where strict rules", probes::of_all_kinds_pass_where_strict_rules),
    ("bookinfo by HTTPRoute", bookinfo::by_http_route),
    ("bookinfo by VirtualService", bookinfo::by_virtual_service),
    ("an upgrade under load", load::an_upgrade_loses_nothing),
    ("an agent deleted under load", load::an_agent_that_is_deleted_loses_nothing),
];

/// From nothing to nothing.
pub(crate) fn all(settings: Settings, report: &mut Report) -> Result<()> {
    let only = settings.only.clone().unwrap_or_default();
    let cluster = Cluster::connect(settings)?;
    if cluster.settings().fresh && cluster.has_mesh()? {
        cluster.weir(&["uninstall", "--purge", "--yes"])?;
    }
    ensure!(!cluster.has_mesh()?, "the cluster has a mesh: --fresh takes it away first");
    cluster.sweep()?;
    let shop = Shop::open(&cluster)?;
    let before = Picture::take(&cluster, &shop)?;
    println!("live: {} nodes; {} things are there before", shop.nodes.len(), before.size());

    let mut tell = |name, story: &dyn Fn() -> Result<()>| {
        let is_good = report.story(name, story);
        if !is_good {
            cluster.collect(name);
        }
        is_good
    };
    if tell("install", &|| come_and_go::install(&shop))
        && tell("running pods come in", &|| enrolment::running_pods_come_in(&shop))
    {
        for (name, story) in STORIES.iter().filter(|(name, _)| name.contains(&only)) {
            tell(name, &|| story(&shop));
        }
    }
    if cluster.settings().keep {
        println!(
            "live: the mesh is kept; `weir uninstall --purge`, or the next run after it, takes all away"
        );
    } else if cluster.has_mesh()? {
        tell("uninstall leaves nothing", &|| come_and_go::leave_nothing(&shop, &before));
    }
    Ok(())
}
