//! The Open Inference Protocol V2, as KServe, Triton and MLServer speak it over HTTP with JSON.
//!
//! One tensor per field, of shape `[n]` or `[n, 1]`, as tabular clients send them, or one tensor
//! `[n, fields]` of all in their order. The answer has two tensors of `[n, 1]`, `prediction` and
//! `probability`, or `prediction` alone where that is a number. Tensors as raw bytes (Triton's
//! extension) are refused in words.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::frame::{self, shapeless};
use crate::ml::package::{Package, Prediction, Task};
use crate::ml::schema::FieldType;
use crate::serve::document;
use crate::serve::errors::{self, Problem};
use crate::serve::scorer::Scorer;
use crate::serve::validation::Row;

/// The datatypes that a tensor may have.
const DATATYPES: [&str; 13] = [
    "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16",
    "FP32", "FP64", "BYTES",
];

/// The longest id of a request, which its answer repeats.
const MAX_ID_LEN: usize = 128;

/// A request for predictions.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request<'a> {
    id: Option<String>,
    #[serde(rename = "parameters")]
    _parameters: Option<IgnoredAny>,
    #[serde(borrow)]
    inputs: Vec<Tensor<'a>>,
    outputs: Option<Vec<Output>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tensor<'a> {
    name: String,
    shape: Vec<u64>,
    datatype: String,
    #[serde(rename = "parameters")]
    _parameters: Option<IgnoredAny>,
    #[serde(borrow)]
    data: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Output {
    name: String,
    #[serde(rename = "parameters")]
    _parameters: Option<IgnoredAny>,
}

/// What `GET /v2` answers.
pub(crate) fn server() -> Value {
    json!({ "name": "pipeline", "version": env!("CARGO_PKG_VERSION"), "extensions": [] })
}

/// What `GET /v2/models/MODEL` answers.
pub(crate) fn model(package: &Package) -> Value {
    let tensor = |name: &str, datatype: &str| {
        let shape = [-1, 1];
        json!({ "name": name, "datatype": datatype, "shape": shape })
    };
    let fields = package.schema().fields.iter();
    let outputs = outputs(package.task()).into_iter();
    json!({
        "name": package.manifest().name,
        "versions": [package.version()],
        "platform": "pipeline",
        "inputs": fields.map(|f| tensor(&f.name, datatype(f.ty))).collect::<Vec<_>>(),
        "outputs": outputs.map(|(name, datatype)| tensor(name, datatype)).collect::<Vec<_>>(),
    })
}

/// The datatype of a field's tensor.
pub(crate) fn datatype(ty: FieldType) -> &'static str {
    match ty {
        FieldType::Integer => "INT64",
        FieldType::Number => "FP64",
        FieldType::Boolean => "BOOL",
        FieldType::Category | FieldType::Text => "BYTES",
    }
}

/// The tensors that are answered, by name, with their datatypes.
pub(crate) fn outputs(task: &Task) -> Vec<(&'static str, &'static str)> {
    match task {
        Task::Classes(decision) => {
            vec![("prediction", class_datatype(&decision.classes)), ("probability", "FP64")]
        }
        Task::Number => vec![("prediction", "FP64")],
    }
}

/// The datatype of the predicted classes.
fn class_datatype(classes: &[Value]) -> &'static str {
    match classes {
        classes if classes.iter().all(Value::is_boolean) => "BOOL",
        classes if classes.iter().all(Value::is_i64) => "INT64",
        classes if classes.iter().all(Value::is_number) => "FP64",
        _ => "BYTES",
    }
}

/// The answer to a body.
///
/// # Errors
/// What the body was refused for.
pub(crate) fn infer(scorer: Scorer<'_>, body: &[u8]) -> Result<Vec<u8>, Problem> {
    let request: Request<'_> = serde_json::from_str(document::text(body)?).map_err(|error| {
        let message = format!("the body is no inference request: {}", errors::brief(&error));
        Problem::malformed(errors::body(), &error.to_string(), message)
    })?;
    if request.id.as_ref().is_some_and(|id| id.chars().count() > MAX_ID_LEN) {
        return Err(shapeless(format!("'id' must have at most {MAX_ID_LEN} characters")));
    }
    let rows = rows(scorer, &request.inputs)?;
    let wanted = request.outputs.unwrap_or_default();
    let package = scorer.package;
    let outputs = outputs(package.task());
    let known: Vec<&str> = outputs.iter().map(|(name, _)| *name).collect();
    if let Some(unknown) = wanted.iter().find(|output| !known.contains(&output.name.as_str())) {
        let name = errors::clip(&unknown.name);
        return Err(shapeless(format!("there is no output '{name}'; there are {known:?}")));
    }
    // As values, because nothing of what is shared while they are many outlives that.
    let predicted: Vec<(Value, Option<f64>)> = scorer.many(|scorer| {
        let said = |row| scorer.predict(row).map(|said| (scalar(&said), said.probability()));
        rows.iter().map(said).collect::<Result<_, _>>()
    })?;
    let tensor = |(name, datatype): &(&str, &str)| {
        let value = |(said, probability): &(Value, Option<f64>)| match *name {
            "probability" => (*probability).into(),
            _ => said.clone(),
        };
        let (shape, data) = ([rows.len(), 1], predicted.iter().map(value).collect::<Vec<Value>>());
        json!({ "name": name, "datatype": datatype, "shape": shape, "data": data })
    };
    let is_wanted = |(name, _): &&(&str, &str)| {
        wanted.is_empty() || wanted.iter().any(|wanted| wanted.name == *name)
    };
    let mut answer = json!({
        "model_name": package.manifest().name,
        "model_version": package.version(),
        "outputs": outputs.iter().filter(is_wanted).map(tensor).collect::<Vec<_>>(),
    });
    if let Some(id) = request.id {
        answer["id"] = id.into();
    }
    serde_json::to_vec(&answer).map_err(|_| Problem::internal())
}

/// What is predicted, as a tensor may hold it.
fn scalar(prediction: &Prediction<'_>) -> Value {
    match prediction.value().into_owned() {
        scalar @ (Value::String(_) | Value::Bool(_) | Value::Number(_)) => scalar,
        other => Value::from(other.to_string()),
    }
}

/// The rows of tensors.
fn rows(scorer: Scorer<'_>, inputs: &[Tensor<'_>]) -> Result<Vec<Row>, Problem> {
    let validator = scorer.validator;
    let n_fields = validator.fields().len();
    let mut columns = Vec::with_capacity(inputs.len());
    for tensor in inputs {
        let values = flat(tensor)?;
        match (tensor.shape.as_slice(), inputs.len()) {
            ([_] | [_, 1], _) => columns.push((tensor.name.clone(), values)),
            ([_, width], 1) if *width == n_fields as u64 => {
                let rows: Vec<_> = values.chunks(n_fields).map(<[_]>::to_vec).collect();
                let names: Vec<_> = validator.fields().iter().map(|field| &field.name).collect();
                return frame::rows(validator, &names, &rows);
            }
            _ => {
                let name = errors::clip(&tensor.name);
                return Err(shapeless(format!(
                    "input '{name}' must have the shape [n] or [n, 1], one input per field, or be \
                     the only one with [n, {n_fields}]"
                )));
            }
        }
    }
    frame::columns(validator, &columns)
}

/// The values of a tensor, row by row; rows may be lists of their own.
fn flat<'a>(tensor: &Tensor<'a>) -> Result<Vec<&'a RawValue>, Problem> {
    let name = errors::clip(&tensor.name);
    if !DATATYPES.contains(&tensor.datatype.as_str()) {
        let datatype = errors::clip(&tensor.datatype);
        return Err(shapeless(format!("input '{name}' has no known datatype: '{datatype}'")));
    }
    let mut values = Vec::with_capacity(tensor.data.len());
    for value in &tensor.data {
        match value.get().starts_with('[') {
            true => values.extend(frame::list(value)?),
            false => values.push(*value),
        }
    }
    let size = tensor.shape.iter().try_fold(1_u64, |size, side| size.checked_mul(*side));
    if size != Some(values.len() as u64) {
        let n = values.len();
        return Err(shapeless(format!("input '{name}' has {n} values, which is not its shape")));
    }
    Ok(values)
}
