//! Harm done to single files: other bytes, other rights, something else in their place.

use std::fs;
use std::path::Path;
use std::time::Duration;

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
