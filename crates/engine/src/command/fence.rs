//! A fence around a program: it reads what it was given and writes where it works, nothing else.
//!
//! By Landlock, which the kernel enforces for the program and all that it starts. What is refused
//! looks to the program like a lack of permission; a path outside is still visible as a name. Where
//! the kernel has no Landlock the fence is open, and says so.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use landlock::{
    ABI, Access, AccessFs, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus,
    path_beneath_rules,
};

/// What every program may read: the system's own.
const SYSTEM: &[&str] = &[
    "/usr", "/lib", "/lib32", "/lib64", "/libx32", "/bin", "/sbin", "/etc", "/proc", "/sys", "/dev",
];
/// What every program may also write to.
const DEVICES: &[&str] =
    &["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"];
/// The newest rights that are asked for; an older kernel enforces those that it knows.
const RIGHTS: ABI = ABI::V5;

/// What a program may reach.
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

    /// Puts the calling thread, and all that it starts from now on, behind the fence.
    ///
    /// # Errors
    /// What the kernel gives.
    pub(crate) fn enter(&self) -> io::Result<()> {
        let status = self.restrict().map_err(io::Error::other)?;
        self.is_open.store(status == RulesetStatus::NotEnforced, Ordering::SeqCst);
        Ok(())
    }

    fn restrict(&self) -> Result<RulesetStatus, landlock::RulesetError> {
        let status = Ruleset::default()
            .handle_access(AccessFs::from_all(RIGHTS))?
            .create()?
            .add_rules(path_beneath_rules(&self.read, AccessFs::from_read(RIGHTS)))?
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
