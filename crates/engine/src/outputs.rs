//! `outputs/STAGE/`: the newest outputs of each stage, for people and for the service.
//!
//! Copies of objects, never links: an edit here cannot reach the store. A copy that is not what
//! the outcome says is written again, and a file that the outcome does not have is removed.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::files;
use crate::project::Project;
use crate::store::Outcome;

/// The files under `outputs/STAGE/` that are not what an outcome says. Changes nothing.
pub fn stale(project: &Project, stage: &str, outcome: &Outcome) -> Vec<PathBuf> {
    let is_stale = |file: &&crate::store::OutputFile| {
        let path = project.outputs.join(stage).join(&file.path);
        let name = format!("out:{stage}/{}", file.path);
        let found = project.store.stat().digest(&path, &name);
        !found.is_ok_and(|(digest, _)| digest == file.digest)
    };
    let stale = outcome.files.iter().filter(is_stale);
    stale.map(|file| Path::new(stage).join(&file.path)).collect()
}

/// Makes `outputs/STAGE/` hold exactly what an outcome says.
///
/// # Errors
/// What writing gives; `Corrupt` when an object does not match its name.
pub fn materialise(project: &Project, stage: &str, outcome: &Outcome) -> Result<(), Error> {
    let dir = project.outputs.join(stage);
    // Two runs at once take turns, else each would clean away what the other is about to place. A
    // store that cannot be written to has no second writer.
    let lock = project.store.outputs_lock(stage).and_then(|file| file.lock().map(|()| file));
    let _lock = lock.ok();
    if fs::symlink_metadata(&dir).is_ok_and(|metadata| !metadata.is_dir()) {
        fs::remove_file(&dir).map_err(Error::io("clean", &dir))?;
    }
    for file in &outcome.files {
        let path = dir.join(&file.path);
        clear_way(&dir, &path).map_err(Error::io("write", &path))?;
        let name = format!("out:{stage}/{}", file.path);
        let is_there = project.store.stat().digest(&path, &name);
        if is_there.is_ok_and(|(digest, _)| digest == file.digest) {
            continue;
        }
        project.store.restore(&file.digest, &path).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => Error::Corrupt(error.to_string()),
            _ => Error::io("write", &path)(error),
        })?;
        project.store.stat().remember(&path, &name, file.digest, None);
    }
    let kept: BTreeSet<_> = outcome.files.iter().map(|file| dir.join(&file.path)).collect();
    remove_others(&dir, &kept).map_err(Error::io("clean", &dir))
}

/// Removes whatever stands where a file or one of its directories is to be, links above all: what
/// is behind them is not the program's to write to or to clean.
fn clear_way(dir: &Path, path: &Path) -> io::Result<()> {
    for part in path.ancestors().take_while(|part| part.starts_with(dir)) {
        let Ok(metadata) = fs::symlink_metadata(part) else { continue };
        match (part == path, metadata.is_dir()) {
            (true, true) => fs::remove_dir_all(part)?,
            (true, false) if !metadata.is_file() => fs::remove_file(part)?,
            (false, false) => fs::remove_file(part)?,
            _ => {}
        }
    }
    Ok(())
}

fn remove_others(dir: &Path, kept: &BTreeSet<PathBuf>) -> io::Result<()> {
    let mut waiting = vec![dir.to_owned()];
    while let Some(dir) = waiting.pop() {
        for path in files::entries(&dir)? {
            if kept.contains(&path) {
                continue;
            }
            let holds_kept = kept.iter().any(|other| other.starts_with(&path));
            let is_dir = fs::symlink_metadata(&path)?.is_dir();
            match (holds_kept, is_dir) {
                (true, _) => waiting.push(path),
                (false, true) => fs::remove_dir_all(&path)?,
                (false, false) => fs::remove_file(&path)?,
            }
        }
    }
    Ok(())
}
