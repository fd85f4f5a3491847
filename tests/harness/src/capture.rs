//! A packet capture on one interface, complete from the return of `start` to the call of `stop`.

use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::Signal;

use crate::{Node, Packets, Process, until};

/// A running tcpdump.
#[derive(Debug)]
pub struct Capture {
    node: Node,
    file: PathBuf,
    tcpdump: Process,
}

impl Capture {
    pub(crate) fn start(node: &Node, interface: &str) -> Result<Self> {
        static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let file = node.host().dir.join(format!("{}-{interface}-{count}.pcap", node.name()));
        let path = file.to_string_lossy().into_owned();
        // Whole frames, at once, as root (the directory is ours), with room for bursts.
        let args = [
            "-i",
            interface,
            "-n",
            "-s",
            "0",
            "-U",
            "--immediate-mode",
            "-B",
            "65536",
            "-Z",
            "root",
            "-w",
            &path,
        ];
        let tcpdump = node.host().spawn("tcpdump", &args)?;
        tcpdump
            .wait_log("tcpdump to listen", Duration::from_secs(10), |line| line.contains("listening on"))?;
        Ok(Self { node: node.clone(), file, tcpdump })
    }

    /// File of the capture, for Wireshark.
    #[must_use]
    pub fn file(&self) -> &std::path::Path {
        &self.file
    }

    /// Ends the capture and reads it. Whatever passed before the call is in it: a datagram sent now
    /// must have arrived in the file first.
    pub fn stop(self) -> Result<Packets> {
        let token = format!("weir-harness end of capture {}", self.file.display());
        let beacon: SocketAddr = (self.peer(), 9).into();
        until("the end of the capture", Duration::from_secs(20), || {
            let sent = self.node.netns().run(|| -> std::io::Result<()> {
                UdpSocket::bind("0.0.0.0:0")?.send_to(token.as_bytes(), beacon).map(drop)
            });
            sent.ok()?.ok()?;
            let bytes = fs::read(&self.file).ok()?;
            bytes.windows(token.len()).any(|window| window == token.as_bytes()).then_some(())
        })?;
        self.tcpdump.signal(Signal::INT)?;
        self.tcpdump.wait(Duration::from_secs(10))?;
        let bytes = fs::read(&self.file)?;
        let mut packets = Packets::parse(&bytes).with_context(|| self.file.display().to_string())?;
        packets.dropped = dropped(&self.tcpdump.log()).context("tcpdump did not say what it dropped")?;
        Ok(packets)
    }

    /// An address behind the link.
    fn peer(&self) -> std::net::IpAddr {
        std::net::Ipv4Addr::new(10, 9, 0, 3 - self.node.index()).into()
    }
}

/// `12 packets dropped by kernel`.
fn dropped(log: &str) -> Option<u64> {
    let line = log.lines().find(|line| line.contains("dropped by kernel"))?;
    line.split(' ').next()?.parse().ok()
}
