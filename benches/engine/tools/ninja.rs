//! ninja: one edge per stage, `restat = 1` so that a run stops where an output is left as it was.

use std::path::{Path, PathBuf};

use super::{Change, OUT, Tool, flat, flat_input};
use crate::shape::{self, Project, Tells};

/// ninja.
pub(crate) struct Ninja {
    program: PathBuf,
}

impl Tool for Ninja {
    fn name(&self) -> &str {
        "ninja"
    }

    fn write(&self, project: &Project, dir: &Path) -> anyhow::Result<()> {
        shape::write_source(dir)?;
        self.write_build(project, dir)
    }

    fn change(&self, project: &Project, dir: &Path, _change: Change) -> anyhow::Result<()> {
        self.write_build(project, dir)
    }

    fn outputs(&self) -> &'static [&'static str] {
        &[OUT, ".ninja_log", ".ninja_deps"]
    }

    fn command(&self, _dir: &Path, jobs: usize) -> Vec<String> {
        vec![self.program.display().to_string(), format!("-j{jobs}")]
    }

    fn n_ran(&self, printed: &str) -> Option<usize> {
        Some(printed.lines().filter(|line| line.starts_with('[')).count())
    }

    fn tells(&self) -> Tells {
        Tells::Time
    }

    fn output(&self, stage: usize) -> PathBuf {
        flat(stage)
    }
}

impl Ninja {
    /// The `ninja` at a path.
    pub(crate) fn new(program: PathBuf) -> Ninja {
        Ninja { program }
    }

    fn write_build(&self, project: &Project, dir: &Path) -> anyhow::Result<()> {
        let mut text = "rule step\n  command = $run\n  restat = 1\n".to_owned();
        for stage in 0..project.len() {
            let (from, to) = (flat_input(project, stage), flat(stage).display().to_string());
            let run = project.shell(stage, &from, &to, Tells::Time).replace('$', "$$");
            text.push_str(&format!("build {to}: step {from}\n  run = {run}\n"));
        }
        shape::write(&dir.join("build.ninja"), &text)
    }
}
