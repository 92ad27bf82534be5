//! What was observed of a program's last run: its output, how long it took, where and when.
//!
//! No part of the outcome, because a log has times in it and would make equal results differ. It is
//! kept beside, under the key, so that a hit can show again what the program said. Losing it costs
//! nothing, so that nothing is flushed and no failure to write it is told.

use serde::{Deserialize, Serialize};

use crate::canonical;
use crate::digest::Digest;
use crate::files;
use crate::store::Store;

/// What was observed of one run of a program.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Observation {
    /// What it wrote to its standard output, as text; the middle of a long one is cut out.
    pub stdout: String,
    /// What it wrote to its standard error.
    pub stderr: String,
    /// How long the last attempt took, in seconds.
    pub seconds: f64,
    /// How many attempts it took.
    pub attempts: u32,
    /// The machine.
    pub host: String,
    /// When it ended, in UTC, as RFC 3339.
    pub ended: String,
}

impl Observation {
    /// Whether the program said nothing.
    pub fn is_silent(&self) -> bool {
        self.stdout.is_empty() && self.stderr.is_empty()
    }

    /// The lines that the program wrote: standard output first.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.stdout.lines().chain(self.stderr.lines())
    }
}

impl Store {
    /// What was observed of the program that made the outcome of a key, if it was kept.
    pub fn observed(&self, key: &Digest) -> Option<Observation> {
        canonical::read(&self.place("observed", key)).ok()
    }

    /// Keeps what was observed of a program, if that is possible. Of one that said nothing there is
    /// nothing to say again, and what it said before is forgotten.
    pub(crate) fn keep_observed(&self, key: &Digest, observation: &Observation) {
        if observation.is_silent() {
            let _ = files::remove(&self.place("observed", key));
            return;
        }
        drop(self.write(&self.place("observed", key), &canonical::to_bytes(observation)));
    }
}
