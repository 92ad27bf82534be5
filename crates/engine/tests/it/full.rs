//! A disk that is full: the run says where, keeps what was finished, and goes on when there is
//! room. And a store on a disk of its own: all that a run writes is flushed, wherever it is.
//!
//! The disk is a small tmpfs in a mount namespace of its own, where the test starts itself again.
//! Where nothing may be mounted it is passed over with a note, unless `CI` is set.

#![expect(clippy::print_stderr, reason = "a test that is passed over says so")]

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::lab::Lab;
use crate::process::{Orders, visible};

/// How much the disk holds.
const DISK_BYTES: usize = 2 << 20;
/// How much of it is free: enough for the first of the stages, not for all.
const FREE_BYTES: usize = 160 << 10;

fn project() -> Lab {
    let mut lab = Lab::new().stage("s0", "kind = \"dig\"\nparams.text = \"first\"");
    for i in 1..6 {
        let before = i - 1;
        let text =
            format!("kind = \"forge\"\nparams.text = \"{i}\"\ninputs.from = \"s{before}.out\"");
        lab = lab.stage(&format!("s{i}"), &text);
    }
    lab
}

#[test]
fn a_full_disk_is_told_and_the_run_goes_on_when_there_is_room() {
    let disk = tempfile::tempdir().unwrap();
    on_a_disk("full::on_a_small_disk", disk.path(), disk.path());
}

#[test]
fn what_is_written_is_flushed_on_every_disk_that_it_is_on() {
    for place in ["outputs/store", "outputs"] {
        let lab = project();
        fs::create_dir_all(lab.path(place)).unwrap();
        on_a_disk("full::on_two_disks", lab.root(), &lab.path(place));
    }
}

/// Starts an ignored test where a small disk is mounted at a place; `root` is the project's.
#[track_caller]
fn on_a_disk(test: &str, root: &Path, place: &Path) {
    let script = "mount -t tmpfs -o size=\"$1\" disk \"$2\" || exit 99; shift 2; exec \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", script, "sh"]);
    command.arg(DISK_BYTES.to_string()).arg(place).arg(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--ignored", "--nocapture"]);
    let output = command.env("LAB_DISK", root).env("LAB_PLACE", place).output().unwrap();
    let told = [output.stdout, output.stderr].map(|t| String::from_utf8_lossy(&t).into_owned());
    let told = told.concat();
    let cannot = output.status.code() == Some(99) || told.contains("unshare failed");
    if cannot && std::env::var_os("CI").is_none() {
        eprintln!("passed over, because nothing can be mounted: {told}");
        return;
    }
    assert!(output.status.success() && told.contains("1 passed"), "{told}");
}

/// What happens where the store, or all outputs, are on another disk than the rest of the project.
#[test]
#[ignore = "started by another test, where there is a second disk"]
fn on_two_disks() {
    let Some(root) = std::env::var_os("LAB_DISK").map(PathBuf::from) else { return };
    let place = PathBuf::from(std::env::var_os("LAB_PLACE").unwrap());
    let expected = Orders::run(project().root()).end().result();
    let device = |path: &str| fs::metadata(path).unwrap().dev();
    let here = device(&root.to_string_lossy());
    let there = device(&place.to_string_lossy());
    assert_ne!(here, there);
    let ended = Orders::run(&root).end();
    assert_eq!(ended.result(), expected);
    let flushed: BTreeSet<_> = ended.all_told("flushed").map(device).collect();
    assert_eq!(flushed, BTreeSet::from([here, there]), "{ended:?}");
    // Outputs are flushed before it is remembered what they are, the lock when it is written.
    let both: Vec<_> = ended.all_told("flushed").collect();
    let store = root.join("outputs/store");
    assert!(both.len() >= 3 && both[0] == store.to_string_lossy(), "{both:?}");
    assert_eq!(Orders::of("verify", &root).end().all_told("finding").count(), 0);
    let again = Orders::run(&root).end();
    assert_eq!((again.told("ran"), again.told("flushed")), (None, None), "{again:?}");
}

/// What happens on the disk that the environment names.
#[test]
#[ignore = "started by another test, where the disk is small"]
fn on_a_small_disk() {
    let Some(disk) = std::env::var_os("LAB_DISK").map(PathBuf::from) else { return };
    let alone = project();
    let expected = Orders::run(alone.root()).env("LAB_JOBS", "1").end().result();
    copy_sources(alone.root(), &disk);
    let ballast = disk.join("ballast");
    fs::write(&ballast, vec![1; DISK_BYTES - FREE_BYTES]).unwrap();

    let ended = Orders::run(&disk).env("LAB_JOBS", "1").end();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let told = ended.told("failed").unwrap();
    assert!(told.contains("No space left on device"), "{told}");
    assert!(told.contains(&*disk.to_string_lossy()) || told.contains("leaves/"), "{told}");
    assert!(told.contains("hint: make room and run again"), "{told}");

    fs::remove_file(&ballast).unwrap();
    let ended = Orders::run(&disk).env("LAB_JOBS", "1").end();
    assert_eq!(ended.result(), expected);
    assert!(!ended.text.contains("ran s0\n"), "what was finished runs again: {}", ended.text);
    assert!(ended.text.contains("ran s5"), "{}", ended.text);
    let stage = |path: &str| fs::read(disk.join("outputs").join(path)).unwrap();
    for (path, bytes) in visible(&alone) {
        assert_eq!(stage(&path.to_string_lossy()), bytes);
    }
}

/// The files that people write.
fn copy_sources(from: &Path, to: &Path) {
    fs::create_dir_all(to.join("stages")).unwrap();
    fs::copy(from.join("pipeline.toml"), to.join("pipeline.toml")).unwrap();
    for entry in fs::read_dir(from.join("stages")).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read(&path).unwrap();
        let place = to.join("stages").join(path.file_name().unwrap());
        fs::File::create(place).unwrap().write_all(&text).unwrap();
    }
}
