//! Every damage to every file of a finished project: `run`, `verify` and `gc` name it and heal it.
//!
//! The files are found by walking, so that a new kind of file is tried without a word here, and
//! each kind that FORMAT.md lists must be among them. `MATRIX=all` tries each file of each kind;
//! otherwise one of each.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use engine::digest::Digest;
use engine::error::Error;
use engine::gc::{self, Policy};
use engine::lock::{Lock, LockedStage};
use engine::project::{OUTPUTS_DIR, Project};
use engine::verify;

use crate::harm::try_all;
use crate::lab::{Lab, flip, make_pipe, make_writable, tamper};
use crate::process::{OWN_PARTS, Orders, copy, files_below, nothing_is_left, visible};
use crate::rights::is_done_without_rights;
use crate::scenes::{crammed, leave_rests, remember};

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

/// What a path is one of: the first parts of its name, without what digests and stages are called.
fn family(path: &Path) -> String {
    let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
    let is_log = parts.len() == 2 && parts[1].ends_with(".log");
    match &*parts[0] {
        "store" => parts[..2].join("/"),
        "runs" => format!("runs/{}", parts.last().unwrap()),
        "aliases" => if parts.len() == 2 { "aliases/NAME.json" } else { "aliases/NAME" }.to_owned(),
        "failed" => if is_log { "failed/STAGE.log" } else { "failed/STAGE" }.to_owned(),
        own if OWN_PARTS.contains(&own) => own.to_owned(),
        _ => "STAGE".to_owned(),
    }
}

/// The families that the page on the formats lists.
fn documented() -> BTreeSet<String> {
    let page = include_str!("../../../../docs/FORMAT.md");
    let tree = page.split("```").nth(1).unwrap();
    let lines = tree.lines().filter_map(|line| line.strip_prefix("  "));
    lines.map(|line| family(Path::new(line.split_whitespace().next().unwrap()))).collect()
}

/// Whether a file is there only because a process was killed.
fn is_rest(family: &str) -> bool {
    ["store/scratch", ".scratch", ".removed"].contains(&family)
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
const NEEDS_NO_NAME: [&str; 12] = [
    ".removed",
    ".scratch",
    "store/stat",
    "store/witness",
    "store/locks",
    "store/quarantine",
    "store/scratch",
    "runs/last.json",
    "runs/observed.json",
    "failed/STAGE",
    "failed/STAGE.log",
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

/// A file, and what is to be done to it.
struct Case<'a> {
    path: &'a Path,
    family: String,
    damage: &'a Damage,
}

impl Case<'_> {
    fn is_gone(&self) -> bool {
        ["removed", "replaced by a dangling link"].contains(&self.damage.0)
    }

    fn is(&self, families: &[&str]) -> bool {
        families.contains(&&*self.family)
    }

    /// Damages the file in a copy of the template, and goes on as a person would: looks, runs,
    /// verifies, runs again, collects.
    fn check(&self, template: &Template) {
        let lab = copy(&template.lab);
        remember(&lab);
        if is_rest(&self.family) {
            leave_rests(&lab);
        }
        self.damage.1(&lab.path(OUTPUTS_DIR).join(self.path));
        let story = format!("{} {}", self.path.display(), self.damage.0);
        let told = look(&lab);
        let is_told = told.verify != template.quiet && is_named(&told.verify, self.path);
        let is_silent = self.may_be_silent(template);
        assert!(is_told || is_silent, "{story}: verify does not name it: {}", told.verify);
        if self.is_refused(&lab, &story) {
            return;
        }
        for verb in ["recall", "verify", "recall"] {
            let ended = Orders::of(verb, lab.root()).end();
            assert!(!ended.text.contains("panicked"), "{story}: {}", ended.text);
            assert_eq!(ended.code, Some(0), "{story}: {verb}: {}", ended.text);
            if verb == "recall" {
                assert_eq!(ended.result(), template.result, "{story}: another result");
                assert!(visible(&lab) == template.visible, "{story}: other outputs after a run");
            }
        }
        let after = look(&lab);
        let is_quiet = after.verify == template.quiet || self.is_old(template);
        assert!(is_quiet, "{story}: verify after a run says {}", after.verify);
        let words = ["Freed", "outputs/", "record of run"];
        let is_collected = words.iter().any(|word| after.collect.contains(word));
        assert!(is_collected, "{story}: gc says {}, before {}", after.collect, told.collect);
        no_harm_of_collecting(&lab, &after.verify, &story);
    }

    /// Whether `verify` need not name it.
    fn may_be_silent(&self, template: &Template) -> bool {
        // A record, conflict or alias that is gone was never there, and a format is written again.
        let families = ["store/conflicts", "runs/run.json", "aliases/NAME.json", "store/format"];
        let is_never_missed = self.is_gone() && self.is(&families);
        let place = template.lab.path(OUTPUTS_DIR).join(self.path);
        let is_same =
            place.exists() && is_empty(&place) && ["truncated", "emptied"].contains(&self.damage.0);
        self.is(&NEEDS_NO_NAME) || is_same || is_never_missed
    }

    /// Whether a run is refused, as it must be in a store of an unknown format; by its path, since
    /// whoever has a lock that cannot be taken is not known.
    fn is_refused(&self, lab: &Lab, story: &str) -> bool {
        let must_be = self.is(&["store/format"]) && !self.is_gone();
        if !must_be && !self.is(&["store/locks"]) {
            return false;
        }
        let ended = Orders::run(lab.root()).end();
        if !must_be && ended.code == Some(0) {
            return false;
        }
        let expected = if must_be { "outputs/store" } else { &*self.path.to_string_lossy() };
        let is_told = !ended.text.contains("panicked") && ended.text.contains(expected);
        assert!(matches!(ended.code, Some(1 | 5)) && is_told, "{story}: {}", ended.text);
        true
    }

    /// What only an older run had is not computed again, nor is a record; what is in use under a
    /// name is laid out again by whoever promotes.
    fn is_old(&self, template: &Template) -> bool {
        match self.is(&["store/objects", "store/outcomes", "store/recipes"]) {
            true => !needed(&template.lab).contains(&digest_of(self.path).unwrap()),
            false => {
                let others = ["aliases/NAME.json", "aliases/NAME"];
                self.is(&["store/conflicts", "runs/run.json"]) || self.is(&others)
            }
        }
    }
}

/// A project that is whole.
struct Template {
    lab: Lab,
    result: String,
    visible: Vec<(PathBuf, Vec<u8>)>,
    /// What `verify` says of it.
    quiet: String,
}

/// Collects for real; afterwards `verify` finds no more than before.
fn no_harm_of_collecting(lab: &Lab, before: &str, story: &str) {
    let project = Project::open(lab.root(), Path::new(OUTPUTS_DIR), false).unwrap();
    let policy = Policy::default();
    let graph = lab.load().unwrap();
    // A process that another thread starts has what this one has locked, until it begins to run.
    let mut tries = (0..1000).map(|_| {
        std::thread::sleep(Duration::from_millis(1));
        gc::collect(&project, &graph, policy, SystemTime::now())
    });
    let collected = tries.find(|collected| !matches!(collected, Err(Error::Busy(_)))).unwrap();
    let is_refused = collected.is_err();
    drop(project);
    let after = look(lab).verify;
    let is_new = |line: &&str| !before.lines().any(|other| other == *line);
    let harm: Vec<_> = after.lines().filter(is_new).collect();
    assert!(harm.is_empty(), "{story}: {collected:?} did harm: {harm:?}");
    if !is_refused {
        nothing_is_left(lab, story);
    }
}

#[test]
fn every_damage_to_every_file_is_named_or_healed_and_stops_nothing() {
    let name = "matrix::every_damage_to_every_file_is_named_or_healed_and_stops_nothing";
    if is_done_without_rights(name) {
        return;
    }
    let lab = crammed();
    let template = Template {
        result: Orders::run(lab.root()).end().result(),
        visible: visible(&lab),
        quiet: look(&lab).verify,
        lab,
    };
    let with_rests = copy(&template.lab);
    leave_rests(&with_rests);
    let is_all = std::env::var("MATRIX").is_ok_and(|text| text == "all");
    let mut of_family: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for path in files_below(&with_rests.path(OUTPUTS_DIR)) {
        of_family.entry(family(&path)).or_default().push(path);
    }
    // A new kind of file is written down, and one that is written down is met here.
    assert_eq!(of_family.keys().cloned().collect::<BTreeSet<_>>(), documented());
    let mut cases = Vec::new();
    for (family, paths) in &of_family {
        for path in paths.iter().take(if is_all { paths.len() } else { 1 }) {
            let case = |damage| Case { path, family: family.clone(), damage };
            cases.extend(DAMAGES.iter().map(case));
        }
    }
    let wrong = try_all(&cases, |case| case.check(&template));
    // Left for whoever cleans up.
    for path in files_below(template.lab.root()) {
        make_writable(&template.lab.root().join(path));
    }
    assert!(wrong.is_empty(), "{} of {}: {}", wrong.len(), cases.len(), wrong.join("\n"));
}
