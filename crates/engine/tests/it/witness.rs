//! The answer of the last run is told again while nothing has changed, and never longer.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, SystemTime};

use engine::project;
use engine::schedule::Report;
use engine::stat::Signature;
use engine::verify;
use engine::witness::{self, Answer, Question};

use crate::lab::{Lab, flip, make_executable, make_pipe, make_writable, tamper};

/// Longer ago than a change that might hide a second one.
const SETTLED: Duration = Duration::from_millis(60);

fn question(lab: &Lab) -> Question {
    Question {
        root: lab.root().to_owned(),
        program: Signature::of(Path::new("/proc/self/exe")).unwrap(),
        asked: vec!["all".to_owned()],
        environment: lab.request.environment.iter().cloned().collect(),
    }
}

/// Runs, and remembers the answer as the product does.
fn remember(lab: &Lab) -> Answer {
    let (spec, graph) = project::load(&lab.request, lab.kinds).unwrap();
    let project = lab.project();
    let ran = lab.run_on(&project, &graph);
    let run = project.runs.find("@").unwrap();
    let told = |report: &Report| Some((report.stage.clone(), report.output.clone()?));
    let answer = Answer {
        n_stages: ran.reports.len(),
        run: Some(run.id),
        result: run.run.result(),
        told: ran.reports.iter().filter_map(told).collect(),
    };
    let (question, sources) = (question(lab), &spec.sources);
    witness::remember(&question, &project, &graph, sources, &ran.reports, answer.clone());
    answer
}

fn recall(lab: &Lab, is_paranoid: bool) -> Option<Answer> {
    witness::recall(&question(lab), is_paranoid)
}

/// A diamond that reads a file, with its answer.
fn witnessed() -> (Lab, Answer) {
    let lab = Lab::diamond()
        .data("words", "three words here")
        .stage("read", "kind = \"count\"\ninputs.from = \"data.words\"")
        .stage("t", "kind = \"tree\"\nparams.text = \"xy\"");
    std::thread::sleep(SETTLED);
    // The second run finds what the first one hashed.
    lab.run();
    let answer = remember(&lab);
    assert_eq!(recall(&lab, false).as_ref(), Some(&answer));
    (lab, answer)
}

#[test]
fn nothing_changed_is_told_without_a_run() {
    let (lab, answer) = witnessed();
    assert_eq!(answer.n_stages, 6);
    let before = lab.listing();
    assert_eq!(recall(&lab, false), Some(answer.clone()));
    assert_eq!(recall(&lab, true), Some(answer));
    assert_eq!(lab.listing(), before);
}

/// What happens, in words and as a function.
type Change<F> = (&'static str, F);

/// What can happen to a project between two runs.
const CHANGES: &[Change<fn(&Lab)>] = &[
    ("data", |lab| lab.write("data/words.txt", "other words here")),
    ("data is gone", |lab| fs::remove_file(lab.path("data/words.txt")).unwrap()),
    ("a stage", |lab| lab.edit("stages/a.toml", "one", "uno")),
    ("a comment", |lab| lab.edit("stages/a.toml", "kind", "# new\nkind")),
    ("a stage that is not listed", |lab| lab.write("stages/new.toml", "kind = \"text\"")),
    ("the pipeline", |lab| lab.edit("pipeline.toml", "seed = 7", "seed = 8")),
    ("an output", |lab| flip(&lab.path("outputs/both/out.txt"))),
    ("an output is gone", |lab| fs::remove_file(lab.path("outputs/t/leaves/x/leaf")).unwrap()),
    ("an output is a link", |lab| {
        let path = lab.path("outputs/both/out.txt");
        fs::remove_file(&path).unwrap();
        symlink(lab.objects("both").remove(0), path).unwrap();
    }),
    ("an object", |lab| flip(&lab.objects("a")[0])),
    ("an object is gone", |lab| fs::remove_file(&lab.objects("t")[0]).unwrap()),
    ("an outcome is gone", |lab| {
        fs::remove_file(lab.document("outcomes", &lab.key("both"))).unwrap();
    }),
    ("a recipe is gone", |lab| {
        fs::remove_file(lab.document("recipes", &lab.key("both"))).unwrap();
    }),
    ("the outcomes are gone", |lab| {
        fs::remove_dir_all(lab.path("outputs/store/outcomes")).unwrap();
    }),
    ("the keys that stages last had", |lab| {
        fs::remove_file(lab.path("outputs/runs/last.json")).unwrap();
    }),
    ("a stranger among the outputs", |lab| lab.write("outputs/t/mine.txt", "mine")),
    ("a stranger deep among the outputs", |lab| lab.write("outputs/t/leaves/x/mine", "mine")),
    ("an output is a pipe", |lab| {
        fs::remove_file(lab.path("outputs/both/out.txt")).unwrap();
        make_pipe(&lab.path("outputs/both/out.txt"));
    }),
    ("the lock", |lab| lab.edit("pipeline.lock", "text", "texd")),
    ("the lock is gone", |lab| fs::remove_file(lab.path("pipeline.lock")).unwrap()),
    ("the store is gone", |lab| fs::remove_dir_all(lab.path("outputs/store")).unwrap()),
    ("the outputs are gone", |lab| fs::remove_dir_all(lab.path("outputs")).unwrap()),
    ("another run", |lab| {
        lab.force(&["a"]);
    }),
    ("a damaged witness", |lab| flip(&lab.path("outputs/store/witness"))),
];

#[test]
fn any_change_ends_the_answer() {
    for (what, change) in CHANGES {
        let (lab, _) = witnessed();
        change(&lab);
        assert_eq!(recall(&lab, false), None, "{what}");
        assert_eq!(recall(&lab, true), None, "{what}");
    }
}

#[test]
fn a_document_of_the_store_that_is_damaged_in_place_ends_the_answer_once_it_is_found() {
    for part in ["outcomes", "recipes"] {
        let (lab, _) = witnessed();
        tamper(&lab.document(part, &lab.key("both")), |bytes| bytes.push(b'x'));
        assert_eq!(recall(&lab, true), None, "{part}");
        // Who found it, as `verify` does, makes the next run look for itself.
        assert_eq!(verify::exit_code(&lab.verify()), 5, "{part}");
        witness::forget(lab.root()).unwrap();
        assert_eq!(recall(&lab, false), None, "{part}");
        lab.run();
        lab.verify_clean();
    }
}

#[test]
fn a_file_that_says_it_is_from_the_future_is_witnessed_like_any_other() {
    let (lab, _) = witnessed();
    for path in ["data/words.txt", "stages/a.toml"] {
        let file = fs::File::options().write(true).open(lab.path(path)).unwrap();
        file.set_modified(SystemTime::now() + Duration::from_secs(9_000_000)).unwrap();
    }
    std::thread::sleep(SETTLED);
    let answer = remember(&lab);
    assert_eq!(recall(&lab, false), Some(answer));
}

#[test]
fn another_question_has_no_answer() {
    let (lab, _) = witnessed();
    let other = Question { asked: vec!["train".to_owned()], ..question(&lab) };
    assert_eq!(witness::recall(&other, false), None);
    let program = Signature::of(Path::new("/bin/sh")).unwrap();
    assert_eq!(witness::recall(&Question { program, ..question(&lab) }, false), None);
}

#[test]
fn an_edit_that_restores_all_that_can_be_restored_is_seen_by_the_paranoid() {
    let (lab, _) = witnessed();
    let path = lab.path("outputs/both/out.txt");
    let modified = fs::metadata(&path).unwrap().modified().unwrap();
    make_writable(&path);
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, bytes.iter().rev().copied().collect::<Vec<_>>()).unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
    // The time of the last change of the inode cannot be set.
    assert_eq!(recall(&lab, false), None);
    assert_eq!(recall(&lab, true), None);
}

#[test]
fn a_file_that_was_just_written_is_not_witnessed() {
    let lab = Lab::diamond();
    lab.run();
    std::thread::sleep(SETTLED);
    lab.write("stages/a.toml", "kind = \"text\"\nparams.text = \"one\" # later");
    remember(&lab);
    assert_eq!(recall(&lab, false), None);
    std::thread::sleep(SETTLED);
    remember(&lab);
    assert!(recall(&lab, false).is_some());
}

/// A program in a directory that PATH names, which reads a directory and a variable.
fn with_program() -> Lab {
    let mut lab = Lab::new()
        .stage(
            "list",
            "kind = \"command\"\ninputs.from = \"data.parts\"\n[params]\nrun = [\"lister\", \"{from}\"]\n\
             pass = [\"COLOUR\"]\noutputs.out = \"out.txt\"",
        )
        .more("[data]\nparts = \"parts\"\n");
    lab.write("parts/deep/a.txt", "a");
    lab.write("tools/lister", "#!/bin/sh\necho said; echo $COLOUR > out.txt\n");
    make_executable(&lab.path("tools/lister"));
    lab.write("earlier/lister", "not to be executed");
    let path = format!("{}:{}", lab.path("earlier").display(), lab.path("tools").display());
    lab.request.environment = vec![("PATH".to_owned(), path), ("HOME".to_owned(), "/".to_owned())];
    std::thread::sleep(SETTLED);
    lab.run().expect("ran 1");
    let answer = remember(&lab);
    assert_eq!(answer.told[0].1.stdout, "said\n");
    assert_eq!(recall(&lab, false), Some(answer.clone()));
    assert_eq!(recall(&lab, true), Some(answer));
    lab
}

#[test]
fn whatever_a_program_rests_on_ends_the_answer() {
    let changes: &[Change<fn(&mut Lab)>] = &[
        ("a file of its directory", |lab| lab.write("parts/deep/a.txt", "b")),
        ("a new file in its directory", |lab| lab.write("parts/deep/b.txt", "b")),
        ("a new directory in it", |lab| lab.write("parts/new/b.txt", "b")),
        ("the program", |lab| {
            lab.write("tools/lister", "#!/bin/sh\necho other > out.txt\n");
        }),
        ("another program of its name that is found first", |lab| {
            fs::copy(lab.path("tools/lister"), lab.path("earlier/lister")).unwrap();
        }),
        ("a file of its name that is found first becomes a program", |lab| {
            make_executable(&lab.path("earlier/lister"));
        }),
        ("another PATH", |lab| lab.request.environment[0].1 = "/nowhere".to_owned()),
        ("a variable that it is passed", |lab| {
            lab.request.environment.push(("COLOUR".to_owned(), "red".to_owned()));
        }),
    ];
    for (what, change) in changes {
        let mut lab = with_program();
        change(&mut lab);
        assert_eq!(recall(&lab, false), None, "{what}");
    }
}

#[test]
fn a_program_that_is_named_by_path_is_looked_up_nowhere() {
    let mut lab = with_program();
    let path = lab.path("tools/lister").display().to_string();
    lab.edit("stages/list.toml", "\"lister\"", &format!("{path:?}"));
    make_executable(&lab.path("earlier/lister"));
    lab.request.environment.push(("COLOUR".to_owned(), "blue".to_owned()));
    std::thread::sleep(SETTLED);
    lab.run().expect("ran 1");
    let answer = remember(&lab);
    assert_eq!(recall(&lab, false), Some(answer));
}

#[test]
fn what_comes_and_goes_beside_a_program_has_no_say() {
    let lab = with_program();
    lab.write("earlier/other", "");
    lab.write("tools/other", "");
    assert!(recall(&lab, false).is_some());
}

#[test]
fn what_no_program_reads_of_the_environment_has_no_say() {
    let mut lab = with_program();
    lab.request.environment[1].1 = "/home".to_owned();
    lab.request.environment.push(("TERM".to_owned(), "dumb".to_owned()));
    assert!(recall(&lab, false).is_some());
    lab.request.environment.push(("PIPELINE_SET__seed".to_owned(), "8".to_owned()));
    assert_eq!(recall(&lab, false), None);
}
