//! One attempt of a program: its words, its environment, its outputs taken, its failure told.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, bail};

use super::fence::Fence;
use super::forgotten::Scene;
use super::process::{self, End, Ended, Launch};
use super::telling::{self, shortened};
use super::words::{arguments, quoted, script};
use super::{Params, Place, SHELL, taken, trace};
use crate::data;
use crate::files::{self, make_parent};
use crate::interpreter::{self, Interpreter};
use crate::kind::Context;
use crate::observed::Observation;
use crate::room::{HOME, PROGRAM, Room, WORK};
use crate::tool::Tool;

/// The longest script that is an argument; a longer one is a file. The kernel takes no argument of
/// 128 KiB.
const MAX_SCRIPT_BYTES: usize = 100_000;
/// The exit code of a shell that does not find a program.
const NOT_FOUND: i32 = 127;
/// The exit code of a shell that may not run a program.
const REFUSED: i32 = 126;
/// How long a program that failed is watched when it is run once more.
const MAX_WATCHED: Duration = Duration::from_secs(60);
/// Where it is written down what it asked for, in the room.
const TRACE: &str = "trace";
/// Where a long script is, in the room.
const SCRIPT: &str = "script";
/// What a program opens to ask a person.
const TERMINAL: &str = "/dev/tty";
/// How many files are told that it wrote instead of its outputs.
const MAX_OTHERS: usize = 5;

/// The user stopped the run before the program ended.
#[derive(Debug, thiserror::Error)]
#[error("it was interrupted")]
pub(crate) struct Interrupted;

/// Runs the program of a stage and moves its outputs to where they are taken.
pub(crate) fn run(context: &Context<'_>) -> anyhow::Result<()> {
    let Some(room) = &context.room else { bail!("a program needs a room") };
    let home = room.dir.join(HOME);
    files::make_dirs(&home).with_context(|| format!("cannot make `{}`", home.display()))?;
    let attempt = Attempt::new(context, room)?;
    attempt.make_way()?;
    let launch = Launch {
        program: &attempt.program,
        arguments: &attempt.arguments,
        dir: &attempt.work,
        room: &attempt.dir,
        environment: &attempt.environment()?,
        timeout: room.timeout,
        cancel: room.cancel,
        fence: attempt.fence.as_ref(),
    };
    let ended = process::run(&launch).map_err(|error| attempt.not_started(error))?;
    room.observe(observation(&ended));
    if attempt.fence.as_ref().is_some_and(Fence::is_open) {
        (room.warn)("`hermetic` has no effect: this kernel has no Landlock");
    }
    // How it ended says more than what can be taken of it.
    let taken = taken::take(&attempt.work, &attempt.params.outputs, |name| context.output(name));
    let mut why = match ended.end {
        End::Exited(status) if status.success() && taken.is_whole() => return Ok(()),
        End::Exited(status) if status.success() && taken.missing.is_empty() => String::new(),
        End::Exited(status) if status.success() => attempt.not_written(&taken.missing),
        End::Exited(status) => attempt.ended_with(status),
        End::TimedOut => {
            let limit = room.timeout.unwrap_or_default();
            format!("it was stopped, because it took longer than {}", shown(limit))
        }
        End::Cancelled => bail!(Interrupted),
    };
    for wrong in &taken.wrong {
        why.push_str(if why.is_empty() { "" } else { "; " });
        why.push_str(wrong);
    }
    bail!(attempt.failure(&why, &ended))
}

struct Attempt<'a> {
    params: Params,
    room: &'a Room<'a>,
    /// Where the room is, absolute and without links.
    dir: PathBuf,
    /// The working directory in it.
    work: PathBuf,
    tools: Vec<Tool>,
    program: PathBuf,
    arguments: Vec<String>,
    fence: Option<Fence>,
}

impl<'a> Attempt<'a> {
    fn new(context: &Context<'_>, room: &'a Room<'a>) -> anyhow::Result<Attempt<'a>> {
        let params: Params = context.params()?;
        let project = room.project;
        let tools = project.outside.tools(&project.root, &params.tools())?;
        let dir = room.dir.to_owned();
        let work = dir.join(WORK);
        let paths = paths(&params, room)?;
        let mut words: Vec<_> = match &params.run {
            Some(run) => run.iter().flat_map(|word| arguments(word, &paths)).collect(),
            None => {
                let mut text = script(params.shell.as_deref().unwrap_or_default(), &paths);
                if text.len() > MAX_SCRIPT_BYTES {
                    let file = dir.join(SCRIPT);
                    files::write(&file, text.as_bytes())
                        .with_context(|| format!("cannot write `{}`", file.display()))?;
                    text = format!(". {}", quoted(&file.display().to_string()));
                }
                [SHELL, "-eu", "-c", &text].map(str::to_owned).to_vec()
            }
        };
        if words.is_empty() {
            bail!("the program is an input that holds no file");
        }
        let first = words.remove(0);
        let program = match params.program() {
            Some(name) => tools.iter().find(|tool| tool.name == *name).map(|t| t.path.clone()),
            None => {
                let program = work.join(&first);
                // Only an input: what else the word may lead to is not the engine's to change.
                if room.laid.files.contains(Path::new(&first)) {
                    files::set_mode(&program, PROGRAM).with_context(|| {
                        format!("cannot make `{}` a program", program.display())
                    })?;
                }
                Some(program)
            }
        };
        let program = program.with_context(|| format!("`{first}` cannot be found"))?;
        let fence = params.hermetic.then(|| {
            let read = tools.iter().flat_map(Tool::parts).chain([dir.join(SCRIPT)]);
            Fence::new(read.collect(), vec![work.clone(), dir.join(HOME), dir.join(TRACE)])
        });
        Ok(Attempt { params, room, dir, work, tools, program, arguments: words, fence })
    }

    /// Makes the directories that outputs go to; none may stand where an input does.
    fn make_way(&self) -> anyhow::Result<()> {
        for declared in self.params.outputs.values() {
            let place = Place::of(&declared.path);
            let path = Path::new(place.path);
            let clashes = |input: &&PathBuf| input.starts_with(path) || path.starts_with(input);
            if let Some(input) = self.room.laid.files.iter().find(clashes) {
                let (output, input) = (&declared.path, input.display());
                bail!("its output `{output}` stands where its input `{input}` does");
            }
            let full = self.work.join(path);
            let made = match place.is_dir {
                true => files::make_dirs(&full),
                // The working directory itself is there.
                false if full.parent() == Some(&self.work) => Ok(()),
                false => make_parent(&full),
            };
            made.with_context(|| format!("cannot make way for `{}`", full.display()))?;
        }
        Ok(())
    }

    /// The whole environment of the program, sorted by name.
    fn environment(&self) -> anyhow::Result<Vec<(String, String)>> {
        let mut dirs = Tool::dirs(&self.tools);
        let home = self.dir.join(HOME);
        if dirs.is_empty() {
            // An empty PATH would mean the working directory.
            dirs.push(home.clone());
        }
        let dirs: Vec<_> = dirs.iter().map(|dir| dir.display().to_string()).collect();
        if let Some(dir) = dirs.iter().find(|dir| dir.contains(':')) {
            bail!(
                "`{dir}` cannot be on PATH, which is divided by `:`: move the project or the tool"
            );
        }
        let home = home.display().to_string();
        let mut variables = BTreeMap::from([
            ("PATH".to_owned(), dirs.join(":")),
            ("HOME".to_owned(), home.clone()),
            ("TMPDIR".to_owned(), home),
        ]);
        let outside = &self.room.project.outside;
        let passed = self.params.pass.iter();
        variables.extend(passed.filter_map(|name| Some((name.clone(), outside.variable(name)?))));
        variables.extend(self.params.environment.clone());
        Ok(variables.into_iter().collect())
    }

    /// What is told of a program that failed by itself.
    fn ended_with(&self, status: ExitStatus) -> String {
        let advice = match status.code() {
            Some(NOT_FOUND) => {
                ": most shells end so when a program cannot be found; name it under `tools`"
            }
            Some(REFUSED) if self.fence.is_some() => {
                ": most shells end so when a program may not be run; a hermetic stage runs those \
                 that are named under `tools`, and what runs them"
            }
            _ => "",
        };
        format!("it ended with {}{advice}", told(status))
    }

    /// What is told of a program that cannot be started.
    fn not_started(&self, error: io::Error) -> anyhow::Error {
        let why = format!("cannot start `{}`", self.program.display());
        let interpreter = interpreter::of_file(&self.program).into_iter().next();
        let Some(Interpreter { program, .. }) = interpreter else {
            return anyhow::Error::new(error).context(why);
        };
        let is_tool = self.tools.iter().any(|tool| tool.path == Path::new(&program));
        let hint = match (Path::new(&program).exists(), self.fence.is_some() && !is_tool) {
            (false, _) => format!("it begins with `#!{program}`, and there is no such program"),
            (true, true) => format!("it begins with `#!{program}`: name that under `tools`"),
            (true, false) => return anyhow::Error::new(error).context(why),
        };
        anyhow::anyhow!("{why}: {error}\nhint: {hint}")
    }

    fn not_written(&self, missing: &[String]) -> String {
        let names: Vec<_> = missing.iter().map(|path| format!("`{path}`")).collect();
        let mut why = format!("it did not write its output {}", names.join(", "));
        let inputs = &self.room.laid.files;
        let found = data::walk(&self.work, usize::MAX, &["__pycache__"]).unwrap_or_default();
        let others: BTreeSet<_> = found.into_iter().map(|found| found.name).collect();
        let is_other = |name: &&String| !inputs.contains(Path::new(name.as_str()));
        let others: Vec<_> = others.iter().filter(is_other).take(MAX_OTHERS).collect();
        if !others.is_empty() {
            let others: Vec<_> = others.iter().map(|name| format!("`{name}`")).collect();
            why.push_str(&format!(", and wrote {}", others.join(", ")));
        }
        why
    }

    /// What is told of a failure: why, the command line, the end of its output, and advice.
    fn failure(&self, why: &str, ended: &Ended) -> String {
        let words = self.arguments.iter().map(|word| quoted(word));
        let name = self.params.program().map_or_else(
            || self.program.strip_prefix(&self.work).unwrap_or(&self.program).display().to_string(),
            str::to_owned,
        );
        let line: Vec<_> = std::iter::once(quoted(&name)).chain(words).collect();
        let line = shortened(&line.join(" "));
        let mut text = format!("{why}\n  $ {line}{}", telling::tail(&ended.stdout, &ended.stderr));
        let root = &self.room.project.root;
        let root = fs::canonicalize(root).unwrap_or_else(|_| root.clone());
        let scene = Scene {
            root: &root,
            work: &self.work,
            inputs: &self.room.laid.files,
            tools: &self.tools,
            fence: self.fence.as_ref(),
        };
        let said = format!("{}\n{}", ended.stderr, ended.stdout);
        if said.contains(TERMINAL) {
            text.push_str(
                "\nhint: a stage has no terminal: make what it asks for an input or a variable",
            );
        }
        let mut advice = scene.advice(&said);
        if advice.is_empty() && self.room.is_last && matches!(ended.end, End::Exited(_)) {
            advice = scene.advice_on(&self.asked_in_vain());
        }
        for advice in advice {
            text.push('\n');
            text.push_str(&advice);
        }
        text
    }
}

impl Attempt<'_> {
    /// What a hermetic program asked for in vain: after its last attempt it is run once more and
    /// watched, where that can be done.
    fn asked_in_vain(&self) -> Vec<PathBuf> {
        let Some(fence) = self.fence.as_ref().filter(|fence| !fence.is_open()) else {
            return Vec::new();
        };
        let outside = &self.room.project.outside;
        let watcher = outside.tools(&self.room.project.root, &[trace::WATCHER.to_owned()]);
        let (Ok(watcher), Ok(environment)) = (watcher, self.environment()) else {
            return Vec::new();
        };
        let log = self.dir.join(TRACE);
        if files::write(&log, b"").is_err() {
            return Vec::new();
        }
        let fence = fence.with(watcher.iter().flat_map(Tool::parts));
        let launch = Launch {
            program: &watcher[0].path,
            arguments: &trace::arguments(&log, &self.program, &self.arguments),
            dir: &self.work,
            room: &self.dir,
            environment: &environment,
            timeout: Some(self.room.timeout.map_or(MAX_WATCHED, |limit| limit.min(MAX_WATCHED))),
            cancel: self.room.cancel,
            fence: Some(&fence),
        };
        // Whatever became of it, what it asked for is written down.
        let _ = process::run(&launch);
        let text = files::read(&log).unwrap_or_default();
        trace::in_vain(&String::from_utf8_lossy(&text))
    }
}

/// By port, the paths that stand for it.
fn paths(params: &Params, room: &Room<'_>) -> anyhow::Result<BTreeMap<String, Vec<String>>> {
    let mut paths = BTreeMap::new();
    for (port, places) in &room.laid.words {
        let text = |path: &PathBuf| {
            path.to_str().map(str::to_owned).with_context(|| format!("{path:?} is not UTF-8"))
        };
        paths.insert(port.clone(), places.iter().map(text).collect::<anyhow::Result<_>>()?);
    }
    for (port, declared) in &params.outputs {
        paths.insert(port.clone(), vec![Place::of(&declared.path).path.to_owned()]);
    }
    Ok(paths)
}

fn observation(ended: &Ended) -> Observation {
    let uname = rustix::system::uname();
    Observation {
        stdout: ended.stdout.clone(),
        stderr: ended.stderr.clone(),
        seconds: ended.seconds,
        attempts: 1,
        host: uname.nodename().to_string_lossy().into_owned(),
        ended: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
    }
}

/// `exit code 2`, `signal 9 (SIGKILL)`.
fn told(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("exit code {code}"),
        None => status.to_string().replacen("signal: ", "signal ", 1),
    }
}

fn shown(limit: Duration) -> String {
    humantime::format_duration(limit).to_string()
}
