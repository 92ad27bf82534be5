//! Another package takes over while the service runs, or does not, and then nothing changes.
//!
//! What is to be served is told by a source: a directory whose bytes may be replaced, or a document
//! that names another one. It is looked at every now and then, when somebody asks, and when a probe
//! finds that the files are no longer those that answer. A look compares stats, a few microseconds;
//! only where they differ from those of the last attempt is a package loaded, which proves it, and
//! only then does the pointer change. So whatever lies there, the service answers with a proved
//! package, and what failed is tried again when a file changes, not before. A package of another
//! task is not taken up, since its answers have another shape. A copy that is still being made
//! looks like a damaged package: people are told of a failure when the next look finds the very
//! same. Polling, and not inotify, since that misses what other machines write, and a replaced
//! directory, and needs a poll beside it all the same. Knows neither HTTP nor aliases.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use tokio::sync::Notify;

use crate::ml::package::{DISTRIBUTION, LISTED, MANIFEST, Package};
use crate::serve::stat::Stat;
use crate::serve::state::State;

/// Where the package is that is to be served, and who is told what becomes of it. All of it is
/// called where it may block.
pub trait Source: Send + Sync {
    /// The file that is replaced when `package` comes to name another directory; `None` where it
    /// always names the same.
    fn pointer(&self) -> Option<&Path>;

    /// The directory of the package.
    ///
    /// # Errors
    /// Why there is none, in words that a client may read.
    fn package(&self) -> Result<PathBuf, String>;

    /// Is told what became of it.
    fn tell(&self, news: &News<'_>);
}

/// What becomes of what is to be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News<'n> {
    /// Another version answers.
    Swapped {
        /// The version of before.
        from: &'n str,
        /// The version of now.
        to: &'n str,
    },
    /// Something else should answer and cannot. The same reason is told once, unless somebody asks.
    Kept {
        /// The version that goes on answering.
        version: &'n str,
        /// What is wrong with the other.
        reason: &'n str,
    },
    /// What `Reload` asked for is done, whatever came of it.
    Looked,
}

/// Asks a running service to look, whatever it has seen.
#[derive(Clone, Debug, Default)]
pub struct Reload(Arc<Notify>);

impl Reload {
    /// Asks; the source is told when it is done. Asking twice before that may be one look.
    pub fn ask(&self) {
        self.0.notify_one();
    }

    /// Is done when somebody asks.
    pub(crate) async fn asked(&self) {
        self.0.notified().await;
    }
}

/// Why it is looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// A probe found other files than those that answer.
    Probe,
    /// It is time.
    Routine,
    /// Somebody wants to know, whatever the stats say.
    Asked,
}

/// What came of a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// What is to be served is what answers.
    Same,
    /// Another version answers.
    Swapped { from: String, to: String },
    /// Something else is to be served and cannot be.
    Kept(String),
}

/// Where a package is put to use.
pub(crate) trait Place {
    /// The version in use there; a word where there is none.
    fn version(&self) -> String;

    /// Whether it may be taken up there.
    ///
    /// # Errors
    /// Why not.
    fn fits(&self, package: &Package) -> Result<(), String>;

    /// Takes up a package that was loaded, and so proved, from a directory, unless it is the one
    /// in use.
    fn take(&self, package: Package, dir: PathBuf) -> Found;

    /// Is told that a package should have been taken up and could not be loaded.
    fn failed(&self);
}

/// Why what is to be served does not answer.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) reason: String,
    /// When that was found.
    pub(crate) at: SystemTime,
}

/// Follows what is to be served.
pub struct Follow {
    source: Box<dyn Source>,
    reload: Reload,
    seen: Mutex<Seen>,
    /// Beside what is seen, which is held as long as a look takes.
    failure: Mutex<Option<Failure>>,
}

struct Seen {
    /// What there was at the last attempt.
    stamp: Stamp,
    /// The reason that people were told last.
    told: Option<String>,
}

/// What tells that there is nothing new, short of reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    pointer: Option<Stat>,
    dir: Result<PathBuf, String>,
    files: Vec<Option<Stat>>,
}

impl Stamp {
    fn of(source: &dyn Source, before: Option<&Stamp>) -> Stamp {
        let pointer = source.pointer().and_then(Stat::at);
        let dir = match before {
            Some(before) if pointer.is_some() && before.pointer == pointer => before.dir.clone(),
            // The one that a link leads to now stays itself when the link leads elsewhere.
            _ => source.package().map(|dir| dir.canonicalize().unwrap_or(dir)),
        };
        let stats = |dir: &PathBuf| -> Vec<_> {
            let names = LISTED.into_iter().chain([DISTRIBUTION, MANIFEST]);
            names.map(|name| Stat::at(&dir.join(name))).collect()
        };
        Stamp { files: dir.as_ref().map(stats).unwrap_or_default(), pointer, dir }
    }
}

impl Follow {
    /// Follows a source from now on: the package that `dir` names is to be loaded after this.
    pub fn new(source: impl Source + 'static) -> Follow {
        let stamp = Stamp::of(&source, None);
        Follow {
            source: Box::new(source),
            reload: Reload::default(),
            seen: Mutex::new(Seen { stamp, told: None }),
            failure: Mutex::default(),
        }
    }

    /// Where the package was when it was last looked.
    ///
    /// # Errors
    /// Why there is none.
    pub fn dir(&self) -> Result<PathBuf, String> {
        lock(&self.seen).stamp.dir.clone()
    }

    /// By which it is asked to look.
    pub fn reload(&self) -> Reload {
        self.reload.clone()
    }

    /// Why the last change is not what answers, if it is not.
    pub(crate) fn failure(&self) -> Option<Failure> {
        lock(&self.failure).clone()
    }

    /// Tells that what was asked for is done.
    pub(crate) fn looked(&self) {
        self.source.tell(&News::Looked);
    }

    /// Looks, and lets another package answer if it is there and whole.
    pub(crate) fn look(&self, state: &State, look: Look) -> Found {
        self.look_for(state, look)
    }

    /// Looks, and lets another package take over at a place if it is there and whole. May take as
    /// long as loading it does, and only one look goes on at a time.
    pub(crate) fn look_for(&self, place: &dyn Place, look: Look) -> Found {
        let (found, is_due) = self.attempt(place, look);
        // The next look need not wait until who is told has listened.
        match &found {
            Found::Swapped { from, to } => self.source.tell(&News::Swapped { from, to }),
            Found::Kept(reason) if is_due => {
                self.source.tell(&News::Kept { version: &place.version(), reason });
            }
            _ => {}
        }
        found
    }

    /// Looks; also says whether people are to be told of a failure.
    fn attempt(&self, place: &dyn Place, look: Look) -> (Found, bool) {
        let mut seen = lock(&self.seen);
        let stamp = Stamp::of(&*self.source, Some(&seen.stamp).filter(|_| look != Look::Asked));
        let is_new = stamp != seen.stamp;
        if is_new || look == Look::Asked {
            let dir = stamp.dir.clone();
            // Before the attempt: what changes meanwhile differs from this, and what makes the
            // attempt panic is not attempted again.
            seen.stamp = stamp;
            let loaded = dir.and_then(|dir| {
                let package = Package::load(&dir).map_err(|error| error.to_string())?;
                place.fits(&package)?;
                Ok((package, dir))
            });
            match loaded {
                Ok((package, dir)) => {
                    seen.told = None;
                    *lock(&self.failure) = None;
                    return (place.take(package, dir), false);
                }
                Err(reason) => {
                    place.failed();
                    *lock(&self.failure) = Some(Failure { reason, at: SystemTime::now() });
                }
            }
        }
        let Some(Failure { reason, .. }) = self.failure() else {
            return (Found::Same, false);
        };
        let is_settled = look == Look::Routine && !is_new;
        let is_due = look == Look::Asked || (is_settled && seen.told.as_ref() != Some(&reason));
        if is_due {
            seen.told = Some(reason.clone());
        }
        (Found::Kept(reason), is_due)
    }
}

impl Place for State {
    fn version(&self) -> String {
        self.served().version().to_owned()
    }

    /// Clients of the package that answers must be able to read the answers of another one: those
    /// of another task have another shape, and whoever asks for a probability finds none.
    fn fits(&self, package: &Package) -> Result<(), String> {
        let served = self.served();
        let (now, then) = (served.package.task(), package.task());
        if now.is_like(then) {
            return Ok(());
        }
        let (now, then) = (now.told(), then.told());
        Err(format!("it predicts {then}, and this service {now}: start another service for it"))
    }

    fn take(&self, package: Package, dir: PathBuf) -> Found {
        let served = self.served();
        let (from, to) = (served.version().to_owned(), package.version().to_owned());
        if from == to && served.watch.dir() == dir {
            return Found::Same;
        }
        self.swap(package, dir);
        if from == to {
            // The same bytes, elsewhere.
            return Found::Same;
        }
        self.metrics.swaps.done.fetch_add(1, Ordering::Relaxed);
        Found::Swapped { from, to }
    }

    fn failed(&self) {
        self.metrics.swaps.failed.fetch_add(1, Ordering::Relaxed);
    }
}

/// Every state of what is locked here is a valid one, also that of a look that was cut short.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
