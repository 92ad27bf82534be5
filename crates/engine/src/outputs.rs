//! `outputs/STAGE/`: the newest outputs of each stage, for people and for the service.
//!
//! Read-only copies of objects, which share blocks where the file system can part them on writing,
//! and never hard links: an edit here cannot reach the store. What a stage yields now is laid out
//! elsewhere and takes the place of what it yielded before at once, so that nobody ever sees some
//! files of the one and some of the other, not even after a kill.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::digest::Digest;
use crate::error::Error;
use crate::files;
use crate::project::Project;
use crate::reader::is_stage;
use crate::scratch::Scratch;
use crate::stat::Signature;
use crate::store::{Outcome, OutputFile};

/// Where outputs are laid out that the store's own scratch is too far from.
pub(crate) const HIDDEN_DIR: &str = ".scratch";

/// The files under `outputs/STAGE/` that are not what an outcome says. Changes nothing.
pub fn stale(project: &Project, stage: &str, outcome: &Outcome) -> Vec<PathBuf> {
    let stale = wrong(project, stage, outcome).into_iter();
    stale.map(|file| Path::new(stage).join(&file.path)).collect()
}

/// Whether `outputs/STAGE/` is there and holds exactly what an outcome says. Changes nothing.
///
/// # Errors
/// Why it cannot be told.
pub(crate) fn is_exactly(project: &Project, stage: &str, outcome: &Outcome) -> io::Result<bool> {
    let dir = project.outputs.join(stage);
    if !is_stage(stage)
        || !told(files::link_metadata(&dir))?.is_some_and(|metadata| metadata.is_dir())
    {
        return Ok(false);
    }
    for file in &outcome.files {
        let name = memory_name(stage, file);
        let found = told(project.store.stat().digest(&dir.join(&file.path), &name))?;
        if found.is_none_or(|(digest, _)| digest != file.digest) {
            return Ok(false);
        }
    }
    Ok(Expected::new(&dir, outcome).strangers()?.is_empty())
}

/// What is known of a file, `None` where there is none.
fn told<T>(looked: io::Result<T>) -> io::Result<Option<T>> {
    match looked {
        Err(error) if files::is_no_file(&error) => Ok(None),
        looked => looked.map(Some),
    }
}

/// Makes `outputs/STAGE/` hold exactly what an outcome says.
///
/// # Errors
/// What writing gives; `Corrupt` when an object does not match its name.
pub fn materialise(project: &Project, stage: &str, outcome: &Outcome) -> Result<(), Error> {
    let dir = project.outputs.join(stage);
    let wrong = wrong(project, stage, outcome);
    let expected = Expected::new(&dir, outcome);
    if wrong.is_empty() && expected.strangers().is_ok_and(|strangers| strangers.is_empty()) {
        return Ok(());
    }
    // Two runs at once take turns, else each would clean away what the other is about to place. A
    // store that cannot be written to has no second writer.
    let lock = project.store.outputs_lock(stage).and_then(|lock| lock.take().map(|()| lock));
    let _lock = lock.ok();
    let write = |error: io::Error| match error.kind() {
        io::ErrorKind::InvalidData => Error::Corrupt(error.to_string()),
        _ => Error::io("write", &dir)(error),
    };
    let strangers = expected.strangers().map_err(Error::io("read", &dir))?;
    let good = good(project, stage, outcome, &strangers.into_iter().collect());
    if good.len() == outcome.files.len() {
        return clear(&expected).map_err(Error::io("clean", &dir));
    }
    match replace(project, stage, outcome, &good) {
        // A directory that cannot be moved, as one that lies below an overlay, is mended in place.
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
            clear(&expected).map_err(Error::io("clean", &dir))?;
            lay(project, stage, outcome, &good, &dir).map_err(write)?;
        }
        replaced => replaced.map_err(write)?,
    }
    project.store.wrote_in(&dir).map_err(Error::io("write", &dir))?;
    for file in &outcome.files {
        let path = dir.join(&file.path);
        project.store.stat().remember(&path, &memory_name(stage, file), file.digest);
    }
    Ok(())
}

/// The files of a stage that are what the outcome says, by their own signatures: a link, in their
/// place or in that of a directory above them, may lead to equal bytes that are somebody else's.
fn good<'o>(
    project: &Project,
    stage: &str,
    outcome: &'o Outcome,
    strangers: &BTreeSet<PathBuf>,
) -> BTreeSet<&'o str> {
    let dir = project.outputs.join(stage);
    let is_good = |file: &&OutputFile| {
        let path = dir.join(&file.path);
        let known = proved(project, stage, file);
        known.is_some()
            && Signature::of(&path).ok() == known
            && !path.ancestors().any(|above| strangers.contains(above))
    };
    outcome.files.iter().filter(is_good).map(|file| file.path.as_str()).collect()
}

/// Removes what does not belong to a stage.
fn clear(expected: &Expected) -> io::Result<()> {
    for path in expected.strangers()? {
        let is_dir = files::link_metadata(&path).is_ok_and(|metadata| metadata.is_dir());
        if is_dir { files::remove_dir(&path)? } else { files::remove(&path)? }
    }
    Ok(())
}

/// Lays everything out in a directory of its own on the same file system, which then changes places
/// with that of the stage.
fn replace(
    project: &Project,
    stage: &str,
    outcome: &Outcome,
    good: &BTreeSet<&str>,
) -> io::Result<()> {
    let device = |path: &Path| files::metadata(path).map(|metadata| metadata.dev());
    let beside = match project.store.room() {
        Ok(room) if device(room)? == device(&project.outputs)? => None,
        _ => Some(Scratch::new(&project.outputs.join(HIDDEN_DIR), &project.store.scratch_locks())?),
    };
    let room = beside.as_ref().map_or_else(|| project.store.room(), |beside| Ok(beside.path()))?;
    // The lock of the stage keeps others from this name.
    let new = room.join(format!("of-{}", Digest::of(stage.as_bytes()).short()));
    match files::make_dir(&new) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            files::remove_dir(&new)?;
            files::make_dir(&new)?;
        }
        made => made?,
    }
    if let Err(error) = lay(project, stage, outcome, good, &new) {
        // On a full disk, what is left of it is what the record of the run needs.
        let _ = files::remove_dir(&new);
        return Err(error);
    }
    let dir = project.outputs.join(stage);
    if files::link_metadata(&dir).is_err() {
        return files::rename_into(&new, &dir);
    }
    files::exchange(&new, &dir)?;
    // What was there before; what cannot be removed is swept with the room.
    let is_dir = files::link_metadata(&new).is_ok_and(|metadata| metadata.is_dir());
    let _ = if is_dir { files::remove_dir(&new) } else { files::remove(&new) };
    Ok(())
}

/// Lays out what an outcome says. A file that is good already is taken over from the stage's own
/// directory, where that can be done without a copy.
fn lay(
    project: &Project,
    stage: &str,
    outcome: &Outcome,
    good: &BTreeSet<&str>,
    to: &Path,
) -> io::Result<()> {
    let dir = project.outputs.join(stage);
    for file in &outcome.files {
        let (from, path) = (dir.join(&file.path), to.join(&file.path));
        let is_good = good.contains(file.path.as_str());
        if is_good && (from == path || files::hard_link(&from, &path).is_ok()) {
            continue;
        }
        if to == dir {
            clear_way(&dir, &path)?;
            project.store.restore(&file.digest, &path)?;
        } else {
            if path.parent() != Some(to) {
                files::make_parent(&path)?;
            }
            project.store.restore_unseen(&file.digest, &path)?;
        }
    }
    Ok(())
}

/// What the digest of an output is remembered under.
fn memory_name(stage: &str, file: &OutputFile) -> String {
    format!("out:{stage}/{}", file.path)
}

/// The signature that an output had when its bytes were known to be what the outcome says.
pub(crate) fn proved(project: &Project, stage: &str, file: &OutputFile) -> Option<Signature> {
    project.store.stat().remembered(&memory_name(stage, file), &file.digest)
}

/// The files that are missing or not what the outcome says.
fn wrong<'o>(project: &Project, stage: &str, outcome: &'o Outcome) -> Vec<&'o OutputFile> {
    let dir = project.outputs.join(stage);
    let is_wrong = |file: &&OutputFile| {
        let found = project.store.stat().digest(&dir.join(&file.path), &memory_name(stage, file));
        !found.is_ok_and(|(digest, _)| digest == file.digest)
    };
    outcome.files.iter().filter(is_wrong).collect()
}

/// What a stage's directory is to hold.
pub(crate) struct Expected {
    dir: PathBuf,
    files: BTreeSet<PathBuf>,
    /// Those that the files are in, the stage's own among them.
    dirs: BTreeSet<PathBuf>,
}

impl Expected {
    /// What an outcome says of the directory of its stage.
    pub(crate) fn new(dir: &Path, outcome: &Outcome) -> Expected {
        Expected::of_paths(dir, outcome.files.iter().map(|file| file.path.as_str()))
    }

    /// The same, given the paths of its files.
    pub(crate) fn of_paths<'p>(dir: &Path, paths: impl Iterator<Item = &'p str>) -> Expected {
        let (mut files, mut dirs) = (BTreeSet::new(), BTreeSet::from([dir.to_owned()]));
        for path in paths.map(|path| dir.join(path)) {
            let above = path.ancestors().skip(1).take_while(|above| *above != dir);
            dirs.extend(above.map(Path::to_owned));
            files.insert(path);
        }
        Expected { dir: dir.to_owned(), files, dirs }
    }

    /// The directories that it is made of.
    pub(crate) fn dirs(&self) -> impl Iterator<Item = &Path> {
        self.dirs.iter().map(PathBuf::as_path)
    }

    /// What is there and does not belong there: strangers, and links in the place of files or
    /// directories. What holds a file that belongs there is not named, but what is in it.
    pub(crate) fn strangers(&self) -> io::Result<Vec<PathBuf>> {
        if files::link_metadata(&self.dir).is_ok_and(|metadata| !metadata.is_dir()) {
            return Ok(vec![self.dir.clone()]);
        }
        let mut strangers = Vec::new();
        let mut waiting = vec![self.dir.clone()];
        while let Some(dir) = waiting.pop() {
            for entry in files::list(&dir)? {
                if entry.is_dir && self.dirs.contains(&entry.path) {
                    waiting.push(entry.path);
                } else if !(entry.is_file && self.files.contains(&entry.path)) {
                    strangers.push(entry.path);
                }
            }
        }
        Ok(strangers)
    }
}

/// Removes whatever stands where a file or one of its directories is to be, links above all: what
/// is behind them is not the program's to write to or to clean.
fn clear_way(dir: &Path, path: &Path) -> io::Result<()> {
    for part in path.ancestors().take_while(|part| part.starts_with(dir)) {
        let Ok(metadata) = files::link_metadata(part) else { continue };
        match (part == path, metadata.is_dir()) {
            (true, true) => files::remove_dir(part)?,
            (true, false) if !metadata.is_file() => files::remove(part)?,
            (false, false) => files::remove(part)?,
            _ => {}
        }
    }
    Ok(())
}
