//! `/invocations`: what MLflow's scoring server, SageMaker and Vertex send for predictions.
//!
//! MLflow 3's `pyfunc.scoring_server` takes exactly one of `dataframe_split`, `dataframe_records`,
//! `instances` and `inputs`, or CSV with a header, and answers `{"predictions": […]}`; Vertex sends
//! `instances`, and SageMaker CSV, mostly without a header. A prediction is an object of what this
//! model says of a row, as that of a model which returns a table; `params.predict_method` asks for
//! the classes alone (`predict`) or for both probabilities (`predict_proba`), as scikit-learn's
//! models are logged with. A regression answers with plain numbers, as scikit-learn's do behind all
//! three, and has no probabilities to be asked for.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::frame;
use crate::ml::package::{Prediction, Task};
use crate::serve::batch::{self, Columns};
use crate::serve::document;
use crate::serve::errors::{self, Problem};
use crate::serve::scorer::Scorer;
use crate::serve::validation::Row;

/// The envelope; keys that it does not have are refused.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request<'a> {
    #[serde(borrow)]
    dataframe_split: Option<Split<'a>>,
    #[serde(borrow)]
    dataframe_records: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    instances: Option<&'a RawValue>,
    #[serde(borrow)]
    inputs: Option<&'a RawValue>,
    params: Option<Params>,
    /// Vertex's name for `params`.
    parameters: Option<Params>,
}

/// A table as pandas' `to_dict("split")` writes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Split<'a> {
    columns: Vec<String>,
    #[serde(borrow)]
    data: Vec<Vec<&'a RawValue>>,
    /// The names of the rows, which no model sees.
    #[serde(rename = "index")]
    _index: Option<serde::de::IgnoredAny>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    predict_method: Option<Method>,
}

/// What is wanted of each row.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Method {
    Predict,
    PredictProba,
}

/// The answer to a body of JSON.
///
/// # Errors
/// What the body was refused for.
pub(crate) fn json(scorer: Scorer<'_>, body: &[u8]) -> Result<Vec<u8>, Problem> {
    let text = document::text(body)?;
    let request: Request<'_> = serde_json::from_str(text).map_err(|error| {
        let message = format!("the body is no request for predictions: {}", errors::brief(&error));
        Problem::malformed(errors::body(), &error.to_string(), message)
    })?;
    let Request { dataframe_split, dataframe_records, instances, inputs, params, parameters } =
        request;
    let validator = scorer.validator;
    let given = |value: &RawValue| match value.get().starts_with('{') {
        true => frame::columns(validator, &frame::columns_of(value)?),
        false => frame::items(validator, &frame::list(value)?),
    };
    let rows = match (dataframe_split, dataframe_records, instances, inputs) {
        (Some(split), None, None, None) => frame::rows(validator, &split.columns, &split.data)?,
        (None, Some(records), None, None) => frame::items(validator, &records)?,
        (None, None, Some(value), None) | (None, None, None, Some(value)) => given(value)?,
        _ => {
            let message = "the body must have exactly one of 'dataframe_split', \
                           'dataframe_records', 'instances' and 'inputs'";
            return Err(frame::shapeless(message.to_owned()));
        }
    };
    let method = params.or(parameters).unwrap_or_default().predict_method;
    check_method(scorer.package.task(), method)?;
    let predictions: Result<Vec<Value>, _> =
        scorer.many(|scorer| rows.iter().map(|row| prediction(scorer, row, method)).collect());
    let body = json!({ "predictions": predictions? });
    serde_json::to_vec(&body).map_err(|_| Problem::internal())
}

fn prediction(scorer: Scorer<'_>, row: &Row, method: Option<Method>) -> Result<Value, Problem> {
    Ok(match (scorer.predict(row)?, method) {
        (Prediction::Class { class, probability }, None) => json!({
            "prediction": class, "probability": probability,
            "model_version": scorer.package.version(),
        }),
        (Prediction::Class { class, .. }, Some(Method::Predict)) => class.clone(),
        (Prediction::Class { probability, .. }, Some(Method::PredictProba)) => {
            json!([1.0 - probability, probability])
        }
        (Prediction::Number(number), _) => number.into(),
    })
}

/// Refuses what a task has not.
fn check_method(task: &Task, method: Option<Method>) -> Result<(), Problem> {
    match (task, method) {
        (Task::Number, Some(Method::PredictProba)) => {
            let message = "'predict_method' must be 'predict': this model predicts a number, \
                           which has no probabilities";
            Err(frame::shapeless(message.to_owned()))
        }
        _ => Ok(()),
    }
}

/// The rows of a body of CSV: under a header, or in the order of the fields without one.
///
/// # Errors
/// What the body was refused for.
fn csv_rows(scorer: Scorer<'_>, body: &[u8]) -> Result<Vec<Row>, Problem> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let records = batch::records(body)?;
    let has_header =
        records.first().is_some_and(|first| Columns::is_header(scorer.validator, first));
    let (columns, records) = match records.split_first() {
        Some((header, records)) if has_header => (Columns::new(scorer.validator, header)?, records),
        _ => (Columns::in_order(scorer.validator), records.as_slice()),
    };
    let mut check = scorer.validator.check();
    for (index, record) in records.iter().enumerate() {
        let texts = columns
            .texts(record)
            .map_err(|message| frame::shapeless(format!("record {index} has {message}")))?;
        check.texts(Some(index), &texts);
    }
    check.end()
}

/// The answer to a body of CSV, as JSON, or as lines of `prediction,probability`, or of the number
/// alone.
///
/// # Errors
/// What the body was refused for.
pub(crate) fn csv(scorer: Scorer<'_>, body: &[u8], as_csv: bool) -> Result<Vec<u8>, Problem> {
    let rows = csv_rows(scorer, body)?;
    if !as_csv {
        let predictions: Result<Vec<Value>, _> =
            scorer.many(|scorer| rows.iter().map(|row| prediction(scorer, row, None)).collect());
        let body = json!({ "predictions": predictions? });
        return serde_json::to_vec(&body).map_err(|_| Problem::internal());
    }
    scorer.many(|scorer| {
        let mut out = String::new();
        for row in &rows {
            let predicted = scorer.predict(row)?;
            out.push_str(&batch::csv_value(&predicted.value()));
            if let Some(probability) = predicted.probability() {
                out.push_str(&format!(",{}", Value::from(probability)));
            }
            out.push_str("\r\n");
        }
        Ok(out.into_bytes())
    })
}
