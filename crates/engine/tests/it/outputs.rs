//! `outputs/STAGE/` is an exact copy of what the stage yielded, and nothing done there goes deeper.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::lab::{Lab, flip, make_writable};

fn ran() -> Lab {
    let lab = Lab::diamond().stage("t", "kind = \"tree\"\nparams.text = \"xy\"");
    lab.run().expect("ran 5");
    lab
}

#[track_caller]
fn is_restored(lab: &Lab) {
    lab.run().expect("cached 5");
    assert_eq!(lab.read("outputs/size/n/count.txt"), "6");
    assert_eq!(lab.read("outputs/t/leaves/x/leaf"), "x");
    assert_eq!(fs::read_dir(lab.path("outputs/size")).unwrap().count(), 1);
    assert_eq!(fs::read_dir(lab.path("outputs/t/leaves")).unwrap().count(), 2);
    lab.verify_clean();
}

#[test]
fn an_edited_output_is_restored_and_the_store_never_sees_the_edit() {
    let lab = ran();
    flip(&lab.path("outputs/size/n/count.txt"));
    let found = lab.verify();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].message, "`outputs/size/n/count.txt` is not what the lock says");
    assert_eq!(found[0].code, 5);
    is_restored(&lab);
}

#[test]
fn a_removed_output_is_restored() {
    let lab = ran();
    fs::remove_file(lab.path("outputs/t/leaves/x/leaf")).unwrap();
    fs::remove_dir_all(lab.path("outputs/size")).unwrap();
    assert!(lab.verify().iter().all(|finding| finding.code == 4));
    is_restored(&lab);
}

#[test]
fn a_stale_file_is_removed() {
    let lab = ran();
    lab.write("outputs/size/old/deep.txt", "stale");
    lab.write("outputs/t/leaves/z/leaf", "stale");
    is_restored(&lab);
}

#[test]
fn a_stranger_among_the_outputs_is_named() {
    let lab = ran();
    lab.write("outputs/t/leaves/x/mine.txt", "mine");
    let found = lab.verify();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].message, "`outputs/t/leaves/x/mine.txt` is no output of stage `t`");
    assert_eq!(found[0].code, 3);
    is_restored(&lab);
}

#[test]
fn a_directory_in_place_of_a_file_gives_way_and_the_other_way_round() {
    let lab = ran();
    fs::remove_file(lab.path("outputs/size/n/count.txt")).unwrap();
    lab.write("outputs/size/n/count.txt/inside", "x");
    fs::remove_dir_all(lab.path("outputs/t/leaves")).unwrap();
    lab.write("outputs/t/leaves", "a file");
    is_restored(&lab);
}

#[test]
fn a_link_is_replaced_and_what_is_behind_it_stays() {
    let lab = ran();
    lab.write("elsewhere/mine.txt", "mine");
    lab.write("elsewhere/n/count.txt", "6");
    for name in ["outputs/size", "outputs/t/leaves"] {
        fs::remove_dir_all(lab.path(name)).unwrap();
        symlink(lab.path("elsewhere"), lab.path(name)).unwrap();
    }
    let out = lab.path("outputs/both/out.txt");
    fs::remove_file(&out).unwrap();
    symlink(lab.objects("both").remove(0), &out).unwrap();
    is_restored(&lab);
    assert!(fs::symlink_metadata(&out).unwrap().is_file());
    assert_eq!(lab.read("elsewhere/mine.txt"), "mine");
}

#[test]
fn an_output_is_read_only_and_no_edit_of_it_reaches_the_store() {
    let lab = ran();
    let output = lab.path("outputs/size/n/count.txt");
    let is_readonly = |path| fs::metadata(path).unwrap().permissions().readonly();
    assert!(is_readonly(output.clone()));
    assert!(lab.objects("size").into_iter().all(is_readonly));
    // In place, as an editor does that is told to write all the same.
    make_writable(&output);
    let mut file = fs::File::options().append(true).open(&output).unwrap();
    std::io::Write::write_all(&mut file, b"edited").unwrap();
    let object = lab.objects("size").remove(0);
    assert_eq!(fs::read_to_string(object).unwrap(), "6");
    is_restored(&lab);
}

#[test]
fn whoever_looks_sees_what_a_stage_yielded_once_and_never_a_mixture() {
    let letters = "abcdefghijklmnopqrstuvwxyz";
    let lab = Lab::new().stage("f", "kind = \"flock\"\nparams.text = \"one\"");
    lab.run();
    let is_over = AtomicBool::new(false);
    let look = || {
        let mut mixtures = 0;
        while !is_over.load(Ordering::SeqCst) {
            // As one who keeps the directory open, whatever takes its name.
            let dir = fs::File::open(lab.path("outputs/f/flock")).unwrap();
            let read = |letter: char| {
                let file = rustix::fs::openat(
                    &dir,
                    letter.to_string(),
                    rustix::fs::OFlags::RDONLY,
                    rustix::fs::Mode::empty(),
                );
                std::io::read_to_string(fs::File::from(file.ok()?)).ok()
            };
            let texts: BTreeSet<_> = letters.chars().filter_map(read).collect();
            mixtures += usize::from(texts.len() > 1);
        }
        mixtures
    };
    std::thread::scope(|scope| {
        let looking = scope.spawn(look);
        for i in 0..30 {
            let (old, new) = if i % 2 == 0 { ("one", "two") } else { ("two", "one") };
            lab.edit("stages/f.toml", old, new);
            lab.run();
        }
        is_over.store(true, Ordering::SeqCst);
        assert_eq!(looking.join().unwrap(), 0);
    });
    assert_eq!(lab.read("outputs/f/flock/a"), "one");
}

#[test]
fn what_did_not_change_is_taken_over_and_stays_apart_from_the_store() {
    let lab = Lab::new().stage("t", "kind = \"tree\"\nparams.text = \"abc\"");
    lab.run();
    let inode =
        |name: &str| std::os::unix::fs::MetadataExt::ino(&fs::metadata(lab.path(name)).unwrap());
    let before = inode("outputs/t/leaves/a/leaf");
    lab.edit("stages/t.toml", "abc", "abd");
    lab.run().expect("ran 1");
    assert_eq!(inode("outputs/t/leaves/a/leaf"), before);
    assert_eq!(lab.read("outputs/t/leaves/d/leaf"), "d");
    assert!(!lab.path("outputs/t/leaves/c").exists());
    let links = |path| std::os::unix::fs::MetadataExt::nlink(&fs::metadata(path).unwrap());
    assert_eq!(links(lab.path("outputs/t/leaves/a/leaf")), 1);
    assert!(lab.objects("t").into_iter().all(|object| links(object) == 1));
    lab.run().expect("cached 1");
    lab.verify_clean();
}

#[test]
fn outputs_are_made_on_another_file_system_than_the_store() {
    let elsewhere = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let lab = Lab::diamond().stage("t", "kind = \"tree\"\nparams.text = \"xy\"");
    fs::create_dir(lab.path("outputs")).unwrap();
    symlink(elsewhere.path(), lab.path("outputs/store")).unwrap();
    let device = |path| std::os::unix::fs::MetadataExt::dev(&fs::metadata(path).unwrap());
    assert_ne!(device(lab.root()), device(elsewhere.path()), "this test needs two file systems");
    lab.run().expect("ran 5");
    fs::remove_file(lab.path("outputs/t/leaves/x/leaf")).unwrap();
    is_restored(&lab);
    let left = |dir: &str| fs::read_dir(lab.path(dir)).unwrap().count();
    assert_eq!((left("outputs/size/n"), left("outputs/store/scratch")), (1, 0));
    assert_eq!(left("outputs/.scratch"), 0);
}

#[test]
fn no_stage_takes_a_directory_of_the_project() {
    for name in ["store", "runs", "failed", "data", "tune"] {
        let lab = Lab::new().stage(name, "kind = \"text\"");
        let told = lab.mistakes().join("\n");
        assert!(told.contains(&format!("a stage cannot be named `{name}`")), "{told}");
    }
}
