//! Programs behind a fence: what they reach, what they are refused, what is told of it.

use std::fs;
use std::net::TcpListener;
use std::time::Duration;

use crate::lab::{Lab, make_executable};

/// A lab with one stage `s`, a script that writes `out.txt`.
fn lab(script: &str) -> Lab {
    let text = format!(
        "kind = \"command\"\n[params]\ntools = [\"sleep\"]\nshell = '''{script}'''\n\
         outputs.out = \"out.txt\""
    );
    Lab::new().stage("s", &text)
}

#[test]
fn a_hermetic_program_reads_nothing_but_what_it_was_given() {
    let elsewhere = tempfile::tempdir().unwrap();
    let secret = elsewhere.path().join("secret.txt");
    fs::write(&secret, "x").unwrap();
    let lab = lab(&format!("cat {} > out.txt", secret.display()));
    lab.edit("stages/s.toml", "\"sleep\"", "\"cat\"");
    lab.run().expect("ran 1");
    lab.edit("stages/s.toml", "[params]", "[params]\nhermetic = true");
    let ran = lab.run().expect("failed 1");
    assert_eq!(ran.warnings, Vec::<String>::new());
    let message = &ran.failure("s").message;
    let named = format!("\n`{}` is neither an input nor a tool of this stage\n", secret.display());
    assert!(message.contains(&named), "{message}");
}

#[test]
fn a_hermetic_program_learns_nothing_of_other_processes_that_they_keep() {
    for kept in ["environ", "maps", "cwd/pipeline.toml", "fd/0", "mem"] {
        let lab = lab(&format!("head -c 1 /proc/$PPID/{kept} > out.txt"));
        lab.edit("stages/s.toml", "\"sleep\"", "\"head\"");
        lab.edit("stages/s.toml", "[params]", "[params]\nhermetic = true");
        let message = lab.run().expect("failed 1").failure("s").message.clone();
        assert!(message.contains("Permission denied"), "{kept}: {message}");
    }
}

#[test]
fn a_hermetic_program_reaches_its_caller_neither_by_signals_nor_by_a_terminal() {
    for way in ["kill -CONT $PPID", ": < /dev/tty", ": > /dev/shm/stolen", "ls /dev"] {
        let lab = lab(&format!("{way}; echo x > out.txt"));
        lab.edit("stages/s.toml", "\"sleep\"", "\"ls\"");
        lab.run_of(&[], &[]);
        lab.edit("stages/s.toml", "[params]", "[params]\nhermetic = true");
        lab.run().expect("failed 1");
    }
    let _ = fs::remove_file("/dev/shm/stolen");
}

#[test]
fn a_hermetic_program_runs_declared_programs_and_no_other_beside_them() {
    let lab = lab("seq 3 | tac > out.txt");
    lab.edit("stages/s.toml", "\"sleep\"", "\"seq\"");
    lab.run().expect("ran 1");
    lab.edit("stages/s.toml", "[params]", "[params]\nhermetic = true");
    let message = lab.run().expect("failed 1").failure("s").message.clone();
    assert!(message.contains("/tac` is neither an input nor a tool of this stage"), "{message}");
    lab.edit("stages/s.toml", "\"seq\"", "\"seq\", \"tac\"");
    lab.run().expect("ran 1");
    assert_eq!(lab.read("outputs/s/out.txt"), "3\n2\n1\n");
}

#[test]
fn a_hermetic_script_is_told_when_nobody_declared_what_runs_it() {
    let text = "kind = \"command\"\ninputs.p = \"data.p\"\n[params]\nhermetic = true\n\
                run = [\"{p}\"]\noutputs.out = \"out.txt\"";
    let lab = Lab::new().data("p", "#!/bin/sh\necho x > out.txt\n").stage("s", text);
    let message = lab.run().expect("failed 1").failure("s").message.clone();
    assert!(
        message.contains("hint: it begins with `#!/bin/sh`: name that under `tools`"),
        "{message}"
    );
    lab.edit("stages/s.toml", "[params]", "[params]\ntools = [\"/bin/sh\"]");
    lab.run().expect("ran 1");
}

#[test]
fn a_program_is_watched_once_however_often_it_is_tried() {
    let mut lab = lab("exit 1");
    // Behind the fence, it is the network by which it can be counted.
    let counter = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = counter.local_addr().unwrap().port();
    lab.write("bin/strace", &format!("#!/bin/bash\n: > /dev/tcp/127.0.0.1/{port}\n"));
    make_executable(&lab.path("bin/strace"));
    let path = format!("{}:{}", lab.path("bin").display(), std::env::var("PATH").unwrap());
    lab.request.environment = vec![("PATH".to_owned(), path)];
    lab.edit("stages/s.toml", "[params]", "[params]\nhermetic = true");
    let mut graph = lab.load().unwrap();
    graph.stages[0].control.timeout = Some(Duration::from_secs(60));
    graph.stages[0].control.retries = 2;
    lab.run_graph(graph).expect("failed 1");
    counter.set_nonblocking(true).unwrap();
    assert_eq!(std::iter::from_fn(|| counter.accept().ok()).count(), 1);
}

#[test]
fn a_hermetic_program_works_with_its_inputs_and_its_own_directories() {
    let text = "kind = \"command\"\ninputs.d = \"data.d\"\n[params]\nhermetic = true\n\
                tools = [\"cat\", \"mkdir\", \"mv\", \"cp\"]\n\
                shell = 'cat {d} > $TMPDIR/x; mkdir deep; mv $TMPDIR/x deep/x; cp deep/x {out}; \
                echo gone > /dev/null'\noutputs.out = \"out.txt\"";
    let lab = Lab::new().data("d", "given").stage("s", text);
    let ran = lab.run().expect("ran 1");
    assert_eq!((lab.read("outputs/s/out.txt"), ran.warnings), ("given".to_owned(), Vec::new()));
}

#[test]
fn a_hermetic_program_cannot_write_to_the_project() {
    let lab = lab("");
    let target = lab.path("data/stolen.txt");
    let text = format!(
        "kind = \"command\"\n[params]\nhermetic = true\nshell = 'echo x > {}'\n\
         outputs.out = \"out.txt\"",
        target.display()
    );
    let lab = lab.stage("s", &text);
    lab.run().expect("failed 1");
    assert!(!target.exists());
}
