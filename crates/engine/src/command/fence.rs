//! A fence around a program: it reads what it was given and writes where it works, nothing else.
//!
//! By Landlock, which the kernel enforces for the program and all that it starts. What is refused
//! looks to the program like a lack of permission; a path outside is still visible as a name. The
//! system's libraries and settings stay readable, its programs do not: of those only what was
//! declared can be run. Of other processes a program learns what `/proc` tells everybody; their
//! memory and environment the kernel keeps from whoever is behind a fence, unless it may watch the
//! whole system, which root may: that right is given up. Where the kernel has no Landlock the fence
//! is open, and says so.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use landlock::{
    ABI, Access, AccessFs, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus, Scope,
    path_beneath_rules,
};
use rustix::thread::{CapabilitySet, capabilities, set_capabilities};

/// What every program may read: the system's own, without its programs.
const SYSTEM: &[&str] = &[
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/libx32",
    "/usr/libexec",
    "/usr/share",
    "/usr/include",
    "/usr/local/lib",
    "/usr/local/lib64",
    "/usr/local/share",
    "/usr/local/include",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/etc",
    "/proc",
    "/sys",
];
/// The devices: they say nothing of this machine, and are read and written to.
const DEVICES: &[&str] = &["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];
/// What lets a process read the environment of any other, through a fence, too.
const WATCHING: CapabilitySet = CapabilitySet::PERFMON.union(CapabilitySet::SYS_ADMIN);
/// The newest rights that are asked for; an older kernel enforces those that it knows.
const RIGHTS: ABI = ABI::V6;

/// What a program may reach.
#[derive(Debug)]
pub(crate) struct Fence {
    read: Vec<PathBuf>,
    write: Vec<PathBuf>,
    is_open: AtomicBool,
}

impl Fence {
    /// A fence with these ways through, beside the system's own.
    pub(crate) fn new(read: Vec<PathBuf>, write: Vec<PathBuf>) -> Fence {
        let real = |path: PathBuf| fs::canonicalize(&path).unwrap_or(path);
        let system = SYSTEM.iter().map(PathBuf::from);
        let devices = DEVICES.iter().map(PathBuf::from);
        Fence {
            read: system.chain(read).map(real).collect(),
            write: devices.chain(write).map(real).collect(),
            is_open: AtomicBool::new(false),
        }
    }

    /// The same fence with more ways through, for a program that is run in place of the stage's.
    pub(crate) fn with(&self, read: impl Iterator<Item = PathBuf>) -> Fence {
        let more = read.map(|path| fs::canonicalize(&path).unwrap_or(path));
        Fence {
            read: self.read.iter().cloned().chain(more).collect(),
            write: self.write.clone(),
            is_open: AtomicBool::new(self.is_open()),
        }
    }

    /// Puts the calling thread, and all that it starts from now on, behind the fence. What it needs
    /// to start the program is let through, too.
    ///
    /// # Errors
    /// What the kernel gives.
    pub(crate) fn enter(&self, needed: &[&Path]) -> io::Result<()> {
        let status = self.restrict(needed).map_err(io::Error::other)?;
        self.is_open.store(status == RulesetStatus::NotEnforced, Ordering::SeqCst);
        let mut own = capabilities(None)?;
        if own.permitted.intersects(WATCHING) {
            own.permitted -= WATCHING;
            own.effective -= WATCHING;
            own.inheritable -= WATCHING;
            // Nothing that it executes gets them back: a fence takes that away (`no_new_privs`).
            set_capabilities(None, own)?;
        }
        Ok(())
    }

    fn restrict(&self, needed: &[&Path]) -> Result<RulesetStatus, landlock::RulesetError> {
        let status = Ruleset::default()
            .handle_access(AccessFs::from_all(RIGHTS))?
            .scope(Scope::from_all(RIGHTS))?
            .create()?
            .add_rules(path_beneath_rules(&self.read, AccessFs::from_read(RIGHTS)))?
            .add_rules(path_beneath_rules(needed, AccessFs::from_read(RIGHTS)))?
            .add_rules(path_beneath_rules(&self.write, AccessFs::from_all(RIGHTS)))?
            .restrict_self()?;
        Ok(status.ruleset)
    }

    /// Whether the kernel could not hold it.
    pub(crate) fn is_open(&self) -> bool {
        self.is_open.load(Ordering::SeqCst)
    }

    /// Whether a program may read what a path leads to.
    pub(crate) fn allows(&self, path: &Path) -> bool {
        let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        self.read.iter().chain(&self.write).any(|allowed| real.starts_with(allowed))
    }
}
