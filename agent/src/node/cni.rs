//! The socket that `weir-cni` asks at: which pod starts, and where. A pod that is wanted is captured before the answer,
//! so that its first packet is.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use weir_cni::message::{self, Answer, LONGEST, Pod, Question};

use super::places::is_plain;
use super::standing::State;
use super::{Places, Standing};

/// Answers the plugin, until it is dropped.
pub(crate) struct Server {
    path: PathBuf,
    listener: UnixListener,
    asked: Asked,
}

/// What an answer is made of.
#[derive(Clone)]
struct Asked {
    places: Arc<Places>,
    standing: watch::Receiver<Arc<Standing>>,
    /// For how long.
    wait: Duration,
}

impl Server {
    /// Listens at `path`. An agent that is about to go may listen there still: from now on the plugin comes here. A pod that cannot
    /// be captured yet is held for `wait`.
    pub(crate) fn bind(
        path: &Path,
        wait: Duration,
        places: Arc<Places>,
        standing: watch::Receiver<Arc<Standing>>,
    ) -> anyhow::Result<Self> {
        let bound = || {
            if let Some(dir) = path.parent() {
                std::fs::create_dir_all(dir)?;
            }
            let new = path.with_extension(format!("{}", std::process::id()));
            let _ = std::fs::remove_file(&new);
            let listener = UnixListener::bind(&new)?;
            // Before it is where anybody looks.
            std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o600))?;
            std::fs::rename(&new, path)?;
            std::io::Result::Ok(listener)
        };
        let listener =
            bound().with_context(|| format!("cannot listen at {} (--cni-socket)", path.display()))?;
        Ok(Self { path: path.to_owned(), listener, asked: Asked { places, standing, wait } })
    }

    /// Answers without an end.
    pub(crate) async fn run(self) {
        let _remove = Remove { inode: std::fs::metadata(&self.path).map(|m| m.ino()).ok(), path: self.path };
        let room = Arc::new(Semaphore::new(AT_ONCE));
        loop {
            let Ok(permit) = room.clone().acquire_owned().await else { return };
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let asked = self.asked.clone();
                    tokio::spawn(async move {
                        if let Err(error) = asked.serve(stream).await {
                            tracing::debug!("a question of the CNI plugin was not answered: {error}");
                        }
                        drop(permit);
                    });
                }
                Err(error) => {
                    tracing::warn!("the CNI plugin's socket: {error}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }
}

impl Asked {
    async fn serve(mut self, stream: UnixStream) -> std::io::Result<()> {
        let (from, mut to) = stream.into_split();
        let mut line = Vec::new();
        let mut from = BufReader::new(from.take(LONGEST as u64));
        timeout(QUESTION, from.read_until(b'\n', &mut line)).await??;
        let answer = match message::parse(&line) {
            Ok(question) => self.answer(question).await,
            Err(error) => Answer::Refused(format!("the agent does not understand the plugin: {error}")),
        };
        to.write_all(&message::line(&answer)?).await
    }

    async fn answer(&mut self, question: Question) -> Answer {
        match question {
            Question::Status => Answer::Done,
            Question::Del(pod) => {
                self.places.gone(&pod);
                Answer::Done
            }
            Question::Add(pod) if !is_named(&pod) => {
                Answer::Refused("the pod has no name that Kubernetes allows".into())
            }
            Question::Add(pod) => self.add(&pod).await,
            Question::Check(pod) => {
                let netns = self.places.told(&pod).map(|place| place.netns);
                let state = netns.ok().and_then(|netns| self.look_up(&pod, &netns));
                match state {
                    Some(State::Captured | State::Left | State::Refused(..) | State::Leaving) => Answer::Done,
                    Some(State::Failed(why)) => Answer::Refused(why),
                    Some(State::Awaited) | None => Answer::TryAgain(UNKNOWN.into()),
                }
            }
        }
    }

    /// Tells where the pod is, and waits until it stands as it should.
    async fn add(&mut self, pod: &Pod) -> Answer {
        let netns = match self.places.told(pod) {
            Ok(place) => place.netns,
            Err(error) => return Answer::TryAgain(error.to_string()),
        };
        let wait = self.wait;
        let standing = async {
            loop {
                match self.look_up(pod, &netns) {
                    Some(State::Captured | State::Left | State::Refused(..) | State::Leaving) => return,
                    Some(State::Awaited | State::Failed(_)) | None => {}
                }
                if self.standing.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        };
        if timeout(wait, standing).await.is_ok() {
            return Answer::Done;
        }
        Answer::TryAgain(match self.look_up(pod, &netns) {
            Some(State::Failed(why)) => format!("the pod could not be captured: {why}"),
            Some(_) => "the pod was not captured in time; the agent's log has more".to_owned(),
            None => UNKNOWN.to_owned(),
        })
    }

    fn look_up(&mut self, pod: &Pod, netns: &Path) -> Option<State> {
        self.standing.borrow_and_update().look_up(&pod.uid, &pod.namespace, &pod.name, netns)
    }
}

fn is_named(pod: &Pod) -> bool {
    let all = [&pod.namespace, &pod.name, &pod.uid];
    all.into_iter().all(|text| is_plain(text)) && !pod.namespace.is_empty() && !pod.name.is_empty()
}

/// Takes the socket away, if it is still ours.
struct Remove {
    path: PathBuf,
    inode: Option<u64>,
}

impl Drop for Remove {
    fn drop(&mut self) {
        if std::fs::metadata(&self.path).map(|metadata| metadata.ino()).ok() == self.inode {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

const UNKNOWN: &str = "the controller has not told this node about the pod, so nobody knows whether it is to be captured; \
    is weir-controller reachable (GET /config_dump of the agent, field discovery)?";
/// For a whole question.
const QUESTION: Duration = Duration::from_secs(5);
/// Pods that start at once; more wait for their turn.
const AT_ONCE: usize = 256;
