//! Where the running kernel keeps the fields that the programs read, from the kernel's own BTF.
//!
//! aya-ebpf has no CO-RE, so the program takes offsets as constants. This reads just enough of the format
//! (Documentation/bpf/btf.rst): structures, unions and their members.

use std::os::unix::fs::MetadataExt;

use weir_ebpf_common::{ProcessView, StateOffsets};

use super::error::BpfError;

const VMLINUX: &str = "/sys/kernel/btf/vmlinux";

/// The offsets for this kernel.
pub(super) fn of_this_kernel() -> Result<StateOffsets, BpfError> {
    let data = vmlinux()?;
    let btf = Btf::understood(&data)?;
    let common = |field: &str| btf.offset("sock_common", field);
    Ok(StateOffsets {
        // `possible_net_t` is a structure of this one pointer; `struct sock` begins with its `sock_common`.
        sk_net: common("skc_net")?,
        net_cookie: btf.offset("net", "net_cookie")?,
        sk_family: common("skc_family")?,
        sk_daddr: common("skc_daddr")?,
        sk_rcv_saddr: common("skc_rcv_saddr")?,
        sk_v6_daddr: common("skc_v6_daddr")?,
        sk_v6_rcv_saddr: common("skc_v6_rcv_saddr")?,
        sk_dport: common("skc_dport")?,
        inet_sport: btf.offset("inet_sock", "inet_sport")?,
        sk_protocol: btf.offset("sock", "sk_protocol")?,
        bytes_acked: btf.offset("tcp_sock", "bytes_acked")?,
        bytes_received: btf.offset("tcp_sock", "bytes_received")?,
        srtt_us: btf.offset("tcp_sock", "srtt_us")?,
    })
}

/// What identifies a process of the PID namespace of this one.
pub(super) fn of_processes() -> Result<ProcessView, BpfError> {
    const NAMESPACE: &str = "/proc/self/ns/pid";
    let file = std::fs::metadata(NAMESPACE).map_err(read_error(NAMESPACE))?;
    let data = vmlinux()?;
    let btf = Btf::understood(&data)?;
    let task = |field: &str| btf.offset("task_struct", field);
    // The kernel's own dev_t, of include/linux/kdev_t.h.
    let device = u64::from(rustix::fs::major(file.dev())) << 20 | u64::from(rustix::fs::minor(file.dev()));
    Ok(ProcessView {
        namespace_device: device,
        namespace_inode: file.ino(),
        group_leader: task("group_leader")?,
        start_boottime: task("start_boottime")?,
    })
}

/// Whether this kernel says where its fields are.
pub(super) fn are_known() -> bool {
    std::path::Path::new(VMLINUX).exists()
}

fn vmlinux() -> Result<Vec<u8>, BpfError> {
    std::fs::read(VMLINUX).map_err(read_error(VMLINUX))
}

fn read_error(path: &'static str) -> impl Fn(std::io::Error) -> BpfError {
    move |source| BpfError::File { action: "read", path: path.into(), source }
}

/// The type section with the start of each type, and the strings.
struct Btf<'a> {
    types: Vec<Type<'a>>,
    strings: &'a [u8],
}

struct Type<'a> {
    name: u32,
    kind: u32,
    /// Members are (name, type, offset in bits); with the flag set the upper 8 bits of the offset are a bit field size.
    bit_fields: bool,
    members: &'a [u8],
}

const STRUCT: u32 = 4;
const UNION: u32 = 5;

impl<'a> Btf<'a> {
    fn understood(data: &'a [u8]) -> Result<Self, BpfError> {
        Self::parse(data).ok_or_else(|| BpfError::Btf("not understood".to_owned()))
    }

    fn parse(data: &'a [u8]) -> Option<Self> {
        const MAGIC: u32 = 0xeb9f;
        if word(data, 0)? & 0xffff != MAGIC {
            return None;
        }
        let header = word(data, 4)? as usize;
        let section = |at: usize| -> Option<&'a [u8]> {
            let start = header.checked_add(word(data, at)? as usize)?;
            data.get(start..start.checked_add(word(data, at + 4)? as usize)?)
        };
        let (mut rest, strings) = (section(8)?, section(16)?);
        let mut types = Vec::new();
        while !rest.is_empty() {
            let info = word(rest, 4)?;
            let kind = (info >> 24) & 0x1f;
            let members = rest.get(12..12 + extra(kind, info & 0xffff)?)?;
            types.push(Type { name: word(rest, 0)?, kind, bit_fields: info >> 31 == 1, members });
            rest = &rest[12 + members.len()..];
        }
        Some(Self { types, strings })
    }

    /// Byte offset of a field of a named structure, anonymous members looked into.
    fn offset(&self, structure: &str, field: &str) -> Result<u32, BpfError> {
        self.types
            .iter()
            .filter(|kind| kind.kind == STRUCT && self.text(kind.name) == Some(structure.as_bytes()))
            .find_map(|kind| self.find(kind, field, 0))
            .map(|bits| bits / 8)
            .ok_or_else(|| BpfError::Btf(format!("struct {structure} has no field {field}")))
    }

    fn find(&self, structure: &Type<'_>, field: &str, depth: u32) -> Option<u32> {
        structure.members.chunks_exact(12).find_map(|member| {
            let (name, kind, offset) = (word(member, 0)?, word(member, 4)?, word(member, 8)?);
            let offset = if structure.bit_fields { offset & 0x00ff_ffff } else { offset };
            if self.text(name) == Some(field.as_bytes()) {
                return Some(offset);
            }
            // Type ids count from 1; nesting is bounded against a malformed circle.
            let inner = self.types.get((kind as usize).checked_sub(1)?)?;
            let anonymous = name == 0 && matches!(inner.kind, STRUCT | UNION) && depth < 16;
            anonymous.then(|| self.find(inner, field, depth + 1)).flatten().map(|inside| offset + inside)
        })
    }

    fn text(&self, at: u32) -> Option<&'a [u8]> {
        self.strings.get(at as usize..)?.split(|byte| *byte == 0).next()
    }
}

/// Bytes that follow a type's first three words, by kind and number of members.
fn extra(kind: u32, members: u32) -> Option<usize> {
    let members = members as usize;
    Some(match kind {
        // Pointers, forwards, typedefs, qualifiers, functions, floats, type tags.
        2 | 7..=12 | 16 | 18 => 0,
        // Integers, variables, declaration tags.
        1 | 14 | 17 => 4,
        // Arrays.
        3 => 12,
        STRUCT | UNION => 12 * members,
        // Enumerations, function prototypes.
        6 | 13 => 8 * members,
        // Sections, 64 bit enumerations.
        15 | 19 => 12 * members,
        _ => return None,
    })
}

fn word(data: &[u8], at: usize) -> Option<u32> {
    let bytes = data.get(at..at.checked_add(4)?)?;
    Some(u32::from_ne_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// struct outer { int a; union { struct { int b; int c; }; }; }; with names at 1 "outer", 7 "a", 9 "b", 11 "c".
    fn sample() -> Vec<u8> {
        let strings = b"\0outer\0a\0b\0c\0";
        let int = [0, 1 << 24, 4, 32];
        let inner = [0, (STRUCT << 24) | 2, 8, 9, 1, 0, 11, 1, 32];
        let union = [0, (UNION << 24) | 1, 8, 0, 2, 0];
        let outer = [1, (STRUCT << 24) | 2, 12, 7, 1, 0, 0, 3, 32];
        let types: Vec<u32> = [&int[..], &inner, &union, &outer].concat();
        let length = (types.len() * 4) as u32;
        let header = [0x0001_eb9f, 24, 0, length, length, strings.len() as u32];
        let mut data: Vec<u8> = header.iter().chain(&types).flat_map(|word| word.to_ne_bytes()).collect();
        data.extend(strings);
        data
    }

    #[test]
    fn anonymous_members_are_looked_into() {
        let data = sample();
        let btf = Btf::parse(&data).unwrap();
        for (field, expected) in [("a", Some(0)), ("b", Some(4)), ("c", Some(8)), ("d", None)] {
            assert_eq!(btf.offset("outer", field).ok(), expected, "{field}");
        }
        assert!(btf.offset("inner", "b").is_err());
    }

    #[test]
    fn damaged_data_is_refused_not_read_past() {
        let data = sample();
        for cut in 0..data.len() {
            // Cut in the strings it may still parse; it must not panic.
            let _ = Btf::parse(&data[..cut]).map(|btf| btf.offset("outer", "c").ok());
        }
        let mut unknown = data.clone();
        unknown[24 + 7] = 31;
        assert!(Btf::parse(&unknown).is_none());
    }
}
