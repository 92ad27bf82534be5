//! `pipeline verify`: proves that what is stored is what it says; `--rebuild` computes it again.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context;
use engine::error::{Error, ExitCode};
use engine::graph::Plug;
use engine::lock::FILE_NAME as LOCK;
use engine::plan::{self, Fate};
use engine::project::Project;
use engine::record::{Run, RunStage, Runs};
use engine::spec;
use engine::verify::{self, Finding};
use engine::witness;
use serde_json::json;

use super::interrupt::Interrupt;
use super::{Opened, ended, open};
use crate::cli::{Global, Verify as Args};
use crate::terminal::{Style, Terminal, counted};

pub(super) fn verify(
    global: &Global,
    args: &Args,
    terminal: &Terminal,
) -> anyhow::Result<ExitCode> {
    // Who asks for proof is not told what was proved before.
    let mut opened = open(&Global { paranoid: true, ..global.clone() })?;
    let all = opened.graph.ids().collect();
    opened.require_data(&all)?;
    let (mut findings, looked) = verify::verify(&opened.project, &opened.graph)?;
    let mut n_rebuilt = 0;
    if args.rebuild {
        let (expected, mut missing) = expected(&opened)?;
        findings.append(&mut missing);
        n_rebuilt = expected.stages.len();
        let rebuilt = rebuild(&opened, global, terminal)?;
        findings.extend(verify::compare_rebuild(&expected, &rebuilt));
    }
    let code = verify::exit_code(&findings);
    if !findings.is_empty()
        && let Err(error) = witness::forget(&opened.project.root)
    {
        terminal.warning(&format!("{error}; remove it: the next run may say `nothing to do`"));
    }
    if terminal.json {
        terminal.json_line(&json!({
            "schema": "pipeline.verify/1", "findings": findings, "counted": looked,
            "rebuilt": n_rebuilt, "exit_code": code,
        }));
    } else {
        tell(&findings, terminal);
        let rebuilt = match args.rebuild {
            true => format!(", {n_rebuilt} stages rebuilt"),
            false => String::new(),
        };
        let verdict = match findings.len() {
            0 => terminal.paint("verified", Style::Good),
            n => terminal.paint(&counted(n, "finding"), Style::Bad),
        };
        let stages = counted(looked.stages, "stage");
        let objects = counted(looked.objects, "object");
        let runs = counted(looked.runs, "run");
        terminal.out(&format!("{verdict}: {stages} against the lock, {objects}, {runs}{rebuilt}"));
    }
    Ok(exit_code(code))
}

fn tell(findings: &[Finding], terminal: &Terminal) {
    for finding in findings {
        let word = terminal.paint(word(finding.code), Style::Bad);
        terminal.out(&format!("{word}: {}", finding.message));
        terminal.out(&format!("  hint: {}", finding.hint));
    }
}

fn word(code: u8) -> &'static str {
    match exit_code(code) {
        ExitCode::Drift => "drift",
        ExitCode::Missing => "missing",
        ExitCode::Corrupt => "damaged",
        ExitCode::NotReproducible => "not reproducible",
        _ => "wrong",
    }
}

fn exit_code(code: u8) -> ExitCode {
    const CODES: [ExitCode; 4] =
        [ExitCode::Drift, ExitCode::Missing, ExitCode::Corrupt, ExitCode::NotReproducible];
    CODES.into_iter().find(|known| *known as u8 == code).unwrap_or(ExitCode::Ok)
}

/// What a rebuild must give: the outcome of every stage, as the store has it.
fn expected(opened: &Opened) -> anyhow::Result<(Run, Vec<Finding>)> {
    let graph = &opened.graph;
    let selection = graph.ids().filter(|id| !graph.stage(*id).is_service()).collect();
    let planned = plan::plan(&opened.project, graph, &selection, &BTreeSet::new())?;
    let (mut stages, mut findings) = (Vec::new(), Vec::new());
    for one in planned {
        let stage = graph.stage(one.id);
        if let Fate::Cached(outcome) = &one.fate {
            stages.push(RunStage::new(&stage.name, stage.kind.name(), outcome));
        } else {
            findings.push(Finding {
                code: ExitCode::Missing as u8,
                stage: Some(stage.name.clone()),
                message: format!("stage `{}` has no outcome to compare with", stage.name),
                hint: "`pipeline run` computes it".to_owned(),
            });
        }
    }
    Ok((Run::new(&graph.name, stages), findings))
}

/// Runs the whole pipeline once more: another directory, an empty cache, a fresh process, another
/// number of threads. The data is read where it is.
fn rebuild(opened: &Opened, global: &Global, terminal: &Terminal) -> anyhow::Result<Run> {
    let Opened { project, graph, .. } = opened;
    // In the scratch of the store, which is swept when this process is killed.
    let place = project.store.scratch()?;
    let root = fs::canonicalize(&project.root)?;
    let tools = graph.stages.iter().flat_map(|stage| stage.kind.surroundings(&stage.params).tools);
    let rebuilt = lead_up(&root, place.path(), &tools.collect()).context("cannot link to tools")?;
    copy_spec(&root, &rebuilt).context("cannot copy the pipeline")?;
    link_rest(project, &rebuilt).context("cannot link to the data")?;
    // Another number than that of the run that is repeated.
    let is_three = project.runs.find("@").is_ok_and(|last| last.observed.jobs == 3);
    let threads = if is_three { 2 } else { 3 };
    let n_stages = graph.stages.iter().filter(|stage| !stage.is_service()).count();
    terminal.note(&format!("rebuilding {n_stages} stages with {threads} threads"));
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("run").arg("--project").arg(&rebuilt).args(["--no-serve", "--quiet"]);
    command.args(["--jobs", &threads.to_string()]);
    command.args(global.profile.iter().flat_map(|name| ["--profile", name]));
    command.args(global.set.iter().flat_map(|value| ["--set", value]));
    // Data from elsewhere, by a path that means another file in another place.
    for plug in graph.stages.iter().flat_map(|stage| &stage.inputs).flat_map(|port| &port.plugs) {
        if let Plug::Data { name, path } = plug
            && path.components().any(|part| part == Component::ParentDir)
        {
            // Written as TOML, so that no path is taken for another type.
            let path = toml::Value::from(root.join(path).to_string_lossy().as_ref());
            command.arg("--set").arg(format!("data.{name}={path}"));
        }
    }
    command.env("RAYON_NUM_THREADS", threads.to_string());
    command.env("POLARS_MAX_THREADS", threads.to_string());
    let interrupt = Interrupt::listen(*terminal)?;
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
    interrupt.pass_to(child.id());
    let status = child.wait()?;
    if interrupt.has_come() {
        return Err(ended(ExitCode::Interrupted, "the rebuild was interrupted"));
    }
    // A gate that does not hold now, and did then, is other bytes; anything else proves nothing.
    let code = status.code();
    if !status.success() && code != Some(ExitCode::Drift as i32) {
        let code = code.map_or("a signal".to_owned(), |code| format!("exit code {code}"));
        anyhow::bail!("the rebuild could not be made: it ended with {code}");
    }
    match Runs::new(rebuilt.join("outputs/runs")).find("@") {
        Ok(recorded) => Ok(recorded.run),
        Err(Error::Missing(_)) => Ok(Run::new(&graph.name, Vec::new())),
        Err(error) => Err(error.into()),
    }
}

/// Where the project is to be below `place`, so that tools above it (`../bin/tool`) are found by
/// the same paths: as many of its own parents are made there, with links to what is beside them.
fn lead_up(root: &Path, place: &Path, tools: &BTreeSet<String>) -> std::io::Result<PathBuf> {
    let up = |tool: &str| {
        let parts = Path::new(tool).components().filter(|part| *part != Component::CurDir);
        parts.take_while(|part| *part == Component::ParentDir).count()
    };
    let n_up = tools.iter().map(|tool| up(tool)).max().unwrap_or(0);
    let n_up = n_up.min(root.components().count() - 1);
    let mut names: Vec<_> = root.ancestors().take(n_up).filter_map(Path::file_name).collect();
    names.reverse();
    let mut rebuilt = place.to_owned();
    rebuilt.extend(names);
    fs::create_dir_all(&rebuilt)?;
    for tool in tools.iter().filter(|tool| up(tool) > 0) {
        let above = |dir: &Path| dir.ancestors().nth(up(tool)).map(Path::to_owned);
        let name = Path::new(tool).components().find(|part| matches!(part, Component::Normal(_)));
        if let (Some(name), Some(from), Some(to)) = (name, above(root), above(&rebuilt)) {
            let link = to.join(name);
            // One of the parents is there, and its tools are linked when it is laid out.
            if !link.exists() {
                symlink(from.join(name), link)?;
            }
        }
    }
    Ok(rebuilt)
}

fn copy_spec(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::copy(from.join(spec::FILE_NAME), to.join(spec::FILE_NAME))?;
    let stages = from.join("stages");
    if stages.is_dir() {
        fs::create_dir(to.join("stages"))?;
        for entry in fs::read_dir(stages)? {
            let entry = entry?;
            let copy = to.join("stages").join(entry.file_name());
            if entry.path().is_file() {
                fs::copy(entry.path(), copy)?;
            } else {
                symlink(entry.path(), copy)?;
            }
        }
    }
    Ok(())
}

/// Links to all else that a project has: its data and programs are named relative to it.
fn link_rest(project: &Project, to: &Path) -> std::io::Result<()> {
    let root = fs::canonicalize(&project.root)?;
    let outputs = fs::canonicalize(&project.outputs)?;
    for entry in fs::read_dir(&root)? {
        let entry = entry?;
        let copy = to.join(entry.file_name());
        let is_own = [LOCK, "stages"].iter().any(|name| entry.file_name() == *name);
        if !is_own && !copy.exists() && entry.path() != outputs {
            symlink(entry.path(), copy)?;
        }
    }
    Ok(())
}
