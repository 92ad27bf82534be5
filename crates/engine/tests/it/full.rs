//! A disk that is full: the run says where, keeps what was finished, and goes on when there is
//! room.
//!
//! The disk is a small tmpfs in a mount namespace of its own, where the test starts itself again.

use std::fs;
use std::io::Write;
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
    let script = "mount -t tmpfs -o size=\"$1\" disk \"$2\" || exit 99; shift 2; exec \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", script, "sh"]);
    command.arg(DISK_BYTES.to_string()).arg(disk.path()).arg(std::env::current_exe().unwrap());
    command.args(["--exact", "full::on_a_small_disk", "--ignored", "--nocapture"]);
    let output = command.env("LAB_DISK", disk.path()).output().unwrap();
    let told = [output.stdout, output.stderr].map(|t| String::from_utf8_lossy(&t).into_owned());
    let told = told.concat();
    let cannot = output.status.code() == Some(99) || told.contains("unshare failed");
    if cannot && std::env::var_os("CI").is_none() {
        return;
    }
    assert!(output.status.success() && told.contains("1 passed"), "{told}");
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
