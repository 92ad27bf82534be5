//! Every file operation of a run fails once, in every way: a run ends with a report that says
//! where, and the next one gives what an undisturbed one does.
//!
//! `FAULTS=all` tries every operation with every fault; otherwise it is a sample.

use std::collections::BTreeMap;
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

/// How many operations of a run are tried unless the environment asks for all.
const SAMPLE: u64 = 40;

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
    n_operations: u64,
}

impl Trial {
    fn new(name: &'static str, lab: Lab) -> Trial {
        let before = visible(&lab).into_iter().collect();
        let copy = at(&lab);
        let ended = one_by_one(&copy).end();
        let n_operations = ended.told("operations").unwrap().parse().unwrap();
        let after = visible(&copy).into_iter().collect();
        Trial { name, result: ended.result(), lab, before, after, n_operations }
    }

    /// Has one operation fail, looks at what is there then, and runs it again.
    fn hurt(&self, order: &str) {
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
    let sample = asked("SAMPLE", SAMPLE);
    let mut orders = Vec::new();
    let trials = trials();
    for (index, trial) in trials.iter().enumerate() {
        let step = if is_all { 1 } else { (trial.n_operations / sample).max(1) };
        for at in (0..trial.n_operations).step_by(step as usize) {
            for (turn, (lasting, fault)) in FAULTS.iter().enumerate() {
                // Of a sample, two faults for each operation, turn by turn.
                if is_all || (at / step) as usize % 3 == turn % 3 {
                    orders.push((index, format!("{at}{lasting}:{fault}")));
                }
            }
        }
    }
    let failures = std::sync::Mutex::new(Vec::new());
    let next = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let turn = next.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                    let Some((index, order)) = orders.get(turn) else { return };
                    let hurt = std::panic::AssertUnwindSafe(|| trials[*index].hurt(order));
                    if let Err(payload) = std::panic::catch_unwind(hurt) {
                        let text = payload.downcast_ref::<String>().cloned().unwrap_or_default();
                        failures.lock().unwrap().push(text);
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    let n_orders = orders.len();
    assert!(failures.is_empty(), "{} of {n_orders}: {}", failures.len(), failures.join("\n\n"));
}
