//! A project in a directory of its own, and the binary to run in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A project in a temporary directory.
pub(crate) struct Lab {
    dir: TempDir,
    program: PathBuf,
}

/// How a verb ended.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Lab {
    /// An empty directory.
    pub(crate) fn empty() -> Lab {
        let program = PathBuf::from(env!("CARGO_BIN_EXE_pipeline"));
        Lab { dir: TempDir::with_prefix("lab").unwrap(), program }
    }

    /// The shipped example.
    pub(crate) fn example() -> Lab {
        let lab = Lab::empty();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        for dir in ["stages", "data", "tune"] {
            fs::create_dir(lab.path(dir)).unwrap();
            for entry in fs::read_dir(root.join(dir)).unwrap() {
                let path = entry.unwrap().path();
                if path.is_file() {
                    fs::copy(&path, lab.path(dir).join(path.file_name().unwrap())).unwrap();
                }
            }
        }
        for file in ["pipeline.toml", "pipeline.lock"] {
            if root.join(file).exists() {
                fs::copy(root.join(file), lab.path(file)).unwrap();
            }
        }
        lab
    }

    /// The shipped example, run once.
    pub(crate) fn example_that_ran() -> Lab {
        let lab = Lab::example();
        lab.call(&["run", "--no-serve"]).expect(0);
        lab
    }

    /// The same lab with another build of the binary.
    pub(crate) fn with_program(mut self, program: PathBuf) -> Lab {
        self.program = program;
        self
    }

    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub(crate) fn read_bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    pub(crate) fn json(&self, name: &str) -> Value {
        serde_json::from_str(&self.read(name)).unwrap()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Replaces a text that must be there.
    pub(crate) fn edit(&self, name: &str, from: &str, to: &str) {
        let text = self.read(name);
        assert!(text.contains(from), "`{name}` has no `{from}`:\n{text}");
        self.write(name, &text.replacen(from, to, 1));
    }

    /// The command for a verb, in the directory, with an environment of its own.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(args).current_dir(self.dir.path()).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.stdin(Stdio::null());
        command
    }

    /// Calls a verb.
    #[must_use = "assert how the verb ended"]
    pub(crate) fn call(&self, args: &[&str]) -> Ended {
        Ended::of(self.command(args).output().unwrap())
    }

    /// The words of the stage lines of the last event stream: `train@forest run`.
    pub(crate) fn run_events(&self, args: &[&str]) -> Vec<Value> {
        let ended = self.call(&[&["run", "--no-serve", "--json"], args].concat()).expect(0);
        ended.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The stages that a run executed, sorted.
    pub(crate) fn executed(&self, args: &[&str]) -> Vec<String> {
        let mut stages: Vec<_> = self
            .run_events(args)
            .iter()
            .filter(|event| event["event"] == "ended" && event["status"] == "run")
            .map(|event| event["stage"].as_str().unwrap().to_owned())
            .collect();
        stages.sort();
        stages
    }

    /// The result digest of a run.
    pub(crate) fn result(&self, args: &[&str]) -> String {
        let events = self.run_events(args);
        let summary = events.iter().find(|event| event["event"] == "summary").unwrap();
        summary["result"].as_str().unwrap().to_owned()
    }

    /// The paths of all objects of the store, sorted.
    pub(crate) fn objects(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for dir in fs::read_dir(self.path("outputs/store/objects")).unwrap() {
            let files = fs::read_dir(dir.unwrap().path()).unwrap();
            found.extend(files.map(|file| file.unwrap().path()));
        }
        found.sort();
        found
    }
}

impl Ended {
    pub(crate) fn of(output: Output) -> Ended {
        Ended {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Asserts the exit code.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Ended {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }

    /// Asserts that what was told, on either stream, has this text.
    #[track_caller]
    pub(crate) fn tells(self, text: &str) -> Ended {
        let is_told = self.out.contains(text) || self.err.contains(text);
        assert!(is_told, "`{text}` is not in stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }
}

/// Flips one bit of the byte in the middle of a file, whatever its permissions.
pub(crate) fn flip_byte(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let mut permissions = fs::metadata(path).unwrap().permissions();
    #[expect(clippy::permissions_set_readonly_false, reason = "a test that does damage")]
    permissions.set_readonly(false);
    fs::set_permissions(path, permissions).unwrap();
    fs::write(path, bytes).unwrap();
}
