//! SIGKILL at any moment: nothing is lost, nothing partial is seen, nothing has to be unlocked. It
//! meets runs that recall and remember, of stages in the process and of programs, collections, and
//! runs beside which a collection is tried.
//!
//! `KILLS=5000` kills that often; `SEED` begins at another graph.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::dice::{Dice, random_lab};
use crate::lab::Lab;
use crate::process::{Ended, Orders, asked, end, nothing_is_left, visible};

/// How many kills there are unless the environment says more.
const KILLS: u64 = 240;

/// What a run gives that nobody disturbs.
struct Undisturbed {
    result: String,
    files: BTreeMap<PathBuf, Vec<u8>>,
    lasts: Duration,
}

/// The change that every graph knows.
fn change(lab: &Lab) {
    lab.edit("stages/s0.toml", "text 0", "other text");
}

fn undisturbed(seed: u64, is_changed: bool) -> Undisturbed {
    let lab = random_lab(&mut Dice(seed));
    if is_changed {
        change(&lab);
    }
    let started = Instant::now();
    let result = Orders::run(lab.root()).end().result();
    let lasts = started.elapsed();
    Undisturbed { result, files: visible(&lab).into_iter().collect(), lasts }
}

#[test]
fn a_process_that_is_killed_at_any_moment_loses_nothing() {
    let seed = asked("SEED", 1);
    let kills = asked("KILLS", KILLS);
    let mut n_killed = 0;
    for round in seed.. {
        let known = [undisturbed(round, false), undisturbed(round, true)];
        let mut dice = Dice(round << 32);
        for _ in 0..10 {
            if n_killed >= kills {
                return;
            }
            n_killed += kill_and_go_on(round, &known, &mut dice);
        }
    }
}

/// Files by the stage whose directory they are in: what one yielded is seen as a whole.
fn by_stage(
    files: impl IntoIterator<Item = (PathBuf, Vec<u8>)>,
) -> BTreeMap<String, BTreeMap<PathBuf, Vec<u8>>> {
    let mut stages: BTreeMap<String, BTreeMap<PathBuf, Vec<u8>>> = BTreeMap::new();
    for (path, bytes) in files {
        let stage = path.iter().next().unwrap().to_string_lossy().into_owned();
        stages.entry(stage).or_default().insert(path, bytes);
    }
    stages
}

/// Kills a run, a collection, or a run beside which a collection is tried; returns whether that was
/// in time.
fn kill_one(lab: &Lab, pause: Duration, dice: &mut Dice, story: &mut String) -> bool {
    match dice.below(4) {
        0 => {
            story.push_str(" (gc)");
            Orders::of("gc", lab.root()).kill_after(pause / 2)
        }
        1 => {
            story.push_str(" (beside gc)");
            let beside = Orders::of("gc", lab.root()).start();
            let is_killed = Orders::of("recall", lab.root()).kill_after(pause);
            let ended = end(beside);
            // What is not a project yet holds nothing; what is used is left alone.
            assert!(matches!(ended.code, Some(0 | 75)), "{story}: {ended:?}");
            is_killed
        }
        _ => Orders::of("recall", lab.root()).kill_after(pause),
    }
}

/// Kills a few runs of one project, the second half of them after a change, and runs it to its end.
fn kill_and_go_on(round: u64, known: &[Undisturbed; 2], dice: &mut Dice) -> u64 {
    let lab = random_lab(&mut Dice(round));
    let n_kills = 1 + dice.below(4);
    let changes_at = dice.below(2 * n_kills);
    let is_changed = changes_at < n_kills;
    let mut story = format!("graph {round}");
    let mut n_killed = 0;
    for turn in 0..n_kills {
        if turn == changes_at {
            change(&lab);
            story.push_str(", changed");
        }
        let pause = known[0].lasts.mul_f64(dice.below(1000) as f64 / 1000.0);
        story.push_str(&format!(", killed after {pause:?}"));
        n_killed += u64::from(kill_one(&lab, pause, dice, &mut story));
        for (stage, files) in by_stage(visible(&lab)) {
            let is_whole = |known: &Undisturbed| {
                by_stage(known.files.clone()).get(&stage).is_some_and(|whole| *whole == files)
            };
            let names: Vec<_> = files.keys().collect();
            assert!(known.iter().any(is_whole), "{story}: `{stage}` is a mixture: {names:?}");
        }
    }
    let expected = &known[usize::from(is_changed)];
    let recalled = |ended: &Ended| ended.result() == expected.result;
    assert!(recalled(&Orders::of("recall", lab.root()).end()), "{story}");
    assert_eq!(visible(&lab).into_iter().collect::<BTreeMap<_, _>>(), expected.files, "{story}");
    assert_eq!(lab.verify(), [], "{story}");
    let again = Orders::run(lab.root()).end();
    assert_eq!(again.told("ran"), None, "{story}: {again:?}");
    // Swept by now, whatever a program did whose run was killed.
    Orders::of("gc", lab.root()).end();
    nothing_is_left(&lab, &story);
    assert_eq!(lab.verify(), [], "{story}");
    n_killed
}
