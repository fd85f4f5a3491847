//! The ELF objects, and loading them: pinned maps adopted only when their layout is ours.

use std::{
    collections::BTreeMap,
    os::fd::{AsFd, OwnedFd},
    path::PathBuf,
    sync::{Mutex, OnceLock, PoisonError},
};

use aya::{
    Ebpf, EbpfLoader,
    maps::{Map, MapData, MapInfo},
    programs::{Program, ProgramError},
};

use super::error::BpfError;

/// One of the objects that the build script made.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) name: &'static str,
    pub(super) elf: &'static [u8],
    layouts: OnceLock<BTreeMap<String, Layout>>,
}

pub(super) static NODE: Object =
    Object::new("node", aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/node")));
pub(super) static POD: Object =
    Object::new("pod", aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/pod")));
pub(super) static TRACE: Object =
    Object::new("trace", aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/trace")));

/// Where each map of an object is pinned. A map that is not named here belongs to the loaded instance alone.
pub(crate) type Pins = BTreeMap<&'static str, PathBuf>;

/// A loaded object: its maps exist, its programs do not yet.
#[derive(Debug)]
pub(super) struct Loaded {
    object: &'static Object,
    pub(super) ebpf: Ebpf,
}

impl Object {
    pub(super) const fn new(name: &'static str, elf: &'static [u8]) -> Self {
        Self { name, elf, layouts: OnceLock::new() }
    }

    /// Creates the maps, or opens those that are pinned already; then relocates the programs. `prepare` sets globals.
    pub(super) fn load(
        &'static self,
        pins: &Pins,
        prepare: impl FnOnce(&mut EbpfLoader<'static>),
    ) -> Result<Loaded, BpfError> {
        self.check_layouts(pins)?;
        let mut loader = loader().lock().unwrap_or_else(PoisonError::into_inner);
        for (name, path) in pins {
            loader.map_pin_path(name, path.clone());
        }
        prepare(&mut loader);
        let ebpf = loader
            .load(self.elf)
            .map_err(|source| BpfError::Object { object: self.name, source: Box::new(source) })?;
        Ok(Loaded { object: self, ebpf })
    }

    /// aya opens whatever lies at a pin's path and believes the ELF about its sizes; the kernel then copies as many
    /// bytes as *it* believes a value has. So compare before anything is opened.
    fn check_layouts(&self, pins: &Pins) -> Result<(), BpfError> {
        let layouts = self.layouts()?;
        for (name, path) in pins {
            let Some(expected) = layouts.get(*name) else {
                return Err(self.missing("map", name));
            };
            if !path.exists() {
                continue;
            }
            let map_error =
                |source| BpfError::Map { map: path.display().to_string(), source: Box::new(source) };
            let info = MapInfo::from_pin(path).map_err(map_error)?;
            let found = Layout {
                kind: info.map_type().map_err(map_error)? as u32,
                key: info.key_size(),
                value: info.value_size(),
                entries: info.max_entries(),
            };
            if found != *expected {
                return Err(BpfError::Layout {
                    path: path.clone(),
                    found: found.to_string(),
                    expected: expected.to_string(),
                });
            }
        }
        Ok(())
    }

    /// Layouts of the maps; parsed once, because every pod loads the same object.
    fn layouts(&self) -> Result<&BTreeMap<String, Layout>, BpfError> {
        if let Some(layouts) = self.layouts.get() {
            return Ok(layouts);
        }
        let parsed = aya_obj::Object::parse(self.elf)
            .map_err(|source| BpfError::Object { object: self.name, source: Box::new(source.into()) })?;
        let layouts = parsed.maps.iter().map(|(name, map)| (name.clone(), Layout::of(map)));
        Ok(self.layouts.get_or_init(|| layouts.collect()))
    }

    fn missing(&self, what: &'static str, name: &str) -> BpfError {
        BpfError::Missing { object: self.name, what, name: name.to_owned() }
    }
}

impl Loaded {
    /// Takes a map out; what is not taken is closed with this value (pins stay).
    pub(super) fn map(&mut self, name: &str) -> Result<MapData, BpfError> {
        match self.ebpf.take_map(name) {
            Some(
                Map::Array(map)
                | Map::HashMap(map)
                | Map::LpmTrie(map)
                | Map::LruHashMap(map)
                | Map::PerCpuArray(map)
                | Map::RingBuf(map)
                | Map::SkStorage(map)
                | Map::SockMap(map),
            ) => Ok(map),
            _ => Err(self.object.missing("map", name)),
        }
    }

    /// Puts a program through the verifier.
    pub(super) fn program(&mut self, name: &str) -> Result<OwnedFd, BpfError> {
        let object = self.object;
        let program = self.ebpf.program_mut(name).ok_or_else(|| object.missing("program", name))?;
        match program {
            Program::CgroupSockAddr(program) => program.load(),
            Program::SockOps(program) => program.load(),
            Program::SkLookup(program) => program.load(),
            Program::BtfTracePoint(program) => aya::Btf::from_sys_fs()
                .map_err(ProgramError::from)
                .and_then(|btf| program.load("inet_sock_set_state", &btf)),
            _ => Err(ProgramError::UnexpectedProgramType),
        }
        .and_then(|()| Ok(program.fd()?.as_fd().try_clone_to_owned()?))
        .map_err(|source| BpfError::Program {
            object: object.name,
            program: name.to_owned(),
            source: Box::new(source),
        })
    }
}

/// What must agree between a pinned map and the program that uses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Layout {
    kind: u32,
    key: u32,
    value: u32,
    entries: u32,
}

impl Layout {
    fn of(map: &aya_obj::Map) -> Self {
        Self {
            kind: map.map_type(),
            key: map.key_size(),
            value: map.value_size(),
            entries: map.max_entries(),
        }
    }
}

impl std::fmt::Display for Layout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "type {}, key {} B, value {} B, {} entries", self.kind, self.key, self.value, self.entries)
    }
}

/// aya's loader parses the kernel's BTF whenever one is made (12 ms, 19 MiB), though none of our programs is relocated
/// by it: so there is one for the process. All that it keeps between loads is the pin paths, and every load sets its own.
fn loader() -> &'static Mutex<EbpfLoader<'static>> {
    static LOADER: OnceLock<Mutex<EbpfLoader<'static>>> = OnceLock::new();
    LOADER.get_or_init(|| {
        let mut loader = EbpfLoader::new();
        loader.btf(None);
        Mutex::new(loader)
    })
}
