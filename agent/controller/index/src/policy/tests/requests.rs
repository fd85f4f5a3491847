//! Policies of waypoints as their authors write them, and what becomes of each: from YAML to the verdict of a waypoint.
//!
//! The tables are text files, in blocks. Each block has no policy at first; the root namespace is `mesh-root`.
//!
//! ```text
//!   case    what it is about
//!   policy  SPEC                            the AuthorizationPolicy shop/p; without targets in it, of Service web
//!   apply   NS/NAME SPEC                    another one
//!   dry     VALUE SPEC                      shop/p, with the annotation for rehearsals
//!   delete  NS/NAME
//!   on      KIND [NS/]NAME                  what is asked about from here on; at first Service shop/web
//!   at      KIND [NS/]NAME found|lost|bound how that stands to waypoints
//!   form    LINE | none                     what its waypoint gets
//!   ok      [FIELD]                         shop/p is accepted, with a word about the field
//!   bad     REASON FIELD                    it is not
//!   bound   REASON [WORDS]                  its condition WaypointAccepted; Accepted is True, all others False
//!   says    WORDS                           in what holds meanwhile
//!   changed TARGET.. | all of NS | all | -  what has other policies since the last such line
//!   allow   WHO METHOD HOST[:PORT]/PATH [HEADER=VALUE..]   a request that may pass
//!   deny    the same                        one that may not
//!   noted   the same                        one that an AUDIT or a rehearsal has a word about, and that may pass
//!   silent  the same                        one that none has
//! ```
//! WHO is `NS/ACCOUNT@IP`, `DOMAIN/NS/ACCOUNT@IP` or `-@IP`. The port is the one that the client dialled; `!HOST` is what the
//! authority says instead. METHOD `TCP` is a connection, whose HOST is what the TLS hello says, if not empty.
//!
//! A form is ACTION and its rules in brackets; `from`, `to` and `when` are joined by `&`, entries of a list by `|`.

use rstest::rstest;

use case::Case;

mod broken;
mod case;
mod line;
mod visit;

#[rstest]
#[case::sources(include_str!("requests/sources.txt"), 40)]
#[case::operations(include_str!("requests/operations.txt"), 40)]
#[case::conditions(include_str!("requests/conditions.txt"), 40)]
#[case::heads(include_str!("requests/heads.txt"), 40)]
fn policies(#[case] table: &str, #[case] least: usize) {
    let blocks: Vec<&str> = table.split("\ncase ").skip(1).collect();
    assert!(blocks.len() >= least, "only {} cases were read", blocks.len());
    let wrong: Vec<String> = blocks.into_iter().filter_map(|block| Case::run(block).err()).collect();
    assert!(wrong.is_empty(), "{} are not as they should be:\n{}", wrong.len(), wrong.join("\n"));
}
