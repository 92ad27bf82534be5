//! The trials do not depend on the budget, the rungs are scikit-learn's, mistakes are all told.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

const FOREST: &str = "stage = \"train@forest\"\ntrials = 8\n[choices]\nmax_features = \
                      [\"sqrt\", \"all\"]\n[ranges]\nmax_depth = { low = 2, high = 9 }\n\
                      x = { low = 1e-3, high = 10, log = true }\n";

fn forest() -> Tuning {
    Tuning::read(FOREST).unwrap()
}

fn wrong(text: &str) -> Vec<String> {
    Tuning::read(text).unwrap_err()
}

#[test]
fn a_trial_is_the_same_whatever_the_budget_and_whatever_else_is_searched() {
    let few = forest().trials(7);
    let many = forest().with_trials(50).trials(7);
    assert_eq!(few[..], many[..8]);
    let also = format!("{FOREST}also = {{ low = 0, high = 1 }}\n");
    for (trial, mut more) in few.iter().zip(Tuning::read(&also).unwrap().trials(7)) {
        assert!(more.remove("also").is_some());
        assert_eq!(*trial, more);
    }
    assert_ne!(few, forest().trials(8), "another seed draws other trials");
    let own = format!("seed = 8\n{FOREST}");
    assert_eq!(Tuning::read(&own).unwrap().trials(7), forest().trials(8));
}

#[test]
fn trials_are_the_same_in_every_version() {
    let told = serde_json::to_string(&forest().trials(20_261_123)[..2]).unwrap();
    // By ChaCha8 and blake3 of another language.
    let expected = "[{\"max_depth\":9,\"max_features\":\"all\",\"x\":0.9185},\
                    {\"max_depth\":3,\"max_features\":\"sqrt\",\"x\":1.058}]";
    assert_eq!(told, expected);
}

#[test]
fn draws_stay_within_their_ranges_and_reach_both_ends() {
    let tuning = forest().with_trials(3000);
    let trials = tuning.trials(1);
    let depths: BTreeSet<i64> = trials.iter().map(|t| t["max_depth"].as_i64().unwrap()).collect();
    assert_eq!(depths, (2..=9).collect());
    let xs: Vec<f64> = trials.iter().map(|trial| trial["x"].as_f64().unwrap()).collect();
    assert!(xs.iter().all(|x| (1e-3..=10.0).contains(x)));
    // By factors, half of the draws are below the geometric mean, 0.1.
    let below = xs.iter().filter(|x| **x < 0.1).count();
    assert!((1400..1600).contains(&below), "{below}");
    let text = "stage = \"t\"\n[ranges]\nn = { low = 1, high = 3, log = true }\n";
    let logs = Tuning::read(text).unwrap().with_trials(3000).trials(1);
    let counts = [1, 2, 3].map(|n| logs.iter().filter(|trial| trial["n"] == n).count());
    assert!(counts[0] > counts[1] && counts[1] > counts[2] && counts[2] > 500, "{counts:?}");
}

#[test]
fn a_grid_is_every_combination() {
    let text = "stage = \"t\"\nmethod = \"grid\"\n[choices]\nb = [true, false]\na = [1, 2.5]\n";
    let trials = Tuning::read(text).unwrap().trials(0);
    let told = serde_json::to_string(&trials).unwrap();
    let expected = r#"[{"a":1,"b":true},{"a":1,"b":false},{"a":2.5,"b":true},{"a":2.5,"b":false}]"#;
    assert_eq!(told, expected);
}

/// From `HalvingRandomSearchCV(n_candidates, min_resources, max_resources, factor)` of scikit-learn
/// 1.9.1: `n_resources_` and `n_candidates_`.
#[test]
fn the_rungs_are_scikit_learns() {
    let check = |n: usize, [min_resources, max_resources, factor]: [u64; 3], expected: &[_]| {
        let resource = "n".to_owned();
        let halving = Halving { resource, min_resources, max_resources, factor };
        let found = halving.rungs(n);
        let found: Vec<_> = found.iter().map(|r| (r.resource.unwrap(), r.trials)).collect();
        assert_eq!(found, expected, "{n} {halving:?}");
    };
    check(27, [1, 27, 3], &[(1, 27), (3, 9), (9, 3), (27, 1)]);
    check(20, [2, 100, 3], &[(2, 20), (6, 7), (18, 3)]);
    check(10, [5, 20, 2], &[(5, 10), (10, 5), (20, 3)]);
    check(4, [1, 100, 4], &[(1, 4), (4, 1)]);
    check(5, [3, 4, 2], &[(3, 5)]);
    check(1, [1, 9, 3], &[(1, 1)]);
    check(50, [2, 30, 5], &[(2, 50), (10, 10)]);
}

#[test]
fn all_mistakes_are_told_with_what_is_valid() {
    let told = wrong(
        "stage = \"t\"\nmethod = \"halving\"\nresource = \"n\"\nmin_resources = 9\n\
         max_resources = 3\n[choices]\na = []\n[ranges]\nb = { low = 3, high = 3 }\n\
         c = { low = 0, high = 1, log = true }\nd = { low = \"x\", high = 1 }\n",
    );
    let expected = [
        "`choices.a`: expected at least one value",
        "`ranges.b`: `low` must be below `high`, found 3 and 3",
        "`ranges.c`: `low` must be above 0 where `log` is true, found 0",
        "`ranges.d`: `low` must be a number, found \"x\"",
        "`min_resources` must be at most `max_resources`, found 9 and 3",
    ];
    assert_eq!(told, expected);
    let told = wrong("metric = 3\ntrials = 0\nrange = 3\n[choices]\na = 1\n");
    assert_eq!(told.len(), 5, "{told:?}");
    assert!(told.iter().any(|t| t == "`trials`: expected an integer between 1 and 10000, found 0"));
    let expected = ["nothing is searched: `choices` or `ranges` name the parameters"];
    assert_eq!(wrong("stage = \"t\"\n"), expected);
    assert!(wrong("stage = \n")[0].starts_with("line 1: "));
    let told = wrong("stage = \"t\"\nmethod = \"grid\"\n[ranges]\na = { low = 0, high = 1 }\n");
    assert!(told[0].contains("unknown parameter `ranges` for method `grid`"), "{told:?}");
}

proptest! {
    #[test]
    fn a_rung_keeps_the_best_of_so_many_and_gives_them_as_many_times_more(
        n in 1_usize..2000, least in 1_u64..100, most in 1_u64..10_000, factor in 2_u64..8,
    ) {
        let (min_resources, max_resources) = (least, least.max(most));
        let resource = "n".to_owned();
        let rungs = Halving { resource, min_resources, max_resources, factor }.rungs(n);
        prop_assert_eq!(rungs[0], Rung { resource: Some(least), trials: n });
        for pair in rungs.windows(2) {
            prop_assert_eq!(pair[1].resource.unwrap(), pair[0].resource.unwrap() * factor);
            prop_assert_eq!(pair[1].trials, pair[0].trials.div_ceil(factor as usize));
        }
        prop_assert!(rungs.iter().all(|rung| rung.resource.unwrap() <= max_resources));
    }
}
