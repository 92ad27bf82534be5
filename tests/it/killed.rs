//! SIGKILL at any moment of a pipeline of programs, by the binary as a user calls it.
//!
//! `KILLS=2000` kills that often, `SEED=7` begins with other pauses.

use std::fs;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use crate::lab::Lab;

/// How many kills there are unless the environment says more.
const KILLS: u64 = 24;

fn asked(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |text| text.parse().unwrap())
}

/// A directory of data, a stage of two variants that reads it, and one that joins what they made.
fn project() -> Lab {
    let lab = Lab::empty();
    let pipeline = "name = \"k\"\nstages = [\"part\", \"join\"]\n[data]\nrows = \"data/rows\"\n";
    lab.write("pipeline.toml", pipeline);
    lab.write("data/rows/a.csv", "1,2\n");
    lab.write("data/rows/deep/b.csv", "3,4\n");
    lab.write(
        "stages/part.toml",
        "kind = \"command\"\ninputs.rows = \"data.rows\"\n\
         matrix = { \"environment.N\" = [1, 2] }\n[params]\ntools = [\"cat\", \"sleep\"]\n\
         shell = '''\necho part $N\nsleep 0.02\ncat {rows}/a.csv {rows}/deep/b.csv > parts/x\n\
         sleep 0.02\necho $N > parts/n\n'''\noutputs.out = \"parts/\"\n",
    );
    lab.write(
        "stages/join.toml",
        "kind = \"command\"\ninputs.from = \"part.out\"\n[params]\ntools = [\"cat\", \"sleep\"]\n\
         shell = '''\nfor dir in {from}; do cat $dir/x $dir/n >> all.txt; sleep 0.01; done\n'''\n\
         outputs.out = \"all.txt\"\n",
    );
    lab
}

#[test]
fn programs_that_are_killed_with_their_run_give_what_undisturbed_ones_do() {
    let alone = project();
    let started = Instant::now();
    let expected = alone.result(&[]);
    let lasts = started.elapsed();
    let joined = alone.read("outputs/join/all.txt");
    let (seed, kills) = (asked("SEED", 1), asked("KILLS", KILLS));
    let mut n_killed = 0;
    for round in seed.. {
        let lab = project();
        for turn in 0..=round % 3 {
            // Anywhere in a run, and never twice at the same place.
            let part = (round * 0x9e37 + turn * 0x79b9) % 1000;
            let mut child =
                lab.command(&["run"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            thread::sleep(lasts.mul_f64(part as f64 / 1000.0));
            child.kill().unwrap();
            n_killed += u64::from(child.wait().unwrap().code().is_none());
            if let Ok(text) = fs::read_to_string(lab.path("outputs/join/all.txt")) {
                assert_eq!(text, joined, "round {round}: half of an output is seen");
            }
        }
        assert_eq!(lab.result(&[]), expected, "round {round}");
        lab.call(&["verify"]).expect(0);
        // Longer than what a killed run's programs may still last.
        thread::sleep(Duration::from_millis(60));
        lab.call(&["run"]).expect(0).tells("nothing to do").tells("part 1");
        let rooms = fs::read_dir(lab.path("outputs/store/scratch")).unwrap().count();
        assert_eq!(rooms, 0, "round {round}: work in progress stays");
        if n_killed >= kills {
            return;
        }
    }
}
