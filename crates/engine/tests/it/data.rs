//! Directories and patterns as data.

use std::fs;

use crate::lab::Lab;

/// A lab with the data `d` at a path, which the stage `s` lists.
fn lab(path: &str) -> Lab {
    let stage = "kind = \"command\"\ninputs.d = \"data.d\"\n[params]\ntools = [\"find\", \"sort\"]\n\
                 shell = 'find {d} -type f | sort > {out}'\noutputs.out = \"out.txt\"";
    let lab = Lab::new().more(&format!("[data]\nd = \"{path}\"\n")).stage("s", stage);
    lab.write("data/img/b.png", "b");
    lab.write("data/img/x/a.png", "a");
    lab.write("data/img/x/note.txt", "n");
    lab
}

#[test]
fn a_directory_is_data_and_what_changes_in_it_is_seen() {
    let lab = lab("data/img");
    lab.run().expect("ran 1");
    let listed = "data/img/b.png\ndata/img/x/a.png\ndata/img/x/note.txt\n";
    assert_eq!(lab.read("outputs/s/out.txt"), listed);
    lab.run().expect("cached 1");
    for (name, text) in [("b.png", "other"), ("new.png", "b"), ("x/deep/y", "y")] {
        lab.write(&format!("data/img/{name}"), text);
        lab.run().expect("ran 1");
    }
    fs::remove_file(lab.path("data/img/new.png")).unwrap();
    lab.run().expect("ran 1");
    lab.verify_clean();
}

#[test]
fn a_pattern_is_data_and_gives_the_files_that_match() {
    let lab = lab("data/img/**/*.png");
    lab.run().expect("ran 1");
    assert_eq!(lab.read("outputs/s/out.txt"), "data/img/b.png\ndata/img/x/a.png\n");
    lab.write("data/img/x/note.txt", "other");
    lab.run().expect("cached 1");
    lab.write("data/img/x/c.png", "c");
    lab.run().expect("ran 1");
}

#[test]
fn a_pattern_and_the_directory_of_its_files_are_two_recipes() {
    let lab = lab("data/img/x");
    lab.edit("stages/s.toml", "find {d} -type f | sort", "echo {d}");
    lab.run().expect("ran 1");
    assert_eq!(lab.read("outputs/s/out.txt"), "data/img/x\n");
    lab.edit("pipeline.toml", "data/img/x", "data/img/x/*");
    assert_eq!(lab.run().reason("s"), "inputs.d.path: data/img/x -> data/img/x/*");
    assert_eq!(lab.read("outputs/s/out.txt"), "data/img/x/a.png data/img/x/note.txt\n");
}

#[test]
fn a_pattern_that_matches_nothing_fails_its_stage() {
    let lab = lab("data/*.parquet");
    let ran = lab.run().expect("failed 1");
    assert_eq!(ran.failure("s").message, "`data/*.parquet` matches no file");
}

#[test]
fn only_inputs_that_list_directories_take_them() {
    let lab = lab("data/img").stage("n", "kind = \"count\"\ninputs.from = \"data.d\"");
    let told = "stages/n.toml:2: `from` takes a text or file, and `data.d` is a directory";
    assert_eq!(lab.mistakes(), [told]);
}

#[test]
fn data_must_be_a_part_of_the_project() {
    for path in ["nowhere", "data/*.parquet"] {
        // Known when it is to be read, not before.
        assert_eq!(lab(path).mistakes(), Vec::<String>::new());
        let told = format!("pipeline.toml:5: `{path}` does not exist");
        assert_eq!(lab(path).absent(&[]), [told]);
    }
    let whole = "pipeline.toml:5: `.` holds the whole project, and data are a part of it";
    assert_eq!(lab(".").mistakes(), [whole]);
    let searched = "pipeline.toml:5: `**/*.png` searches the whole project: begin with a directory";
    assert_eq!(lab("**/*.png").mistakes(), [searched]);
    assert!(lab("data/[").mistakes()[0].contains("`data/[` is no pattern"));
}

#[test]
fn a_directory_that_changes_while_it_is_read_is_no_outcome() {
    let lab = lab("data/img");
    let path = lab.path("data/img/b.png");
    lab.edit("stages/s.toml", "find {d}", &format!("echo y > {}; find {{d}}", path.display()));
    let ran = lab.run().expect("failed 1");
    assert_eq!(ran.failure("s").message, "`data/img` changed while it was read; run again");
}

#[test]
fn a_hundred_thousand_files_are_one_input() {
    let lab = lab("data/many");
    for i in 0..100_000 {
        if i % 1000 == 0 {
            fs::create_dir_all(lab.path(&format!("data/many/{:03}", i / 1000))).unwrap();
        }
        fs::write(lab.path(&format!("data/many/{:03}/{i}", i / 1000)), "").unwrap();
    }
    lab.edit("stages/s.toml", "find {d} -type f | sort", "find {d} -type f | wc -l");
    lab.run().expect("ran 1");
    assert_eq!(lab.read("outputs/s/out.txt"), "100000\n");
    lab.run().expect("cached 1");
}
