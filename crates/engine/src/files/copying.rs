//! Copies of files that are for somebody else to change.

use std::fs::{File, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::{open_file, read_at};
use crate::faults::{Fault, Operation, pass, planned};

/// How many of the first bytes of a file tell what it is.
const HEAD_BYTES: usize = 4;

/// Copies a file to where none is. Its permissions are what `mode` says to the first bytes. Blocks
/// are shared where the file system can.
pub(crate) fn copy_as(from: &Path, to: &Path, mode: impl Fn(&[u8]) -> u32) -> io::Result<()> {
    let mut source = open_file(from)?;
    let mut head = [0; HEAD_BYTES];
    let n_bytes = read_at(&source, from, &mut head, 0)?;
    pass(Operation::Create, to)?;
    let mut file = File::options().write(true).create_new(true).open(to)?;
    match planned(Operation::Write, to) {
        None => io::copy(&mut source, &mut file)?,
        Some(fault) => {
            if let Fault::Short(n_bytes) = fault {
                io::copy(&mut source.take(n_bytes as u64), &mut file)?;
            }
            return Err(fault.into());
        }
    };
    file.set_permissions(Permissions::from_mode(mode(&head[..n_bytes])))
}
