//! What services found when they had the package of one run score beside that of another, for
//! `pipeline diff`.
//!
//! Runs are known by their recipes, packages by the digest of their manifest: a run has the
//! packages whose manifests are among its outputs, and a service names what it compared by the same
//! digests. So nothing has to say which run a service served.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Context;
use engine::diff::Side;
use serde::Serialize;

use super::Opened;
use crate::ml::package::MANIFEST;
use crate::serve::{Summary, summaries};
use crate::terminal::Table;

/// How many digits of a probability are shown.
const DIGITS: usize = 4;

/// What came of comparing a package of one run with one of the other.
#[derive(Debug, Serialize)]
pub(super) struct Compared {
    /// Whose package answered: `a` or `b`.
    answered: &'static str,
    #[serde(flatten)]
    summary: Summary,
}

/// The versions of the packages among the outputs of a run.
pub(super) fn packages(side: &Side) -> BTreeSet<String> {
    let outputs = side.stages.iter().flat_map(|stage| &stage.outputs);
    let manifests = outputs.filter(|(path, _)| {
        let path = Path::new(path);
        path.file_name().is_some_and(|name| name == MANIFEST) && path.components().count() == 2
    });
    manifests.map(|(_, digest)| digest.short()).collect()
}

/// Where services write what they find: in this directory, or where the pipeline's say.
pub(super) fn directories(opened: &Opened, named: Option<&Path>) -> BTreeSet<PathBuf> {
    if let Some(dir) = named {
        return BTreeSet::from([dir.to_owned()]);
    }
    let graph = &opened.graph;
    let services = graph.ids().map(|id| graph.stage(id)).filter(|stage| stage.is_service());
    let dir = services.filter_map(|stage| stage.params.get("shadow_log")?.as_str());
    dir.map(|dir| opened.project.root.join(dir)).collect()
}

/// What is known of the packages of two runs, either of them answering.
pub(super) fn find(
    dirs: &BTreeSet<PathBuf>,
    a: &BTreeSet<String>,
    b: &BTreeSet<String>,
) -> anyhow::Result<Vec<Compared>> {
    let mut found = Vec::new();
    for dir in dirs {
        let known = summaries(dir).with_context(|| format!("cannot read `{}`", dir.display()))?;
        for summary in known {
            let (champion, challenger) = (&summary.champion, &summary.challenger);
            let answered = if a.contains(champion) && b.contains(challenger) {
                "a"
            } else if b.contains(champion) && a.contains(challenger) {
                "b"
            } else {
                continue;
            };
            found.push(Compared { answered, summary });
        }
    }
    Ok(found)
}

impl Compared {
    fn parts(&self) -> [(&'static str, String); 4] {
        let Summary { champion, challenger, since, until, rows, .. } = &self.summary;
        let (is, beside) = if self.answered == "a" { ("A", "B") } else { ("B", "A") };
        let until = until.as_ref().map_or("no row".to_owned(), |until| format!("until {until}"));
        let (changed, difference) = (&self.summary.changed, &self.summary.difference);
        let n_changed = changed.to_positive + changed.to_negative;
        let share = match rows.compared {
            0 => String::new(),
            n => format!(" ({:.2} %)", 100.0 * n_changed as f64 / n as f64),
        };
        let number = |x: Option<f64>| x.map_or("none".to_owned(), |x| format!("{x:.DIGITS$}"));
        let shift = difference.shift.map_or("none".to_owned(), |x| format!("{x:+.DIGITS$}"));
        [
            (
                "shadow",
                format!(
                    "{champion} of {is} answered, {challenger} of {beside} scored beside it, since \
                     {since}, {until}"
                ),
            ),
            (
                "rows",
                format!(
                    "{} compared, {} dropped, {} refused, {} failed",
                    rows.compared, rows.dropped, rows.refused, rows.failed
                ),
            ),
            (
                "class",
                format!(
                    "{n_changed} changed{share}: {} to positive, {} to negative",
                    changed.to_positive, changed.to_negative
                ),
            ),
            (
                "probability",
                format!(
                    "differs by {} in the mean, {} at most; {shift} in the mean with its sign",
                    number(difference.mean),
                    number(difference.max)
                ),
            ),
        ]
    }

    /// What is told, line by line.
    pub(super) fn lines(&self) -> Vec<String> {
        self.parts().into_iter().map(|(name, said)| format!("{name:<11}  {said}")).collect()
    }

    /// The same as Markdown.
    pub(super) fn markdown(&self) -> Vec<String> {
        let mut table = Table::new(["scored beside", ""]);
        for (name, said) in self.parts() {
            table.row([name.to_owned(), said]);
        }
        table.markdown()
    }
}
