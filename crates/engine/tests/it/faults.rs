//! Every file operation of a run fails once, in every way: a run ends with a report that says
//! where, and the next one gives what an undisturbed one does.
//!
//! `FAULTS=all` tries every operation with every fault; otherwise it is a sample in which each kind
//! of operation meets each fault.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::lab::Lab;
use crate::process::{Ended, Orders, asked, nothing_is_left, visible};

const ENOSPC: &str = "28";
const EIO: &str = "5";
const EACCES: &str = "13";

/// What goes wrong, each once or from then on.
const FAULTS: [(&str, &str); 6] =
    [("", ENOSPC), ("", EIO), ("", EACCES), ("", "short"), ("+", ENOSPC), ("+", EIO)];

/// How many operations of each kind are tried in a run unless the environment asks for more.
const SAMPLE: u64 = 2;

/// Every kind of operation.
const OPERATIONS: [&str; 13] = [
    "Create",
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

fn project() -> Lab {
    Lab::new()
        .data("raw", "some rows\n")
        .stage("rows", "kind = \"count\"\ninputs.from = \"data.raw\"")
        .stage("mine", "kind = \"dig\"\nparams.text = \"ore\"")
        .stage("blade", "kind = \"forge\"\ninputs.from = \"mine.out\"")
        .stage("story", "kind = \"lineage\"\ninputs.from = \"rows.out\"")
}

fn copied(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let place = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copied(&entry.path(), &place),
            false => drop(fs::copy(entry.path(), place).unwrap()),
        }
    }
}

/// A project, and what a run of it yields that meets no fault.
struct Trial {
    name: &'static str,
    lab: Lab,
    result: String,
    before: BTreeMap<PathBuf, Vec<u8>>,
    after: BTreeMap<PathBuf, Vec<u8>>,
    /// The kinds of the operations of its run, in their order.
    operations: Vec<String>,
}

impl Trial {
    fn new(name: &'static str, lab: Lab) -> Trial {
        let before = visible(&lab).into_iter().collect();
        let copy = at(&lab);
        let ended = one_by_one(&copy).end();
        let operations = ended.told("operations").unwrap().split(' ').map(str::to_owned).collect();
        let after = visible(&copy).into_iter().collect();
        Trial { name, result: ended.result(), lab, before, after, operations }
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

    /// Has one operation fail, looks at what is there then, and runs it again. Returns which kind
    /// of operation it was.
    fn hurt(&self, order: &str) -> String {
        let lab = at(&self.lab);
        let ended = one_by_one(&lab).env("LAB_FAULT", order).end();
        let story = format!("{}, fault {order}: {}", self.name, ended.text);
        assert!(matches!(ended.code, Some(0 | 1)), "{story}");
        assert!(!ended.text.contains("panicked"), "{story}");
        if ended.code == Some(0) {
            assert_eq!(ended.told("result"), Some(&*self.result), "{story}");
        } else {
            names_its_place(&ended, &lab, &story);
        }
        for (path, bytes) in visible(&lab) {
            let is_whole = [&self.before, &self.after].iter().any(|f| f.get(&path) == Some(&bytes));
            assert!(is_whole, "{} is partial; {story}", path.display());
        }
        let again = one_by_one(&lab).end();
        assert_eq!(again.code, Some(0), "{story}\nand then {again:?}");
        assert_eq!(again.result(), self.result, "{story}");
        assert_eq!(visible(&lab).into_iter().collect::<BTreeMap<_, _>>(), self.after, "{story}");
        assert_eq!(lab.verify(), [], "{story}");
        nothing_is_left(&lab, &story);
        let hit = ended.told("hit").unwrap_or_default();
        hit.split(' ').next().unwrap_or_default().to_owned()
    }
}

/// A copy of a project in a directory of its own.
fn at(lab: &Lab) -> Lab {
    let copy = Lab::new();
    copied(lab.root(), copy.root());
    copy
}

/// One stage after the other, so that the operations come in the same order each time.
fn one_by_one(lab: &Lab) -> Orders {
    Orders::run(lab.root()).env("LAB_JOBS", "1")
}

#[track_caller]
fn names_its_place(ended: &Ended, lab: &Lab, story: &str) {
    let told = ended.told("failed").unwrap_or_default();
    let root = lab.root().display().to_string();
    // What a stage wrote has the name that the stage knows; a recipe is named by its key.
    let names =
        ["the recipe ", "n/count.txt", "leaves/", "out.txt", "stages/", "pipeline.toml", "data/"];
    let is_named = told.contains(&root) || names.iter().any(|name| told.contains(name));
    assert!(is_named, "no path is named; {story}");
}

fn trials() -> Vec<Trial> {
    let finished = project();
    Orders::run(finished.root()).end().result();
    let edited = at(&finished);
    edited.edit("stages/mine.toml", "ore", "gold");
    let worn = at(&finished);
    fs::remove_dir_all(worn.path("outputs/blade")).unwrap();
    fs::remove_dir_all(worn.path("outputs/store/outcomes")).unwrap();
    worn.write("outputs/rows/stranger", "in the way");
    vec![
        Trial::new("first run", project()),
        Trial::new("after an edit", edited),
        Trial::new("no change", finished),
        Trial::new("after losses", worn),
    ]
}

#[test]
fn whatever_operation_fails_the_next_run_is_as_if_it_had_not() {
    let is_all = std::env::var("FAULTS").is_ok_and(|text| text == "all");
    let n_of_kind = (!is_all).then(|| asked("SAMPLE", SAMPLE) as usize);
    let mut orders = Vec::new();
    let trials = trials();
    for (index, trial) in trials.iter().enumerate() {
        for (turn, fault) in FAULTS.iter().enumerate() {
            let chosen = trial.chosen(n_of_kind, turn).into_iter();
            orders.extend(chosen.map(|at| (index, fault, format!("{at}{}:{}", fault.0, fault.1))));
        }
    }
    let hits = std::sync::Mutex::new(BTreeSet::new());
    let failures = std::sync::Mutex::new(Vec::new());
    let next = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let turn = next.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                    let Some((index, fault, order)) = orders.get(turn) else { return };
                    let hurt = std::panic::AssertUnwindSafe(|| trials[*index].hurt(order));
                    match std::panic::catch_unwind(hurt) {
                        Ok(kind) => drop(hits.lock().unwrap().insert((kind, *fault))),
                        Err(payload) => {
                            let text = payload.downcast_ref::<String>().cloned();
                            failures.lock().unwrap().push(text.unwrap_or_default());
                        }
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    let n_orders = orders.len();
    assert!(failures.is_empty(), "{} of {n_orders}: {}", failures.len(), failures.join("\n\n"));
    let hits = hits.into_inner().unwrap();
    for kind in OPERATIONS {
        for fault in &FAULTS {
            assert!(hits.contains(&(kind.to_owned(), fault)), "{kind} never met {fault:?}");
        }
    }
}

/// What touches the file system, and where it may stand besides in `files`: each asks for a fault
/// by itself.
const PAST_THE_SEAM: [(&str, &str); 12] = [
    ("fs::read", "data.rs"),
    ("fs::write", ""),
    ("fs::create_dir", ""),
    ("fs::remove", ""),
    ("fs::rename", ""),
    ("fs::copy", ""),
    ("fs::metadata", ""),
    ("fs::symlink_metadata", ""),
    (".metadata()", ""),
    ("File::open", ""),
    ("File::create", ""),
    ("OpenOptions::new", "exclusion.rs"),
];

/// Programs and what is around them are not the store's files, so that `command` is passed over.
#[test]
fn no_file_is_touched_past_the_seam() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    for entry in fs::read_dir(src).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() || name == "files.rs" {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
            let calls =
                PAST_THE_SEAM.iter().filter(|(call, place)| line.contains(call) && *place != name);
            found.extend(calls.map(|(call, _)| format!("{name}: {call}")));
        }
    }
    assert_eq!(found, Vec::<String>::new());
}
