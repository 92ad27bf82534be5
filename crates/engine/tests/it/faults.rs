//! Every file operation of every verb fails once, in every way: it ends with a report that says
//! where, and what comes after it gives what it gives undisturbed.
//!
//! `FAULTS=all` tries every operation with every fault; otherwise it is a sample in which each kind
//! of operation meets each fault. `SCENE` looks at the scenes with that word in their name alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use engine::error::ExitCode;

use crate::harm::try_all;
use crate::lab::Lab;
use crate::process::{Ended, Orders, asked, copy, files_below, nothing_is_left};
use crate::scenes::{Scene, scenes};

const ENOSPC: &str = "28";
const EIO: &str = "5";
const EACCES: &str = "13";

/// What goes wrong, each once or from then on.
const FAULTS: [(&str, &str); 6] =
    [("", ENOSPC), ("", EIO), ("", EACCES), ("", "short"), ("+", ENOSPC), ("+", EIO)];

/// How many operations of each kind are tried in a scene unless the environment asks for more.
const SAMPLE: u64 = 1;

/// Every kind of operation.
const OPERATIONS: [&str; 14] = [
    "Create",
    "Entry",
    "Link",
    "List",
    "Lock",
    "MakeDir",
    "Open",
    "Permissions",
    "Read",
    "Remove",
    "Rename",
    "Stat",
    "Sync",
    "Write",
];

/// The exit codes of errors: of a stage or a file, of a pipeline, of what is missing, of damage.
const ERRORS: [i32; 5] = [1, 2, 3, 4, 5];

/// A scene, and what comes of it without a fault.
struct Trial {
    scene: Scene,
    before: State,
    /// How its verb ends, and what is there then.
    expected: Ended,
    after: State,
    /// How a run ends that follows it, and what is there then.
    finally: Ended,
    at_last: State,
    /// The kinds of the operations of its verb, in their order.
    operations: Vec<String>,
}

/// What a person may come across.
#[derive(Debug, PartialEq)]
struct State {
    /// Every file under `outputs` that is not the store's or a record, and the lock.
    seen: BTreeMap<PathBuf, Vec<u8>>,
    /// What `verify` finds.
    findings: BTreeSet<String>,
}

impl State {
    fn of(lab: &Lab) -> State {
        let outputs = lab.path("outputs");
        let own = ["store", "runs", ".scratch", ".removed"];
        // What a failed stage wrote is kept as it is; what its program said is told.
        let is_kept = |path: &Path| path.starts_with("failed") && path.components().count() > 2;
        let is_seen =
            |path: &PathBuf| !own.iter().any(|part| path.starts_with(part)) && !is_kept(path);
        let files = files_below(&outputs).into_iter().filter(is_seen);
        let mut seen: BTreeMap<_, _> =
            files.map(|path| (path.clone(), fs::read(outputs.join(path)).unwrap())).collect();
        if let Ok(lock) = fs::read(lab.path("pipeline.lock")) {
            seen.insert("pipeline.lock".into(), lock);
        }
        let findings = lab.verify().into_iter();
        let findings = findings.map(|f| format!("{} {}", f.code, timeless(&f.message))).collect();
        State { seen, findings }
    }
}

/// A finding without the times and hosts of a conflict.
fn timeless(message: &str) -> &str {
    message.split(" at another time").next().unwrap_or_default()
}

/// What a finding is about: the first name in it.
fn subject(finding: &str) -> &str {
    let quoted = finding.split('`').nth(1);
    quoted.unwrap_or_else(|| finding.split(' ').nth(2).unwrap_or_default())
}

impl Trial {
    fn new(scene: Scene) -> Trial {
        let lab = copy(&scene.lab);
        (scene.prepare)(&lab);
        let before = State::of(&lab);
        let expected = scene.orders(&lab).end();
        let after = State::of(&lab);
        let finally = a_run(&lab);
        let at_last = State::of(&lab);
        let told = expected.told("operations").unwrap_or_default();
        let operations = told.split(' ').map(str::to_owned).collect();
        assert!(expected.code.is_some_and(|code| code <= 1), "{}: {expected:?}", scene.name);
        assert_eq!(expected.code == Some(1), scene.name == "a failure", "{expected:?}");
        Trial { scene, before, expected, after, finally, at_last, operations }
    }

    /// The operations that are to fail: all of them, or of each kind some, spread over the run and
    /// others for each turn.
    fn chosen(&self, n_of_kind: Option<usize>, turn: usize) -> Vec<usize> {
        let Some(n_of_kind) = n_of_kind else { return (0..self.operations.len()).collect() };
        let mut chosen = Vec::new();
        for kind in OPERATIONS {
            let is_of = |at: &usize| self.operations[*at] == kind;
            let of_kind: Vec<_> = (0..self.operations.len()).filter(is_of).collect();
            let step = (of_kind.len() / n_of_kind).max(1);
            let from = turn * step / FAULTS.len();
            chosen.extend(of_kind.into_iter().skip(from).step_by(step).take(n_of_kind));
        }
        chosen
    }

    /// Has one operation fail, looks at what is there then, and goes on without faults. Returns
    /// which kind of operation it was.
    fn hurt(&self, order: &str) -> String {
        let lab = copy(&self.scene.lab);
        (self.scene.prepare)(&lab);
        let ended = unless_busy(|| self.scene.orders(&lab).env("LAB_FAULT", order));
        let story = format!("{}, fault {order}: {}", self.scene.name, ended.text);
        assert!(!ended.text.contains("panicked"), "{story}");
        match ended.code {
            Some(0) => self.is_as_undisturbed(&ended, &story),
            Some(code) if ERRORS.contains(&code) => names_its_place(&ended, &lab, &story),
            _ => panic!("{story}"),
        }
        self.nothing_is_half(&lab, &ended, &story);
        let again = unless_busy(|| self.scene.orders(&lab));
        assert_eq!(again.code, self.expected.code, "{story}\nand then {again:?}");
        assert_eq!(again.told("result"), self.expected.told("result"), "{story}\n{again:?}");
        assert_eq!(State::of(&lab), self.after, "{story}\nand then {again:?}");
        let finally = a_run(&lab);
        assert_eq!(finally.code, self.finally.code, "{story}\nand at last {finally:?}");
        assert_eq!(finally.told("result"), self.finally.told("result"), "{story}\n{finally:?}");
        assert_eq!(State::of(&lab), self.at_last, "{story}\nand at last {finally:?}");
        nothing_is_left(&lab, &story);
        let hit = ended.told("hit").unwrap_or_default();
        hit.split(' ').next().unwrap_or_default().to_owned()
    }

    /// A verb that met a fault and says that all went well tells what it tells without one.
    fn is_as_undisturbed(&self, ended: &Ended, story: &str) {
        assert_eq!(self.expected.code, Some(0), "it succeeds only with a fault; {story}");
        assert_eq!(ended.told("result"), self.expected.told("result"), "{story}");
        for finding in self.expected.all_told("finding") {
            let subject = Path::new(subject(finding));
            // What is in a directory that cannot be listed is not told, and the directory is.
            let names: Vec<_> =
                subject.ancestors().map(|path| format!("{}", path.display())).collect();
            let is_told = |other: &str| {
                other.contains(&names[0])
                    || names.iter().any(|name| other.contains(&format!("`{name}` cannot be")))
            };
            assert!(ended.all_told("finding").any(is_told), "not told: {finding}; {story}");
        }
    }

    /// Every file that people see is as it was, or as it is to be; and what is stored is no more
    /// damaged than it was.
    fn nothing_is_half(&self, lab: &Lab, ended: &Ended, story: &str) {
        let now = State::of(lab);
        let known = [&self.before, &self.after, &self.at_last];
        for (path, bytes) in &now.seen {
            let is_whole = known.iter().any(|state| state.seen.get(path) == Some(bytes));
            let is_told = path.starts_with("failed") && is_all_that_was_said(path, bytes, ended);
            assert!(is_whole || is_told, "{} is partial; {story}", path.display());
        }
        // What is missing or not locked yet is told until it is made; damage is never made.
        let is_damage = |finding: &&String| finding.starts_with('5');
        let is_known = |finding: &String| known.iter().any(|s| s.findings.contains(finding));
        let made: Vec<_> = now.findings.iter().filter(is_damage).filter(|f| !is_known(f)).collect();
        assert!(made.is_empty(), "{made:?}; {story}");
        if self.scene.verb != "run" {
            let lost: Vec<_> = now.findings.difference(&self.before.findings).collect();
            assert!(lost.iter().all(|finding| is_known(finding)), "{lost:?}; {story}");
        }
    }
}

/// Whether a log holds what the program of its stage said before the stage met a fault.
fn is_all_that_was_said(log: &Path, bytes: &[u8], ended: &Ended) -> bool {
    let stage = log.file_stem().unwrap().to_string_lossy();
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<_> = text.lines().filter(|line| !line.starts_with("== ")).collect();
    let line = format!("{stage} {}", lines.join("; "));
    ended.all_told("said").any(|said| said == line)
}

/// A process that another thread is starting has what this one has open, locks among them, until it
/// begins to run.
fn unless_busy(orders: impl Fn() -> Orders) -> Ended {
    const PATIENCE: usize = 100;
    let mut tries = (0..PATIENCE).map(|_| orders().end());
    tries.find(|ended| ended.code != Some(ExitCode::Busy as i32)).unwrap()
}

/// One stage after the other, so that what a failure comes before is the same each time.
fn a_run(lab: &Lab) -> Ended {
    Orders::run(lab.root()).env("LAB_JOBS", "1").end()
}

#[track_caller]
fn names_its_place(ended: &Ended, lab: &Lab, story: &str) {
    let told: Vec<_> = ended.all_told("failed").collect();
    assert!(!told.is_empty(), "nothing is told; {story}");
    let root = lab.root().display().to_string();
    // What a stage wrote has the name that the stage knows, a recipe is named by its key, and a
    // program by its name.
    let names = [
        "the recipe ",
        "n/count.txt",
        "leaves/",
        "out.txt",
        "all.txt",
        "tree/",
        "stages/",
        "pipeline.toml",
        "data/",
        "the program",
        "/bin/sh",
        "object ",
        "outcome ",
        "record of run ",
        "bin/",
        "itself",
    ];
    for told in told {
        let is_named = told.contains(&root) || names.iter().any(|name| told.contains(name));
        assert!(is_named, "no path is named: {told}; {story}");
    }
}

#[test]
fn whatever_operation_fails_what_comes_after_it_is_as_if_it_had_not() {
    let is_all = std::env::var("FAULTS").is_ok_and(|text| text == "all");
    let n_of_kind = (!is_all).then(|| asked("SAMPLE", SAMPLE) as usize);
    let wanted = std::env::var("SCENE").unwrap_or_default();
    let scenes = scenes().into_iter().filter(|scene| scene.name.contains(&wanted));
    let trials: Vec<_> = scenes.map(Trial::new).collect();
    let mut orders = Vec::new();
    for trial in &trials {
        for (turn, fault) in FAULTS.iter().enumerate() {
            let chosen = trial.chosen(n_of_kind, turn).into_iter();
            orders.extend(chosen.map(|at| (trial, fault, format!("{at}{}:{}", fault.0, fault.1))));
        }
    }
    let hits = Mutex::new(BTreeSet::new());
    let failures = try_all(&orders, |(trial, fault, order)| {
        let kind = trial.hurt(order);
        hits.lock().unwrap().insert((kind, *fault));
    });
    let n_orders = orders.len();
    assert!(failures.is_empty(), "{} of {n_orders}: {}", failures.len(), failures.join("\n\n"));
    let hits = hits.into_inner().unwrap();
    for kind in OPERATIONS.iter().filter(|_| wanted.is_empty()) {
        for fault in &FAULTS {
            assert!(hits.contains(&((*kind).to_owned(), fault)), "{kind} never met {fault:?}");
        }
    }
}

/// What touches the file system.
const TOUCHES: [&str; 18] = [
    "fs::",
    "File::open",
    "File::create",
    "OpenOptions",
    "read_dir(",
    ".file_type()",
    ".metadata()",
    ".set_permissions(",
    ".set_len(",
    ".sync_all(",
    ".sync_data(",
    ".exists()",
    ".is_dir()",
    ".is_file()",
    ".canonicalize(",
    ".tempdir",
    "NamedTempFile::new",
    "TempDir::new",
];

/// Where it may stand besides in `files`, with the reason.
const PAST_THE_SEAM: [(&str, &str, &str); 14] = [
    ("scratch.rs", ".tempdir", "asks for a fault itself"),
    ("exclusion.rs", "OpenOptions", "asks for a fault itself"),
    ("command/attempt.rs", "fs::canonicalize", "a failure is told with or without it"),
    ("command/attempt.rs", ".exists()", "advice on a failure, with or without it"),
    ("command/mark.rs", "fs::read_to_string", "what the kernel says of processes is no file"),
    ("command/start.rs", "File::open(\"/dev/null\")", "no file"),
    ("command/start.rs", "fs::read_dir", "what the kernel says of processes is no file"),
    ("command/start.rs", "fs::read_to_string", "what the kernel says of processes is no file"),
    ("command/family.rs", "fs::read", "what the kernel says of processes is no file"),
    ("command/family.rs", ".exists()", "what the kernel says of processes is no file"),
    ("command/fence.rs", "fs::canonicalize", "a path that cannot be told is fenced as it is"),
    ("command/forgotten.rs", ".exists()", "advice on a failure, with or without it"),
    ("data.rs", ".is_file()", "of what `files` said"),
    ("command/taken.rs", "found.is_dir()", "of what `files` said"),
];

/// What asks nobody: a type, and what was told before.
const NO_TOUCH: [&str; 3] = ["fs::File,", "metadata.is_dir()", "metadata.is_file()"];

#[test]
fn no_file_is_touched_past_the_seam() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    for path in files_below(&src) {
        let name = path.display().to_string();
        if name == "files.rs" || name.starts_with("files/") {
            continue;
        }
        let text = fs::read_to_string(src.join(&path)).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        let is_code = |line: &&str| {
            let line = line.trim_start();
            !line.starts_with("//") && !line.starts_with("use ") && !line.starts_with("pub use ")
        };
        for line in code.lines().filter(is_code) {
            let line = NO_TOUCH.iter().fold(line.to_owned(), |line, told| line.replace(told, ""));
            let touches = TOUCHES.iter().filter(|touch| line.contains(*touch));
            let may =
                PAST_THE_SEAM.iter().any(|(place, call, _)| *place == name && line.contains(call));
            found.extend(touches.filter(|_| !may).map(|_| format!("{name}: {}", line.trim())));
        }
    }
    assert_eq!(found, Vec::<String>::new());
}
