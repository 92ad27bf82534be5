//! A disk that is full: the binary says where and what to do, and goes on when there is room.
//!
//! The disk is a small tmpfs in a mount namespace of its own, where the test starts itself again.
//! Where nothing may be mounted it is passed over with a note, unless `CI` is set.

#![expect(clippy::print_stderr, reason = "a test that is passed over says so")]

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::lab::Lab;

/// Set for the test that was started again.
const INSIDE: &str = "LAB_INSIDE";
/// How much the disk holds.
const DISK_KIB: usize = 4096;
/// How much each stage writes: once for the store, once for people.
const STAGE_KIB: usize = 300;

#[test]
fn a_full_disk_is_told_with_what_to_do_and_the_run_goes_on_when_there_is_room() {
    if let Err(told) = started_again("disk::on_a_small_disk") {
        eprintln!("passed over, because nothing can be mounted: {told}");
    }
}

/// Runs an ignored test of this binary where it may mount something, and asserts that it passes.
/// Where nothing may be mounted it says what it was told, which in CI is a failure.
pub(crate) fn started_again(test: &str) -> Result<(), String> {
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount"]).arg(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--ignored", "--nocapture"]);
    let output = command.env(INSIDE, "1").output();
    let told = output.map_or_else(
        |error| format!("unshare failed: {error}"),
        |output| {
            let texts = [output.stdout, output.stderr];
            texts.map(|text| String::from_utf8_lossy(&text).into_owned()).concat()
        },
    );
    let cannot = told.contains("unshare failed") || told.contains("cannot mount");
    if cannot && std::env::var_os("CI").is_none() {
        return Err(told);
    }
    assert!(told.contains("1 passed"), "{told}");
    Ok(())
}

/// Whether this is the test that was started again.
pub(crate) fn is_inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// Two programs that write the same amount.
fn project(lab: &Lab) {
    lab.write("pipeline.toml", "name = \"d\"\nstages = [\"a\", \"b\"]\n");
    for (name, more) in [("a", ""), ("b", "after = [\"a\"]\n")] {
        let script = format!("head -c {STAGE_KIB}k /dev/zero | tr '\\000' {name} > {{out}}");
        let text = format!(
            "kind = \"command\"\n{more}[params]\ntools = [\"head\", \"tr\"]\n\
             shell = '''{script}'''\noutputs.out = \"out.txt\"\n"
        );
        lab.write(&format!("stages/{name}.toml"), &text);
    }
}

/// Lays a disk of its own over a directory.
pub(crate) fn mount(dir: &Path, kib: usize) {
    let size = format!("size={kib}k");
    let mounted =
        Command::new("mount").args(["-t", "tmpfs", "-o", &size, "disk"]).arg(dir).status();
    assert!(mounted.is_ok_and(|status| status.success()), "cannot mount");
}

/// Leaves so much of the disk free.
fn fill(lab: &Lab, free_kib: usize) {
    let stat = Command::new("df").args(["--output=avail", "-k"]).arg(lab.path("")).output();
    let text = String::from_utf8(stat.unwrap().stdout).unwrap();
    let available: usize = text.lines().last().unwrap().trim().parse().unwrap();
    fs::write(lab.path("ballast"), vec![1; (available - free_kib) << 10]).unwrap();
}

/// What happens where the disk is small.
#[test]
#[ignore = "started by another test, where something can be mounted"]
fn on_a_small_disk() {
    if !is_inside() {
        return;
    }
    let roomy = Lab::empty();
    project(&roomy);
    let expected = roomy.result(&[]);
    let lab = Lab::empty();
    mount(&lab.path(""), DISK_KIB);
    project(&lab);
    // Nothing at all, less than the first stage writes, less than it takes twice, less than both.
    for (free_kib, is_a_done) in [(0, false), (150, false), (450, false), (1000, true)] {
        fill(&lab, free_kib);
        let ended = lab.call(&["run"]).expect(1).tells("No space left on device");
        let told = format!("{}{}", ended.out, ended.err);
        assert!(!told.contains("panicked"), "{told}");
        // What a program could not write it says itself, and its stage is named.
        let is_named = told.contains("outputs/") || told.contains("stdout");
        assert!(is_named, "with {free_kib} KiB: {told}");
        if free_kib == 0 || is_a_done {
            lab.call(&["run"]).expect(1).tells("hint: make room and run again");
        }
        // Whatever cannot be written, what is not needed can be removed.
        lab.call(&["gc"]).expect(0);
        fs::remove_file(lab.path("ballast")).unwrap();
        let executed = lab.executed(&[]);
        assert_eq!(executed.contains(&"a".to_owned()), !is_a_done, "{free_kib}: {executed:?}");
        assert_eq!(lab.result(&[]), expected, "with {free_kib} KiB");
        lab.call(&["verify"]).expect(0);
        fs::remove_dir_all(lab.path("outputs")).unwrap();
        fs::remove_file(lab.path("pipeline.lock")).unwrap();
    }
}
