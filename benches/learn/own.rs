//! The process that measures one of our own learners: fits, predicts, and tells what that took.
//!
//! Settings are those that `peers.py` gives to the other tools.

use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use anyhow::Context as _;
use linfa::traits::Fit as _;
use ndarray::{Array1, Array2};
use nix::sys::resource::{UsageWho, getrusage};
use pipeline::ml::learn::boosting::GradientBoosting;
use pipeline::ml::learn::forest::{DecisionTree, MaxFeatures, RandomForest};
use pipeline::ml::learn::logistic::LogisticRegression;
use pipeline::ml::learn::{ClassWeight, Dataset, FeatureHints, Given, Predictor};
use pipeline::ml::metrics::Curve;

use crate::report::Round;
use crate::rows::{WIDTH, read};

/// `LEARNER TRAIN TEST`: prints a round as JSON.
pub(crate) fn main(args: &[String]) -> anyhow::Result<()> {
    let [learner, train, test] = args else { anyhow::bail!("LEARNER TRAIN TEST") };
    let (features, classes) = read(Path::new(train))?;
    let records = Array2::from_shape_vec((classes.len(), WIDTH), features)?;
    let dataset = Dataset::new(records, Array1::from_vec(classes));
    let (test_features, test_classes) = read(Path::new(test))?;
    let before = peak_mib()?;
    let fitting = Clock::start()?;
    let predictor = fit(learner, &dataset)?;
    let (fit_cpu, fit_wall) = fitting.stop()?;
    let peak = peak_mib()?;
    let predicting = Clock::start()?;
    let mut probabilities = vec![0.0; test_classes.len()];
    predictor.probabilities(&test_features, WIDTH, &mut probabilities);
    let (predict_cpu, _) = predicting.stop()?;
    let auc = Curve::new(&test_classes, &probabilities).roc_auc().map_err(anyhow::Error::msg)?;
    let round = Round { fit_cpu, fit_wall, predict_cpu, auc, fit_mib: peak - before };
    let line = serde_json::to_string(&round)?;
    Ok(writeln!(std::io::stdout(), "{line}")?)
}

fn fit(learner: &str, dataset: &Dataset) -> anyhow::Result<Predictor> {
    let class_weight = ClassWeight::None;
    let tree = |max_depth| DecisionTree {
        max_depth,
        min_samples_split: 2,
        min_samples_leaf: 1,
        class_weight,
        hints: FeatureHints::default(),
    };
    let forest = |draw_thresholds: bool| RandomForest {
        n_estimators: 100,
        tree: tree(None),
        max_features: MaxFeatures::Sqrt,
        bootstrap: !draw_thresholds,
        draw_thresholds,
        seed: [0; 32],
    };
    Ok(match learner {
        "gradient_boosting" => {
            Predictor::Boosted(Given::new(GradientBoosting::default()).fit(dataset)?.boosted)
        }
        "logistic_regression" => {
            let (c, max_iter, tol, fit_intercept) = (1.0, 100, 1e-8, true);
            let params = LogisticRegression { c, class_weight, max_iter, tol, fit_intercept };
            Predictor::Linear(Given::new(params).fit(dataset)?.linear)
        }
        "random_forest" => Predictor::Trees(Given::new(forest(false)).fit(dataset)?),
        "extra_trees" => Predictor::Trees(Given::new(forest(true)).fit(dataset)?),
        "decision_tree" => Predictor::Trees(Given::new(tree(Some(8))).fit(dataset)?),
        other => anyhow::bail!("no learner `{other}`"),
    })
}

/// Processor time of all threads, and time on the clock.
struct Clock {
    cpu: f64,
    wall: Instant,
}

impl Clock {
    fn start() -> anyhow::Result<Clock> {
        Ok(Clock { cpu: cpu()?, wall: Instant::now() })
    }

    fn stop(self) -> anyhow::Result<(f64, f64)> {
        Ok((cpu()? - self.cpu, self.wall.elapsed().as_secs_f64()))
    }
}

fn cpu() -> anyhow::Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_SELF).context("getrusage")?;
    let seconds =
        |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    Ok(seconds(usage.user_time()) + seconds(usage.system_time()))
}

fn peak_mib() -> anyhow::Result<f64> {
    Ok(getrusage(UsageWho::RUSAGE_SELF).context("getrusage")?.max_rss() as f64 / 1024.0)
}
