//! Faults of the file system, injected on purpose.
//!
//! Every file operation of the engine passes `files`, and every function there asks `pass` first.
//! Tests plan faults once per process; without a plan the question costs one load. Knows nothing of
//! what the files hold.

use std::io;
use std::path::Path;
use std::sync::OnceLock;

/// What is about to be done with a file or directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Bytes are read.
    Read,
    /// Bytes are written.
    Write,
    /// A file is made.
    Create,
    /// A file or directory is opened.
    Open,
    /// A file or directory gets another name.
    Rename,
    /// A file or directory is removed.
    Remove,
    /// A directory is made.
    MakeDir,
    /// The entries of a directory are listed.
    List,
    /// One of them is read, with its kind.
    Entry,
    /// Its kind, size and times are asked for.
    Stat,
    /// It is flushed to disk.
    Sync,
    /// A symbolic link is made.
    Link,
    /// Its permissions are set.
    Permissions,
    /// A lock on it is taken.
    Lock,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The operation fails with this error number of the system.
    Error(i32),
    /// A write stops after so many bytes and fails for want of room. Any other operation fails
    /// with the same error.
    Short(usize),
}

/// Decides, before each operation, whether it goes wrong.
pub type Plan = Box<dyn Fn(Operation, &Path) -> Option<Fault> + Send + Sync>;

static PLAN: OnceLock<Plan> = OnceLock::new();

/// From now on a plan decides which operations of this process go wrong. The first plan stays.
pub fn inject(plan: Plan) {
    let _ = PLAN.set(plan);
}

/// The fault planned for an operation.
pub(crate) fn planned(operation: Operation, path: &Path) -> Option<Fault> {
    PLAN.get().and_then(|plan| plan(operation, path))
}

/// Fails if a fault is planned for an operation.
pub(crate) fn pass(operation: Operation, path: &Path) -> io::Result<()> {
    planned(operation, path).map_or(Ok(()), |fault| Err(fault.into()))
}

impl From<Fault> for io::Error {
    fn from(fault: Fault) -> io::Error {
        match fault {
            Fault::Error(number) => io::Error::from_raw_os_error(number),
            Fault::Short(_) => io::ErrorKind::StorageFull.into(),
        }
    }
}
