//! What the last run looked at, so that the next one can see that nothing has changed.
//!
//! A run that found or made everything remembers each file that had a say: the pipeline, its data,
//! the outputs, their objects, the lock, its record; and what was asked. As long as the same is
//! asked by the same program and every file has the signature that it had, a run would find what
//! the last one found, and nothing has to be read or computed to say so. Anything else, a missing
//! or damaged witness above all, only means that the long way is taken. With `paranoid`, the files
//! are hashed again.
//!
//! It does not look at recipes and outcomes, which have no say in whether something has to be
//! done; `verify` does.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::error::Sources;
use crate::project::{OUTPUTS_DIR, Project};
use crate::reader::STAGES_DIR;
use crate::schedule::Report;
use crate::spec::FILE_NAME;
use crate::stat::Signature;
use crate::{files, lock, memory, outputs};

/// The format of the file; a witness of another is none.
const FORMAT: u32 = 1;
/// The largest file that is hashed without several threads.
const BUFFER_BYTES: usize = 1 << 18;

/// What is asked of a run.
#[derive(Clone, Debug)]
pub struct Question {
    /// The directory of `pipeline.toml`.
    pub root: PathBuf,
    /// The program that would run the kinds: another one may give other answers.
    pub program: Signature,
    /// Everything on the command line and in the environment that has a say.
    pub asked: Vec<String>,
}

/// What the last run found, and the next one would find.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// How many stages took part; all of them would be found in the store.
    pub n_stages: usize,
    /// The id of the run that recorded this.
    pub run: Option<String>,
    /// The result digest.
    pub result: Digest,
}

#[derive(Serialize, Deserialize)]
struct Witness<'a> {
    format: u32,
    program: Signature,
    asked: Vec<&'a str>,
    #[serde(borrow)]
    seen: Vec<Seen<'a>>,
    answer: Answer,
}

/// A file or directory that had a say.
#[derive(Serialize, Deserialize)]
struct Seen<'a> {
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
    let witness: Witness<'_> = postcard::from_bytes(&bytes).ok()?;
    if witness.format != FORMAT
        || witness.program != question.program
        || witness.asked != question.asked
    {
        return None;
    }
    let root = files::open(&question.root).ok()?;
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut is_same = |seen: &Seen<'_>| match seen.digest {
        // What is hashed needs no look at its times.
        Some(digest) if is_paranoid => {
            hash_at(&root, &question.root, seen.path, &mut buffer) == Some(digest)
        }
        _ => seen.signature == Signature::at(&root, seen.path),
    };
    witness.seen.iter().all(&mut is_same).then_some(witness.answer)
}

/// The digest of a file below an open directory. There may be very many, most of them small: one
/// buffer serves all, and only what does not fit in it is worth several threads.
fn hash_at(root: &File, root_path: &Path, path: &str, buffer: &mut [u8]) -> Option<Digest> {
    let mut file = files::open_at(root, path).ok()?;
    let mut n_bytes = 0;
    loop {
        match files::read_some(&mut file, Path::new(path), &mut buffer[n_bytes..]).ok()? {
            0 => return Some(Digest::of(&buffer[..n_bytes])),
            n => n_bytes += n,
        }
        if n_bytes == buffer.len() {
            return Some(Digest::of_file(&root_path.join(path)).ok()?.0);
        }
    }
}

/// Remembers what a run looked at in which every stage has an outcome. To be called while nobody
/// else writes records, after `outputs/STAGE` was made of each report. Nothing is remembered when
/// something changed meanwhile, or so shortly before that a second change might go unseen.
pub fn remember(
    question: &Question,
    project: &Project,
    sources: &Sources,
    reports: &[Report],
    answer: Answer,
) {
    let place = place(&project.root);
    let Some(seen) = Looker::new(project).look(sources, reports, &answer) else {
        let _ = files::remove(&place);
        return;
    };
    let seen = seen.iter().map(|(path, signature, digest)| Seen {
        path,
        signature: *signature,
        digest: *digest,
    });
    let witness = Witness {
        format: FORMAT,
        program: question.program,
        asked: question.asked.iter().map(String::as_str).collect(),
        seen: seen.collect(),
        answer,
    };
    if let Ok(room) = project.store.room() {
        memory::save(&place, &witness, room);
    }
}

fn place(root: &Path) -> PathBuf {
    root.join(OUTPUTS_DIR).join("store/witness")
}

type Look = (String, Option<Signature>, Option<Digest>);

/// Collects what had a say in a run.
struct Looker<'a> {
    project: &'a Project,
    root: Option<File>,
    seen: Vec<Look>,
}

impl<'a> Looker<'a> {
    fn new(project: &'a Project) -> Looker<'a> {
        Looker { project, root: files::open(&project.root).ok(), seen: Vec::new() }
    }

    fn look(mut self, sources: &Sources, reports: &[Report], answer: &Answer) -> Option<Vec<Look>> {
        self.pipeline(sources)?;
        for (path, digest, signature) in self.project.data_seen()? {
            self.seen.push((path, Some(signature), digest));
        }
        for report in reports {
            self.outputs(report)?;
        }
        self.records(answer)?;
        Some(self.seen)
    }

    fn signature(&self, path: &str) -> Option<Signature> {
        Signature::at(self.root.as_ref()?, path)
    }

    /// The files of the pipeline: the texts that were read are still in them, and no stage file
    /// came or went.
    fn pipeline(&mut self, sources: &Sources) -> Option<()> {
        let now = SystemTime::now();
        let dir = self.signature(STAGES_DIR);
        if dir.is_some_and(|dir| !dir.is_settled(now)) {
            return None;
        }
        self.seen.push((STAGES_DIR.to_owned(), dir, None));
        for source in sources.files() {
            let before = self.signature(&source.name)?;
            let text = files::read(&self.project.root.join(&source.name)).ok()?;
            let is_same = text == source.text.as_bytes() && before.is_settled(now);
            if !is_same || self.signature(&source.name) != Some(before) {
                return None;
            }
            let digest = Some(Digest::of(&text));
            self.seen.push((source.name.clone(), Some(before), digest));
        }
        Some(())
    }

    fn outputs(&mut self, report: &Report) -> Option<()> {
        let stat = self.project.store.stat();
        for file in &report.outcome()?.files {
            let output = outputs::proved(self.project, &report.stage, file)?;
            let path = format!("{OUTPUTS_DIR}/{}/{}", report.stage, file.path);
            self.seen.push((path, Some(output), Some(file.digest)));
            let hex = file.digest.to_string();
            let object = stat.remembered(&hex, &file.digest)?;
            let path = format!("{OUTPUTS_DIR}/store/objects/{}/{}", &hex[..2], &hex[2..]);
            self.seen.push((path, Some(object), None));
        }
        Some(())
    }

    /// The lock, the newest record, and the directory that would tell of a newer one.
    fn records(&mut self, answer: &Answer) -> Option<()> {
        let runs = format!("{OUTPUTS_DIR}/runs");
        let record = match &answer.run {
            Some(id) => Some(self.project.runs.dir_of(id)?),
            None => None,
        };
        let record = record.map(|dir| format!("{runs}/{dir}/run.json"));
        for path in [Some(lock::FILE_NAME.to_owned()), Some(runs), record].into_iter().flatten() {
            let signature = self.signature(&path);
            self.seen.push((path, signature, None));
        }
        Some(())
    }
}

/// The files of a project among the texts that were read: not arguments, not the environment.
impl Sources {
    fn files(&self) -> impl Iterator<Item = &crate::error::Source> {
        self.iter().filter(|source| source.name == FILE_NAME || source.name.ends_with(".toml"))
    }
}
