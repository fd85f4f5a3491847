//! Many connections at once.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What became of them.
#[derive(Clone, Copy, Default)]
pub(crate) struct Tally {
    pub(crate) made: usize,
    pub(crate) refused: usize,
    /// By the other side, before the time was over.
    pub(crate) ended: usize,
}

/// Keeps `count` threads busy with one connection after the other.
pub(crate) fn each(
    count: usize,
    until: Instant,
    one: impl Fn() -> io::Result<()> + Clone + Send + 'static,
) -> Tally {
    let tally = Arc::new(Mutex::new(Tally::default()));
    let threads: Vec<_> = (0..count)
        .map(|_| {
            let (one, tally) = (one.clone(), tally.clone());
            std::thread::spawn(move || {
                while Instant::now() < until {
                    let outcome = one();
                    let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
                    match outcome {
                        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => tally.refused += 1,
                        Err(_) => tally.ended += 1,
                        Ok(()) => {}
                    }
                    tally.made += 1;
                }
            })
        })
        .collect();
    for thread in threads {
        let _ = thread.join();
    }
    let tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
    *tally
}

/// Opens connections, says `first` on each, and keeps them; those that are ended are made again.
pub(crate) fn hold(at: SocketAddr, count: usize, until: Instant, first: &[u8]) -> Tally {
    let (mut tally, mut open) = (Tally::default(), Vec::new());
    while Instant::now() < until {
        while open.len() < count && Instant::now() < until {
            match TcpStream::connect_timeout(&at, CONNECT).and_then(|stream| say(stream, first)) {
                Ok(stream) => open.push(stream),
                Err(_) => tally.refused += 1,
            }
            tally.made += 1;
        }
        let before = open.len();
        open.retain(is_open);
        tally.ended += before - open.len();
        std::thread::sleep(Duration::from_millis(20));
    }
    tally
}

fn say(mut stream: TcpStream, first: &[u8]) -> io::Result<TcpStream> {
    stream.write_all(first)?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}

fn is_open(stream: &TcpStream) -> bool {
    let mut stream = stream;
    match stream.read(&mut [0; 64]) {
        Ok(count) => count > 0,
        Err(error) => error.kind() == io::ErrorKind::WouldBlock,
    }
}

const CONNECT: Duration = Duration::from_secs(1);
