//! GNU make: one rule per stage, without its built-in rules.
//!
//! make does not see that a rule's text changed. So that the scenarios mean the same, the output
//! of a changed stage is removed, or, where its bytes will stay, what it reads is touched. A stage
//! that leaves its output as it was runs again every time, until what it reads is old again.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Change, OUT, Tool, flat, flat_input};
use crate::shape::{self, Project, Tells};

/// make.
pub(crate) struct Make {
    program: PathBuf,
}

impl Tool for Make {
    fn name(&self) -> &str {
        "make"
    }

    fn write(&self, project: &Project, dir: &Path) -> anyhow::Result<()> {
        shape::write_source(dir)?;
        self.write_makefile(project, dir)
    }

    fn change(&self, project: &Project, dir: &Path, change: Change) -> anyhow::Result<()> {
        self.write_makefile(project, dir)?;
        if change.is_seen {
            shape::age_source(dir)?;
            Ok(fs::remove_file(dir.join(flat(change.stage)))?)
        } else {
            shape::touch_source(dir)
        }
    }

    fn outputs(&self) -> &'static [&'static str] {
        &[OUT]
    }

    fn command(&self, _dir: &Path, jobs: usize) -> Vec<String> {
        let program = self.program.display().to_string();
        vec![program, "-rR".to_owned(), format!("-j{jobs}")]
    }

    fn n_ran(&self, printed: &str) -> Option<usize> {
        let is_recipe = |line: &&str| line.starts_with(": ") || line.starts_with("dd ");
        Some(printed.lines().filter(is_recipe).count())
    }

    fn tells(&self) -> Tells {
        Tells::Time
    }

    fn output(&self, stage: usize) -> PathBuf {
        flat(stage)
    }
}

impl Make {
    /// The `make` at a path.
    pub(crate) fn new(program: PathBuf) -> Make {
        Make { program }
    }

    fn write_makefile(&self, project: &Project, dir: &Path) -> anyhow::Result<()> {
        let targets: Vec<_> =
            (0..project.len()).map(|stage| flat(stage).display().to_string()).collect();
        let mut text = format!(".PHONY: all\nall: {}\n", targets.join(" "));
        for (stage, to) in targets.iter().enumerate() {
            let from = flat_input(project, stage);
            let run = project.shell(stage, &from, to, Tells::Time).replace('$', "$$");
            text.push_str(&format!("{to}: {from}\n\t{run}\n"));
        }
        shape::write(&dir.join("Makefile"), &text)
    }
}
