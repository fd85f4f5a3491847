//! Nodes with a kernel older than the agents are made for.

use serde_json::Value;
use weir_model::{OLDEST_LINUX, is_linux_too_old};

use crate::cluster::Cluster;

/// A line for each node that runs an older Linux; none if nodes may not be listed.
pub async fn old_kernels(cluster: &Cluster) -> Vec<String> {
    let nodes = cluster.list("v1", "Node", "", "").await.unwrap_or_default();
    nodes.iter().filter_map(old_kernel).collect()
}

fn old_kernel(node: &Value) -> Option<String> {
    let kernel = node.pointer("/status/nodeInfo/kernelVersion")?.as_str()?;
    if !is_linux_too_old(kernel) {
        return None;
    }
    let name = node.pointer("/metadata/name")?.as_str()?;
    Some(format!(
        "node {name} runs Linux {kernel}: the agent needs {}.{} or later (or what a vendor brought to an older one: its log says what is \
         missing), and without an agent no pod of the node is in the mesh",
        OLDEST_LINUX.0, OLDEST_LINUX.1
    ))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case::ubuntu_22("5.15.0-1091-aws", true)]
    #[case::rhel_8("4.18.0-553.el8.x86_64", true)]
    #[case::the_oldest("5.17.0", false)]
    #[case::debian_12("6.1.0-56-cloud-amd64", false)]
    #[case::ten("10.0", false)]
    #[case::newest("7.2-rc1", false)]
    #[case::unknown("", false)]
    fn by_its_version(#[case] kernel: &str, #[case] is_old: bool) {
        let node = json!({"metadata": {"name": "a"}, "status": {"nodeInfo": {"kernelVersion": kernel}}});
        let said = old_kernel(&node);
        assert_eq!(said.is_some(), is_old, "{said:?}");
        assert!(said.is_none_or(|said| said.starts_with(&format!("node a runs Linux {kernel}: "))));
    }

    #[test]
    fn a_node_that_says_nothing_is_not_old() {
        assert_eq!(old_kernel(&json!({"metadata": {"name": "a"}})), None);
    }
}
