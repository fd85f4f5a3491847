//! The programs' log lines.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use super::stage::{eventually, on_stage, socket, try_connect};
use crate::bpf::{Config, NodePrograms};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn lines_of_the_programs_come_out_of_tracing() {
    on_stage(|stage| {
        let lines = Lines::default();
        let writer = lines.clone();
        // The subscriber of the whole test process: this test is the only one that sets it.
        tracing_subscriber::fmt()
            .with_max_level(tracing::Level::DEBUG)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .init();
        let node = NodePrograms::start(&Config { log_level: 4, ..stage.config() }).unwrap();
        node.enrol(stage.cookie()).unwrap();
        let destination: SocketAddr = "10.9.1.3:8099".parse().unwrap();
        stage.within("pods/app", || {
            let socket = socket(destination.ip());
            let _ = try_connect(&socket, destination);
        });
        let text = || String::from_utf8_lossy(&lines.0.lock().unwrap()).into_owned();
        assert!(eventually(|| text().contains("10.9.1.3 port 8099: captured")), "{}", text());
        assert!(text().contains("weir_ebpf"), "{}", text());
        drop(node);
    });
}
