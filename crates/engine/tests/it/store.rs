//! Opening a store in whatever state it was left.

use std::fs;

use engine::error::{Error, ExitCode};
use engine::store::Store;

use crate::lab::Lab;

#[test]
fn a_store_opens_wherever_it_can_be_made() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("deep/store");
    let store = Store::open(&root, false).unwrap();
    assert!(!root.exists(), "it is made when something is written to it");
    store.room().unwrap();
    assert_eq!(fs::read_to_string(root.join("format")).unwrap(), "1");
    Store::open(&root, false).unwrap();
}

#[test]
fn a_half_made_store_is_completed() {
    for missing in ["format", "objects", "recipes", "outcomes", "scratch", "locks", "stat"] {
        let lab = Lab::diamond();
        lab.run();
        let path = lab.path("outputs/store").join(missing);
        if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.unwrap();
        let ran = lab.run();
        assert!(ran.reports.iter().all(|report| report.outcome().is_some()), "{missing}");
        lab.verify_clean();
    }
}

#[test]
fn a_store_of_another_layout_is_refused_with_a_way_out() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("format"), "2\n").unwrap();
    let error = Store::open(dir.path(), false).unwrap_err();
    assert_eq!(error.exit_code(), ExitCode::Corrupt);
    assert!(error.to_string().contains("remove the directory to compute everything again"));
}

#[test]
fn a_store_where_a_file_stands_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("store");
    fs::write(&root, "a file").unwrap();
    assert!(matches!(Store::open(&root, false), Err(Error::Io { .. })));
    assert_eq!(fs::read_to_string(root).unwrap(), "a file");
}

#[test]
fn a_store_that_cannot_be_written_can_be_read() {
    let lab = Lab::diamond();
    lab.run();
    let key = lab.key("a");
    // A file where the scratch directories go stands for a read-only directory, which root ignores.
    let scratch = lab.path("outputs/store/scratch");
    fs::remove_dir_all(&scratch).unwrap();
    fs::write(&scratch, "").unwrap();
    assert!(lab.project().store.lookup(&key).is_ok());
    lab.verify_clean();
    lab.run().expect("cached 4");
    lab.edit("stages/a.toml", "one", "uno");
    let ran = lab.run();
    let failure = &ran.failure("a").message;
    assert!(failure.starts_with("cannot write in "), "{failure}");
}

#[test]
fn what_a_killed_run_left_is_removed_by_the_next() {
    let lab = Lab::diamond();
    lab.run();
    lab.write("outputs/store/scratch/sAbCdEf/out/half.txt", "half");
    let mine = lab.project();
    let held = mine.store.scratch().unwrap();
    lab.run().expect("cached 4");
    assert!(held.path().exists());
    assert!(!lab.path("outputs/store/scratch/sAbCdEf").exists());
    drop(held);
    drop(mine);
    assert_eq!(fs::read_dir(lab.path("outputs/store/scratch")).unwrap().count(), 0);
}

#[test]
fn nothing_temporary_is_left_behind() {
    let lab = Lab::diamond().stage("bad", "kind = \"fail\"").stage("p", "kind = \"panic\"");
    lab.run();
    let is_temporary = |path: &&std::path::PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        name.starts_with('.') || name.contains("tmp") || path.parent().unwrap().ends_with("scratch")
    };
    let listing = lab.listing();
    let left: Vec<_> = listing.keys().filter(is_temporary).collect();
    assert_eq!(left, Vec::<&std::path::PathBuf>::new());
}

#[test]
fn a_paranoid_store_believes_no_signature() {
    let lab = Lab::diamond();
    lab.run();
    let object = lab.objects("a").remove(0);
    let root = lab.path("outputs/store");
    let store = Store::open(&root, true).unwrap();
    let modified = fs::metadata(&object).unwrap().modified().unwrap();
    crate::lab::make_writable(&object);
    fs::write(&object, "eno").unwrap();
    let file = fs::File::options().write(true).open(&object).unwrap();
    file.set_modified(modified).unwrap();
    assert!(store.examine(&lab.key("a")).is_err());
    assert!(object.exists());
    assert!(store.lookup(&lab.key("a")).is_err());
    assert!(!object.exists());
}
