//! One reader of the ring, any number of streams.

use std::{
    os::fd::{AsFd, OwnedFd},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use aya::maps::{Map, MapData, RingBuf};
use tokio::sync::mpsc;
use weir_ebpf_common::{Counter, RawEvent, control};

use super::{Event, EventStream};
use crate::bpf::{BpfError, CounterTable, Pins, Switches, Tracepoint, Wake, eventfd, wait, wake_up};

/// Maps that reading and the tracepoint share with the node's programs.
pub(crate) const MAPS: [&str; 6] = ["ENROLLED", "EXEMPT", "AGENT_SOCKETS", "FLOWS", "COUNTERS", "EVENTS"];

/// Events that wait for a slow stream before it loses some.
const QUEUE: usize = 4096;

/// Hands the kernel's events to the streams.
#[derive(Debug)]
pub(crate) struct Hub {
    switches: Switches,
    counters: Arc<CounterTable>,
    pins: Pins,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    streams: Vec<Stream>,
    next_id: u64,
    reader: Option<Reader>,
}

/// The thread, while there is one. It ends itself when it finds no stream, so nobody waits for it.
#[derive(Debug)]
struct Reader {
    wake: Arc<OwnedFd>,
    /// Switches that fit what it has attached.
    switches: u32,
}

#[derive(Debug)]
struct Stream {
    id: u64,
    sender: mpsc::Sender<Event>,
    /// Value of the kernel's counter when the stream began.
    lost_before: u64,
    overflow: u64,
}

/// Takes its stream out of the hub when it is dropped.
#[derive(Debug)]
pub(super) struct Subscription {
    hub: Arc<Hub>,
    id: u64,
}

impl Hub {
    pub(crate) fn new(switches: Switches, counters: Arc<CounterTable>, pins: Pins) -> Arc<Self> {
        Arc::new(Self { switches, counters, pins, state: Mutex::default() })
    }

    /// Off, whatever an agent that died while somebody read left behind.
    pub(crate) fn reset(&self) -> Result<(), BpfError> {
        self.switches.set(0)
    }

    pub(crate) fn subscribe(self: &Arc<Self>) -> Result<EventStream, BpfError> {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let lost_before = self.counters.get(Counter::EventsLost)?;
        let mut state = self.state();
        match &state.reader {
            // It may be about to end: then it sees the new stream and stays.
            Some(reader) => self.switches.set(reader.switches)?,
            None => state.reader = Some(self.start_reader()?),
        }
        let id = state.next_id;
        state.next_id += 1;
        state.streams.push(Stream { id, sender, lost_before, overflow: 0 });
        Ok(EventStream { receiver, _subscription: Subscription { hub: Arc::clone(self), id } })
    }

    /// Ends all streams.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.streams.clear();
        self.leave_to_reader(&state);
    }

    fn unsubscribe(&self, id: u64) {
        let mut state = self.state();
        state.streams.retain(|stream| stream.id != id);
        self.leave_to_reader(&state);
    }

    fn leave_to_reader(&self, state: &State) {
        if !state.streams.is_empty() {
            return;
        }
        if let Some(reader) = &state.reader {
            if let Err(error) = self.switches.set(0) {
                tracing::warn!(%error, "connection events stay switched on, which costs time per connection");
            }
            wake_up(&reader.wake);
        }
    }

    fn start_reader(self: &Arc<Self>) -> Result<Reader, BpfError> {
        let file = |source| BpfError::File { action: "start the reader of", path: "EVENTS".into(), source };
        let ring = self.open_ring()?;
        let wake = Arc::new(eventfd().map_err(file)?);
        let switches = control::EVENTS;
        self.switches.set(switches)?;
        let (hub, own_wake) = (Arc::clone(self), Arc::clone(&wake));
        std::thread::Builder::new()
            .name("weir-events".to_owned())
            .spawn(move || hub.read(ring, &own_wake))
            .map_err(file)?;
        Ok(Reader { wake, switches })
    }

    fn open_ring(&self) -> Result<RingBuf<MapData>, BpfError> {
        let map = |source| BpfError::Map { map: "EVENTS".to_owned(), source: Box::new(source) };
        let path = self.pins.get("EVENTS").cloned().unwrap_or_default();
        let data = MapData::from_pin(path).map_err(map)?;
        RingBuf::try_from(Map::RingBuf(data)).map_err(map)
    }

    /// The thread. The tracepoint lives exactly as long as it reads.
    fn read(&self, mut ring: RingBuf<MapData>, wake: &OwnedFd) {
        let _tracepoint = self.attach_tracepoint();
        loop {
            self.drain(&mut ring);
            match wait(ring.as_fd(), wake) {
                Wake::Readable => {}
                Wake::Called => {
                    let mut state = self.state();
                    if state.streams.is_empty() {
                        state.reader = None;
                        return;
                    }
                }
                Wake::Failed => {
                    let mut state = self.state();
                    state.streams.clear();
                    state.reader = None;
                    return;
                }
            }
        }
    }

    fn attach_tracepoint(&self) -> Option<Tracepoint> {
        let tracepoint = Tracepoint::attach(&self.pins)
            .inspect_err(|error| {
                tracing::warn!(
                    %error,
                    "no tracepoint: connections older than the trace and processes outside of the pods' cgroup are \
                     not reported"
                );
            })
            .ok()?;
        let mut state = self.state();
        // From here on sock_ops leaves closed sockets to the tracepoint.
        let switches = control::EVENTS | control::TRACEPOINT;
        let on = if state.streams.is_empty() { 0 } else { switches };
        if let Err(error) = self.switches.set(on) {
            tracing::warn!(%error, "closed connections are reported twice");
        } else if let Some(reader) = &mut state.reader {
            reader.switches = switches;
        }
        Some(tracepoint)
    }

    fn drain(&self, ring: &mut RingBuf<MapData>) {
        let clock = Clock::now();
        // A counter that cannot be read is no reason to stop reporting.
        let lost = self.counters.get(Counter::EventsLost).unwrap_or_default();
        while let Some(record) = ring.next() {
            if record.len() < size_of::<RawEvent>() {
                continue;
            }
            // SAFETY: the record is long enough, and any bits are a RawEvent.
            let raw = unsafe { record.as_ptr().cast::<RawEvent>().read_unaligned() };
            if let Some(event) = Event::decode(&raw, clock.wall(raw.time_ns), 0) {
                self.state().publish(&event, lost);
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn publish(&mut self, event: &Event, lost: u64) {
        for stream in &mut self.streams {
            let lost = lost.saturating_sub(stream.lost_before) + stream.overflow;
            if stream.sender.try_send(Event { lost, ..event.clone() }).is_err() {
                stream.overflow += 1;
            }
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.hub.unsubscribe(self.id);
    }
}

/// Both clocks at one moment: the kernel stamps events with the monotonic one.
struct Clock {
    wall: SystemTime,
    monotonic: Duration,
}

impl Clock {
    fn now() -> Self {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let monotonic = Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs() as u32);
        Self { wall: SystemTime::now(), monotonic }
    }

    fn wall(&self, monotonic_ns: u64) -> SystemTime {
        let at = Duration::from_nanos(monotonic_ns);
        if at > self.monotonic {
            self.wall + (at - self.monotonic)
        } else {
            self.wall - (self.monotonic - at)
        }
    }
}
