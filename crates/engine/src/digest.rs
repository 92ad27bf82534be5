//! A digest: the blake3 of some bytes, and the name under which the store keeps them.
//!
//! Knows nothing of what the bytes mean. One type for all hashes, so that a digest is never
//! mistaken for another string: 32 bytes, written as 64 lower-case hex digits, 12 for people.

mod large;

use std::fmt;
use std::fs::File;
use std::io;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use self::large::LARGE_BYTES;
use crate::files;

/// How many hex digits are shown to people.
const SHORT_LEN: usize = 12;
/// How much of a file is read at once.
const BUFFER_BYTES: u64 = 1 << 17;

/// The blake3 digest of some bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of bytes in memory.
    pub fn of(bytes: &[u8]) -> Digest {
        Digest(*blake3::hash(bytes).as_bytes())
    }

    /// The digest and the size in bytes of a file, read as a stream; a large one on all threads.
    ///
    /// # Errors
    /// What opening or reading the file gives; what is no regular file is not read.
    pub fn of_file(path: &Path) -> io::Result<(Digest, u64)> {
        Digest::of_open(&mut files::open_file(path)?, path)
    }

    /// The same of a file that is open and was not read yet.
    pub(crate) fn of_open(file: &mut File, path: &Path) -> io::Result<(Digest, u64)> {
        let size = files::metadata_of(file, path)?.len();
        if size >= LARGE_BYTES {
            return Ok((Digest(large::hash(file, path, size)?), size));
        }
        let mut hasher = blake3::Hasher::new();
        let size = hash_stream(file, path, size, &mut hasher)?;
        Ok((Digest(*hasher.finalize().as_bytes()), size))
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// A hasher for bytes that arrive in parts.
    pub fn builder() -> Builder {
        Builder(blake3::Hasher::new())
    }

    /// The first 12 hex digits, for people; never used to look anything up.
    pub fn short(&self) -> String {
        let mut text = self.to_string();
        text.truncate(SHORT_LEN);
        text
    }
}

fn hash_stream(
    file: &mut File,
    path: &Path,
    size: u64,
    hasher: &mut blake3::Hasher,
) -> io::Result<u64> {
    // One byte more than the file has, so that a second read tells its end. Capped, so it fits.
    let mut buffer = vec![0; (size + 1).min(BUFFER_BYTES) as usize];
    let mut n_read = 0;
    loop {
        let n_bytes = files::read_some(file, path, &mut buffer)?;
        if n_bytes == 0 {
            return Ok(n_read);
        }
        hasher.update(&buffer[..n_bytes]);
        n_read += n_bytes as u64;
    }
}

/// Collects bytes for one digest.
pub struct Builder(blake3::Hasher);

impl Builder {
    /// Adds bytes; how they are cut into parts does not matter.
    pub fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all bytes added.
    pub fn finish(&self) -> Digest {
        Digest(*self.0.finalize().as_bytes())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = String::with_capacity(2 * self.0.len());
        for byte in self.0 {
            text.push(char::from(DIGITS[usize::from(byte >> 4)]));
            text.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
        f.write_str(&text)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({})", self.short())
    }
}

/// Text that is not 64 lower-case hex digits.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a digest: 64 lower-case hex digits are expected")]
pub struct NotADigest(String);

impl FromStr for Digest {
    type Err = NotADigest;

    fn from_str(text: &str) -> Result<Digest, NotADigest> {
        let wrong = || NotADigest(text.chars().take(80).collect());
        let nibble = |c: u8| match c {
            b'0'..=b'9' => Ok(c - b'0'),
            b'a'..=b'f' => Ok(c - b'a' + 10),
            _ => Err(wrong()),
        };
        let hex: &[u8; 64] = text.as_bytes().try_into().map_err(|_| wrong())?;
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(hex.chunks_exact(2)) {
            *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
        }
        Ok(Digest(bytes))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match serializer.is_human_readable() {
            true => serializer.collect_str(self),
            false => self.0.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
        if !deserializer.is_human_readable() {
            return Ok(Digest(<[u8; 32]>::deserialize(deserializer)?));
        }
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_written_and_read_as_64_hex_digits() {
        let digest = Digest::of(b"");
        let text = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";
        assert_eq!(digest.to_string(), text);
        assert_eq!(text.parse::<Digest>().unwrap(), digest);
        assert_eq!(digest.short(), "af1349b9f5f9");
    }

    #[test]
    fn text_that_is_not_a_digest_is_refused() {
        for text in ["", "af", &"A".repeat(64), &"g".repeat(64), &"0".repeat(65), &"é".repeat(32)]
        {
            assert!(text.parse::<Digest>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_file_of_any_size_has_the_digest_of_its_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let sizes = [0, 1, BUFFER_BYTES, BUFFER_BYTES + 1, LARGE_BYTES - 1, LARGE_BYTES];
        for size in sizes.into_iter().chain([LARGE_BYTES + 1]) {
            let bytes: Vec<u8> = (0..size).map(|i| (i % 251) as u8).collect();
            std::fs::write(&path, &bytes).unwrap();
            assert_eq!(Digest::of_file(&path).unwrap(), (Digest::of(&bytes), size), "{size}");
        }
    }

    #[test]
    fn what_is_no_regular_file_is_refused_and_never_waited_for() {
        use rustix::fs::{CWD, FileType, Mode, mknodat};
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        for path in [pipe.as_path(), Path::new("/dev/zero"), dir.path()] {
            assert!(Digest::of_file(path).is_err(), "{}", path.display());
        }
    }

    #[test]
    fn parts_give_the_digest_of_the_whole() {
        let mut builder = Digest::builder();
        builder.add(b"ab");
        builder.add(b"cd");
        assert_eq!(builder.finish(), Digest::of(b"abcd"));
    }
}
