//! Files that only remember: they save time, and losing one costs time and nothing else.
//!
//! Binary, because each is read whole by every run, with a digest of itself before the bytes, since
//! what is remembered is believed. One that is damaged, of another format or missing is as good as
//! empty.

use std::io;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::digest::Digest;
use crate::files;

/// How many bytes the digest in front takes.
const CHECK_BYTES: usize = 32;

/// The bytes of a memory, if they are those that were written.
pub(crate) fn load(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = files::read(path).ok()?;
    let (check, rest) = bytes.split_at_checked(CHECK_BYTES)?;
    if Digest::of(rest).as_bytes() != check {
        return None;
    }
    bytes.drain(..CHECK_BYTES);
    Some(bytes)
}

/// A memory as a document.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Option<T> {
    postcard::from_bytes(&load(path)?).ok()
}

/// Writes a memory by way of a directory for what is being written. Failing to is no error.
pub(crate) fn save<T: Serialize>(path: &Path, document: &T, room: &Path) {
    // Written behind the place of the digest: there may be many megabytes of it.
    let Ok(mut sealed) = postcard::to_extend(document, vec![0; CHECK_BYTES]) else { return };
    let digest = Digest::of(&sealed[CHECK_BYTES..]);
    sealed[..CHECK_BYTES].copy_from_slice(digest.as_bytes());
    let published = files::publish(path, &sealed, room);
    // What is in its place remembers nothing.
    if published.is_err_and(|error| error.kind() == io::ErrorKind::IsADirectory)
        && files::remove_dir(path).is_ok()
    {
        let _ = files::publish(path, &sealed, room);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_memory_with_any_flipped_bit_is_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("memory");
        save(&path, &("words", vec![1u8, 2, 3]), dir.path());
        let whole = std::fs::read(&path).unwrap();
        assert_eq!(read(&path), Some(("words".to_owned(), vec![1u8, 2, 3])));
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            std::fs::write(&path, &bytes).unwrap();
            assert_eq!(read::<(String, Vec<u8>)>(&path), None, "{at}");
        }
        std::fs::write(&path, &whole[..7]).unwrap();
        assert_eq!(load(&path), None);
    }

    #[test]
    fn a_directory_in_the_place_of_a_memory_gives_way() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("memory");
        std::fs::create_dir_all(path.join("inside")).unwrap();
        save(&path, &7u8, dir.path());
        assert_eq!(read(&path), Some(7u8));
    }
}
