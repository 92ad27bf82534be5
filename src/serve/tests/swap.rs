//! Tests of swaps: another package takes over at once or not at all, and nobody sees two.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{GOOD, Service, json_of};
use crate::ml::package::Package;
use crate::ml::package::tests::{
    small_files_of, small_number_package, small_package, small_package_of,
};
use crate::serve::follow::{Found, Look};
use crate::serve::state::{Options, State};
use crate::serve::{Follow, News, Source};

/// A directory whose bytes may be replaced, of which nobody is told.
pub(super) struct Directory(pub(super) PathBuf);

impl Source for Directory {
    fn pointer(&self) -> Option<&Path> {
        None
    }

    fn package(&self) -> Result<PathBuf, String> {
        Ok(self.0.clone())
    }

    fn tell(&self, _: &News<'_>) {}
}

/// A file that names a directory, and all that was told.
struct Named {
    pointer: PathBuf,
    told: Arc<Mutex<Vec<String>>>,
}

impl Source for Named {
    fn pointer(&self) -> Option<&Path> {
        Some(&self.pointer)
    }

    fn package(&self) -> Result<PathBuf, String> {
        let named = fs::read_to_string(&self.pointer).map_err(|_| "no name".to_owned())?;
        Ok(named.into())
    }

    fn tell(&self, news: &News<'_>) {
        self.told.lock().unwrap().push(match news {
            News::Swapped { from, to } => format!("{from} {to}"),
            News::Kept { reason, .. } => (*reason).to_owned(),
            News::Looked => "looked".to_owned(),
        });
    }
}

/// A service that follows the name in a file.
struct Following {
    service: Service,
    dir: TempDir,
    told: Arc<Mutex<Vec<String>>>,
}

impl Following {
    fn over(package: &TempDir) -> Following {
        let dir = tempfile::tempdir().unwrap();
        let (pointer, told) = (dir.path().join("name"), Arc::<Mutex<Vec<String>>>::default());
        fs::write(&pointer, package.path().to_str().unwrap()).unwrap();
        let follow = Follow::new(Named { pointer, told: Arc::clone(&told) });
        let at = follow.dir().unwrap();
        let loaded = Package::load(&at).unwrap();
        let state = Arc::new(State::new(loaded, at, Some(follow), Options::default()));
        let service = Service { state, _dir: tempfile::tempdir().unwrap() };
        Following { service, dir, told }
    }

    /// Names another directory, as an alias does: by a file that takes the place of the last one.
    fn name(&self, package: &Path) {
        let new = self.dir.path().join("new");
        fs::write(&new, package.to_str().unwrap()).unwrap();
        fs::rename(&new, self.dir.path().join("name")).unwrap();
    }

    fn look(&self, look: Look) -> Found {
        self.service.state.follow.as_ref().unwrap().look(&self.service.state, look)
    }

    fn version(&self) -> String {
        self.service.state.served().version().to_owned()
    }

    fn told(&self) -> Vec<String> {
        std::mem::take(&mut self.told.lock().unwrap())
    }

    fn health(&self) -> (u16, Value) {
        let response = self.service.get("/health");
        (response.status().as_u16(), json_of(&response))
    }

    fn metrics(&self) -> String {
        crate::serve::exposition::write(&self.service.state)
    }
}

fn swapped(from: &str, to: &str) -> Found {
    Found::Swapped { from: from.to_owned(), to: to.to_owned() }
}

fn version_of(dir: &TempDir) -> String {
    Package::load(dir.path()).unwrap().version().to_owned()
}

#[test]
fn a_package_of_another_task_is_not_taken_up_and_health_says_why() {
    let (classes, numbers) = (small_package(), small_number_package());
    for (first, other, told) in [
        (&classes, &numbers, "it predicts a number, and this service one of two classes"),
        (&numbers, &classes, "it predicts one of two classes, and this service a number"),
    ] {
        let following = Following::over(first);
        let (_, answer) = following.service.post(GOOD);
        following.name(other.path());
        let Found::Kept(reason) = following.look(Look::Routine) else { panic!("swapped") };
        assert_eq!(reason, format!("{told}: start another service for it"));
        assert_eq!(following.service.post(GOOD), (200, answer), "the answers keep their shape");
        let (status, health) = following.health();
        assert_eq!((status, &health["checks"]["package:swap"][0]["status"]), (200, &json!("warn")));
        assert_eq!(health["checks"]["package:swap"][0]["output"], reason);
        assert!(following.metrics().contains("model_swaps_total{outcome=\"failed\"} 1\n"));
        // Another one of its own task is taken up as ever.
        following.name(first.path());
        assert_eq!(following.look(Look::Routine), Found::Same);
        assert_eq!(following.health().1["checks"]["package:swap"][0]["status"], "pass");
    }
}

#[test]
fn another_package_answers_and_counts_for_itself() {
    let (a, b) = (small_package(), small_package_of(2.5));
    let following = Following::over(&a);
    let [of_a, of_b] = [&a, &b].map(version_of);
    assert_eq!(following.look(Look::Routine), Found::Same);
    let (_, first) = following.service.post(GOOD);
    following.name(b.path());
    // A request that has begun ends with what it began with.
    let begun = following.service.state.served();
    assert_eq!(following.look(Look::Routine), swapped(&of_a, &of_b));
    assert_eq!((begun.version(), following.version()), (&*of_a, of_b.clone()));
    let (status, second) = following.service.post(GOOD);
    assert_eq!((status, &second["model_version"]), (200, &json!(of_b)));
    assert_ne!(first["probability"], second["probability"]);
    assert_eq!(following.look(Look::Routine), Found::Same);
    assert_eq!(following.told(), [format!("{of_a} {of_b}")]);
    let metrics = following.metrics();
    for line in [
        format!("predictions_total{{model_version=\"{of_a}\",class=\"false\"}} 1\n"),
        format!("predictions_total{{model_version=\"{of_b}\",class=\"true\"}} 1\n"),
        format!("model_info{{version=\"{of_b}\",learner=\"logistic_regression\"}} 1\n"),
        "model_swaps_total{outcome=\"done\"} 1\n".to_owned(),
    ] {
        assert!(metrics.contains(&line), "{line}{metrics}");
    }
    assert_eq!(metrics.matches("model_info{").count(), 1);
    // And back: a rollback goes on counting where that version stopped.
    following.name(a.path());
    assert_eq!(following.look(Look::Routine), swapped(&of_b, &of_a));
    following.service.post(GOOD);
    let line = format!("predictions_total{{model_version=\"{of_a}\",class=\"false\"}} 2\n");
    assert!(following.metrics().contains(&line));
}

#[test]
fn what_is_damaged_never_answers_is_told_once_and_is_taken_up_once_it_is_whole() {
    let (a, b) = (small_package(), small_package_of(2.5));
    let following = Following::over(&a);
    let of_a = version_of(&a);
    let model = b.path().join("model.json");
    let kept = fs::read(&model).unwrap();
    let mut altered = kept.clone();
    altered[40] ^= 1;
    fs::write(&model, &altered).unwrap();
    following.name(b.path());
    let Found::Kept(reason) = following.look(Look::Routine) else { panic!("it was taken up") };
    assert!(reason.contains("model.json") && !reason.contains('/'), "{reason}");
    // Not told before a second look finds the same: a copy may still be under way.
    assert!(following.told().is_empty());
    for _ in 0..3 {
        following.look(Look::Probe);
        following.look(Look::Routine);
    }
    assert_eq!(following.told(), std::slice::from_ref(&reason));
    assert_eq!(following.look(Look::Asked), Found::Kept(reason.clone()));
    assert_eq!(following.told(), std::slice::from_ref(&reason), "whoever asks is told again");
    // The one that answers is as good as before, and health says both.
    let (status, health) = following.health();
    assert_eq!((status, &health["model_version"]), (200, &json!(of_a)), "{health}");
    let swap = &health["checks"]["package:swap"][0];
    assert_eq!((&swap["status"], &swap["output"]), (&json!("warn"), &json!(reason)));
    assert!(following.metrics().contains("model_swaps_total{outcome=\"failed\"} 2\n"));
    // Both attempts were real ones: the looks between them loaded nothing.
    fs::write(&model, &kept).unwrap();
    assert_eq!(following.look(Look::Routine), swapped(&of_a, &version_of(&b)));
    let (_, health) = following.health();
    assert_eq!(health["checks"]["package:swap"][0], json!({"status": "pass"}));
}

#[test]
fn a_name_that_leads_nowhere_leaves_everything_as_it_was() {
    let a = small_package();
    let following = Following::over(&a);
    fs::remove_file(following.dir.path().join("name")).unwrap();
    assert_eq!(following.look(Look::Routine), Found::Kept("no name".to_owned()));
    following.name(Path::new("/nowhere"));
    let missing = Found::Kept("package file 'package.json' is missing".to_owned());
    assert_eq!(following.look(Look::Routine), missing);
    assert_eq!((following.health().0, following.version()), (200, version_of(&a)));
    following.name(a.path());
    assert_eq!(following.look(Look::Routine), Found::Same);
    assert_eq!(following.health().1["checks"]["package:swap"][0]["status"], "pass");
}

#[test]
fn a_probe_of_a_replaced_directory_finds_the_new_package_and_no_damage() {
    let a = small_package();
    let dir = tempfile::tempdir().unwrap();
    let served = dir.path().join("package");
    fs::rename(a.path(), &served).unwrap();
    let of_a = Package::load(&served).unwrap().version().to_owned();
    let follow = Follow::new(Directory(served.clone()));
    let at = follow.dir().unwrap();
    let package = Package::load(&at).unwrap();
    let state = Arc::new(State::new(package, at, Some(follow), Options::default()));
    let service = Service { state, _dir: dir };
    let ready = || {
        let response = service.get("/health/ready");
        let version = json_of(&response)["model_version"].as_str().unwrap().to_owned();
        (response.status().as_u16(), version)
    };
    assert_eq!(ready(), (200, of_a.clone()));
    // Nobody has looked between the replacement and the probe.
    let b = small_package_of(2.5);
    let of_b = version_of(&b);
    fs::rename(&served, served.with_extension("old")).unwrap();
    fs::rename(b.path(), &served).unwrap();
    assert_eq!(ready(), (200, of_b.clone()));
    // What is damaged in place is damage: nothing could be started from it.
    let model = served.join("model.json");
    let bytes = fs::read(&model).unwrap();
    fs::write(&model, &small_files_of(0.0)["model.json"]).unwrap();
    assert_eq!(ready(), (503, of_b.clone()));
    fs::write(&model, &bytes).unwrap();
    assert_eq!(ready(), (200, of_b));
}

#[test]
fn a_link_that_leads_elsewhere_is_followed_and_the_old_one_stays_whole_until_then() {
    let (a, b) = (small_package(), small_package_of(2.5));
    let dir = tempfile::tempdir().unwrap();
    let link = dir.path().join("current");
    let lead = |to: &Path| {
        let new = dir.path().join("new");
        std::os::unix::fs::symlink(to, &new).unwrap();
        fs::rename(&new, &link).unwrap();
    };
    lead(a.path());
    let follow = Follow::new(Directory(link.clone()));
    let at = follow.dir().unwrap();
    let package = Package::load(&at).unwrap();
    let state = State::new(package, at, Some(follow), Options::default());
    let follow = state.follow.as_ref().unwrap();
    fs::remove_file(b.path().join("model.json")).unwrap();
    lead(b.path());
    assert!(matches!(follow.look(&state, Look::Routine), Found::Kept(_)));
    assert!(crate::serve::health::Report::of(&state).is_pass());
    fs::write(b.path().join("model.json"), &small_files_of(2.5)["model.json"]).unwrap();
    assert_eq!(follow.look(&state, Look::Routine), swapped(&version_of(&a), &version_of(&b)));
}
