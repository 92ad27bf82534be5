//! Programs as processes: what they say, how they fail, how they are stopped.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use engine::graph::Graph;
use engine::observed::Observation;

use crate::lab::Lab;
use crate::process::Orders;
use crate::ran::Ran;

/// A lab with one stage `s`, a script that writes `out.txt`.
fn lab(script: &str) -> Lab {
    let text = format!(
        "kind = \"command\"\n[params]\ntools = [\"sleep\"]\nshell = '''{script}'''\n\
         outputs.out = \"out.txt\""
    );
    Lab::new().stage("s", &text)
}

fn with_control(lab: &Lab, seconds: f64, retries: u32) -> Graph {
    let mut graph = lab.load().unwrap();
    graph.stages[0].control.timeout = Some(Duration::from_secs_f64(seconds));
    graph.stages[0].control.retries = retries;
    graph
}

#[track_caller]
fn output(ran: &Ran) -> Observation {
    ran.report("s").output.clone().unwrap()
}

/// The processes whose command line has this word.
fn processes_with(word: &str) -> usize {
    let has_word = |dir: &Path| {
        let words = fs::read(dir.join("cmdline")).unwrap_or_default();
        words.split(|byte| *byte == 0).any(|found| found == word.as_bytes())
    };
    fs::read_dir("/proc").unwrap().flatten().filter(|entry| has_word(&entry.path())).count()
}

#[track_caller]
fn wait_until(what: impl Fn() -> bool) {
    let start = Instant::now();
    while !what() {
        assert!(start.elapsed() < Duration::from_secs(20), "it never came true");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn what_a_program_says_is_kept_and_told_again_on_a_hit() {
    let lab = lab("echo said; echo warned >&2; echo x > out.txt");
    let ran = lab.run().expect("ran 1");
    let said = output(&ran);
    assert_eq!((&*said.stdout, &*said.stderr, said.attempts), ("said\n", "warned\n", 1));
    let cached = lab.run().expect("cached 1");
    assert_eq!(output(&cached), said);
    assert_eq!(lab.project().store.observed(&lab.key("s")), Some(said));
}

#[test]
fn of_a_program_that_said_nothing_nothing_is_kept() {
    let lab = lab("echo x > out.txt");
    lab.run().expect("ran 1");
    assert!(!lab.path("outputs/store/observed").exists());
    assert_eq!(lab.run().expect("cached 1").report("s").output, None);
}

#[test]
fn what_a_program_said_is_forgotten_when_it_then_says_nothing() {
    let outside = tempfile::tempdir().unwrap();
    let flag = outside.path().join("said");
    let once = format!("test -e {0} || echo said; touch {0}; echo x > out.txt", flag.display());
    let lab = lab(&once);
    assert_eq!(output(&lab.run().expect("ran 1")).stdout, "said\n");
    lab.force(&["s"]).expect("ran 1");
    assert_eq!(lab.run().expect("cached 1").report("s").output, None);
}

#[test]
fn losing_what_a_program_said_costs_nothing_else() {
    let lab = lab("echo said; echo x > out.txt");
    lab.run().expect("ran 1");
    fs::remove_dir_all(lab.path("outputs/store/observed")).unwrap();
    fs::write(lab.path("outputs/store/observed"), "in the way").unwrap();
    let cached = lab.run().expect("cached 1");
    assert_eq!(cached.report("s").output, None);
    lab.force(&["s"]).expect("ran 1");
}

#[test]
fn another_log_with_the_same_outputs_is_no_conflict() {
    let lab = lab("date +%N; echo $$; echo x > out.txt");
    lab.edit("stages/s.toml", "\"sleep\"", "\"date\"");
    let first = output(&lab.run());
    let again = lab.force(&["s"]).expect("ran 1");
    assert_ne!(output(&again).stdout, first.stdout);
    assert_eq!(again.warnings, Vec::<String>::new());
}

#[test]
fn a_program_cannot_read_from_its_caller() {
    let lab = lab("if read line; then echo got > out.txt; else echo nothing > out.txt; fi");
    lab.run().expect("ran 1");
    assert_eq!(lab.read("outputs/s/out.txt"), "nothing\n");
}

#[test]
fn a_program_has_no_descriptor_that_its_caller_left_open() {
    let lab = lab("for n in 7 8 9; do [ ! -e /proc/$$/fd/$n ]; done; echo none > out.txt");
    lab.edit("stages/s.toml", "tools = [\"sleep\"]", "");
    lab.write("secret.txt", "x");
    let secret = lab.path("secret.txt").display().to_string();
    let open = format!("exec 7< {secret} 8> /dev/null 9>> {secret}; exec \"$0\" \"$@\"");
    Orders::run(lab.root()).by_shell(&open).end().result();
    assert_eq!(lab.read("outputs/s/out.txt"), "none\n");
}

#[test]
fn a_program_that_asks_a_person_fails_at_once() {
    let lab = lab("read answer < /dev/tty; echo $answer > out.txt");
    lab.edit("stages/s.toml", "tools = [\"sleep\"]", "");
    // In the foreground of a terminal, where one could type an answer.
    let in_terminal = "timeout 30 script -qec \"$0 $*\" /dev/null < /dev/null";
    let ended = Orders::run(lab.root()).by_shell(in_terminal).end();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.text.contains("No such device or address"), "{ended:?}");
    assert!(ended.text.contains("hint: a stage has no terminal"), "{ended:?}");
}

#[test]
fn a_failure_shows_the_code_the_command_and_the_end_of_the_output() {
    let lab = lab(
        "i=0; while [ $i -lt 30 ]; do echo line $i >&2; i=$((i+1)); done; echo half > out.txt; exit 3",
    );
    let ran = lab.run().expect("failed 1");
    let message = &ran.failure("s").message;
    assert!(
        message.starts_with("it ended with exit code 3\n  $ /bin/sh -eu -c 'i=0;"),
        "{message}"
    );
    assert!(message.contains("| line 10\n") && message.ends_with("| line 29"), "{message}");
    assert!(!message.contains("| line 9\n"), "{message}");
    assert_eq!(lab.read("outputs/failed/s/out.txt"), "half\n");
    assert!(!lab.path("outputs/s").exists());
    assert_eq!(lab.project().store.named("outcomes").unwrap(), []);
}

#[test]
fn a_failure_shows_both_streams_and_keeps_them_whole() {
    let lab = lab("echo told; echo warned >&2; rmdir deep; exit 3");
    lab.edit("stages/s.toml", "out.txt", "deep/out.txt");
    let ran = lab.run().expect("failed 1");
    let message = &ran.failure("s").message;
    assert!(message.starts_with("it ended with exit code 3\n"), "{message}");
    assert!(message.ends_with("\n  stdout:\n  | told\n  stderr:\n  | warned"), "{message}");
    assert_eq!(output(&ran).stdout, "told\n");
    let log = "== stdout ==\ntold\n== stderr ==\nwarned\n";
    assert_eq!(lab.read("outputs/failed/s.log"), log);
}

#[test]
fn a_signal_is_named() {
    let lab = lab("kill -SEGV $$");
    let ran = lab.run().expect("failed 1");
    assert!(ran.failure("s").message.starts_with("it ended with signal 11 (SIGSEGV)"));
}

#[test]
fn a_program_that_cannot_be_started_fails() {
    let lab = lab("true");
    lab.write("bin/broken", "#!/no/such/interpreter\n");
    fs::set_permissions(lab.path("bin/broken"), fs::Permissions::from_mode(0o755)).unwrap();
    let lab =
        lab.stage("s", "kind = \"command\"\n[params]\nrun = [\"./bin/broken\"]\noutputs.o = \"o\"");
    let ran = lab.run().expect("failed 1");
    assert!(ran.failure("s").message.starts_with("cannot start `"), "{:?}", ran.failure("s"));
}

#[test]
fn a_long_output_is_cut_in_the_middle() {
    let lab =
        lab("echo begin; head -c 3000000 /dev/zero | tr '\\0' x; echo; echo end; echo x > out.txt");
    let said = output(&lab.run().expect("ran 1")).stdout;
    assert!(said.len() < (1 << 20) + 200, "{}", said.len());
    assert!(said.starts_with("begin\nx") && said.ends_with("x\nend\n"));
    assert!(said.contains(" bytes are left out here]"));
}

#[test]
fn a_time_out_ends_children_of_children() {
    let lab = lab("(sleep 31.4151 & sleep 31.4151 & wait) & sleep 31.4151");
    let graph = with_control(&lab, 0.3, 0);
    let start = Instant::now();
    let ran = lab.run_graph(graph).expect("failed 1");
    assert!(start.elapsed() < Duration::from_secs(10));
    let message = &ran.failure("s").message;
    assert!(
        message.starts_with("it was stopped, because it took longer than 300ms\n"),
        "{message}"
    );
    assert_eq!(processes_with("31.4151"), 0);
}

#[test]
fn what_ignores_the_signal_is_killed_after_a_grace() {
    let lab = lab("trap '' TERM; echo on >&2; sleep 31.4152 & sleep 31.4152; sleep 31.4152");
    let graph = with_control(&lab, 0.2, 0);
    let start = Instant::now();
    lab.run_graph(graph).expect("failed 1");
    assert!(start.elapsed() >= Duration::from_secs(2) && start.elapsed() < Duration::from_secs(12));
    wait_until(|| processes_with("31.4152") == 0);
}

#[test]
fn a_program_may_clean_up_when_it_is_stopped() {
    let flag = tempfile::tempdir().unwrap();
    let file = flag.path().join("cleaned");
    let lab =
        lab(&format!("trap 'echo x > {}; exit 1' TERM; sleep 31.4153 & wait", file.display()));
    lab.run_graph(with_control(&lab, 0.2, 0)).expect("failed 1");
    assert!(file.exists());
}

#[test]
fn what_a_program_leaves_running_is_ended_with_it() {
    let lab = lab("sleep 31.4154 & echo x > out.txt");
    let start = Instant::now();
    lab.run().expect("ran 1");
    assert!(start.elapsed() < Duration::from_secs(10));
    wait_until(|| processes_with("31.4154") == 0);
}

#[test]
fn a_time_out_ends_what_left_the_group() {
    let lab = lab("timeout 600 sleep 31.4156; echo x > out.txt");
    lab.edit("stages/s.toml", "\"sleep\"", "\"sleep\", \"timeout\"");
    let start = Instant::now();
    lab.run_graph(with_control(&lab, 0.3, 0)).expect("failed 1");
    assert!(start.elapsed() < Duration::from_secs(10));
    assert_eq!(processes_with("31.4156"), 0);
}

#[test]
fn what_was_left_running_in_a_session_of_its_own_is_ended() {
    let lab = lab(
        "setsid sleep 31.4157 & env -i setsid sleep 31.4158 >&- 2>&- & echo x > out.txt; sleep 0.2",
    );
    lab.edit("stages/s.toml", "\"sleep\"", "\"sleep\", \"setsid\", \"env\"");
    let start = Instant::now();
    lab.run().expect("ran 1");
    assert!(start.elapsed() < Duration::from_secs(10));
    assert_eq!(processes_with("31.4157") + processes_with("31.4158"), 0);
}

#[test]
fn what_left_its_working_directory_and_its_parents_is_ended() {
    let lab =
        lab("(cd /; setsid sh -c 'setsid sleep 31.4159 & exit') & sleep 0.2; echo x > out.txt");
    lab.edit("stages/s.toml", "\"sleep\"", "\"sleep\", \"setsid\"");
    lab.run().expect("ran 1");
    assert_eq!(processes_with("31.4159"), 0);
}

#[test]
fn a_daemon_that_left_everything_is_ended() {
    // Another session, another directory, no variable, no open stream, no parent.
    let daemon = "env -i /bin/sh -c 'cd /; env -i setsid sleep 31.4160 <&- >&- 2>&- &'";
    let lab = lab(&format!("setsid {} ; sleep 0.2; echo x > out.txt", daemon));
    lab.edit("stages/s.toml", "\"sleep\"", "\"sleep\", \"setsid\", \"env\"");
    lab.edit("stages/s.toml", "'''", "\"\"\"");
    lab.run().expect("ran 1");
    assert_eq!(processes_with("31.4160"), 0);
}

#[test]
fn a_process_that_outlived_its_program_writes_to_no_output() {
    let text =
        "(setsid sh -c 'while :; do echo late >> out.txt; done' &) ; sleep 0.1; echo x >> out.txt";
    let lab = lab(text);
    lab.edit("stages/s.toml", "\"sleep\"", "\"sleep\", \"setsid\"");
    lab.run().expect("ran 1");
    thread::sleep(Duration::from_millis(100));
    lab.verify_clean();
}

#[test]
fn a_cancelled_run_stops_its_programs_and_starts_no_more() {
    let lab = lab("sleep 31.4155 & sleep 31.4155; echo x > out.txt");
    let lab = lab.stage("late", "kind = \"text\"\nafter = [\"s\"]");
    let ran = thread::scope(|scope| {
        let running = scope.spawn(|| lab.run());
        wait_until(|| processes_with("31.4155") == 2);
        lab.cancel.store(true, Ordering::SeqCst);
        running.join().unwrap()
    });
    let ran = ran.expect("failed 1, skipped 1");
    assert!(ran.failure("s").is_interrupted);
    assert_eq!(processes_with("31.4155"), 0);
}

#[test]
fn a_program_that_fails_once_is_tried_again_in_a_new_directory() {
    let outside = tempfile::tempdir().unwrap();
    let flag = outside.path().join("tried");
    let text = format!(
        "test ! -e left; touch left; if [ ! -e {0} ]; then touch {0}; exit 1; fi; echo x > out.txt",
        flag.display()
    );
    let lab = lab(&text);
    let ran = lab.run_graph(with_control(&lab, 60.0, 1)).expect("ran 1");
    assert_eq!(output(&ran).attempts, 2);
    assert_eq!(
        ran.warnings,
        ["stage `s` failed and is tried again (1 of 1): it ended with exit code 1"]
    );
    lab.run().expect("cached 1");
}

#[test]
fn attempts_come_to_an_end() {
    let lab = lab("exit 1");
    let ran = lab.run_graph(with_control(&lab, 60.0, 2)).expect("failed 1");
    assert_eq!(ran.warnings.len(), 2);
}

#[test]
fn a_file_of_the_project_that_is_no_input_is_named() {
    let lab = lab("cat data/extra.csv > out.txt");
    lab.write("data/extra.csv", "x");
    let message = lab.run().expect("failed 1").failure("s").message.clone();
    assert!(message.contains("\n`data/extra.csv` is not an input of this stage\n"), "{message}");
    let hint = "hint: add `extra = \"data/extra.csv\"` under `[data]` and `extra = \"data.extra\"` \
                under `[inputs]` of the stage";
    assert!(message.contains(hint), "{message}");
}
