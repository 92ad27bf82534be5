//! `pipeline.lock`: per stage its key, its inputs and its outputs, committed to git.
//!
//! Canonical TOML: one block per stage in graph order, no times, no hosts and no line that every
//! change touches, so that two branches which change different stages merge cleanly. Written by
//! hand, because the order and the blocks are the point; read by `toml`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

use serde::Deserialize;

use crate::digest::Digest;
use crate::error::Error;
use crate::files;
use crate::graph::Graph;
use crate::recipe::Done;
use crate::record::{Run, RunStage};
use crate::store::{Outcome, OutputFile, Store};

/// The file beside `pipeline.toml`.
pub const FILE_NAME: &str = "pipeline.lock";
/// The format of the file.
const FORMAT: &str = "pipeline.lock/1";

/// What was computed from what, per stage.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lock {
    /// The stages by name.
    pub stages: BTreeMap<String, LockedStage>,
}

/// One stage of the lock.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedStage {
    /// Its kind.
    pub kind: String,
    /// Its key.
    pub key: Digest,
    /// Per output path, the digest of the file.
    #[serde(default)]
    pub outputs: BTreeMap<String, Digest>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: String,
    #[serde(default)]
    stage: BTreeMap<String, LockedStage>,
}

/// All that is known of a file of another format.
#[derive(Deserialize)]
struct Other {
    format: String,
}

/// A part of the file: a stage, or some.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Block {
    stage: BTreeMap<String, LockedStage>,
}

impl File {
    /// A text with a block for each stage, block by block: the tree of a whole lock takes twenty
    /// times its text. `None` when that fails, which only the whole text can tell more of.
    fn by_block(text: &str) -> Option<File> {
        const STAGE: &str = "\n[stage.";
        // In a text of several lines a line may begin like a stage.
        if ["\"\"\"", "'''"].iter().any(|quotes| text.contains(quotes)) {
            return None;
        }
        let mut ends = text.match_indices(STAGE).map(|(at, _)| at + 1).chain([text.len()]);
        let mut begin = ends.next()?;
        let mut file: File = toml::from_str(&text[..begin]).ok()?;
        for end in ends {
            let block: Block = toml::from_str(&text[begin..end]).ok()?;
            for (name, stage) in block.stage {
                if file.stage.insert(name, stage).is_some() {
                    return None;
                }
            }
            begin = end;
        }
        Some(file)
    }
}

impl Lock {
    /// Reads a lock; `None` when there is no such file.
    ///
    /// # Errors
    /// `Drift` with line and column when it is not a lock, `Corrupt` when its format is another.
    pub fn read(path: &Path) -> Result<Option<Lock>, Error> {
        match files::read_text(path) {
            Ok(text) => Lock::parse(&text, &path.display().to_string()).map(Some),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("read", path)(error)),
        }
    }

    /// Parses the text of a lock; `name` is what messages call it.
    ///
    /// # Errors
    /// `Drift` with line and column when it is not a lock, `Corrupt` when its format is another.
    pub fn parse(text: &str, name: &str) -> Result<Lock, Error> {
        let by_block = File::by_block(text);
        let file: File = match by_block {
            Some(file) => file,
            None => match (toml::from_str(text), toml::from_str(text)) {
                (Ok(file), _) => file,
                // Another format has other fields.
                (Err(_), Ok(Other { format })) if format != FORMAT => {
                    return Err(foreign(name, &format));
                }
                (Err(error), _) => {
                    return Err(Error::Drift(format!("`{name}` is not a lock: {error}")));
                }
            },
        };
        match file.format == FORMAT {
            true => Ok(Lock { stages: file.stage }),
            false => Err(foreign(name, &file.format)),
        }
    }

    /// This lock with the stages of a run in the place of its own, without stages that the graph
    /// no longer has.
    #[must_use]
    pub fn updated(self, graph: &Graph, run: &Run) -> Lock {
        let known: BTreeSet<_> = graph.stages.iter().map(|stage| &stage.name).collect();
        let mut stages = self.stages;
        stages.retain(|name, _| known.contains(name));
        for stage in &run.stages {
            stages.insert(stage.stage.clone(), LockedStage::from(stage));
        }
        Lock { stages }
    }

    /// The text of the file, stages in graph order.
    pub fn text(&self, graph: &Graph) -> String {
        let mut text = format!(
            "# Written by `pipeline run`: what was computed from what. Commit it; `pipeline verify`\n\
             # proves it. After a merge conflict take either side and run again.\n\
             format = \"{FORMAT}\"\n"
        );
        for name in graph.stages.iter().map(|stage| &stage.name) {
            let Some(stage) = self.stages.get(name) else { continue };
            let (name, kind) = (quoted(name), quoted(&stage.kind));
            // Writing to a String cannot fail.
            let _ = write!(text, "\n[stage.{name}]\nkind = {kind}\nkey = \"{}\"\n", stage.key);
            for (path, digest) in &stage.outputs {
                let _ = writeln!(text, "outputs.{} = \"{digest}\"", quoted(path));
            }
        }
        text
    }

    /// Writes the file by way of the store, if its text would change; returns whether it did.
    ///
    /// # Errors
    /// What writing gives.
    pub fn write(&self, path: &Path, graph: &Graph, store: &Store) -> Result<bool, Error> {
        let text = self.text(graph);
        if files::read_text(path).is_ok_and(|before| before == text) {
            return Ok(false);
        }
        store.write(path, text.as_bytes()).map_err(Error::io("write", path))?;
        Ok(true)
    }

    /// What the lock knows of each stage of a graph: enough to recompute the keys of the stages
    /// after it without any stored bytes.
    pub fn done(&self, graph: &Graph) -> Vec<Option<Done>> {
        let known = |stage: &crate::graph::Stage| {
            let locked = self.stages.get(&stage.name)?;
            let file = |(path, digest): (&String, &Digest)| {
                let is_of = |output: &&crate::kind::Output| {
                    path == &output.path || path.starts_with(&format!("{}/", output.path))
                };
                let port = stage.outputs.iter().find(is_of)?.name.clone();
                Some(OutputFile { port, path: path.clone(), digest: *digest, size: 0 })
            };
            let files = locked.outputs.iter().filter_map(file).collect();
            let outcome = Outcome::new(locked.key, files, Default::default());
            let ports = stage.outputs.iter().map(|o| outcome.port_digest(&o.name, &o.path));
            Some(Done { key: locked.key, ports: ports.collect::<Option<_>>()? })
        };
        graph.stages.iter().map(known).collect()
    }
}

/// What is told of a lock of another format.
fn foreign(name: &str, found: &str) -> Error {
    Error::Corrupt(format!(
        "`{name}` has the format `{found}` and this program reads `{FORMAT}`; use the program that \
         wrote it, or remove the file and run again"
    ))
}

impl From<&RunStage> for LockedStage {
    fn from(stage: &RunStage) -> LockedStage {
        LockedStage {
            kind: stage.kind.clone(),
            key: stage.key,
            outputs: stage.files.iter().map(|file| (file.path.clone(), file.digest)).collect(),
        }
    }
}

/// A name as a TOML key or value: always quoted, so that `train@forest` needs no rule.
fn quoted(name: &str) -> String {
    toml::Value::from(name).to_string()
}
