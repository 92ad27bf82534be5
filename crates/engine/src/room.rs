//! The room of one attempt of a program: a working directory with nothing but its inputs.
//!
//! ```text
//! work/    the working directory: the inputs at the places that `layout` tells, then the outputs
//! home/    HOME and TMPDIR
//! ```
//!
//! Inputs are copies, however large, so that nothing a program writes reaches the project or the
//! store: a link to a large file would spare its copy, and a program that writes through it would
//! have changed what nobody has twice. Where the file system can, a copy shares its blocks. It
//! knows nothing of processes.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::data::{Form, base_of};
use crate::files;
use crate::graph::{Graph, Plug, Stage, StageId};
use crate::layout;
use crate::observed::Observation;
use crate::project::Project;
use crate::store::Outcome;

/// The working directory in a room.
pub(crate) const WORK: &str = "work";
/// The directory of `HOME` and `TMPDIR` in a room.
pub(crate) const HOME: &str = "home";

/// What programs are for everybody: objects of the store have lost the right to be run, and that of
/// a file of the project is not in the recipe.
pub(crate) const PROGRAM: u32 = 0o755;
/// What all other inputs are.
const FILE: u32 = 0o644;

/// Where a program works, and what it must know of the run.
pub(crate) struct Room<'a> {
    pub(crate) project: &'a Project,
    pub(crate) dir: &'a Path,
    pub(crate) laid: Laid,
    pub(crate) timeout: Option<Duration>,
    /// Whether a failure is not tried again.
    pub(crate) is_last: bool,
    pub(crate) cancel: &'a AtomicBool,
    pub(crate) warn: &'a (dyn Fn(&str) + Sync),
    pub(crate) observation: Mutex<Option<Observation>>,
}

impl Room<'_> {
    pub(crate) fn observe(&self, observation: Observation) {
        *self.observation.lock().unwrap_or_else(PoisonError::into_inner) = Some(observation);
    }

    /// What was laid out, and what was observed.
    pub(crate) fn vacate(self) -> (Option<Laid>, Option<Observation>) {
        let observation = self.observation.into_inner().unwrap_or_else(PoisonError::into_inner);
        (Some(self.laid), observation)
    }
}

/// The inputs as they were laid out.
#[derive(Debug, Default)]
pub(crate) struct Laid {
    /// By port, the paths that stand for it, relative to the working directory.
    pub(crate) words: BTreeMap<String, Vec<PathBuf>>,
    /// Every file, relative to the working directory.
    pub(crate) files: BTreeSet<PathBuf>,
}

/// Lays the inputs of a stage out below a directory.
///
/// # Errors
/// What copying gives; `AlreadyExists` when two inputs would stand at one place.
pub(crate) fn lay(
    project: &Project,
    graph: &Graph,
    stage: &Stage,
    outcomes: &BTreeMap<StageId, &Outcome>,
    work: &Path,
) -> io::Result<Laid> {
    let mut laid = Laid::default();
    let mut sources = BTreeMap::new();
    for port in &stage.inputs {
        let mut words = Vec::new();
        let places = layout::places(graph, port, project);
        for (plug, place) in port.plugs.iter().zip(places) {
            let mut lay = |from: PathBuf, to: PathBuf| -> io::Result<()> {
                if let Some(other) = sources.insert(to.clone(), from.clone()) {
                    return if other == from { Ok(()) } else { Err(clash(&to)) };
                }
                let place = work.join(&to);
                files::make_parent(&place)?;
                files::copy_as(&from, &place, mode)?;
                laid.files.insert(to);
                Ok(())
            };
            match plug {
                Plug::Data { path, .. } => {
                    let base = base_of(&project.root, path);
                    let files = project.data.files(&project.root, path);
                    let is_pattern = Form::of(&project.root, path) == Form::Pattern;
                    let to = |file: &Path| match file.strip_prefix(&base) {
                        Ok(rest) if rest.as_os_str().is_empty() => place.clone(),
                        Ok(rest) => place.join(rest),
                        Err(_) => place.clone(),
                    };
                    for file in &files {
                        lay(project.root.join(file), to(file))?;
                    }
                    if is_pattern {
                        words.extend(files.iter().map(|file| to(file)));
                    } else {
                        words.push(place);
                    }
                }
                Plug::Stage { stage, output } => {
                    let output = &graph.stage(*stage).outputs[*output];
                    let files = outcomes.get(stage).map(|outcome| outcome.files.as_slice());
                    let is_of = |file: &&crate::store::OutputFile| file.port == output.name;
                    for file in files.unwrap_or_default().iter().filter(is_of) {
                        let rest = Path::new(&file.path).strip_prefix(&output.path);
                        let rest = rest.ok().filter(|rest| !rest.as_os_str().is_empty());
                        let to = rest.map_or_else(|| place.clone(), |rest| place.join(rest));
                        lay(project.store.object(&file.digest), to)?;
                    }
                    words.push(place);
                }
            }
        }
        laid.words.insert(port.name.clone(), words);
    }
    Ok(laid)
}

/// Removes what `lay` laid out and what is empty then. What is left, because a program wrote it or
/// because it cannot be removed, is for whoever removes the room to look for.
pub(crate) fn clear(dir: &Path, laid: &Laid) {
    let work = dir.join(WORK);
    let mut dirs = BTreeSet::from([work.clone(), dir.join(HOME)]);
    for path in laid.files.iter().map(|file| work.join(file)) {
        let _ = files::remove(&path);
        let above = path.ancestors().skip(1).take_while(|above| *above != work);
        dirs.extend(above.map(Path::to_owned));
    }
    // What is in a directory comes behind it.
    dirs.iter().rev().for_each(|dir| drop(files::remove_empty_dir(dir)));
}

fn clash(path: &Path) -> io::Error {
    let message = format!("two inputs would stand at `{}`", path.display());
    io::Error::new(io::ErrorKind::AlreadyExists, message)
}

/// What a file is for the program: it may run what begins as something does that can be run, a
/// script that names its interpreter or an executable.
fn mode(head: &[u8]) -> u32 {
    const BEGINNINGS: [&[u8]; 2] = [b"#!", b"\x7fELF"];
    let is_program = BEGINNINGS.iter().any(|beginning| head.starts_with(beginning));
    if is_program { PROGRAM } else { FILE }
}
