//! A real process that runs a project, to be killed, to be hurt, or to have company.
//!
//! The test binary starts itself again: `child` says what it does there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::lab::Lab;

/// A child that takes longer than this hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a child is to do.
pub(crate) struct Orders {
    command: Command,
}

/// How a child ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Its exit code; none when it was killed.
    pub(crate) code: Option<i32>,
    /// All that it printed.
    pub(crate) text: String,
}

impl Orders {
    /// To run a project.
    pub(crate) fn run(root: &Path) -> Orders {
        Orders::of("run", root)
    }

    /// To do one of the things that `child` does.
    pub(crate) fn of(verb: &str, root: &Path) -> Orders {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "child::child", "--ignored", "--nocapture", "--quiet"]);
        command.env("LAB_ROOT", root).env("LAB_DO", verb).env("LAB_JOBS", "2");
        command.env_remove("RUST_BACKTRACE");
        Orders { command }
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Orders {
        self.command.env(name, value);
        self
    }

    /// The same, started by a shell that did something before: the command is its arguments.
    pub(crate) fn by_shell(self, script: &str) -> Orders {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]).arg(self.command.get_program()).args(self.command.get_args());
        for (name, value) in self.command.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        Orders { command }
    }

    pub(crate) fn start(mut self) -> Child {
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Waits for the end, for a while.
    pub(crate) fn end(self) -> Ended {
        end(self.start())
    }

    /// Sends SIGKILL after a while; returns whether that was in time.
    pub(crate) fn kill_after(mut self, pause: Duration) -> bool {
        let child = self.command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut child = child.unwrap();
        std::thread::sleep(pause);
        child.kill().unwrap();
        child.wait().unwrap().code().is_none()
    }
}

/// Waits for the end of a child, which prints little.
pub(crate) fn end(mut child: Child) -> Ended {
    let started = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if started.elapsed() > PATIENCE {
            child.kill().unwrap();
            panic!("a child hangs: {:?}", child.wait_with_output());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let output = child.wait_with_output().unwrap();
    let texts = [output.stdout, output.stderr].map(|t| String::from_utf8_lossy(&t).into_owned());
    Ended { code: output.status.code(), text: texts.concat() }
}

impl Ended {
    /// What stands behind a word at the beginning of a line.
    pub(crate) fn told(&self, word: &str) -> Option<&str> {
        self.all_told(word).next()
    }

    /// The same of every such line.
    pub(crate) fn all_told(&self, word: &str) -> impl Iterator<Item = &str> {
        self.text.lines().filter_map(move |line| line.strip_prefix(word)?.strip_prefix(' '))
    }

    /// The result digest of a run that went well.
    #[track_caller]
    pub(crate) fn result(&self) -> String {
        assert_eq!(self.code, Some(0), "{self:#?}");
        self.told("result").unwrap().to_owned()
    }
}

/// Everything below a directory that is not a directory, relative to it.
pub(crate) fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![dir.to_owned()];
    while let Some(next) = waiting.pop() {
        // What vanishes meanwhile belongs to a process that is at work.
        for entry in std::fs::read_dir(next).into_iter().flatten().flatten() {
            match entry.file_type().unwrap().is_dir() {
                true => waiting.push(entry.path()),
                false => found.push(entry.path().strip_prefix(dir).unwrap().to_owned()),
            }
        }
    }
    found.sort();
    found
}

/// The parts of `outputs` that are no stage's.
pub(crate) const OWN_PARTS: [&str; 6] =
    ["store", "runs", "failed", "aliases", ".scratch", ".removed"];

/// The files that people see, with their bytes.
pub(crate) fn visible(lab: &Lab) -> Vec<(PathBuf, Vec<u8>)> {
    let outputs = lab.path("outputs");
    let is_stages = |path: &PathBuf| !OWN_PARTS.iter().any(|part| path.starts_with(part));
    let files = files_below(&outputs).into_iter().filter(is_stages);
    files.map(|path| (path.clone(), std::fs::read(outputs.join(path)).unwrap())).collect()
}

/// Asserts that nothing is left of what is only there while a process works.
#[track_caller]
pub(crate) fn nothing_is_left(lab: &Lab, story: &str) {
    let is_rest = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        name.starts_with(".tmp")
            || path.iter().any(|part| part == ".removed")
            || path.starts_with("outputs/store/scratch")
            || path.starts_with("outputs/.scratch")
    };
    let rest: Vec<_> = files_below(lab.root()).into_iter().filter(is_rest).collect();
    assert!(rest.is_empty(), "{story}: {rest:?}");
    let rooms: Vec<_> =
        std::fs::read_dir(lab.path("outputs/store/scratch")).into_iter().flatten().collect();
    assert!(rooms.is_empty(), "{story}: {rooms:?}");
}

/// Copies a directory with all that is in it.
pub(crate) fn copied(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let place = to.join(entry.file_name());
        match entry.file_type().unwrap() {
            ty if ty.is_dir() => copied(&entry.path(), &place),
            ty if ty.is_symlink() => {
                std::os::unix::fs::symlink(fs::read_link(entry.path()).unwrap(), place).unwrap();
            }
            _ => drop(fs::copy(entry.path(), place).unwrap()),
        }
    }
}

/// A copy of a project in a directory of its own.
pub(crate) fn copy(lab: &Lab) -> Lab {
    let copy = Lab::new();
    copied(lab.root(), copy.root());
    copy
}

/// A number that the environment sets, to look longer than every time.
pub(crate) fn asked(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |text| text.parse().unwrap())
}
