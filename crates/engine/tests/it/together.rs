//! Several processes in one project at once: each finishes right, and none does another's work.

use std::collections::BTreeMap;
use std::fs;

use crate::dice::{Dice, random_lab};
use crate::process::{Orders, end, nothing_is_left, visible};

#[test]
fn processes_that_run_the_same_share_the_work() {
    for (seed, n_processes) in [(1, 2), (2, 2), (3, 8), (4, 8), (5, 8), (6, 8)] {
        let alone = random_lab(&mut Dice(seed));
        let expected = Orders::run(alone.root()).end().result();
        let lab = random_lab(&mut Dice(seed));
        let ledger = lab.path("ledger");
        let start = |_| Orders::run(lab.root()).env("LAB_LEDGER", &ledger).start();
        let children: Vec<_> = (0..n_processes).map(start).collect();
        for child in children {
            assert_eq!(end(child).result(), expected);
        }
        let text = fs::read_to_string(&ledger).unwrap();
        let mut executed: Vec<_> = text.lines().collect();
        executed.sort_unstable();
        let n_executed = executed.len();
        executed.dedup();
        assert_eq!(executed.len(), n_executed, "work was done twice: {text}");
        let n_stages = lab.load().unwrap().stages.len();
        assert_eq!(n_executed, n_stages, "each stage has a recipe of its own: {text}");
        assert_eq!(lab.read("pipeline.lock"), alone.read("pipeline.lock"));
        assert_eq!(visible(&lab), visible(&alone));
        assert_eq!(lab.project().runs.list().unwrap().len(), 1, "one result, one record");
        lab.verify_clean();
        nothing_is_left(&lab, "together");
    }
}

#[test]
fn processes_that_want_different_things_leave_what_one_of_them_wanted() {
    for n_processes in [2, 8] {
        let texts = ["text 0", "another", "third"];
        let wanted = texts.map(|text| {
            let alone = random_lab(&mut Dice(5));
            alone.edit("stages/s0.toml", "text 0", text);
            let result = Orders::run(alone.root()).end().result();
            (result, alone)
        });
        assert_ne!(wanted[0].0, wanted[1].0);
        let lab = random_lab(&mut Dice(5));
        let mut children = Vec::new();
        for i in 0..n_processes {
            let text = texts[i % texts.len()];
            let setting = format!("stage.s0.params.text=\"{text}\"");
            let orders = Orders::run(lab.root()).env("LAB_SET", setting);
            children.push((i % texts.len(), orders.start()));
        }
        for (want, child) in children {
            assert_eq!(end(child).result(), wanted[want].0);
        }
        let seen: BTreeMap<_, _> = visible(&lab).into_iter().collect();
        let lock = lab.read("pipeline.lock");
        let is_one = wanted.iter().any(|(_, alone)| {
            alone.read("pipeline.lock") == lock && visible(alone).into_iter().eq(seen.clone())
        });
        assert!(is_one, "lock and outputs are of different runs: {lock}");
        nothing_is_left(&lab, "together");
    }
}
