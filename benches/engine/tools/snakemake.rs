//! Snakemake 9: one rule per stage in a `Snakefile`.

use std::path::{Path, PathBuf};

use super::{Change, OUT, Tool, flat, flat_input};
use crate::shape::{self, Project, Tells};

/// Snakemake.
pub(crate) struct Snakemake {
    program: PathBuf,
}

impl Snakemake {
    /// The `snakemake` of an environment.
    pub(crate) fn new(program: PathBuf) -> Snakemake {
        Snakemake { program }
    }

    fn write_rules(&self, project: &Project, dir: &Path) -> anyhow::Result<()> {
        let outputs = (0..project.len()).map(|stage| format!("\"{}\"", flat(stage).display()));
        let outputs = outputs.collect::<Vec<_>>().join(", ");
        let mut text = format!("rule all:\n    input: {outputs}\n");
        for stage in 0..project.len() {
            let from = flat_input(project, stage);
            let to = flat(stage).display().to_string();
            let run = project.shell(stage, "{input}", "{output}", Tells::Bytes);
            let run = serde_json::to_string(&run)?;
            text.push_str(&format!(
                "rule s{stage}:\n    input: \"{from}\"\n    output: \"{to}\"\n    shell: {run}\n"
            ));
        }
        shape::write(&dir.join("Snakefile"), &text)
    }
}

impl Tool for Snakemake {
    fn name(&self) -> &str {
        "snakemake"
    }

    fn write(&self, project: &Project, dir: &Path) -> anyhow::Result<()> {
        shape::write_source(dir)?;
        self.write_rules(project, dir)
    }

    fn change(&self, project: &Project, dir: &Path, _change: Change) -> anyhow::Result<()> {
        self.write_rules(project, dir)
    }

    fn outputs(&self) -> &'static [&'static str] {
        &[OUT, ".snakemake"]
    }

    fn command(&self, _dir: &Path, jobs: usize) -> Vec<String> {
        let program = self.program.display().to_string();
        vec![program, "--nocolor".to_owned(), format!("-c{jobs}")]
    }

    fn n_ran(&self, printed: &str) -> Option<usize> {
        // Not `all`, which does no work.
        let is_rule = |line: &&str| line.starts_with("rule s") || line.starts_with("localrule s");
        Some(printed.lines().filter(is_rule).count())
    }

    fn output(&self, stage: usize) -> PathBuf {
        flat(stage)
    }

    fn cuts_off(&self) -> bool {
        false
    }
}
