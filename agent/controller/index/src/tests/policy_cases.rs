//! Policies as their authors write them, and what becomes of each: from YAML to the verdict of a node proxy.
//!
//! The tables are text files, in blocks. Each block has a mesh of its own, whose root namespace is `mesh-root` and whose one
//! pod is `shop/web`, with the labels `app: web, version: v1` and the addresses 10.9.0.9 and fd00::9.
//!
//! ```text
//!   case    what it is about
//!   policy  SPEC                            the AuthorizationPolicy shop/p
//!   object  OBJECT                          the same, with other parts than a spec
//!   apply   KIND[/VERSION] NS/NAME [@CREATED] SPEC
//!   put     OBJECT                          any other object
//!   delete  KIND NS/NAME
//!   sent    [NS/NAME] ACTION SCOPE RULE..   what is published; without a name, shop/p
//!   none                                    shop/p is not published
//!   gone    NS/NAME                         neither is this
//!   keys    KEY..                           what the pod lists
//!   lists   UID KEY..                       what another workload lists
//!   ok      [FIELD]                         shop/p is accepted, with a word about the field
//!   bad     REASON FIELD                    it is not; REASON may be *
//!   status  NS/NAME REASON FIELD            the same, of another object
//!   allow   [TRUSTDOMAIN/]PEER@SOURCE:PORT..   who is let in; PEER is NS/ACCOUNT, or - without an identity
//!   deny    the same                        who is not
//! ```
//! A rule stands in brackets: clauses with `&`, matches of a clause with `|`, fields of a match with a space, `!` before what
//! must not be. An empty rule is `[]`, an empty match `[never]`.

use rstest::rstest;

use case::Case;

mod case;
mod line;
mod written;

#[rstest]
#[case::shapes(include_str!("policy_cases/shapes.txt"))]
#[case::head(include_str!("policy_cases/head.txt"))]
#[case::values(include_str!("policy_cases/values.txt"))]
#[case::requests(include_str!("policy_cases/requests.txt"))]
#[case::peers(include_str!("policy_cases/peers.txt"))]
#[case::workloads(include_str!("policy_cases/workloads.txt"))]
fn policies(#[case] table: &str) {
    let blocks: Vec<&str> = table.split("\ncase ").skip(1).collect();
    assert!(blocks.len() > 20, "only {} cases were read", blocks.len());
    let wrong: Vec<String> = blocks.into_iter().filter_map(|block| Case::run(block).err()).collect();
    assert!(wrong.is_empty(), "{} are not as they should be:\n{}", wrong.len(), wrong.join("\n"));
}
