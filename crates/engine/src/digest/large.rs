//! The digest of a large file: by several threads, each of which reads what it hashes.
//!
//! blake3 is a tree, so threads can work on parts of a file that know nothing of each other, and
//! nothing is handed from the one that reads to the one that hashes. A part passes through a buffer
//! that stays in the processor's cache. What b3sum does, a memory map, saves that copy, but a file
//! that is cut short meanwhile would end the process.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::Path;

use blake3::Hasher;
use blake3::hazmat::{
    ChainingValue, HasherExt, Mode, left_subtree_len, merge_subtrees_non_root, merge_subtrees_root,
};

use crate::files;

/// How much is read at once: what fits into the cache of one core.
const BUFFER_BYTES: usize = 1 << 18;
/// How much one thread takes on; a power of two, as the tree divides.
const PART_BYTES: u64 = 1 << 22;

/// From this size in bytes on a file has parts enough.
pub(super) const LARGE_BYTES: u64 = 2 * PART_BYTES;

/// The blake3 of the first `size` bytes of a file, at least [`LARGE_BYTES`]: of all of it, as it
/// was when its size was asked for.
///
/// # Errors
/// What reading gives, and a file that is shorter by now.
pub(super) fn hash(file: &File, path: &Path, size: u64) -> io::Result<[u8; 32]> {
    let (left, right) = halves(file, path, 0, size)?;
    Ok(*merge_subtrees_root(&left, &right, Mode::Hash).as_bytes())
}

/// What stands for the `size` bytes of a file from `at` on, which are no whole file.
fn subtree(file: &File, path: &Path, at: u64, size: u64) -> io::Result<ChainingValue> {
    if size <= PART_BYTES {
        return part(file, path, at, size);
    }
    let (left, right) = halves(file, path, at, size)?;
    Ok(merge_subtrees_non_root(&left, &right, Mode::Hash))
}

/// The two halves of more than one chunk, side by side.
fn halves(
    file: &File,
    path: &Path,
    at: u64,
    size: u64,
) -> io::Result<(ChainingValue, ChainingValue)> {
    let left = left_subtree_len(size);
    let (left, right) = rayon::join(
        || subtree(file, path, at, left),
        || subtree(file, path, at + left, size - left),
    );
    Ok((left?, right?))
}

fn part(file: &File, path: &Path, at: u64, size: u64) -> io::Result<ChainingValue> {
    let mut hasher = Hasher::new();
    hasher.set_input_offset(at);
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut n_read = 0;
    while n_read < size {
        // Capped by the buffer's length, so it fits.
        let wanted = (size - n_read).min(BUFFER_BYTES as u64) as usize;
        let n_bytes = files::read_at(file, path, &mut buffer[..wanted], at + n_read)?;
        if n_bytes < wanted {
            let message = "it was cut short while it was read";
            return Err(io::Error::new(ErrorKind::UnexpectedEof, message));
        }
        hasher.update(&buffer[..n_bytes]);
        n_read += n_bytes as u64;
    }
    Ok(hasher.finalize_non_root())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_of_any_size_has_the_digest_of_its_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let buffer = BUFFER_BYTES as u64;
        let least = [LARGE_BYTES, LARGE_BYTES + 1, LARGE_BYTES + 1024, LARGE_BYTES + buffer + 1];
        let more = [3 * PART_BYTES - 1, 4 * PART_BYTES, 4 * PART_BYTES + 1, 5 * PART_BYTES + 1025];
        for size in least.into_iter().chain(more) {
            let bytes: Vec<u8> = (0..size).map(|i| (i % 251) as u8).collect();
            fs::write(&path, &bytes).unwrap();
            let digest = hash(&File::open(&path).unwrap(), &path, size).unwrap();
            assert_eq!(digest, *blake3::hash(&bytes).as_bytes(), "{size}");
        }
    }

    #[test]
    fn a_file_that_is_cut_short_is_an_error_and_no_end_of_the_process() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        fs::write(&path, vec![7; LARGE_BYTES as usize]).unwrap();
        let file = File::open(&path).unwrap();
        let error = hash(&file, &path, LARGE_BYTES + 1).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    }
}
