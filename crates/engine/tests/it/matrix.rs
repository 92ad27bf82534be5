//! Every damage to every file of a finished project: `run`, `verify` and `gc` name it and heal it.
//!
//! The files are found by walking, so that a new kind of file is tried without a word here.
//! `MATRIX=all` tries each file of each kind; otherwise one or two of each.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use engine::digest::Digest;
use engine::gc::{self, Policy};
use engine::lock::{Lock, LockedStage};
use engine::project::{OUTPUTS_DIR, Project};
use engine::verify;

use crate::lab::{Lab, flip, make_pipe, make_writable, tamper};
use crate::process::{OWN_PARTS, Orders, files_below, visible};
use crate::rights::is_done_without_rights;

type Damage = (&'static str, fn(&Path));

const DAMAGES: [Damage; 9] = [
    ("flipped", |path| if is_empty(path) { tamper(path, |b| b.push(1)) } else { flip(path) }),
    ("truncated", |path| tamper(path, |bytes| bytes.truncate(bytes.len() / 2))),
    ("emptied", |path| tamper(path, Vec::clear)),
    ("removed", |path| fs::remove_file(path).unwrap()),
    ("replaced by a directory", |path| {
        fs::remove_file(path).unwrap();
        fs::create_dir_all(path.join("inside")).unwrap();
    }),
    ("replaced by a dangling link", |path| {
        fs::remove_file(path).unwrap();
        std::os::unix::fs::symlink("/nowhere/at/all", path).unwrap();
    }),
    ("replaced by a pipe", |path| {
        fs::remove_file(path).unwrap();
        make_pipe(path);
    }),
    ("replaced by what never ends", |path| {
        fs::remove_file(path).unwrap();
        std::os::unix::fs::symlink("/dev/zero", path).unwrap();
    }),
    ("made unreadable", |path| {
        fs::set_permissions(path, fs::Permissions::from_mode(0o000)).unwrap();
    }),
];

fn is_empty(path: &Path) -> bool {
    fs::metadata(path).unwrap().len() == 0
}

/// A project with two runs, a conflict, a failure that was kept, and something set aside.
fn finished() -> Lab {
    let lab = Lab::diamond()
        .stage("t", "kind = \"tree\"\nparams.text = \"pq\"")
        .stage("tick", "kind = \"clock\"")
        .stage("last", "kind = \"lineage\"\ninputs.from = \"size.out\"");
    lab.run().expect("ran 7");
    lab.edit("stages/b.toml", "two", "three");
    flip(&lab.objects("a")[0]);
    lab.force(&["tick"]);
    lab.edit("stages/last.toml", "lineage", "fail");
    lab.run();
    lab.edit("stages/last.toml", "fail", "lineage");
    lab.run().expect("cached 7");
    lab
}

/// What a path is one of: the first parts of its name, without what digests and stages are called.
fn family(path: &Path) -> String {
    let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
    match &*parts[0] {
        "store" => parts[..2].join("/"),
        "runs" => format!("runs/{}", parts.last().unwrap()),
        own if OWN_PARTS.contains(&own) => own.to_owned(),
        _ => "STAGE".to_owned(),
    }
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

fn copy(lab: &Lab) -> Lab {
    let copy = Lab::new();
    copied(lab.root(), copy.root());
    copy
}

/// What a look at a damaged project gave.
struct Told {
    verify: String,
    collect: String,
}

/// `verify` and `gc --dry-run`, neither of which may panic.
fn look(lab: &Lab) -> Told {
    let open = || Project::open(lab.root(), Path::new(OUTPUTS_DIR), false);
    let told = panic::catch_unwind(AssertUnwindSafe(|| {
        let verify = open().and_then(|project| verify::verify(&project, &lab.load()?));
        let policy = Policy { keep_last: Some(1), is_dry: true, ..Policy::default() };
        let collect = open().and_then(|p| gc::collect(&p, &lab.load()?, policy, SystemTime::now()));
        Told {
            verify: match verify {
                Ok((findings, _)) => findings.iter().map(|f| format!("{}\n", f.message)).collect(),
                Err(error) => error.to_string(),
            },
            collect: collect.map_or_else(|error| error.to_string(), |freed| format!("{freed:?}")),
        }
    }));
    told.unwrap_or_else(|_| panic!("a look panicked"))
}

/// Where `verify` is silent, with the reason: what only saves time or is only for people.
const NEEDS_NO_NAME: [&str; 9] = [
    "store/stat",
    "store/witness",
    "store/locks",
    "store/quarantine",
    "store/scratch",
    "runs/last.json",
    "runs/observed.json",
    "failed",
    "store/observed",
];

/// The digest that a name in the store stands for.
fn digest_of(path: &Path) -> Option<Digest> {
    let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
    parts.get(2..4)?.concat().parse().ok()
}

/// Whether a look speaks of a path: by itself, by its digest, by the id of its run; a format by
/// its store.
fn is_named(told: &str, path: &Path) -> bool {
    let mut names = vec![path.display().to_string()];
    names.extend(digest_of(path).map(|digest| digest.short()));
    let run = path.iter().nth(1).map(|part| part.to_string_lossy().into_owned());
    match path.starts_with("runs") {
        true => {
            names.extend(run.iter().filter_map(|run| run.rsplit('-').next().map(str::to_owned)));
        }
        false => names.extend(path.ends_with("format").then(|| "outputs/store".to_owned())),
    }
    names.iter().any(|name| told.contains(name))
}

/// All digests of which the lock speaks.
fn needed(lab: &Lab) -> BTreeSet<Digest> {
    let lock = Lock::parse(&lab.read("pipeline.lock"), "pipeline.lock").unwrap();
    let of_stage =
        |stage: &LockedStage| stage.outputs.values().copied().chain([stage.key]).collect();
    lock.stages.values().flat_map(|stage| -> Vec<_> { of_stage(stage) }).collect()
}

fn try_one(template: &Lab, damage: &Damage, path: &Path, result: &str) -> Result<(), String> {
    let lab = copy(template);
    // The copies have other inodes, so that the first run only learns their signatures.
    let family = family(path);
    let place = lab.path(OUTPUTS_DIR).join(path);
    damage.1(&place);
    let story = format!("{} {}", path.display(), damage.0);
    let quiet = look(template).verify;
    let told = look(&lab);
    let is_gone = ["removed", "replaced by a dangling link"].contains(&damage.0);
    // A record or conflict that is gone was never there, and a format is written again.
    let is_never_missed =
        is_gone && ["store/conflicts", "runs/run.json", "store/format"].contains(&&*family);
    let was_empty = is_empty(&template.path(OUTPUTS_DIR).join(path));
    let is_same = was_empty && ["truncated", "emptied"].contains(&damage.0);
    let may_be_silent = NEEDS_NO_NAME.contains(&&*family) || is_same || is_never_missed;
    if !may_be_silent && (told.verify == quiet || !is_named(&told.verify, path)) {
        return Err(format!("{story}: verify does not name it: {}", told.verify));
    }
    let refused = family == "store/format" && !is_gone;
    let ended = Orders::run(lab.root()).end();
    if ended.text.contains("panicked") {
        return Err(format!("{story}: {}", ended.text));
    }
    if refused {
        let is_told = ended.code == Some(1) && ended.text.contains("outputs/store");
        return if is_told { Ok(()) } else { Err(format!("{story}: not refused: {}", ended.text)) };
    }
    // What cannot be locked is refused by its path: whoever has the lock is not known.
    if family == "store/locks" && ended.code == Some(1) {
        let is_named = ended.text.contains(&*place.to_string_lossy());
        return if is_named { Ok(()) } else { Err(format!("{story}: {}", ended.text)) };
    }
    if ended.code != Some(0) {
        return Err(format!("{story}: {}", ended.text));
    }
    if ended.result() != result {
        return Err(format!("{story}: another result"));
    }
    if visible(&lab) != visible(template) {
        return Err(format!("{story}: other outputs after a run"));
    }
    let needed = needed(template);
    let after = look(&lab);
    // What only an older run had is not computed again, nor is a record.
    let is_old = match &*family {
        "store/objects" | "store/outcomes" | "store/recipes" => {
            !needed.contains(&digest_of(path).unwrap())
        }
        family => ["store/conflicts", "runs/run.json"].contains(&family),
    };
    if after.verify != quiet && !is_old {
        return Err(format!("{story}: verify after a run says {}", after.verify));
    }
    let is_collected =
        ["Freed", "outputs/", "record of run"].iter().any(|w| after.collect.contains(w));
    if !is_collected {
        return Err(format!("{story}: gc says {}, and before {}", after.collect, told.collect));
    }
    no_harm_of_collecting(&lab, &after.verify).map_err(|harm| format!("{story}: {harm}"))
}

/// Collects for real; afterwards `verify` finds no more than before.
fn no_harm_of_collecting(lab: &Lab, before: &str) -> Result<(), String> {
    let project = Project::open(lab.root(), Path::new(OUTPUTS_DIR), false).unwrap();
    let policy = Policy::default();
    let collected = gc::collect(&project, &lab.load().unwrap(), policy, SystemTime::now());
    drop(project);
    let after = look(lab).verify;
    let is_new = |line: &str| !before.lines().any(|other| other == line);
    match after.lines().find(|line| is_new(line)) {
        Some(line) => Err(format!("{collected:?} did harm: {line}")),
        None => Ok(()),
    }
}

#[test]
fn every_damage_to_every_file_is_named_or_healed_and_stops_nothing() {
    let name = "matrix::every_damage_to_every_file_is_named_or_healed_and_stops_nothing";
    if is_done_without_rights(name) {
        return;
    }
    let lab = finished();
    let result = Orders::run(lab.root()).end().result();
    let is_all = std::env::var("MATRIX").is_ok_and(|text| text == "all");
    let mut of_family: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for path in files_below(&lab.path(OUTPUTS_DIR)) {
        of_family.entry(family(&path)).or_default().push(path);
    }
    for needed in ["STAGE", "failed", "runs/run.json", "store/conflicts", "store/quarantine"] {
        assert!(of_family.contains_key(needed), "no file of {needed}");
    }
    let mut wrong = Vec::new();
    for paths in of_family.values() {
        let n_paths = if is_all { paths.len() } else { 1 };
        for path in paths.iter().take(n_paths) {
            for damage in &DAMAGES {
                wrong.extend(try_one(&lab, damage, path, &result).err());
            }
        }
    }
    // Left for whoever cleans up.
    for path in files_below(lab.root()) {
        make_writable(&lab.root().join(path));
    }
    assert!(wrong.is_empty(), "{}: {}", wrong.len(), wrong.join("\n"));
}
