//! One file per verb: its arguments come from `cli`, its words go through `terminal`.

mod access;
mod compared;
mod completions;
mod config;
mod diff;
mod follow;
mod gc;
mod graph;
mod init;
mod interrupt;
mod log;
mod notify;
mod observe;
mod plan;
mod predict;
mod predictions;
mod promote;
mod recall;
mod replay;
mod rollback;
mod run;
mod serve;
mod shadow;
mod show;
mod spans;
mod status;
mod suite;
mod sweep;
mod tune;
mod validate;
mod verify;
mod why;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use engine::absent::Absent;
use engine::error::{Error, ExitCode};
use engine::exclusion::Lock;
use engine::graph::{Graph, StageId};
use engine::project::{self, OUTPUTS_DIR, Project};
use engine::select::{Selected, Wanted};
use engine::spec::{self, Request};

use crate::cli::{Cli, Command, Global, Selection};
use crate::kinds::KINDS;
use crate::terminal::Terminal;

/// Calls the verb that was asked for.
///
/// # Errors
/// What stopped it; `exit_code` tells how the process is to end then.
pub fn call(cli: &Cli, terminal: &Terminal) -> anyhow::Result<ExitCode> {
    let global = &cli.global;
    match &cli.command {
        Command::Run(args) => run::run(global, args, terminal),
        Command::Plan(args) => plan::plan(global, args, terminal),
        Command::Graph(args) => graph::graph(global, args, terminal),
        Command::Status(args) => status::status(global, args, terminal),
        Command::Why(args) => why::why(global, args, terminal),
        Command::Diff(args) => diff::diff(global, args, terminal),
        Command::Verify(args) => verify::verify(global, args, terminal),
        Command::Validate(args) => validate::validate(global, args, terminal),
        Command::Tune(args) => tune::tune(global, args, terminal),
        Command::Gc(args) => gc::gc(global, args, terminal),
        Command::Log(args) => log::log(global, args, terminal),
        Command::Show(args) => show::show(global, args, terminal),
        Command::Config(args) => config::config(global, args, terminal),
        Command::Promote(args) => promote::promote(global, args, terminal),
        Command::Rollback(args) => rollback::rollback(global, args, terminal),
        Command::Serve(args) => serve::serve(global, args, terminal),
        Command::Predict(args) => predict::predict(global, args, terminal),
        Command::Init(args) => init::init(global, args, terminal),
        Command::Completions(args) => Ok(completions::completions(args, terminal)),
    }
}

/// An error that ends the process with an exit code of its own.
#[derive(Debug)]
struct Ended {
    code: ExitCode,
    message: String,
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Ended {}

/// An error with an exit code.
fn ended(code: ExitCode, message: impl Into<String>) -> anyhow::Error {
    Ended { code, message: message.into() }.into()
}

/// The exit code that an error stands for.
pub fn exit_code(error: &anyhow::Error) -> ExitCode {
    if let Some(ended) = error.downcast_ref::<Ended>() {
        return ended.code;
    }
    error.downcast_ref::<Error>().map_or(ExitCode::Failed, Error::exit_code)
}

/// A project with its pipeline.
struct Opened {
    graph: Graph,
    project: Project,
    absent: Absent,
}

impl Opened {
    /// Fails, with all of it, when these stages read data that does not exist.
    fn require_data(&mut self, stages: &BTreeSet<StageId>) -> Result<(), Error> {
        self.absent.require(&self.graph, stages.iter().copied())
    }
}

/// Opens the project that the options mean.
fn open(global: &Global) -> anyhow::Result<Opened> {
    let request = request(global)?;
    let (spec, graph) = project::load(&request, KINDS)?;
    let absent = Absent::look(spec, &graph);
    let project = Project::open(&request.root, Path::new(OUTPUTS_DIR), global.paranoid)?
        .on_host(observe::host())
        .with_environment(&request.environment);
    Ok(Opened { graph, project, absent })
}

fn request(global: &Global) -> anyhow::Result<Request> {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    Ok(Request {
        root: root(global)?,
        profile: global.profile.clone(),
        environment: std::env::vars_os().filter_map(text).collect(),
        set: global.set.clone(),
    })
}

/// The directory given, or the nearest one from here upwards that is a project.
fn root(global: &Global) -> anyhow::Result<PathBuf> {
    if let Some(dir) = &global.project {
        let message = || format!("`{}` is no directory", dir.display());
        return if dir.is_dir() {
            Ok(dir.clone())
        } else {
            Err(ended(ExitCode::Missing, message()))
        };
    }
    let here = std::env::current_dir()?;
    let found = here.ancestors().find(|dir| dir.join(spec::FILE_NAME).is_file());
    Ok(found.unwrap_or(&here).to_owned())
}

/// What is held while records, the lock or aliases are read, changed and written: one at a time.
fn alone(project: &Project) -> Result<Lock, Error> {
    project.store.hold().map_err(Error::io("take", "the lock of the store"))?;
    let records = project.store.records_lock();
    let records = records.map_err(Error::io("open", "the lock of the records"))?;
    records.take().map_err(Error::io("take", "the lock of the records"))?;
    Ok(records)
}

/// The stages that are asked for.
fn select(graph: &Graph, args: &Selection) -> anyhow::Result<Selected> {
    let Selection { targets, downstream, until } = args;
    let selected = graph.select(&Wanted { targets, downstream: *downstream, until });
    selected.map_err(|message| ended(ExitCode::Usage, message))
}

/// The width of the widest stage name.
fn name_width(graph: &Graph) -> usize {
    graph.stages.iter().map(|stage| stage.name.chars().count()).max().unwrap_or(0)
}
