//! sk_lookup instances of ours that are attached to a namespace by somebody else.

use std::os::fd::{AsFd, BorrowedFd};

use super::{
    error::{BpfError, Context},
    sys::{self, LinkTarget, attach},
};

/// Detaches every link on the namespace whose program has our name: left by an agent whose pins are lost, or held by one
/// that still runs. A namespace has one agent, the last one that enrols it. Programs of others stay.
pub(super) fn detach(netns: BorrowedFd<'_>, target: LinkTarget, function: &str) -> Result<(), BpfError> {
    let attached =
        sys::attached_programs(netns, attach::SK_LOOKUP).on(|| "asking for sk_lookup programs".to_owned())?;
    let ours: Vec<u32> = attached.into_iter().filter(|id| is_ours(*id, function)).collect();
    if ours.is_empty() {
        return Ok(());
    }
    for id in sys::link_ids() {
        // A link that is gone by now is fine.
        let Ok(link) = sys::link_by_id(id) else { continue };
        let Ok(info) = sys::link_info(link.as_fd()) else { continue };
        if info.target == target && ours.contains(&info.program) {
            tracing::warn!(link = id, program = info.program, "detaching a stray sk_lookup instance");
            sys::link_detach(link.as_fd()).on(|| format!("detaching stray link {id}"))?;
        }
    }
    Ok(())
}

fn is_ours(program: u32, function: &str) -> bool {
    // The kernel keeps 15 characters of a name.
    let name = function.get(..15).unwrap_or(function);
    sys::program_by_id(program)
        .and_then(|program| sys::program_info(program.as_fd()))
        .is_ok_and(|(_, found)| found == name)
}
