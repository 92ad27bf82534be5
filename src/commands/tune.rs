//! `pipeline tune NAME`: tries the parameters that `tune/NAME.toml` declares, and ranks the trials.
//!
//! A trial is the stage with other parameters, run like a point of a sweep: recorded as a run,
//! cached as a stage, without a say in the lock or in `outputs/STAGE`. So nothing here remembers
//! what was tried: a larger budget, another rung or a second call finds it in the store. What comes
//! of it is a document, `outputs/tune/NAME.json`, which follows from the pipeline alone, and the
//! best parameters as TOML to paste. Trials run one after the other: each has all threads.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use engine::error::{Error, ExitCode};
use engine::graph::StageId;
use engine::kind::Goal;
use engine::schedule::Report;
use serde::Serialize;
use serde_json::{Value, json};

use super::interrupt::Interrupt;
use super::run::compute;
use super::suite::value_text;
use super::{Opened, ended, exit_code, open, root, select};
use crate::cli::{Global, Run, Selection, Tune as Args};
use crate::ml::json;
use crate::terminal::{Style, Table, Terminal, status};
use crate::tuning::{Rung, Trial, Tuning};

/// The format of what a tuning writes.
const FORMAT: &str = "pipeline.tuning/1";
/// Where tunings are declared, and below `outputs` what they yielded.
const DIR: &str = "tune";
/// The most trials that the table shows; the document has all.
const MAX_ROWS: usize = 20;

/// A trial with what it got and what it reached.
#[derive(Clone, Debug, Serialize)]
struct Tried {
    trial: usize,
    params: Trial,
    rungs: Vec<Reached>,
}

/// What a trial reached on a rung.
#[derive(Clone, Debug, Serialize)]
struct Reached {
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<u64>,
    /// The key of the stage, under which its model is in the store; none where it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    score: Option<f64>,
}

/// A search that is under way.
struct Search<'a> {
    global: &'a Global,
    args: Run,
    tuning: &'a Tuning,
    terminal: &'a Terminal,
    interrupt: Interrupt,
    /// Which way the metric is better, once a trial has told it.
    goal: Option<Goal>,
    /// How often the stage ended in which way.
    counts: BTreeMap<&'static str, usize>,
}

pub(super) fn tune(global: &Global, args: &Args, terminal: &Terminal) -> anyhow::Result<ExitCode> {
    let tuning = read(global, args)?;
    let selection =
        Selection { targets: vec![tuning.stage.clone()], downstream: false, until: Vec::new() };
    let run = Run {
        selection,
        jobs: args.jobs,
        dry_run: false,
        force: false,
        keep_going: false,
        locked: false,
        no_serve: true,
    };
    let opened = open(global)?;
    let stage = opened.graph.stages.iter().find(|stage| stage.name == tuning.stage);
    let stage = stage.ok_or_else(|| {
        let known: Vec<_> = opened.graph.stages.iter().map(|stage| &*stage.name).collect();
        let (wanted, known) = (&tuning.stage, known.join(", "));
        ended(ExitCode::Usage, format!("no stage `{wanted}`\nhint: known: {known}"))
    })?;
    let trials = tuning.trials(stage.seed.unwrap_or(0));
    let rungs = tuning.rungs(trials.len());
    let mut search = Search {
        global,
        args: run,
        tuning: &tuning,
        terminal,
        interrupt: Interrupt::listen(*terminal)?,
        goal: None,
        counts: BTreeMap::new(),
    };
    search.check(&trials, &rungs)?;
    let mut tried: Vec<Tried> =
        (0..).zip(trials).map(|(trial, params)| Tried::new(trial, params)).collect();
    for (index, rung) in rungs.iter().enumerate() {
        let told = format!("rung {} of {}", index + 1, rungs.len());
        search.climb(&mut tried[..rung.trials], *rung, &told)?;
        if search.interrupt.has_come() {
            return Ok(ExitCode::Interrupted);
        }
        // The best come first; what did not take part in this rung stays behind.
        search.rank(&mut tried);
    }
    let best = tried.first().filter(|best| best.score().is_some());
    let Some(best) = best else {
        return Err(ended(ExitCode::Failed, "no trial succeeded"));
    };
    let document = search.document(&tried, best);
    write(&opened.project.outputs.join(DIR), &args.name, &json::to_bytes(&document)?)?;
    search.tell(&tried, best, &document);
    let is_whole = tried.iter().all(|tried| tried.rungs.iter().all(|rung| rung.score.is_some()));
    Ok(if is_whole { ExitCode::Ok } else { ExitCode::Failed })
}

/// Reads `tune/NAME.toml`.
fn read(global: &Global, args: &Args) -> anyhow::Result<Tuning> {
    let name = format!("{DIR}/{}.toml", args.name);
    let path = root(global)?.join(&name);
    let is_name = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
    if args.name.is_empty() || !args.name.chars().all(is_name) {
        let message = format!("`{}` is no name: letters, digits, `_` and `-`", args.name);
        return Err(ended(ExitCode::Usage, message));
    }
    let text = std::fs::read_to_string(&path).map_err(|error| {
        let code = match error.kind() {
            std::io::ErrorKind::NotFound => ExitCode::Missing,
            _ => ExitCode::Usage,
        };
        ended(code, format!("cannot read `{name}`: {error}"))
    })?;
    let tuning = Tuning::read(&text).map_err(|wrong| {
        let lines: Vec<_> = wrong.iter().map(|wrong| format!("{name}: {wrong}")).collect();
        ended(ExitCode::Usage, lines.join("\n"))
    })?;
    Ok(match args.trials {
        Some(n) => tuning.with_trials(n.into()),
        None => tuning,
    })
}

impl Search<'_> {
    /// Tells what is wrong with any trial before the first one runs.
    fn check(&self, trials: &[Trial], rungs: &[Rung]) -> anyhow::Result<()> {
        let first = rungs.first().and_then(|rung| rung.resource);
        for trial in trials {
            let (mut opened, selection) = self.prepare(trial, first)?;
            opened.require_data(&selection)?;
        }
        // What later rungs add is the resource alone.
        if let (Some(trial), Some(last)) = (trials.first(), rungs.last()) {
            self.prepare(trial, last.resource)?;
        }
        Ok(())
    }

    /// The pipeline with the parameters of a trial.
    fn prepare(
        &self,
        trial: &Trial,
        resource: Option<u64>,
    ) -> anyhow::Result<(Opened, BTreeSet<StageId>)> {
        let stage = &self.tuning.stage;
        let mut global = self.global.clone();
        let set =
            |(name, value): (&String, &Value)| format!("{stage}.{name}={}", value_text(value));
        global.set.extend(trial.iter().map(set));
        if let (Some(name), Some(n)) = (self.tuning.resource(), resource) {
            global.set.push(format!("{stage}.{name}={n}"));
        }
        let opened = open(&global)?;
        let selected = select(&opened.graph, &self.args.selection)?;
        Ok((opened, selected.stages))
    }

    /// Runs trials with what a rung gives them.
    fn climb(&mut self, tried: &mut [Tried], rung: Rung, told: &str) -> anyhow::Result<()> {
        let n = tried.len();
        for (index, tried) in tried.iter_mut().enumerate() {
            let with = rung.resource.map_or(String::new(), |n| {
                format!(" {}={n}", self.tuning.resource().unwrap_or_default())
            });
            let params: Vec<_> =
                tried.params.iter().map(|(name, v)| format!("{name}={}", value_text(v))).collect();
            let heading = format!(
                "{told}, {} of {n}: trial {}: {}{with}",
                index + 1,
                tried.trial,
                params.join(" ")
            );
            self.terminal.note(&self.terminal.paint_err(&heading, Style::Bold));
            let reached = self.attempt(&tried.params, rung.resource)?;
            tried.rungs.push(reached);
            if self.interrupt.has_come() {
                break;
            }
        }
        Ok(())
    }

    /// Runs one trial. A stage that fails is told and is its end; what would fail for every trial
    /// is an error.
    fn attempt(&mut self, trial: &Trial, resource: Option<u64>) -> anyhow::Result<Reached> {
        let (opened, selection) = self.prepare(trial, resource)?;
        let none = BTreeSet::new();
        let computed =
            compute(&opened, selection, none, &self.args, false, &self.interrupt, self.terminal);
        let computed = match computed {
            Ok(computed) => computed,
            Err(error) if exit_code(&error) == ExitCode::Failed => {
                self.terminal.error(&error);
                return Ok(Reached { resource, key: None, score: None });
            }
            Err(error) => return Err(error),
        };
        let is_meant = |report: &&Report| report.stage == self.tuning.stage;
        let report = computed.reports.iter().find(is_meant);
        let Some((report, outcome)) = report.and_then(|report| Some((report, report.outcome()?)))
        else {
            *self.counts.entry("failed").or_default() += 1;
            return Ok(Reached { resource, key: None, score: None });
        };
        *self.counts.entry(status(&report.status)).or_default() += 1;
        let metrics = &outcome.findings.metrics;
        let metric = metrics.get(&self.tuning.metric).filter(|metric| metric.goal != Goal::None);
        let Some(metric) = metric else {
            let known: Vec<_> =
                metrics.iter().filter(|(_, metric)| metric.goal != Goal::None).collect();
            let known: Vec<_> = known.iter().map(|(name, _)| name.as_str()).collect();
            let Tuning { stage, metric, .. } = self.tuning;
            let hint = match known.as_slice() {
                [] => "`train` tells metrics of the rows that are plugged in as `validation`"
                    .to_owned(),
                known => format!("it tells {}", known.join(", ")),
            };
            let message = format!("`{stage}` tells no metric `{metric}`\nhint: {hint}");
            return Err(ended(ExitCode::Usage, message));
        };
        self.goal = Some(metric.goal);
        Ok(Reached { resource, key: Some(outcome.key.to_string()), score: Some(metric.value) })
    }

    /// Orders trials: those that came further first, then those that are better, then by number.
    fn rank(&self, tried: &mut [Tried]) {
        let sign = if self.goal == Some(Goal::Min) { -1.0 } else { 1.0 };
        let worth = |tried: &Tried| tried.score().map_or(f64::NEG_INFINITY, |score| sign * score);
        tried.sort_by(|a, b| {
            let further = b.rungs.len().cmp(&a.rungs.len());
            further.then(worth(b).total_cmp(&worth(a))).then(a.trial.cmp(&b.trial))
        });
    }

    fn document(&self, tried: &[Tried], best: &Tried) -> Value {
        let Tuning { stage, metric, .. } = self.tuning;
        let goal = if self.goal == Some(Goal::Min) { "min" } else { "max" };
        json!({
            "format": FORMAT, "stage": stage, "metric": metric, "goal": goal,
            "trials": tried,
            "best": { "trial": best.trial, "params": self.params(best), "score": best.score() },
        })
    }

    /// The parameters of a trial, with what it last got.
    fn params(&self, tried: &Tried) -> Trial {
        let mut params = tried.params.clone();
        let resource = tried.rungs.last().and_then(|rung| rung.resource);
        if let (Some(name), Some(n)) = (self.tuning.resource(), resource) {
            params.insert(name.to_owned(), n.into());
        }
        params
    }

    fn tell(&self, tried: &[Tried], best: &Tried, document: &Value) {
        let counts: Vec<_> = self.counts.iter().map(|(word, n)| format!("{n} {word}")).collect();
        let line = format!("{} trials: {}", tried.len(), counts.join(", "));
        self.terminal.note(&self.terminal.paint_err(&line, Style::Bold));
        if self.terminal.json {
            let mut document = document.clone();
            document["schema"] = FORMAT.into();
            document["counts"] = json!(self.counts);
            return self.terminal.json_line(&document);
        }
        let first = self.params(best);
        let mut headings = vec!["trial".to_owned()];
        headings.extend(first.keys().cloned());
        headings.push(self.tuning.metric.clone());
        let mut table = Table::of(headings);
        for tried in tried.iter().take(MAX_ROWS) {
            let mut cells = vec![tried.trial.to_string()];
            cells.extend(self.params(tried).values().map(value_text));
            let score = tried.score();
            cells.push(score.map_or("failed".to_owned(), |score| format!("{score:.6}")));
            table.add(cells);
        }
        table.lines().iter().for_each(|line| self.terminal.out(line));
        if tried.len() > MAX_ROWS {
            self.terminal.note(&format!("and {} more", tried.len() - MAX_ROWS));
        }
        self.terminal.out("");
        self.terminal.out(&format!("# the best for `{}`, to paste", self.tuning.stage));
        for (name, value) in first {
            self.terminal.out(&format!("{name} = {}", value_text(&value)));
        }
    }
}

impl Tried {
    fn new(trial: usize, params: Trial) -> Tried {
        Tried { trial, params, rungs: Vec::new() }
    }

    /// What it reached on its last rung.
    fn score(&self) -> Option<f64> {
        self.rungs.last()?.score
    }
}

/// Writes a document beside and renames it, so that half of one is never seen.
fn write(dir: &Path, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
    let path = dir.join(format!("{name}.json"));
    let cannot = || format!("cannot write `{}`", path.display());
    std::fs::create_dir_all(dir).map_err(Error::io("make", dir))?;
    let mut file = tempfile::NamedTempFile::new_in(dir).with_context(cannot)?;
    file.write_all(bytes).with_context(cannot)?;
    file.persist(&path).map_err(|error| error.error).with_context(cannot)?;
    Ok(())
}
