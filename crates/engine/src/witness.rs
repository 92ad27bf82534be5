//! What the last run looked at, so that the next one can see that nothing has changed.
//!
//! A run that found or made everything remembers each file that had a say: the pipeline, its data,
//! the outputs, their objects, the lock, the records; and what was asked. As long as the same is
//! asked by the same program and every file has the signature that it had, a run would find what
//! the last one found, and nothing has to be read or computed to say so. Anything else, a missing
//! or damaged witness above all, only means that the long way is taken. With `paranoid`, the files
//! are hashed again.
//!
//! Of recipes and outcomes, which have no say in whether something has to be done, it looks at the
//! directories, where one that is gone shows, and with `paranoid` at each of them; hashing them is
//! `verify`'s. Whoever finds one damaged makes it be forgotten (`forget`).

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use serde::ser::{Error as _, SerializeSeq};
use serde::{Deserialize, Serialize, Serializer};

use crate::clock::Clock;
use crate::digest::Digest;
use crate::error::{Error, Sources};
use crate::graph::Graph;
use crate::look::{DOCUMENTS, Looker, document};
use crate::observed::Observation;
use crate::project::{OUTPUTS_DIR, Project};
use crate::schedule::Report;
use crate::spec::ENVIRONMENT_PREFIX;
use crate::stat::{Seen, Signature};
use crate::{files, memory};

/// The format of the file; a witness of another is none.
const FORMAT: u32 = 3;
/// The largest file that is hashed without several threads.
const BUFFER_BYTES: usize = 1 << 18;

/// What is asked of a run.
#[derive(Clone, Debug)]
pub struct Question {
    /// The directory of `pipeline.toml`.
    pub root: PathBuf,
    /// The program that would run the kinds: another one may give other answers.
    pub program: Signature,
    /// Everything on the command line that has a say.
    pub asked: Vec<String>,
    /// The caller's environment. What the pipeline reads of it has a say, and no more.
    pub environment: BTreeMap<String, String>,
}

/// What the last run found, and the next one would find.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// How many stages took part; all of them would be found in the store.
    pub n_stages: usize,
    /// The id of the run that recorded this.
    pub run: Option<String>,
    /// The result digest.
    pub result: Digest,
    /// What programs said, by stage, to be said again.
    pub told: Vec<(String, Observation)>,
}

/// `S` is a list of [`Entry`]s, or what is written as one.
#[derive(Serialize, Deserialize)]
struct Witness<'a, S> {
    format: u32,
    program: Signature,
    #[serde(borrow)]
    asked: Vec<&'a str>,
    /// Per variable of the environment that was read, the digest of its value.
    read: Vec<(&'a str, Option<Digest>)>,
    #[serde(bound(deserialize = "S: Deserialize<'de>"))]
    seen: S,
    /// Keys, each with how its outcome and its recipe were, for who trusts no directory.
    kept: Vec<(Digest, [Signature; 2])>,
    answer: Answer,
}

/// A file or directory that had a say.
#[derive(Serialize, Deserialize)]
struct Entry<'a> {
    /// Relative to the root of the project, or absolute.
    path: &'a str,
    /// How it was; `None` when it was not there.
    signature: Option<Signature>,
    /// The digest of its bytes, for who trusts no signature.
    digest: Option<Digest>,
}

/// The answer of the last run, if the same is asked and nothing has changed since.
pub fn recall(question: &Question, is_paranoid: bool) -> Option<Answer> {
    let bytes = memory::load(&place(&question.root))?;
    let witness: Witness<'_, Vec<Entry<'_>>> = postcard::from_bytes(&bytes).ok()?;
    if witness.format != FORMAT
        || witness.program != question.program
        || witness.asked != question.asked
    {
        return None;
    }
    let is_read = |(name, value): &(&str, Option<Digest>)| question.digest_of(name) == *value;
    // A variable that sets values has a say whether or not there was one.
    if !witness.read.iter().all(is_read) || question.sets() != witness.sets() {
        return None;
    }
    let root = files::open(&question.root).ok()?;
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut is_same = |seen: &Entry<'_>| match seen.digest {
        Some(digest) if is_paranoid => {
            let found = hash_at(&root, &question.root, seen.path, &mut buffer);
            found.is_some_and(|found| found == (seen.signature, digest))
        }
        _ => seen.signature == Signature::at(&root, seen.path),
    };
    if !witness.seen.iter().all(&mut is_same) {
        return None;
    }
    let is_whole = |(part, key, before): (&str, &Digest, &Signature)| {
        Signature::at(&root, &document(part, key)).as_ref() == Some(before)
    };
    let are_whole = |(key, before): &(Digest, [Signature; 2])| {
        DOCUMENTS.into_iter().zip(before).all(|(part, before)| is_whole((part, key, before)))
    };
    (!is_paranoid || witness.kept.iter().all(are_whole)).then_some(witness.answer)
}

/// What is known of a file below an open directory once it is read. There may be very many, most of
/// them small: one buffer serves all, and only what does not fit in it is worth several threads.
fn hash_at(
    root: &File,
    root_path: &Path,
    path: &str,
    buffer: &mut [u8],
) -> Option<(Option<Signature>, Digest)> {
    // Of the open file, which costs no second search for its path.
    let (mut file, stat) = files::open_at(root, path).ok()?;
    let signature = Signature::from(&stat);
    let digest = |digest| Some((Some(signature), digest));
    let mut n_bytes = 0;
    loop {
        match files::read_some(&mut file, Path::new(path), &mut buffer[n_bytes..]).ok()? {
            0 => return digest(Digest::of(&buffer[..n_bytes])),
            n => n_bytes += n,
        }
        if n_bytes == buffer.len() {
            return digest(Digest::of_file(&root_path.join(path)).ok()?.0);
        }
    }
}

/// Remembers what a run looked at in which every stage has an outcome. To be called while nobody
/// else writes records, after `outputs/STAGE` was made of each report. Nothing is remembered when
/// something changed meanwhile, or so shortly before that a second change might go unseen.
pub fn remember(
    question: &Question,
    project: &Project,
    graph: &Graph,
    sources: &Sources,
    reports: &[Report],
    answer: Answer,
) {
    let Ok(room) = project.store.room() else { return };
    let looker = Clock::read(room).ok().map(|clock| Looker::new(project, graph, clock));
    let looked = looker.and_then(|looker| looker.look(sources, reports, answer.run.as_deref()));
    // What has changed meanwhile is seen by whoever recalls what was seen before.
    let Some(looked) = looked else { return drop(forget(&project.root)) };
    let sets = question.environment.keys().filter(|name| name.starts_with(ENVIRONMENT_PREFIX));
    let read = sets.chain(&looked.variables);
    let witness = Witness {
        format: FORMAT,
        program: question.program,
        asked: question.asked.iter().map(String::as_str).collect(),
        read: read.map(|name| (name.as_str(), question.digest_of(name))).collect(),
        seen: Entries { seen: &looked.seen, root: &project.root },
        kept: looked.kept,
        answer,
    };
    memory::save(&place(&project.root), &witness, room);
}

/// Forgets what the last run looked at: something is not as it should be, and the next run has to
/// look for itself.
///
/// # Errors
/// Why it cannot be forgotten: the next run may say that nothing has changed.
pub fn forget(root: &Path) -> Result<(), Error> {
    let place = place(root);
    let removed = match files::remove(&place) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => files::remove_dir(&place),
        removed => removed,
    };
    removed.map_err(Error::io("remove", place))
}

/// Entries that are made as they are written: of ten thousand stages there are forty thousand.
struct Entries<'a> {
    seen: &'a [Seen],
    root: &'a Path,
}

impl Serialize for Entries<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.seen.len()))?;
        for seen in self.seen {
            let entry = Entry::of(seen, self.root);
            list.serialize_element(&entry.ok_or_else(|| S::Error::custom("no text as a path"))?)?;
        }
        list.end()
    }
}

impl<'a> Entry<'a> {
    /// Relative to the project, which is shorter and looked up faster, if it is in it.
    fn of(seen: &'a Seen, root: &Path) -> Option<Entry<'a>> {
        let path = seen.path.strip_prefix(root).unwrap_or(&seen.path).to_str()?;
        Some(Entry { path, signature: seen.signature, digest: seen.digest })
    }
}

impl Question {
    fn digest_of(&self, name: &str) -> Option<Digest> {
        self.environment.get(name).map(|value| Digest::of(value.as_bytes()))
    }

    /// The variables that set values of the pipeline.
    fn sets(&self) -> Vec<&str> {
        let names = self.environment.keys().map(String::as_str);
        names.filter(|name| name.starts_with(ENVIRONMENT_PREFIX)).collect()
    }
}

impl<S> Witness<'_, S> {
    fn sets(&self) -> Vec<&str> {
        let names = self.read.iter().map(|(name, _)| *name);
        names.filter(|name| name.starts_with(ENVIRONMENT_PREFIX)).collect()
    }
}

fn place(root: &Path) -> PathBuf {
    root.join(OUTPUTS_DIR).join("store/witness")
}
