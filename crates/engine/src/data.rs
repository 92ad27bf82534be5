//! The data of a project: files, directories and files by pattern, each known by one digest.
//!
//! The digest of a file is that of its bytes; that of a directory or a pattern is the digest of the
//! canonical list of `[path below it, digest]`, so that a renamed file is another directory. A walk
//! has no order of its own: what it finds is sorted. It knows nothing of stages.

use std::io;
use std::path::{Component, Path, PathBuf};

use glob::{MatchOptions, Pattern};

use crate::canonical;
use crate::clock::Clock;
use crate::digest::Digest;
use crate::error::Error;
use crate::files::{self, Entry};
use crate::once::Once;
use crate::stat::{Seen, Signature, StatCache};

/// How a pattern is read: as shells do, `*` stays within one directory and passes hidden files by.
const MATCH: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

/// What a path under `[data]` means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// One file.
    File,
    /// A directory with all below it.
    Directory,
    /// The files that a pattern matches.
    Pattern,
}

impl Form {
    /// What a path means; a file that has `*` in its name is that file.
    pub(crate) fn of(root: &Path, path: &Path) -> Form {
        let full = root.join(path);
        if files::is_dir(&full) {
            Form::Directory
        } else if is_pattern(path) && !files::exists(&full) {
            Form::Pattern
        } else {
            Form::File
        }
    }
}

/// Whether there is what a path means: a file, a directory, or a file that a pattern matches.
pub(crate) fn is_there(root: &Path, path: &Path) -> bool {
    match Form::of(root, path) {
        Form::File => files::exists(&root.join(path)),
        Form::Directory => holds_any(&root.join(path)),
        // What is wrong with a match is told when it is read.
        Form::Pattern => names(root, path).map_or_else(
            |error| error.kind() != io::ErrorKind::NotFound,
            |names| !names.is_empty(),
        ),
    }
}

/// Whether a directory holds any file, at whatever depth. What cannot be read is told later.
fn holds_any(dir: &Path) -> bool {
    let mut waiting = vec![dir.to_owned()];
    while let Some(dir) = waiting.pop() {
        let Ok(entries) = files::list(&dir) else { return true };
        if entries.iter().any(|entry| !entry.is_dir) {
            return true;
        }
        waiting.extend(entries.into_iter().map(|entry| entry.path));
    }
    false
}

/// What is wrong with a path under `[data]`, as far as it shows without a walk.
pub(crate) fn check(root: &Path, path: &Path) -> Result<(), String> {
    let shown = path.display();
    let full = root.join(path);
    match Form::of(root, path) {
        // Whether it exists is asked when it is to be read.
        Form::File => Ok(()),
        Form::Directory => {
            let real = |path: &Path| files::canonical(path).unwrap_or_else(|_| path.to_owned());
            if real(root).starts_with(real(&full)) {
                return Err(format!(
                    "`{shown}` holds the whole project, and data are a part of it"
                ));
            }
            Ok(())
        }
        Form::Pattern => {
            Pattern::new(&path.to_string_lossy())
                .map_err(|error| format!("`{shown}` is no pattern: {}", error.msg))?;
            if base(path).as_os_str().is_empty() && is_recursive(path) {
                return Err(format!(
                    "`{shown}` searches the whole project: begin with a directory"
                ));
            }
            Ok(())
        }
    }
}

fn is_pattern(path: &Path) -> bool {
    path.to_string_lossy().contains(['*', '?', '['])
}

fn is_recursive(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == "**")
}

/// The directory that all matches of a pattern are in: what stands before its first wildcard.
pub(crate) fn base(path: &Path) -> PathBuf {
    path.components().take_while(|part| !is_pattern(Path::new(part.as_os_str()))).collect()
}

/// A file that a walk found.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Found {
    /// Its path below where the walk began, with `/`.
    pub(crate) name: String,
    /// What it is.
    pub(crate) what: What,
}

/// What a walk found.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum What {
    /// A regular file, or a link to one.
    File,
    /// A link to a directory, with what it says.
    Link(PathBuf),
    /// Something that has no bytes to read, with what it is.
    Other(&'static str),
}

/// All files below a directory, sorted by name, no deeper than that many directories. `skips` are
/// names of directories that are passed over.
///
/// # Errors
/// What reading gives; `InvalidData` for a name that is not UTF-8.
pub(crate) fn walk(dir: &Path, depth: usize, skips: &[&str]) -> io::Result<Vec<Found>> {
    let mut found = Vec::new();
    let mut waiting = vec![(dir.to_owned(), String::new(), depth)];
    while let Some((dir, prefix, depth)) = waiting.pop() {
        for entry in files::scan(&dir)? {
            let Entry { path, is_dir, is_file, is_link } = entry?;
            let Some(own) = path.file_name().and_then(|own| own.to_str()) else {
                return Err(wrong(&path, "has a name that is not UTF-8"));
            };
            let name = format!("{prefix}{own}");
            if is_file {
                found.push(Found { name, what: What::File });
            } else if is_dir {
                if depth > 1 && !skips.contains(&own) {
                    waiting.push((path, format!("{name}/"), depth - 1));
                }
            } else {
                let what = special(&path, is_link)?;
                found.push(Found { name, what });
            }
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// What a link leads to, or what else it is.
fn special(path: &Path, is_link: bool) -> io::Result<What> {
    if !is_link {
        return Ok(What::Other("is neither a file nor a directory"));
    }
    Ok(match files::metadata(path) {
        Ok(metadata) if metadata.is_file() => What::File,
        Ok(metadata) if metadata.is_dir() => What::Link(files::read_link(path)?),
        Ok(_) => What::Other("is a link to neither a file nor a directory"),
        Err(error) if leads_nowhere(&error) => What::Other("is a link to nothing"),
        // Where it leads is not known now, and may be known the next time.
        Err(error) => {
            let message = format!("`{}`: {error}", path.display());
            return Err(io::Error::new(error.kind(), message));
        }
    })
}

/// Whether a link leads to nothing, or to itself, rather than to what cannot be looked at.
fn leads_nowhere(error: &io::Error) -> bool {
    use io::ErrorKind::{NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory)
        || error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error())
}

fn wrong(path: &Path, what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("`{}` {what}", path.display()))
}

/// How many directories deep the files of a directory or pattern are looked for.
fn depth(root: &Path, path: &Path) -> usize {
    match Form::of(root, path) {
        Form::Pattern if !is_recursive(path) => {
            path.components().count() - base(path).components().count()
        }
        _ => usize::MAX,
    }
}

/// The names of the files that a path means, relative to its base; one empty name for a file.
fn names(root: &Path, path: &Path) -> io::Result<Vec<String>> {
    let form = Form::of(root, path);
    if form == Form::File {
        return Ok(vec![String::new()]);
    }
    let pattern = match form {
        Form::Pattern => Some(Pattern::new(&path.to_string_lossy()).map_err(io::Error::other)?),
        _ => None,
    };
    let base = if pattern.is_some() { base(path) } else { path.to_owned() };
    let mut names = Vec::new();
    for found in walk(&root.join(&base), depth(root, path), &[])? {
        let is_meant =
            |pattern: &Pattern| pattern.matches_path_with(&base.join(&found.name), MATCH);
        if !pattern.as_ref().is_none_or(is_meant) {
            continue;
        }
        let is = match found.what {
            What::File => None,
            What::Link(_) => Some("is a link to a directory: name that directory instead"),
            What::Other(is) => Some(is),
        };
        match is {
            None => names.push(found.name),
            Some(is) => return Err(wrong(&base.join(&found.name), is)),
        }
    }
    if names.is_empty() {
        let what = if pattern.is_some() { "matches no file" } else { "holds no file" };
        let message = format!("`{}` {what}", path.display());
        return Err(io::Error::new(io::ErrorKind::NotFound, message));
    }
    Ok(names)
}

/// What is known of one path: its digest, and its files as they were when they were hashed.
#[derive(Debug)]
struct Known {
    digest: Digest,
    files: Vec<(String, Signature)>,
}

/// Digests of a project's data, each computed once per process.
#[derive(Debug, Default)]
pub(crate) struct Data {
    known: Once<PathBuf, Known>,
}

impl Data {
    /// The digest of what a path means.
    ///
    /// # Errors
    /// `Missing` when there is nothing; else what reading gives.
    pub(crate) fn digest(
        &self,
        root: &Path,
        path: &Path,
        stat: &StatCache,
    ) -> Result<Digest, Error> {
        let is_own = |error: &io::Error| error.get_ref().is_some();
        let tell = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound if is_own(&error) => Error::Missing(error.to_string()),
            io::ErrorKind::NotFound => {
                Error::Missing(format!("`{}` does not exist", path.display()))
            }
            _ => Error::io("read", path)(error),
        };
        let hash = || hash(root, path, stat).map_err(tell);
        self.known.ask(&path.to_owned(), hash).map(|known| known.digest)
    }

    /// Whether everything is still what `digest` hashed: a stage that is run on other bytes than
    /// its recipe says would be served as that recipe's outcome for ever.
    pub(crate) fn is_as_hashed(&self, root: &Path, path: &Path) -> bool {
        let Some(known) = self.known.known(path) else { return false };
        let base = root.join(self::base_of(root, path));
        let is_same = |(name, seen): &(String, Signature)| {
            Signature::of(&below(&base, name)).is_ok_and(|signature| signature == *seen)
        };
        let is_listed = |names: Vec<String>| {
            names.len() == known.files.len()
                && names.iter().zip(&known.files).all(|(name, (other, _))| name == other)
        };
        names(root, path).is_ok_and(is_listed) && known.files.iter().all(is_same)
    }

    /// What the digest of a path rests on: its files as they were when they were hashed, and every
    /// directory that was searched for them. `None` when it is not what it was, or changed so
    /// lately that a second change might go unseen.
    pub(crate) fn seen(
        &self,
        root: &Path,
        path: &Path,
        stat: &StatCache,
        clock: &Clock,
    ) -> Option<Vec<Seen>> {
        let base = base_of(root, path);
        let mut seen = Vec::new();
        if Form::of(root, path) != Form::File {
            for dir in dirs(&root.join(&base), depth(root, path), &[]).ok()? {
                seen.push(Seen::settled(dir, clock)?);
            }
        }
        // After the directories: what changed before this is not what was hashed.
        if !self.is_as_hashed(root, path) {
            return None;
        }
        for (name, signature) in &self.known.known(path)?.files {
            let path = below(&base, name);
            let (remembered, digest) = stat.entry(&memory_name(&path))?;
            (remembered == *signature).then_some(())?;
            seen.push(Seen { path, signature: Some(*signature), digest: Some(digest) });
        }
        Some(seen)
    }

    /// The files of a path that was hashed: where they stand below the project.
    pub(crate) fn files(&self, root: &Path, path: &Path) -> Vec<PathBuf> {
        let base = base_of(root, path);
        let Some(known) = self.known.known(path) else { return Vec::new() };
        known.files.iter().map(|(name, _)| below(&base, name)).collect()
    }
}

/// The part of a path that is no pattern.
pub(crate) fn base_of(root: &Path, path: &Path) -> PathBuf {
    if Form::of(root, path) == Form::Pattern { base(path) } else { path.to_owned() }
}

/// A path without `.` and doubled separators, as far as it stays below where it begins.
pub(crate) fn inside(path: &Path) -> Option<PathBuf> {
    let mut parts = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(part) => parts.push(part),
            Component::CurDir => {}
            _ => return None,
        }
    }
    Some(parts)
}

fn below(base: &Path, name: &str) -> PathBuf {
    if name.is_empty() { base.to_owned() } else { base.join(name) }
}

/// What the digest of a file is remembered under.
fn memory_name(path: &Path) -> String {
    format!("data:{}", path.display())
}

/// A directory and all directories below it that a walk searches.
pub(crate) fn dirs(dir: &Path, depth: usize, skips: &[&str]) -> io::Result<Vec<PathBuf>> {
    let is_skipped = |path: &Path| {
        path.file_name().and_then(|name| name.to_str()).is_some_and(|name| skips.contains(&name))
    };
    let mut found = Vec::new();
    let mut waiting = vec![(dir.to_owned(), depth)];
    while let Some((dir, depth)) = waiting.pop() {
        if depth > 1 {
            let mut below = files::list(&dir)?;
            below.retain(|entry| entry.is_dir && !is_skipped(&entry.path));
            let below = below.into_iter();
            waiting.extend(below.map(|entry| (entry.path, depth - 1)));
        }
        found.push(dir);
    }
    Ok(found)
}

fn hash(root: &Path, path: &Path, stat: &StatCache) -> io::Result<Known> {
    let base = base_of(root, path);
    let (mut files, mut list) = (Vec::new(), Vec::new());
    for name in names(root, path)? {
        let full = below(&root.join(&base), &name);
        if name.is_empty() && !files::metadata(&full)?.is_file() {
            return Err(wrong(&full, "is neither a file nor a directory"));
        }
        let (digest, signature) = stat.digest_seen(&full, &memory_name(&below(&base, &name)))?;
        list.push((name.clone(), digest));
        files.push((name, signature));
    }
    let digest = match list.as_slice() {
        [(name, digest)] if name.is_empty() => *digest,
        list => Digest::of(&canonical::to_bytes(&list)),
    };
    Ok(Known { digest, files })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn tree(names: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for name in names {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, name).unwrap();
        }
        dir
    }

    #[test]
    fn a_pattern_means_what_it_means_in_a_shell() {
        let dir = tree(&["d/b.csv", "d/a.csv", "d/.h.csv", "d/x/c.csv", "d/x/y/e.csv", "d/a.txt"]);
        let names = |pattern: &str| names(dir.path(), Path::new(pattern)).unwrap_or_default();
        assert_eq!(names("d/*.csv"), ["a.csv", "b.csv"]);
        assert_eq!(names("d/**/*.csv"), ["a.csv", "b.csv", "x/c.csv", "x/y/e.csv"]);
        assert_eq!(names("d/*/c.csv"), ["x/c.csv"]);
        assert_eq!(names("d/[!a].csv"), ["b.csv"]);
        assert_eq!(names("d/*.parquet"), Vec::<String>::new());
    }

    #[test]
    fn a_directory_is_told_by_names_and_bytes() {
        let digest = |dir: &Path| {
            let stat = StatCache::open(dir.join("cache"), false);
            Data::default().digest(dir, Path::new("d"), &stat).unwrap()
        };
        let dir = tree(&["d/a", "d/x/b"]);
        let first = digest(dir.path());
        assert_eq!(digest(tree(&["d/a", "d/x/b"]).path()), first);
        fs::rename(dir.path().join("d/a"), dir.path().join("d/c")).unwrap();
        let renamed = digest(dir.path());
        assert_ne!(renamed, first);
        fs::write(dir.path().join("d/c"), "z").unwrap();
        assert_ne!(digest(dir.path()), renamed);
    }

    #[test]
    fn what_is_no_file_is_refused_and_named() {
        let dir = tree(&["d/a", "e/b"]);
        let told = |link: &str| {
            let path = dir.path().join("d/link");
            let _ = fs::remove_file(&path);
            std::os::unix::fs::symlink(link, &path).unwrap();
            names(dir.path(), Path::new("d")).map_err(|error| error.to_string())
        };
        assert_eq!(told("../e/b").unwrap(), ["a", "link"]);
        assert!(told("../e").unwrap_err().contains("d/link` is a link to a directory"));
        assert!(told("nowhere").unwrap_err().contains("d/link` is a link to nothing"));
        assert!(told("/dev/null").unwrap_err().contains("is a link to neither"));
    }
}
