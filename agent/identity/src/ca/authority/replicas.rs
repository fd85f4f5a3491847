//! Keeping up with the other replicas, and the rotation that one of them leads.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{AuthorityConfig, CaAuthority, Current, Shared, check, gone};
use crate::ca::rotation::Step;
use crate::ca::{AuthorityError, FileError, Phase, RotationPolicy};

impl CaAuthority {
    /// Keeps up with the store, and rotates the root when that is due and `leads` says that it is this replica's
    /// business. Never ends.
    pub async fn run(self, leads: impl Fn() -> bool + Send) {
        let mut said: Option<Instant> = None;
        loop {
            tokio::time::sleep(self.shared.config.poll.max(SHORTEST_POLL)).await;
            let done = match leads() {
                true => self.advance().await.map(drop),
                false => self.refresh().await.map(drop),
            };
            match done {
                Err(error) if said.is_none_or(|said| said.elapsed() >= TELL_AGAIN) => {
                    tracing::error!("the CA that was read before stays in use: {error}");
                    said = Some(Instant::now());
                }
                Ok(()) if said.take().is_some() => tracing::info!("the CA is read again"),
                Ok(()) | Err(_) => {}
            }
        }
    }

    /// Reads the store again. `true`: there is something else in it, which is in use now.
    ///
    /// # Errors
    /// As in opening; what was read before stays in use.
    pub async fn refresh(&self) -> Result<bool, AuthorityError> {
        let Shared { store, config, current, changes } = &*self.shared;
        let stored = store.load().await?.ok_or_else(|| gone(store.place()))?;
        if stored.version == current.load().version {
            return Ok(false);
        }
        let read = Arc::new(Current::read(&**store, stored, config.clock.now())?);
        let generation = read.generation();
        tracing::info!(place = store.place(), phase = ?read.state.phase(), "another CA, or another phase of it, is in use");
        current.store(read);
        changes.send_if_modified(|known| std::mem::replace(known, generation) != generation);
        Ok(true)
    }

    /// Does the next step of a rotation if it is due. For the one replica that leads; if two do, one of them wins.
    ///
    /// # Errors
    /// As in [`refresh`](Self::refresh).
    pub async fn advance(&self) -> Result<Option<Phase>, AuthorityError> {
        self.refresh().await?;
        let current = self.shared.current.load_full();
        let AuthorityConfig { rotation, poll, clock } = &self.shared.config;
        // Another replica signs as before until it has looked at the store again.
        let rotation = RotationPolicy { overlap: rotation.overlap + *poll * 2, ..*rotation };
        let due = rotation.due(current.state.phase(), current.issuer.validity(), clock.now());
        match due {
            // The user's own CA is the user's to replace.
            Some(step) if current.issuer.is_root() || step != Step::Announce => {
                self.step(&current, step).await
            }
            Some(_) | None => Ok(None),
        }
    }

    /// Begins a rotation now.
    ///
    /// # Errors
    /// The CA is the user's intermediate, or a rotation is under way already.
    pub async fn rotate(&self) -> Result<Option<Phase>, AuthorityError> {
        self.refresh().await?;
        let current = self.shared.current.load_full();
        let refused = |detail| Err(AuthorityError::Rotation { place: self.place(), detail });
        if !current.issuer.is_root() {
            return refused("it is an intermediate of somebody's own CA, who must sign another one");
        }
        if current.state.phase() != Phase::Stable {
            return refused("a rotation is under way already");
        }
        self.step(&current, Step::Announce).await
    }

    async fn step(&self, current: &Current, step: Step) -> Result<Option<Phase>, AuthorityError> {
        let Shared { store, config, .. } = &*self.shared;
        let now = config.clock.now();
        let state = current.state.clone().after(step, now).map_err(FileError::from)?;
        // Nothing is kept that could not be opened again.
        check(&state, store.place().into(), now)?;
        let won = store.replace(state.to_files(), current.version.clone()).await?;
        self.refresh().await?;
        if won {
            tracing::warn!(place = store.place(), phase = ?state.phase(), "the rotation of the root went on");
        }
        Ok(won.then(|| state.phase()))
    }
}

const SHORTEST_POLL: Duration = Duration::from_millis(100);
const TELL_AGAIN: Duration = Duration::from_secs(60);
