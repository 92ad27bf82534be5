//! The short way of `run`: when nothing has changed since the last run, its answer still holds.

use std::time::Instant;

use engine::error::ExitCode;
use engine::schedule::{Report, Status};
use engine::stat::Signature;
use engine::witness::{self, Answer, Question};

use super::run::Computed;
use super::{Opened, request};
use crate::cli::{Global, Run as Args};
use crate::terminal::{Progress, Style, Terminal, seconds};

/// What is asked of a run, as far as its answer can be told by the last one; `None` where a run
/// does more than to find everything in place.
pub(super) fn question(global: &Global, args: &Args) -> anyhow::Result<Option<Question>> {
    if args.force || args.dry_run {
        return Ok(None);
    }
    let request = request(global)?;
    let mut asked = vec![format!("serve={}", !args.no_serve)];
    asked.extend(global.profile.iter().map(|name| format!("profile={name}")));
    asked.extend(global.set.iter().map(|set| format!("set={set}")));
    // Only compared, by the same program.
    asked.push(format!("stages={:?}", args.selection));
    let program = Signature::of(&std::env::current_exe()?)?;
    let environment = request.environment.into_iter().collect();
    Ok(Some(Question { root: request.root, program, asked, environment }))
}

/// Tells the answer of the last run, if it still holds.
pub(super) fn answer(
    question: &Question,
    global: &Global,
    clock: Instant,
    terminal: &Terminal,
) -> Option<ExitCode> {
    // Every stage is to be told; the short way knows none of them.
    if terminal.json || terminal.verbose {
        return None;
    }
    let answer = witness::recall(question, global.paranoid)?;
    if !terminal.quiet {
        let width = answer.told.iter().map(|(stage, _)| stage.chars().count()).max().unwrap_or(0);
        let progress = Progress::new(*terminal, width);
        answer.told.iter().for_each(|(stage, said)| progress.output(stage, Some(said)));
    }
    let n = answer.n_stages;
    let elapsed = seconds(clock.elapsed().as_secs_f64());
    let line = format!("{n} stages: 0 run, {n} cached, {elapsed}; nothing to do");
    terminal.note(&terminal.paint_err(&line, Style::Bold));
    if let Some(id) = &answer.run {
        terminal.note(&format!("run {id}, result {}", answer.result.short()));
    }
    Some(ExitCode::Ok)
}

/// Remembers the answer of a run in which everything is in place now.
pub(super) fn remember(question: &Question, opened: &Opened, computed: &Computed) {
    let reports = &computed.reports;
    let is_whole = reports.iter().all(|r| matches!(r.status, Status::Ran(..) | Status::Cached(..)));
    if is_whole {
        let told = |report: &Report| Some((report.stage.clone(), report.output.clone()?));
        let answer = Answer {
            n_stages: reports.len(),
            run: computed.id.clone(),
            result: computed.result,
            told: reports.iter().filter_map(told).filter(|(_, said)| !said.is_silent()).collect(),
        };
        let (project, graph, sources) = (&opened.project, &opened.graph, opened.absent.sources());
        witness::remember(question, project, graph, sources, reports, answer);
    }
}
