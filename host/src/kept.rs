//! Instances that run again: what a session keeps of its processes between calls.
//!
//! A command that exports `wardian:process/again` runs several times in one instance, so that its next run finds in memory
//! what the last one left there. An instance is kept for whoever asks under the same name with the same powers over the
//! same files; one that did not end by itself is dropped, and so is the oldest where there are too many.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use wasmtime::Store;
use wasmtime::component::TypedFunc;

use crate::command::State;
use crate::tool::{Files, Layer};
use crate::wit::Powers;

/// Instances that a session keeps.
const KEPT_MAX: usize = 2;

/// `wardian:process/again#run`.
pub(crate) type Again = TypedFunc<(Vec<String>, Vec<(String, String)>, String), (u8,)>;

/// An instance that waits for its next run.
pub(crate) struct Life {
    pub(crate) store: Store<State>,
    pub(crate) again: Again,
}

/// For whom an instance is kept.
#[derive(Clone)]
pub(crate) struct For {
    pub(crate) name: String,
    /// Of the command's component.
    pub(crate) digest: String,
    pub(crate) powers: Powers,
    pub(crate) files: Files,
}

/// The instances that a session keeps. Dropping it drops them.
#[derive(Default)]
pub struct Kept(Mutex<VecDeque<(For, Life)>>);

impl Kept {
    fn lives(&self) -> MutexGuard<'_, VecDeque<(For, Life)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn take(&self, wanted: &For) -> Option<Life> {
        let mut lives = self.lives();
        let at = lives.iter().position(|(known, _)| known.is(wanted))?;
        lives.remove(at).map(|(_, life)| life)
    }

    /// In place of another of that name.
    pub(crate) fn put(&self, owner: For, life: Life) {
        let mut lives = self.lives();
        let mut gone: Vec<_> = Vec::new();
        if let Some(at) = lives.iter().position(|(known, _)| known.name == owner.name && known.digest == owner.digest) {
            gone.extend(lives.remove(at));
        }
        lives.push_back((owner, life));
        if lives.len() > KEPT_MAX {
            gone.extend(lives.pop_front());
        }
        // An instance goes without anybody waiting for it.
        drop(lives);
    }
}

impl For {
    fn is(&self, other: &Self) -> bool {
        let (powers, others) = (&self.powers, &other.powers);
        self.name == other.name
            && self.digest == other.digest
            && powers.files == others.files
            && (&powers.net, &powers.process, &powers.env) == (&others.net, &others.process, &others.env)
            && are_same(&self.files, &other.files)
    }
}

fn are_same(files: &Files, others: &Files) -> bool {
    let folders = |layer: &Layer| (layer.upper.clone(), layer.scratch.clone());
    files.project == others.project
        && files.direct == others.direct
        && files.layer.as_ref().map(folders) == others.layer.as_ref().map(folders)
}
