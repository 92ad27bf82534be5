//! What a key yielded: files by their digests, and what the kind told about them.
//!
//! A document of the store, sealed with a digest of itself. It holds no time and no host: what was
//! observed meanwhile is kept apart, so that equal work gives equal documents.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::canonical;
use crate::digest::Digest;
use crate::kind::Findings;

/// The format of an outcome.
pub(crate) const OUTCOME_FORMAT: &str = "pipeline.outcome/1";
/// The format of a conflict.
const CONFLICT_FORMAT: &str = "pipeline.conflict/1";

/// A file that a stage yielded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutputFile {
    /// The port it belongs to.
    pub port: String,
    /// The path under the stage's output directory, with `/`.
    pub path: String,
    /// The digest of its bytes.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
}

/// What a key yielded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// The format of this document.
    pub format: String,
    /// The key.
    pub key: Digest,
    /// The files, sorted by path.
    pub files: Vec<OutputFile>,
    /// What the kind told about its result.
    pub findings: Findings,
}

impl Outcome {
    /// What a key yielded.
    pub fn new(key: Digest, mut files: Vec<OutputFile>, findings: Findings) -> Outcome {
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Outcome { format: OUTCOME_FORMAT.to_owned(), key, files, findings }
    }

    /// The digest of what a port holds: of the bytes of a file, or of the list of a directory's
    /// files. `path` is the port's path.
    pub fn port_digest(&self, port: &str, path: &str) -> Option<Digest> {
        let files: Vec<_> = self.files.iter().filter(|file| file.port == port).collect();
        match files.as_slice() {
            [] => None,
            [file] if file.path == path => Some(file.digest),
            files => {
                let list: Vec<_> = files.iter().map(|file| (&file.path, file.digest)).collect();
                Some(Digest::of(&canonical::to_bytes(&list)))
            }
        }
    }
}

/// Why a key has no usable outcome.
#[derive(Clone, Debug, PartialEq)]
pub enum Miss {
    /// The key was never published.
    Unknown,
    /// Something that was published is gone.
    Missing(String),
    /// Something does not match its name and was set aside.
    Damaged(String),
}

/// Two outcomes of one key: its kind is not reproducible, or something outside of the recipe had a
/// say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conflict {
    /// The format of this document.
    pub format: String,
    /// The outcome that stands for the key.
    pub stands: Sighted,
    /// The other one.
    pub other: Sighted,
}

/// An outcome with where and when it was seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sighted {
    /// The outcome.
    pub outcome: Outcome,
    /// Where and when, as far as that is known.
    pub seen: Option<Sighting>,
}

/// Where and when something was computed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sighting {
    /// The machine.
    pub host: String,
    /// When, in UTC, as RFC 3339.
    pub time: String,
}

impl Conflict {
    /// The conflict of two outcomes of a key.
    pub fn new(stands: Sighted, other: Sighted) -> Conflict {
        Conflict { format: CONFLICT_FORMAT.to_owned(), stands, other }
    }

    /// Reads a stored conflict. The first stores held the other outcome alone; `stands` is what
    /// the store holds for the key.
    pub(crate) fn read(bytes: &[u8], stands: Option<&Outcome>) -> Option<Conflict> {
        if let Some(conflict) = canonical::unseal::<Conflict>(bytes) {
            return (conflict.format == CONFLICT_FORMAT).then_some(conflict);
        }
        let other = canonical::unseal::<Outcome>(bytes)?;
        let stands = Sighted { outcome: stands?.clone(), seen: None };
        Some(Conflict::new(stands, Sighted { outcome: other, seen: None }))
    }
}

impl fmt::Display for Conflict {
    /// Per file that differs both digests, then where and when, as far as that is known.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", differing(&self.stands.outcome, &self.other.outcome).join(", "))?;
        let seen = [("first", &self.stands.seen), ("other", &self.other.seen)];
        let told: Vec<_> = seen
            .iter()
            .filter_map(|(which, seen)| {
                let Sighting { host, time } = seen.as_ref()?;
                Some(format!("{which} on `{host}` at {time}"))
            })
            .collect();
        if told.is_empty() { Ok(()) } else { write!(f, " ({})", told.join(", ")) }
    }
}

fn differing(a: &Outcome, b: &Outcome) -> Vec<String> {
    let digests = |outcome: &Outcome| -> BTreeMap<String, Digest> {
        outcome.files.iter().map(|file| (file.path.clone(), file.digest)).collect()
    };
    let (a, b) = (digests(a), digests(b));
    let mut told: Vec<_> = a
        .iter()
        .filter(|(path, digest)| b.get(*path) != Some(*digest))
        .map(|(path, digest)| {
            let other = b.get(path).map_or("nothing".to_owned(), Digest::short);
            format!("`{path}` {} and {other}", digest.short())
        })
        .collect();
    told.extend(b.keys().filter(|path| !a.contains_key(*path)).map(|path| format!("`{path}` new")));
    if told.is_empty() {
        told.push("what it told about its result".to_owned());
    }
    told
}
