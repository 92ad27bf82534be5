//! `calibrate`: fits what a model says to what happened, on rows that it was not trained on.
//!
//! Thin: a model and rows in, the same model with a calibration out; the fitting is in
//! `ml::calibration`. One model per stage, because what is fitted belongs to that model alone: of
//! several variants each that is to be calibrated has a stage of its own, and `evaluate` takes them
//! beside the others, all on the same rows.

use anyhow::{Context as _, ensure};
use engine::digest::Digest;
use engine::kind::{Arity, Context, Input, Kind, Output};
use engine::params::{Param, Type};
use serde::Deserialize;
use serde_json::Value;

use super::shared;
use crate::ml::calibration::{Calibration, Method};
use crate::ml::metrics::{Curve, Defined};
use crate::ml::model::Model;
use crate::ml::{table_file, target};

/// Fewer rows than this are too few for steps, by scikit-learn's rule of thumb.
const ENOUGH_FOR_STEPS: usize = 1000;

/// The kind `calibrate`.
pub struct Calibrate;

#[derive(Deserialize)]
struct Params {
    method: Method,
}

impl Kind for Calibrate {
    fn name(&self) -> &'static str {
        "calibrate"
    }

    fn about(&self) -> &'static str {
        "make a model's probabilities those that rows it was not trained on have shown"
    }

    fn code(&self) -> Digest {
        super::code("calibrate")
    }

    fn params(&self) -> Type {
        Type::Record(vec![Param::new(
            "method",
            Type::Choice(&["sigmoid", "isotonic"]),
            "sigmoid",
            "sigmoid: a line through the log-odds (Platt); isotonic: rising steps, for 1000 rows or \
             more",
        )])
    }

    fn inputs(&self, _params: &Value) -> Vec<Input> {
        let input = |name: &'static str, types, doc| Input {
            name: name.into(),
            types,
            arity: Arity::One,
            doc,
        };
        vec![
            input("model", &["model"], "the model, not calibrated yet"),
            input("rows", shared::TABLES, "rows that it was not trained on, with their target"),
        ]
    }

    fn outputs(&self, _params: &Value) -> Vec<Output> {
        vec![Output::new("model", "model", "model.json")]
    }

    fn run(&self, context: &Context<'_>) -> anyhow::Result<()> {
        let Params { method } = context.params()?;
        let model = Model::from_bytes(&std::fs::read(context.input("model"))?)?;
        ensure!(
            model.calibration().is_none(),
            "the model is calibrated already: plug in its train stage"
        );
        let table = table_file::read(context.input("rows"))?;
        let name = model.target();
        let column =
            table.column(name).with_context(|| format!("the rows have no target `{name}`"))?;
        let labels = target::labels(column, model.classes()).map_err(anyhow::Error::msg)?;
        let before = model.probabilities(&table)?;
        let calibration = Calibration::fit(method, &before, &labels).map_err(anyhow::Error::msg)?;
        let after: Vec<f64> = before.iter().map(|p| calibration.apply(*p)).collect();
        remarks(&calibration, &labels, &[before, after])
            .into_iter()
            .for_each(|remark| context.remark(remark));
        context.write("model", &model.calibrated(calibration)?.to_bytes())
    }
}

fn remarks(calibration: &Calibration, labels: &[bool], scores: &[Vec<f64>; 2]) -> Vec<String> {
    let [before, after] = scores.each_ref().map(|scores| Curve::new(labels, scores));
    let show = |defined: Defined| defined.map_or_else(str::to_owned, |value| format!("{value:.4}"));
    let mut remarks = vec![format!(
        "{} rows: log_loss {} becomes {}, brier {} becomes {} on these rows",
        labels.len(),
        show(before.log_loss()),
        show(after.log_loss()),
        show(before.brier()),
        show(after.brier()),
    )];
    match calibration {
        Calibration::Sigmoid(line) if line.a >= 0.0 => remarks.push(
            "warning: the model ranks these rows the wrong way round, and the calibration turned \
             them: look at its training"
                .to_owned(),
        ),
        Calibration::Isotonic(_) if labels.len() < ENOUGH_FOR_STEPS => remarks.push(format!(
            "warning: fewer than {ENOUGH_FOR_STEPS} rows, so the steps may be chance: try \
             `method = \"sigmoid\"`"
        )),
        _ => {}
    }
    remarks
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_declared_methods_are_those_that_are_read() {
        let Type::Record(params) = Calibrate.params() else { panic!("not a record") };
        let Type::Choice(methods) = params[0].ty else { panic!("not a choice") };
        for method in methods {
            let checked = Calibrate.params().check(&json!({"method": method})).unwrap();
            assert!(Params::deserialize(&checked).is_ok(), "{method}");
        }
        let default = Calibrate.params().check(&json!({})).unwrap();
        assert_eq!(Params::deserialize(&default).unwrap().method, Method::Sigmoid);
    }

    #[test]
    fn what_a_person_should_know_is_told() {
        let labels = [false, true, false, true];
        let told = |method, before: Vec<f64>| {
            let calibration = Calibration::fit(method, &before, &labels).unwrap();
            let after = before.iter().map(|p| calibration.apply(*p)).collect();
            remarks(&calibration, &labels, &[before, after])
        };
        let right = told(Method::Sigmoid, vec![0.1, 0.8, 0.3, 0.7]);
        assert_eq!(right.len(), 1);
        assert!(right[0].starts_with("4 rows: log_loss 0.2605 becomes"), "{right:?}");
        let wrong = told(Method::Sigmoid, vec![0.9, 0.2, 0.7, 0.3]);
        assert!(wrong[1].contains("the wrong way round"), "{wrong:?}");
        let few = told(Method::Isotonic, vec![0.1, 0.8, 0.3, 0.7]);
        assert!(few[1].contains("fewer than 1000 rows"), "{few:?}");
    }
}
