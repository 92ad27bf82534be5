//! DVC 3: one stage per stage in `dvc.yaml`, in a project without git.

use std::path::{Path, PathBuf};

use super::{Change, OUT, Tool, flat, flat_input};
use crate::shape::{self, Project, Tells};

/// DVC.
pub(crate) struct Dvc {
    program: PathBuf,
}

impl Dvc {
    /// The `dvc` of an environment.
    pub(crate) fn new(program: PathBuf) -> Dvc {
        Dvc { program }
    }

    fn write_stages(&self, project: &Project, dir: &Path) -> anyhow::Result<()> {
        let mut text = "stages:\n".to_owned();
        for stage in 0..project.len() {
            let (from, to) = (flat_input(project, stage), flat(stage).display().to_string());
            let run = project.shell(stage, &from, &to, Tells::Bytes);
            // A JSON string is a YAML string.
            let run = serde_json::to_string(&run)?;
            text.push_str(&format!(
                "  s{stage}:\n    cmd: {run}\n    deps:\n    - {from}\n    outs:\n    - {to}\n"
            ));
        }
        shape::write(&dir.join("dvc.yaml"), &text)
    }
}

impl Tool for Dvc {
    fn name(&self) -> &str {
        "dvc"
    }

    fn write(&self, project: &Project, dir: &Path) -> anyhow::Result<()> {
        shape::write_source(dir)?;
        // What `dvc init --no-scm` writes, without asking the network for news.
        let config = "[core]\n    no_scm = True\n    analytics = false\n    check_update = false\n";
        shape::write(&dir.join(".dvc/config"), config)?;
        self.write_stages(project, dir)
    }

    fn change(&self, project: &Project, dir: &Path, _change: Change) -> anyhow::Result<()> {
        self.write_stages(project, dir)
    }

    fn outputs(&self) -> &'static [&'static str] {
        &[OUT, "dvc.lock", ".dvc/cache", ".dvc/tmp"]
    }

    fn command(&self, _dir: &Path, _jobs: usize) -> Vec<String> {
        vec![self.program.display().to_string(), "repro".to_owned()]
    }

    fn n_ran(&self, printed: &str) -> Option<usize> {
        Some(printed.lines().filter(|line| line.starts_with("Running stage")).count())
    }

    fn output(&self, stage: usize) -> PathBuf {
        flat(stage)
    }
}
