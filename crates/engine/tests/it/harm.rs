//! Harm done to single files: other bytes, other rights, something else in their place; and many
//! harms tried side by side.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Does everything in a list on two threads, and returns what failed.
pub(crate) fn try_all<T: Sync>(orders: &[T], attempt: impl Fn(&T) + Sync) -> Vec<String> {
    let failures = Mutex::new(Vec::new());
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(order) = orders.get(next.fetch_add(1, Ordering::SeqCst)) {
                    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| attempt(order))) {
                        let told = payload.downcast_ref::<String>().cloned();
                        let told = told.or(payload.downcast_ref::<&str>().map(ToString::to_string));
                        failures.lock().unwrap().push(told.unwrap_or_default());
                    }
                }
            });
        }
    });
    failures.into_inner().unwrap()
}

/// Changes the bytes of a file, whatever its permissions, some time after it was written: the
/// stat cache knows a change by its time, and clocks of file systems tick slowly.
pub(crate) fn tamper(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    std::thread::sleep(Duration::from_millis(20));
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    make_writable(path);
    fs::write(path, bytes).unwrap();
}

/// Makes a pipe that nobody ever writes to.
pub(crate) fn make_pipe(path: &Path) {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o644), 0).unwrap();
}

/// Flips one bit in the middle of a file.
pub(crate) fn flip(path: &Path) {
    tamper(path, |bytes| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
    });
}

pub(crate) fn make_executable(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

pub(crate) fn make_writable(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
}
