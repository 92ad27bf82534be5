//! `pipeline`: the product with `command` stages, or the engine alone with toy kinds.

use std::fs;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::{Change, Tool, number_before};
use crate::shape::{self, Project, SOURCE, Tells, Text, Work};
use crate::toy::TOY;

/// Where stages are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Layout {
    /// Each in a file of its own.
    Files,
    /// All in `pipeline.toml`.
    Inline,
}

/// What runs the stages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    /// This program with its toy kinds.
    Toy(PathBuf),
    /// The product with `command` stages.
    Product(PathBuf),
}

/// `pipeline`.
#[derive(Clone)]
pub(crate) struct Pipeline {
    name: String,
    program: Program,
    layout: Layout,
    is_paranoid: bool,
}

impl Pipeline {
    /// A way to run it.
    pub(crate) fn new(program: Program, layout: Layout) -> Pipeline {
        let mut name = match program {
            Program::Toy(_) => "toy",
            Program::Product(_) => "pipeline",
        }
        .to_owned();
        if layout == Layout::Inline {
            name.push_str(" inline");
        }
        Pipeline { name, program, layout, is_paranoid: false }
    }

    /// The same, hashing everything again.
    pub(crate) fn paranoid(&self) -> Pipeline {
        let name = format!("{} --paranoid", self.name);
        Pipeline { name, program: self.program.clone(), is_paranoid: true, ..*self }
    }

    /// Whether it hashes everything again.
    pub(crate) fn is_paranoid(&self) -> bool {
        self.is_paranoid
    }

    /// Whether its stages are in files of their own.
    pub(crate) fn has_files(&self) -> bool {
        self.layout == Layout::Files
    }

    /// A stage that has one input, does not read it, and writes `kept`.
    pub(crate) fn keeping(&self, input: &str) -> String {
        let (kind, params) = match &self.program {
            Program::Toy(_) => ("keep", String::new()),
            Program::Product(_) => {
                ("command", command("[params]", "shell = \"echo kept > {out}\""))
            }
        };
        format!("kind = \"{kind}\"\ninputs.in = \"{input}\"\n{params}")
    }

    fn stage(&self, project: &Project, stage: usize) -> String {
        let Text { addend, note } = project.texts[stage];
        let input = project.parent(stage).map(|parent| format!("s{parent}.out"));
        let input = input.unwrap_or_else(|| "data.source".to_owned());
        let (header, params) = match self.layout {
            Layout::Files => (String::new(), "[params]".to_owned()),
            Layout::Inline => (format!("[stage.s{stage}]\n"), format!("[stage.s{stage}.params]")),
        };
        let (kind, params) = match (&self.program, project.work) {
            (Program::Toy(_), _) => {
                ("step", format!("{params}\naddend = {addend}\nnote = {note}\n"))
            }
            (Program::Product(_), Work::Shell) => {
                let shell = project.shell(stage, "{in}", "{out}", Tells::Bytes);
                ("command", command(&params, &format!("shell = \"{shell}\"")))
            }
            (Program::Product(_), Work::Copy) => {
                let run = project.copy(stage, "{in}", "{out}");
                ("command", command(&params, &format!("run = {run:?}")))
            }
        };
        format!("{header}kind = \"{kind}\"\ninputs.in = \"{input}\"\n{params}")
    }

    fn write_pipeline(&self, project: &Project, dir: &Path) -> anyhow::Result<()> {
        let names: Vec<_> = (0..project.len()).map(|stage| format!("\"s{stage}\"")).collect();
        let mut text = format!(
            "name = \"bench\"\nstages = [{}]\n[data]\nsource = \"{SOURCE}\"\n",
            names.join(", ")
        );
        if self.layout == Layout::Inline {
            (0..project.len()).for_each(|stage| text.push_str(&self.stage(project, stage)));
        }
        shape::write(&dir.join("pipeline.toml"), &text)
    }

    fn write_stage(&self, project: &Project, dir: &Path, stage: usize) -> anyhow::Result<()> {
        let path = dir.join(format!("stages/s{stage}.toml"));
        shape::write(&path, &self.stage(project, stage))
    }
}

/// The parameters of a `command` stage.
fn command(header: &str, run: &str) -> String {
    format!("{header}\n{run}\noutputs.out = \"out.txt\"\n")
}

impl Tool for Pipeline {
    fn name(&self) -> &str {
        &self.name
    }

    fn can(&self, work: Work) -> bool {
        work == Work::Shell || matches!(self.program, Program::Product(_))
    }

    fn write(&self, project: &Project, dir: &Path) -> anyhow::Result<()> {
        shape::write_source(dir)?;
        fs::create_dir_all(dir.join("stages"))?;
        if self.layout == Layout::Files {
            (0..project.len()).try_for_each(|stage| self.write_stage(project, dir, stage))?;
        }
        self.write_pipeline(project, dir)
    }

    fn change(&self, project: &Project, dir: &Path, change: Change) -> anyhow::Result<()> {
        match self.layout {
            Layout::Files => self.write_stage(project, dir, change.stage),
            Layout::Inline => self.write_pipeline(project, dir),
        }
    }

    fn outputs(&self) -> &'static [&'static str] {
        &["outputs", "pipeline.lock"]
    }

    fn command(&self, dir: &Path, jobs: usize) -> Vec<String> {
        let (jobs, dir) = (jobs.to_string(), dir.display().to_string());
        let mut args = match &self.program {
            Program::Toy(program) => {
                let program = program.display().to_string();
                vec![program, TOY.to_owned(), dir, "--jobs".to_owned(), jobs]
            }
            Program::Product(program) => {
                let program = program.display().to_string();
                vec![program, "run".to_owned(), "--jobs".to_owned(), jobs]
            }
        };
        if self.is_paranoid {
            args.push("--paranoid".to_owned());
        }
        args
    }

    fn n_ran(&self, printed: &str) -> Option<usize> {
        number_before(printed, " run, ")
    }

    fn output(&self, stage: usize) -> PathBuf {
        PathBuf::from(format!("outputs/s{stage}/out.txt"))
    }
}
