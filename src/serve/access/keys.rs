//! The keys that let clients in: as they are written down, and as a request shows one.
//!
//! A line is `NAME:DIGEST` or `NAME:DIGEST:RATE`, where the digest is blake3 of the token in hex:
//! who reads the file learns no token. A fast digest is enough, because tokens are 256 random bits
//! and no words that could be guessed. Nor does the time of a comparison give a token away. A key
//! is found by a second digest, under a secret that this process alone has, so that how far a
//! search goes tells nothing of what was sought; and what is found is compared in constant time
//! (blake3's `Hash`). Knows no HTTP and no clock.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use blake3::Hash;

use super::rate::{Bucket, Quota, Rate};
use super::watched::{self, Unusable, Watched};

/// The most keys of a service.
const MAX_KEYS: usize = 1024;

/// The most characters of a name.
const MAX_NAME: usize = 64;

/// The most mistakes of a file that are told.
const MAX_MISTAKES: usize = 10;

/// What tokens begin with, so that people and programs that look for secrets know one.
const PREFIX: &str = "pipeline_";

/// A key as it is written down.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    name: String,
    digest: Hash,
    rate: Option<Rate>,
}

impl Line {
    fn read(text: &str) -> Result<Line, String> {
        let parts: Vec<&str> = text.split(':').collect();
        let (name, digest, rate) = match parts.as_slice() {
            [name, digest] => (*name, *digest, None),
            [name, digest, rate] => (*name, *digest, Some(rate.parse()?)),
            _ => return Err("it must be NAME:DIGEST or NAME:DIGEST:RATE".to_owned()),
        };
        check_name(name)?;
        let hash = Hash::from_hex(digest).map_err(|_| {
            // A token that was written down in place of its digest is not repeated.
            format!("what follows `{name}:` is no digest: 64 hex digits, as --new-key gives them")
        })?;
        Ok(Line { name: name.to_owned(), digest: hash, rate })
    }
}

/// Whether a key can have this name.
fn check_name(name: &str) -> Result<(), String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(is_plain) {
        return Ok(());
    }
    Err(format!("a name has 1 to {MAX_NAME} letters, digits, `.`, `_` and `-`"))
}

/// Reads lines, and tells all that is wrong with them at once, by their numbers.
fn read(text: &str) -> Result<Vec<Line>, String> {
    let (mut lines, mut names, mut mistakes) = (Vec::new(), BTreeSet::new(), Vec::new());
    for (i, text) in text.lines().enumerate() {
        let text = text.trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        match Line::read(text) {
            Ok(line) if !names.insert(line.name.clone()) => {
                mistakes.push(format!("line {}: the name `{}` comes twice", i + 1, line.name));
            }
            Ok(line) => lines.push(line),
            Err(mistake) => mistakes.push(format!("line {}: {mistake}", i + 1)),
        }
    }
    if mistakes.is_empty() && lines.len() > MAX_KEYS {
        mistakes.push(format!("there are {} keys, of at most {MAX_KEYS}", lines.len()));
    }
    if mistakes.is_empty() {
        return Ok(lines);
    }
    let more = mistakes.len().saturating_sub(MAX_MISTAKES);
    mistakes.truncate(MAX_MISTAKES);
    let mut told = mistakes.join("; ");
    if more > 0 {
        let _ = write!(told, "; and {more} more");
    }
    Err(told)
}

/// A new key: the token, which is to be shown once, and the line to be kept.
pub struct NewKey {
    /// What a client sends.
    pub token: String,
    /// What the service is told of it.
    pub line: String,
}

impl NewKey {
    /// Makes a key of the system's randomness.
    ///
    /// # Errors
    /// When no key can have the name, or the system has no randomness, in words.
    pub fn make(name: &str, rate: Option<Rate>) -> Result<NewKey, String> {
        check_name(name)?;
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(|error| format!("no randomness: {error}"))?;
        let token = format!("{PREFIX}{}", Hash::from_bytes(secret).to_hex());
        let mut line = format!("{name}:{}", blake3::hash(token.as_bytes()).to_hex());
        if let Some(rate) = rate {
            let _ = write!(line, ":{rate}");
        }
        Ok(NewKey { token, line })
    }
}

/// The names in a file of keys.
///
/// # Errors
/// When it cannot be read, or is no file of keys.
pub fn names(path: &Path) -> Result<Vec<String>, Unusable> {
    let lines = lines_of(path)?;
    Ok(lines.into_iter().map(|line| line.name).collect())
}

/// Somebody who may ask.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) name: String,
    digest: Hash,
    rate: Option<Rate>,
    /// What outlives a change of the file.
    usage: Arc<Usage>,
}

/// What a key has been used for.
#[derive(Debug, Default)]
struct Usage {
    bucket: Bucket,
    asked: AtomicU64,
    limited: AtomicU64,
}

impl Key {
    /// Counts a request, and takes a token for it where the key has a rate of its own or there is
    /// one for all.
    pub(crate) fn take(&self, rate: Option<Rate>, now: u64) -> Option<Quota> {
        self.usage.asked.fetch_add(1, Ordering::Relaxed);
        let quota = self.usage.bucket.take(self.rate.or(rate)?, now);
        self.usage.limited.fetch_add(u64::from(!quota.is_kept), Ordering::Relaxed);
        Some(quota)
    }

    /// How many requests came with it, and how many of them were too many.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let Usage { asked, limited, .. } = &*self.usage;
        (asked.load(Ordering::Relaxed), limited.load(Ordering::Relaxed))
    }
}

/// The keys that hold now.
#[derive(Debug)]
pub(crate) struct Ring {
    /// By their digests' digests under the secret.
    keys: BTreeMap<[u8; 32], Arc<Key>>,
    secret: [u8; 32],
}

impl Ring {
    fn new(lines: Vec<Line>, secret: [u8; 32], before: Option<&Ring>) -> Ring {
        let before: BTreeMap<&str, &Arc<Key>> =
            before.iter().flat_map(|ring| ring.keys()).map(|key| (&*key.name, key)).collect();
        let mut keys = BTreeMap::new();
        for Line { name, digest, rate } in lines {
            let usage = before.get(&*name).map(|key| Arc::clone(&key.usage)).unwrap_or_default();
            let key = Key { name, digest, rate, usage };
            keys.insert(seat(&secret, &digest), Arc::new(key));
        }
        Ring { keys, secret }
    }

    /// The key whose token this is.
    pub(crate) fn find(&self, token: &[u8]) -> Option<&Arc<Key>> {
        let digest = blake3::hash(token);
        let found = self.keys.get(&seat(&self.secret, &digest))?;
        (found.digest == digest).then_some(found)
    }

    /// All keys, in no order that means anything.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &Arc<Key>> {
        self.keys.values()
    }
}

fn seat(secret: &[u8; 32], digest: &Hash) -> [u8; 32] {
    *blake3::keyed_hash(secret, digest.as_bytes()).as_bytes()
}

/// The keys of a service, of a file, its environment, or both.
#[derive(Debug)]
pub struct Keys {
    file: Option<PathBuf>,
    environment: String,
    watched: Mutex<Watched>,
    ring: RwLock<Arc<Ring>>,
}

impl Keys {
    /// Reads the keys of a file and of a text, in which commas stand for ends of lines.
    ///
    /// # Errors
    /// When either holds something else than keys, or both hold none; when others could write the
    /// file, and so let themselves in; when the system has no randomness.
    pub fn open(file: Option<&Path>, environment: &str) -> Result<Keys, Unusable> {
        let watched = Watched::new(file.iter().map(|path| path.to_path_buf()).collect());
        let (file, environment) = (file.map(Path::to_owned), environment.replace(',', "\n"));
        let mut secret = [0; 32];
        let no_secret = |error| Unusable::Wrong(format!("no randomness: {error}"));
        getrandom::fill(&mut secret).map_err(no_secret)?;
        let lines = lines(file.as_deref(), &environment)?;
        let ring = RwLock::new(Arc::new(Ring::new(lines, secret, None)));
        Ok(Keys { file, environment, watched: Mutex::new(watched), ring })
    }

    /// The keys that hold now.
    pub(crate) fn ring(&self) -> Arc<Ring> {
        // Held for as long as it takes to count one more owner.
        Arc::clone(&self.ring.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The file that others can read, if they can: a token that a person made up could be guessed
    /// from its digest.
    pub fn readable(&self) -> Option<&Path> {
        self.file.as_deref().filter(|path| watched::open_to_others(path) & 4 != 0)
    }

    /// Reads the file again if it has changed; says how many keys there are then. A file that went
    /// bad changes nothing.
    pub(crate) fn refresh(&self) -> Option<Result<String, Unusable>> {
        let file = self.file.as_deref()?;
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        if !watched.have_changed() {
            return None;
        }
        Some(lines(Some(file), &self.environment).map(|lines| {
            let before = self.ring();
            let ring = Ring::new(lines, before.secret, Some(&before));
            let told =
                format!("`{}` was read again, keys in force: {}", file.display(), ring.keys.len());
            *self.ring.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(ring);
            told
        }))
    }
}

/// The lines of a file.
fn lines_of(path: &Path) -> Result<Vec<Line>, Unusable> {
    let shown = path.display();
    let text = watched::read("the keys", path)?;
    let text = String::from_utf8(text)
        .map_err(|_| Unusable::Wrong(format!("`{shown}` holds no keys: it is no text")))?;
    if watched::open_to_others(path) & 2 != 0 {
        let message = format!(
            "others can write to `{shown}`, and so let themselves in: `chmod go-w {shown}`"
        );
        return Err(Unusable::Wrong(message));
    }
    read(&text).map_err(|mistakes| Unusable::Wrong(format!("`{shown}`: {mistakes}")))
}

/// All lines of a service, of which there must be some.
fn lines(file: Option<&Path>, environment: &str) -> Result<Vec<Line>, Unusable> {
    let mut lines = file.map(lines_of).transpose()?.unwrap_or_default();
    let more = read(environment)
        .map_err(|mistakes| Unusable::Wrong(format!("PIPELINE_SERVE_KEYS: {mistakes}")))?;
    if let Some(twice) = more.iter().find(|line| lines.iter().any(|l| l.name == line.name)) {
        let message = format!("the key `{}` is in the file and in PIPELINE_SERVE_KEYS", twice.name);
        return Err(Unusable::Wrong(message));
    }
    lines.extend(more);
    if lines.is_empty() {
        let place = file.map_or("PIPELINE_SERVE_KEYS".to_owned(), |p| format!("`{}`", p.display()));
        let message = format!("{place} holds no key: `pipeline serve --new-key NAME` makes one");
        return Err(Unusable::Wrong(message));
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn key(name: &str) -> NewKey {
        NewKey::make(name, None).unwrap()
    }

    fn found(keys: &Keys, token: &str) -> Option<String> {
        keys.ring().find(token.as_bytes()).map(|key| key.name.clone())
    }

    #[test]
    fn a_token_is_found_by_itself_alone() {
        let [a, b] = ["a", "b"].map(key);
        let keys = Keys::open(None, &format!("{},{}", a.line, b.line)).unwrap();
        assert_eq!(found(&keys, &a.token).unwrap(), "a");
        assert_eq!(found(&keys, &b.token).unwrap(), "b");
        let digest = a.line.split(':').nth(1).unwrap();
        let longer = format!("{} ", a.token);
        for wrong in ["", &a.token[1..], &longer, &a.token.to_uppercase(), digest, &key("a").token]
        {
            assert_eq!(found(&keys, wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_new_key_is_random_and_known_by_its_beginning() {
        let rate = "5/m".parse().unwrap();
        let [first, second] = [0; 2].map(|_| NewKey::make("batch-2", Some(rate)).unwrap());
        assert!(first.token != second.token && first.line != second.line);
        assert!(first.token.starts_with("pipeline_") && first.token.len() == 9 + 64);
        assert!(!first.line.contains(&first.token[9..]), "the line does not have the token");
        let line = Line::read(&first.line).unwrap();
        assert_eq!((line.name.as_str(), line.rate), ("batch-2", Some(rate)));
        assert_eq!(line.digest, blake3::hash(first.token.as_bytes()));
        for name in ["", "a b", "a:b", "é", &"n".repeat(65)] {
            assert!(NewKey::make(name, None).is_err(), "{name}");
        }
    }

    #[test]
    fn all_mistakes_are_told_by_their_lines_and_no_token_is_repeated() {
        let good = key("good");
        let text = format!(
            "# keys\n\n{}\ngood:{}\nb:{}\nc\n d e:{2}\nf:{1}:9/d\n",
            good.line,
            &good.line[5..],
            good.token
        );
        let told = read(&text).unwrap_err();
        for expected in [
            "line 4: the name `good` comes twice",
            "line 5: what follows `b:` is no digest: 64 hex digits",
            "line 6: it must be NAME:DIGEST or NAME:DIGEST:RATE",
            "line 7: a name has 1 to 64 letters",
            "line 8: `9/d` is no rate: 1 to 1000000 per second, minute or hour",
        ] {
            assert!(told.contains(expected), "{expected}: {told}");
        }
        assert!(!told.contains(&good.token), "{told}");
        let many: String = (0..40).map(|i| format!("{i}\n")).collect();
        assert!(read(&many).unwrap_err().ends_with("; and 30 more"));
        let many: String = (0..=MAX_KEYS).map(|i| format!("n{i}:{}\n", &good.line[5..])).collect();
        assert_eq!(read(&many).unwrap_err(), "there are 1025 keys, of at most 1024");
    }

    #[test]
    fn a_file_that_changes_is_read_again_and_one_that_went_bad_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys");
        let write = |text: &str| {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        };
        let [a, b] = ["a", "b"].map(key);
        write(&a.line);
        let keys = Keys::open(Some(&path), "").unwrap();
        let rate = "2/h".parse().ok();
        let take = |keys: &Keys| {
            let ring = keys.ring();
            ring.find(a.token.as_bytes()).unwrap().take(rate, 0).unwrap().is_kept
        };
        let refreshed = |keys: &Keys| {
            assert_eq!(keys.refresh(), None, "it has not settled");
            keys.refresh().unwrap()
        };
        assert!(take(&keys) && take(&keys) && !take(&keys));
        write(&format!("{}\n{}\n", a.line, b.line));
        assert!(refreshed(&keys).unwrap().ends_with("keys in force: 2"));
        assert_eq!(found(&keys, &b.token).unwrap(), "b");
        assert!(!take(&keys), "a new file gives no new tokens");
        assert_eq!(keys.ring().find(a.token.as_bytes()).unwrap().counts(), (4, 2));

        write("a");
        assert!(matches!(refreshed(&keys), Err(Unusable::Wrong(_))));
        fs::remove_file(&path).unwrap();
        assert!(matches!(refreshed(&keys), Err(Unusable::Missing(_))));
        assert_eq!(keys.refresh(), None, "it is told once");
        assert_eq!(found(&keys, &a.token).unwrap(), "a", "the old keys hold");
        write(&b.line);
        assert!(refreshed(&keys).is_ok());
        assert_eq!((found(&keys, &a.token), found(&keys, &b.token)), (None, Some("b".to_owned())));
    }

    #[test]
    fn a_file_that_others_can_write_or_that_holds_no_key_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys");
        let open = |mode| {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            Keys::open(Some(&path), "").map_err(|error| error.to_string())
        };
        fs::write(&path, key("a").line).unwrap();
        assert!(open(0o602).unwrap_err().contains("chmod go-w"));
        assert!(open(0o620).unwrap_err().contains("let themselves in"));
        assert_eq!(open(0o644).unwrap().readable(), Some(&*path));
        assert_eq!(open(0o640).unwrap().readable(), None);
        fs::write(&path, "# none\n").unwrap();
        assert!(open(0o600).unwrap_err().contains("holds no key"));
        fs::write(&path, [0xff]).unwrap();
        assert!(open(0o600).unwrap_err().contains("it is no text"));
        let line = key("a").line;
        fs::write(&path, &line).unwrap();
        let twice = Keys::open(Some(&path), &line).unwrap_err();
        assert!(twice.to_string().contains("in the file and in PIPELINE_SERVE_KEYS"));
    }
}
