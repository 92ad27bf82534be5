//! Tests of the files of a journal: their bounds, and what a kill or a fault leaves.

use std::os::unix::fs::PermissionsExt;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

fn bounds(dir: &TempDir, max_bytes: u64, keep: usize) -> Bounds {
    Bounds { dir: dir.path().join("log"), stem: "lines", max_bytes, keep }
}

fn files(bounds: &Bounds) -> Vec<(u64, String)> {
    let found = numbered(&bounds.dir, bounds.stem).unwrap();
    found.into_iter().map(|(n, path)| (n, fs::read_to_string(path).unwrap())).collect()
}

fn path(bounds: &Bounds, number: u64) -> PathBuf {
    bounds.dir.join(format!("lines-{number:08}.jsonl"))
}

proptest! {
    #[test]
    fn files_are_bounded_and_their_lines_are_the_last_ones_in_order(
        lens in prop::collection::vec(0..40_usize, 1..60), at_once in 1..7_usize,
    ) {
        let dir = TempDir::new().unwrap();
        let bounds = bounds(&dir, 64, 3);
        let lines: Vec<String> =
            lens.iter().enumerate().map(|(i, len)| format!("{i}:{}\n", "x".repeat(*len))).collect();
        let mut written = 0;
        for some in lines.chunks(at_once) {
            // Sometimes the process is another one.
            let mut rotating = Rotating::open(bounds.clone()).unwrap();
            let told = rotating.write(some.concat().as_bytes());
            prop_assert_eq!(told.fault, None);
            written += told.lines;
            rotating.flush().unwrap();
        }
        prop_assert_eq!(written, lines.len() as u64);
        let files = files(&bounds);
        prop_assert!(files.len() <= 3);
        prop_assert!(files.iter().all(|(_, text)| text.len() <= 64), "{:?}", files);
        let numbers: Vec<u64> = files.iter().map(|(number, _)| *number).collect();
        prop_assert!(numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{:?}", numbers);
        let kept: String = files.into_iter().map(|(_, text)| text).collect();
        prop_assert!(lines.concat().ends_with(&kept));
        prop_assert!(kept.len() > 64 || numbers == [1] || written < 6);
    }
}

#[test]
fn a_line_that_no_file_can_hold_is_left_out_and_the_others_are_not() {
    let dir = TempDir::new().unwrap();
    let bounds = bounds(&dir, 10, 2);
    let mut rotating = Rotating::open(bounds.clone()).unwrap();
    let told = rotating.write(b"a\n0123456789\n012345678\nb\n");
    assert_eq!((told.lines, told.fault), (3, None));
    let expected = [(2, "012345678\n".to_owned()), (3, "b\n".to_owned())];
    assert_eq!(files(&bounds), expected);
}

#[test]
fn nothing_is_added_to_a_line_that_was_cut_off() {
    let dir = TempDir::new().unwrap();
    let bounds = bounds(&dir, 100, 2);
    drop(Rotating::open(bounds.clone()).unwrap());
    fs::write(path(&bounds, 1), "whole\nto").unwrap();
    let mut rotating = Rotating::open(bounds.clone()).unwrap();
    assert_eq!(files(&bounds), [(1, "whole\nto".to_owned())], "nothing yet");
    assert_eq!(rotating.write(b"next\nlast\n").lines, 2);
    assert_eq!(files(&bounds), [(1, "whole\nto\nnext\nlast\n".to_owned())]);
}

#[test]
fn one_writes_at_a_time_and_whoever_died_does_not_count() {
    let dir = TempDir::new().unwrap();
    let bounds = bounds(&dir, 100, 2);
    let first = Rotating::open(bounds.clone()).unwrap();
    assert!(matches!(Rotating::open(bounds.clone()), Err(Unopened::Busy)));
    drop(first);
    assert!(Rotating::open(bounds).is_ok());
}

#[test]
fn what_is_written_is_for_its_owner_alone() {
    let dir = TempDir::new().unwrap();
    let bounds = bounds(&dir, 100, 2);
    drop(Rotating::open(bounds.clone()).unwrap());
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&bounds.dir), mode(&path(&bounds, 1))), (0o700, 0o600));
}

#[test]
fn a_file_that_somebody_took_away_is_followed_by_another() {
    let dir = TempDir::new().unwrap();
    let bounds = bounds(&dir, 100, 2);
    let mut rotating = Rotating::open(bounds.clone()).unwrap();
    rotating.write(b"a\n");
    fs::rename(path(&bounds, 1), dir.path().join("archive")).unwrap();
    rotating.flush().unwrap();
    rotating.write(b"b\n");
    assert_eq!(files(&bounds), [(2, "b\n".to_owned())]);
    fs::remove_dir_all(&bounds.dir).unwrap();
    rotating.flush().unwrap();
    let told = rotating.write(b"c\n");
    assert_eq!(told.lines, 0);
    assert!(told.fault.unwrap().contains("No such file"));
    fs::create_dir(&bounds.dir).unwrap();
    assert_eq!(rotating.write(b"d\n").lines, 1);
    assert_eq!(files(&bounds), [(3, "d\n".to_owned())]);
}

#[test]
fn other_files_of_the_directory_are_none_of_its_business() {
    let dir = TempDir::new().unwrap();
    let bounds = bounds(&dir, 8, 1);
    let mut rotating = Rotating::open(bounds.clone()).unwrap();
    let others = ["lines-1.jsonl.gz", "lines-x.jsonl", "other-00000001.jsonl", "lines.jsonl"];
    others.iter().for_each(|name| fs::write(bounds.dir.join(name), "mine").unwrap());
    for line in ["first\n", "second\n", "third\n"] {
        assert_eq!(rotating.write(line.as_bytes()).lines, 1);
    }
    assert_eq!(files(&bounds), [(3, "third\n".to_owned())]);
    assert!(others.iter().all(|name| bounds.dir.join(name).exists()));
}
