//! The agent's side of the holder. Nothing depends on the holder: an error is logged and the agent goes on without.

use std::io;
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket, Type};

use super::message::{self, CHUNK, Message};
use crate::datapath::lock;

/// A holder that may be there.
#[derive(Debug)]
pub(crate) struct Holder {
    path: PathBuf,
    /// Kept open: to the holder, an open connection means that an agent runs.
    connection: Mutex<Option<Socket>>,
}

impl Holder {
    /// The holder at this socket; connects now, so that it knows of us.
    pub(crate) fn new(path: &Path) -> Self {
        let holder = Self { path: path.to_owned(), connection: Mutex::default() };
        match holder.connect() {
            Ok(socket) => *lock(&holder.connection) = Some(socket),
            Err(error) => holder.complain("connect to", &error),
        }
        holder
    }

    /// The listeners of a pod that the holder has, by slot.
    pub(crate) fn take(&self, cookie: u64) -> Vec<(u32, TcpListener)> {
        let mut taken = Vec::new();
        let result = self.exchange(&Message::Take { cookie }, &[], |slots, descriptors| {
            taken.extend(slots.into_iter().zip(descriptors.into_iter().map(TcpListener::from)));
        });
        if let Err(error) = result {
            self.complain("take listeners from", &error);
        }
        taken
    }

    /// Gives duplicates of listeners to the holder.
    pub(crate) fn keep(&self, cookie: u64, listeners: &[(u32, &TcpListener)]) {
        for portion in listeners.chunks(CHUNK) {
            let slots = portion.iter().map(|(slot, _)| *slot).collect();
            let descriptors: Vec<_> = portion.iter().map(|(_, listener)| listener.as_fd()).collect();
            if let Err(error) = self.exchange(&Message::Keep { cookie, slots }, &descriptors, |_, _| ()) {
                return self.complain("give listeners to", &error);
            }
        }
    }

    /// Lets the holder close what it has of a pod; with `slots`, only those.
    pub(crate) fn forget(&self, cookie: u64, slots: Vec<u32>) {
        if let Err(error) = self.exchange(&Message::Forget { cookie, slots }, &[], |_, _| ()) {
            self.complain("let go what is held by", &error);
        }
    }

    /// One question and its answer, on the open connection or on a new one.
    fn exchange(
        &self,
        question: &Message,
        descriptors: &[std::os::fd::BorrowedFd<'_>],
        mut held: impl FnMut(Vec<u32>, Vec<std::os::fd::OwnedFd>),
    ) -> io::Result<()> {
        let mut connection = lock(&self.connection);
        let socket = match connection.take() {
            Some(socket) if message::send(&socket, question, descriptors).is_ok() => socket,
            _ => {
                let socket = self.connect()?;
                message::send(&socket, question, descriptors)?;
                socket
            }
        };
        loop {
            match message::receive(&socket)? {
                Some((Message::Held { slots }, descriptors)) => held(slots, descriptors),
                Some((Message::Ok, _)) => break,
                Some(_) => {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "an answer that is not one"));
                }
                None => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
        *connection = Some(socket);
        Ok(())
    }

    fn connect(&self) -> io::Result<Socket> {
        let socket = Socket::new(Domain::UNIX, Type::SEQPACKET, None)?;
        // A holder that hangs must not hang the agent.
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        socket.connect(&SockAddr::unix(&self.path)?)?;
        Ok(socket)
    }

    fn complain(&self, what: &str, error: &io::Error) {
        tracing::warn!(holder = %self.path.display(), %error, "cannot {what} the holder; connections are refused while the agent restarts");
    }
}

const PATIENCE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::holder::server;

    #[test]
    fn listeners_survive_in_the_holder() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("holder.sock");
        let listener = server::listen(&path).unwrap();
        assert!(server::listen(&path).is_err(), "one holder per socket");
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                server::serve(&listener, Duration::from_secs(60), || stop.load(Ordering::Acquire)).unwrap()
            });
            let agent = Holder::new(&path);
            let sockets: Vec<_> = (0..100).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
            let addresses: Vec<_> = sockets.iter().map(|socket| socket.local_addr().unwrap()).collect();
            agent.keep(
                5,
                &sockets.iter().enumerate().map(|(slot, socket)| (slot as u32, socket)).collect::<Vec<_>>(),
            );
            drop((agent, sockets));
            let _client = std::net::TcpStream::connect(addresses[7]).expect("still listening");

            let next = Holder::new(&path);
            let taken = next.take(5);
            assert_eq!(taken.len(), 100);
            assert_eq!(taken[7].1.local_addr().unwrap(), addresses[7]);
            taken[7].1.accept().expect("what was queued is there");
            next.forget(5, vec![7]);
            assert_eq!(next.take(5).len(), 99);
            next.forget(5, Vec::new());
            assert!(next.take(5).is_empty());
            drop(taken);
            assert!(std::net::TcpStream::connect(addresses[8]).is_err(), "closed with its last holder");
            stop.store(true, Ordering::Release);
        });
    }

    #[test]
    fn everything_is_let_go_when_no_agent_comes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("holder.sock");
        let listener = server::listen(&path).unwrap();
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope
                .spawn(|| server::serve(&listener, Duration::ZERO, || stop.load(Ordering::Acquire)).unwrap());
            let agent = Holder::new(&path);
            let socket = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = socket.local_addr().unwrap();
            agent.keep(5, &[(0, &socket)]);
            drop(socket);
            std::net::TcpStream::connect(address).expect("held while the agent is there");
            drop(agent);
            let begin = std::time::Instant::now();
            while std::net::TcpStream::connect(address).is_ok() {
                assert!(begin.elapsed() < Duration::from_secs(5), "still held");
                std::thread::yield_now();
            }
            stop.store(true, Ordering::Release);
        });
    }

    #[test]
    fn without_a_holder_the_agent_goes_on() {
        let holder = Holder::new(Path::new("/nowhere/holder.sock"));
        assert!(holder.take(1).is_empty());
        holder.keep(1, &[]);
        holder.forget(1, Vec::new());
    }
}
