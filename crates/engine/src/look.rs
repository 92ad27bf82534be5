//! What a run looked at: every file, directory and variable that had a say in what it found.
//!
//! Collected when everything is in place, and only if nothing changed since it was read: a text is
//! compared with what was parsed, a digest with what was remembered. It knows nothing of how the
//! result is kept (`witness`) or of what will be asked.

use std::collections::BTreeSet;
use std::path::Path;

use crate::clock::Clock;
use crate::digest::Digest;
use crate::error::{Source, Sources};
use crate::graph::{Graph, Plug, Stage};
use crate::project::{OUTPUTS_DIR, Project};
use crate::reader::STAGES_DIR;
use crate::schedule::Report;
use crate::spec::FILE_NAME;
use crate::stat::{Seen, Signature};
use crate::{files, lock, outputs};

/// The variable in whose directories programs are looked up.
const PATH: &str = "PATH";

/// The parts of the store that have a document per key.
pub(crate) const DOCUMENTS: [&str; 2] = ["outcomes", "recipes"];

/// How many directories one of them has at most: by the first two hex digits of a key.
const N_SHELVES: usize = 256;

/// Where a key has its document, relative to the root of the project.
pub(crate) fn document(part: &str, key: &Digest) -> String {
    let hex = key.to_string();
    format!("{OUTPUTS_DIR}/store/{part}/{}/{}", &hex[..2], &hex[2..])
}

/// Everything that had a say.
#[derive(Default)]
pub(crate) struct Looked {
    pub(crate) seen: Vec<Seen>,
    /// The names of variables of the caller's environment.
    pub(crate) variables: BTreeSet<String>,
    /// Per stage its key, and how its outcome and its recipe were.
    pub(crate) kept: Vec<(Digest, [Signature; 2])>,
}

/// Collects what had a say in a run.
pub(crate) struct Looker<'a> {
    project: &'a Project,
    graph: &'a Graph,
    clock: Clock,
    looked: Looked,
    /// Data and programs that were looked at: many stages may share them.
    paths: BTreeSet<&'a Path>,
    tools: BTreeSet<Vec<String>>,
    /// Directories of the store in which keys have a document.
    shelves: BTreeSet<String>,
}

impl<'a> Looker<'a> {
    /// `clock` is that of the file system of the store.
    pub(crate) fn new(project: &'a Project, graph: &'a Graph, clock: Clock) -> Looker<'a> {
        Looker {
            project,
            graph,
            clock,
            looked: Looked::default(),
            paths: BTreeSet::new(),
            tools: BTreeSet::new(),
            shelves: BTreeSet::new(),
        }
    }

    /// What these stages rest on, and what they yielded; `None` when something is not what it was.
    pub(crate) fn look(
        mut self,
        sources: &Sources,
        reports: &[Report],
        run: Option<&str>,
    ) -> Option<Looked> {
        // Of each stage its file, and one output with its directory and its object.
        self.looked.seen.reserve_exact(4 * reports.len() + DOCUMENTS.len() * N_SHELVES);
        self.looked.kept.reserve_exact(reports.len());
        self.pipeline(sources)?;
        for report in reports {
            let stage = self.graph.stage(report.id);
            self.data(stage)?;
            self.programs(stage)?;
            self.kept(report)?;
            self.outputs(report)?;
        }
        self.records(run)?;
        Some(self.looked)
    }

    fn see(&mut self, path: String, signature: Option<Signature>, digest: Option<Digest>) {
        self.looked.seen.push(Seen { path: path.into(), signature, digest });
    }

    fn signature(&self, path: &str) -> Option<Signature> {
        Signature::of(&self.project.root.join(path)).ok()
    }

    /// The files of the pipeline: the texts that were read are still in them, and no stage file
    /// came or went.
    fn pipeline(&mut self, sources: &Sources) -> Option<()> {
        let dir = Seen::settled(self.project.root.join(STAGES_DIR), &self.clock)?;
        self.looked.seen.push(dir);
        let is_file = |source: &&Source| source.name == FILE_NAME || source.name.ends_with(".toml");
        for source in sources.iter().filter(is_file) {
            let before = self.signature(&source.name)?;
            let text = files::read(&self.project.root.join(&source.name)).ok()?;
            let is_same = text == source.text.as_bytes() && self.clock.is_settled(&before);
            if !is_same || self.signature(&source.name) != Some(before) {
                return None;
            }
            self.see(source.name.clone(), Some(before), Some(Digest::of(&text)));
        }
        Some(())
    }

    fn data(&mut self, stage: &'a Stage) -> Option<()> {
        for plug in stage.inputs.iter().flat_map(|port| &port.plugs) {
            if let Plug::Data { path, .. } = plug
                && self.paths.insert(path)
            {
                let Project { root, data, store, .. } = self.project;
                self.looked.seen.extend(data.seen(root, path, store.stat(), &self.clock)?);
            }
        }
        Some(())
    }

    fn programs(&mut self, stage: &Stage) -> Option<()> {
        let surroundings = stage.kind.surroundings(&stage.params);
        self.looked.variables.extend(surroundings.pass.iter().cloned());
        if !surroundings.tools.is_empty() && self.tools.insert(surroundings.tools.clone()) {
            self.looked.variables.insert(PATH.to_owned());
            let Project { root, outside, store, .. } = self.project;
            self.looked.seen.extend(outside.seen(
                root,
                &surroundings,
                store.stat(),
                &self.clock,
            )?);
        }
        Some(())
    }

    /// A directory that this process has filled, by what it lists.
    fn own_dir(&mut self, path: String) -> Option<()> {
        let signature = self.signature(&path)?;
        self.clock.is_own_settled(&signature).then(|| self.see(path, Some(signature), None))
    }

    /// The documents of a key. Ten thousand files are dear to look at each time, so that it is
    /// their directories, of which there are a few hundred: nothing came or went.
    fn kept(&mut self, report: &Report) -> Option<()> {
        let key = report.outcome()?.key;
        let hex = key.to_string();
        for part in DOCUMENTS {
            let shelf = format!("{OUTPUTS_DIR}/store/{part}/{}", &hex[..2]);
            if self.shelves.insert(shelf.clone()) {
                self.own_dir(shelf)?;
            }
        }
        // After their directories: what goes later gives those another signature.
        let document = |part| self.signature(&document(part, &key));
        let [outcome, recipe] = DOCUMENTS.map(document);
        self.looked.kept.push((key, [outcome?, recipe?]));
        Some(())
    }

    fn outputs(&mut self, report: &Report) -> Option<()> {
        let (outcome, stage) = (report.outcome()?, &report.stage);
        let of_stage = outputs::Expected::new(&self.project.outputs.join(stage), outcome);
        for dir in of_stage.dirs() {
            let path = dir.strip_prefix(&self.project.root).ok()?.to_str()?.to_owned();
            self.own_dir(path)?;
        }
        of_stage.strangers().ok()?.is_empty().then_some(())?;
        for file in &outcome.files {
            let output = outputs::proved(self.project, &report.stage, file)?;
            let path = format!("{OUTPUTS_DIR}/{}/{}", report.stage, file.path);
            self.see(path, Some(output), Some(file.digest));
            let hex = file.digest.to_string();
            let object = self.project.store.stat().remembered(&hex, &file.digest)?;
            let path = format!("{OUTPUTS_DIR}/store/objects/{}/{}", &hex[..2], &hex[2..]);
            self.see(path, Some(object), None);
        }
        Some(())
    }

    /// The lock, the newest record, the keys that stages last had, the directory that would tell of
    /// a newer record, and the number of the store's layout.
    fn records(&mut self, run: Option<&str>) -> Option<()> {
        let runs = format!("{OUTPUTS_DIR}/runs");
        let record = match run {
            Some(id) => Some(format!("{runs}/{}/run.json", self.project.runs.dir_of(id)?)),
            None => None,
        };
        let last = format!("{runs}/last.json");
        let layout = format!("{OUTPUTS_DIR}/store/format");
        for path in [lock::FILE_NAME.to_owned(), last, runs, layout].into_iter().chain(record) {
            let signature = self.signature(&path);
            self.see(path, signature, None);
        }
        Some(())
    }
}
