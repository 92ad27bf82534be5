//! The scenarios on chains and fans: first run, no-op, one leaf changed, one root changed.
//!
//! After every command it is checked that the stages ran that had to, and that outputs hold what
//! they have to; a tool that did something else is left out from there on, and the table says why.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use crate::cost::{Bench, Cost, TimedOut};
use crate::options::{Options, Scenario};
use crate::sample::Sample;
use crate::shape::{self, Project, Tells};
use crate::tools::{self, Change, Peer, Pipeline, Tool};

/// Between an edit and the command: time stamps of file systems tick slowly, and nobody edits and
/// runs within this.
const SETTLE: Duration = Duration::from_millis(60);

/// The scenarios, in the order in which one leads to the next.
const GRAPH_SCENARIOS: [Scenario; 5] =
    [Scenario::First, Scenario::Noop, Scenario::Touch, Scenario::Leaf, Scenario::Root];

/// The tool that others are compared with.
const BASELINE: &str = "ninja";

/// A tool with its copy of the project.
struct Place {
    /// The tool, and the same tool in other modes that only the no-op asks for.
    modes: Vec<Box<dyn Tool>>,
    dir: PathBuf,
    is_out: bool,
}

/// The tools to measure.
pub(crate) struct Tools {
    /// Ours.
    pub(crate) own: Vec<Pipeline>,
    /// Others, with the paths of their programs.
    pub(crate) peers: BTreeMap<Peer, PathBuf>,
}

impl Tools {
    fn places(&self, dir: &Path) -> Vec<Place> {
        let place = |modes: Vec<Box<dyn Tool>>| {
            let dir = dir.join(modes[0].name().replace(' ', "-"));
            Place { modes, dir, is_out: false }
        };
        let peer = |(peer, program): (&Peer, &PathBuf)| -> Place {
            let program = program.clone();
            place(vec![match peer {
                Peer::Ninja => Box::new(tools::Ninja::new(program)),
                Peer::Make => Box::new(tools::Make::new(program)),
                Peer::Dvc => Box::new(tools::Dvc::new(program)),
                Peer::Snakemake => Box::new(tools::Snakemake::new(program)),
            }])
        };
        let own = |own: &Pipeline| place(vec![Box::new(own.clone()), Box::new(own.paranoid())]);
        self.peers.iter().map(peer).chain(self.own.iter().map(own)).collect()
    }
}

/// Measures the scenarios on one project. Tools that were too slow are added to `slow`, and those
/// in it are left out.
pub(crate) fn measure(
    bench: &Bench,
    options: &Options,
    tools: &Tools,
    project: Project,
    dir: &Path,
    slow: &mut BTreeMap<String, String>,
) -> anyhow::Result<Vec<Sample>> {
    let block = format!("{} of {} stages, {}", project.shape, project.len(), project.work);
    let mut samples = Vec::new();
    let mut places = tools.places(dir);
    places.retain(|place| place.modes[0].can(project.work));
    for place in &mut places {
        let tool = &place.modes[0];
        if let Some(reason) = slow.get(tool.name()) {
            let mut sample = Sample::new(&block, "all", tool.name(), BASELINE);
            sample.problem = Some(reason.clone());
            samples.push(sample);
            place.is_out = true;
            continue;
        }
        fs::create_dir_all(&place.dir)?;
        tool.write(&project, &place.dir)?;
    }
    let mut field = Field { bench, options, block, project, places };
    for scenario in GRAPH_SCENARIOS {
        let is_wanted = options.wants(scenario);
        let needs_cut_off = matches!(scenario, Scenario::Root | Scenario::Touch);
        let is_meaningful = !needs_cut_off || field.project.has_cut_off();
        // The others need a first run, measured or not.
        if (is_wanted || scenario == Scenario::First) && is_meaningful {
            let measured = field.scenario(scenario, slow);
            samples.extend(measured.into_iter().filter(|s| is_wanted || s.problem.is_some()));
        }
    }
    Ok(samples)
}

/// One project, and all tools that take turns on it.
struct Field<'a> {
    bench: &'a Bench,
    options: &'a Options,
    block: String,
    project: Project,
    places: Vec<Place>,
}

/// One round of a scenario: what was edited, and what has to come of it.
struct Round<'a> {
    scenario: Scenario,
    project: &'a Project,
    change: Option<Change>,
    lines: Vec<String>,
    jobs: usize,
}

impl Field<'_> {
    fn scenario(&mut self, scenario: Scenario, slow: &mut BTreeMap<String, String>) -> Vec<Sample> {
        crate::note(&format!("{}: {}", self.block, word(scenario)));
        let budget = Duration::from_secs(self.options.budget);
        let n_rounds = if self.options.wants(scenario) { self.options.runs } else { 1 };
        let jobs = self.options.jobs.unwrap_or_else(crate::processors);
        let n_modes = if scenario == Scenario::Noop { usize::MAX } else { 1 };
        let mut samples: BTreeMap<(usize, usize), Sample> = BTreeMap::new();
        if scenario == Scenario::Noop {
            self.warm_up(jobs);
        }
        let started = Instant::now();
        for n_done in 0..n_rounds {
            if n_done > 0 && started.elapsed() > budget {
                break;
            }
            let change = edit(&mut self.project, scenario);
            let (project, lines) = (&self.project, self.project.lines());
            let round = Round { scenario, project, change, lines, jobs };
            for (i, place) in self.places.iter_mut().enumerate().filter(|(_, p)| !p.is_out) {
                for (mode, tool) in place.modes.iter().take(n_modes).enumerate() {
                    let new = || Sample::new(&self.block, word(scenario), tool.name(), BASELINE);
                    let sample = samples.entry((i, mode)).or_insert_with(new);
                    let turn = round.turn(self.bench, &**tool, &place.dir, &mut sample.n_ran);
                    if let Err(error) = &turn {
                        place.is_out = true;
                        if error.is::<TimedOut>() {
                            let reason = format!("left out: {error} in the {}", self.block);
                            slow.insert(place.modes[0].name().to_owned(), reason);
                        }
                    }
                    sample.add(turn);
                }
            }
        }
        samples.into_values().collect()
    }

    /// Brings every project to rest: what is written once after a first run is no part of a no-op.
    /// A tool that fails here fails again, and then it is told.
    fn warm_up(&self, jobs: usize) {
        for place in self.places.iter().filter(|place| !place.is_out) {
            thread::sleep(SETTLE);
            drop(self.bench.measure(&place.dir, &place.modes[0].command(&place.dir, jobs)));
        }
    }
}

impl Round<'_> {
    /// One tool's turn: what it cost, if it did what it should.
    fn turn(
        &self,
        bench: &Bench,
        tool: &dyn Tool,
        dir: &Path,
        n_ran: &mut Option<usize>,
    ) -> anyhow::Result<Cost> {
        match (self.scenario, self.change) {
            (Scenario::First, _) => tools::wipe(tool, dir)?,
            (Scenario::Touch, _) => shape::touch_source(dir)?,
            (_, Some(change)) => tool.change(self.project, dir, change)?,
            (_, None) => {}
        }
        thread::sleep(SETTLE);
        let measured = bench.measure(dir, &tool.command(dir, self.jobs))?;
        *n_ran = tool.n_ran(&measured.output);
        self.check(tool, dir, *n_ran)?;
        Ok(measured.cost)
    }

    fn check(&self, tool: &dyn Tool, dir: &Path, n_ran: Option<usize>) -> anyhow::Result<()> {
        let n_stages = self.project.len();
        let (n_expected, looked_at) = match (self.scenario, self.change) {
            (Scenario::First, _) => (n_stages, 0..n_stages),
            (_, Some(change)) => (1, change.stage..change.stage + 1),
            (Scenario::Touch, _) if tool.tells() == Tells::Time => (1, 0..1),
            (_, None) => (0, n_stages - 1..n_stages),
        };
        let n_ran = n_ran.context("it did not tell how many stages ran")?;
        let may_run_more = !tool.cuts_off() && n_ran > n_expected && self.change.is_some();
        let is_right = n_ran == n_expected || may_run_more;
        ensure!(is_right, "{n_ran} stages ran, and {n_expected} had to");
        for stage in looked_at.chain([self.project.leaf()]) {
            let path = dir.join(tool.output(stage));
            let line = fs::read_to_string(&path)
                .with_context(|| format!("no output `{}`", path.display()))?;
            let (found, meant) = (line.trim_end(), self.lines[stage].trim_end());
            ensure!(found == meant, "stage {stage} wrote `{found}` instead of `{meant}`");
        }
        Ok(())
    }
}

/// The word for a scenario in tables.
fn word(scenario: Scenario) -> &'static str {
    match scenario {
        Scenario::First => "first",
        Scenario::Noop => "no-op",
        Scenario::Touch => "touch",
        Scenario::Leaf => "leaf",
        Scenario::Root => "root",
        Scenario::Directory => "directory",
        Scenario::Hash => "hash",
    }
}

/// Edits one stage, as nobody edited it before: to go back to a text would be a hit in a store.
fn edit(project: &mut Project, scenario: Scenario) -> Option<Change> {
    let leaf = project.leaf();
    match scenario {
        Scenario::Leaf => {
            let text = &mut project.texts[leaf];
            text.addend += 1;
            text.note += 1;
            Some(Change { stage: leaf, is_seen: true })
        }
        Scenario::Root => {
            project.texts[0].note += 1;
            Some(Change { stage: 0, is_seen: false })
        }
        _ => None,
    }
}
