//! The model card: what a person should know before trusting the model, as Markdown.
//!
//! Follows the headings of "Model Cards for Model Reporting" (Mitchell et al. 2019) as far as a
//! program can fill them in. Every number is the package's own; the texts of people stand as they
//! were written.

use std::fmt::Write;

use serde_json::Value;

use super::input::{self, InputField, InputSchema};
use super::task::{Classifier, TaskModel};
use super::write::Parts;
use crate::ml::calibration::Calibration;
use crate::ml::model::Model;
use crate::ml::schema::FieldType;

/// The most categories that are listed for a field.
const MAX_LISTED: usize = 12;

/// The metrics that a card shows first; others follow by name.
const LEADING: [&str; 19] = [
    "n",
    "positives",
    "roc_auc",
    "pr_auc",
    "recall",
    "precision",
    "f1",
    "log_loss",
    "brier",
    "tp",
    "fp",
    "fn",
    "tn",
    "rmse",
    "mae",
    "r2",
    "median_absolute_error",
    "mape",
    "explained_variance",
];

/// The segment of all rows.
const OVERALL: &str = "overall";

/// The text of the card.
pub fn write(parts: &Parts<'_>, schema: &InputSchema) -> String {
    let mut sections =
        vec![heading(parts), intended_use(parts), data(parts, schema), metrics(parts)];
    if let TaskModel::Classifier(classifier) = parts.model {
        sections.push(decision(parts, classifier));
    }
    sections.extend([limitations(parts), verify(parts.model)]);
    sections.join("\n")
}

fn heading(parts: &Parts<'_>) -> String {
    let (texts, learner) = (parts.texts, parts.model.learner());
    let (target, n_features) = (parts.model.target(), parts.model.features().len());
    let head = format!("# {}\n\n{}\n\n| | |\n|---|---|\n", texts.name, texts.description);
    let rows = match parts.model {
        TaskModel::Classifier(Classifier { model, .. }) => {
            let [negative, positive] = model.classes().each_ref().map(show);
            let calibration = calibration(model);
            format!(
                "| learner | {learner} |\n\
                 | predicts | `{target}`: `{positive}` or `{negative}` |\n\
                 | answers with | the class, and the probability of `{positive}` |\n\
                 | features | {n_features} |\n\
                 | calibration | {calibration} |\n"
            )
        }
        TaskModel::Regressor(_) => format!(
            "| learner | {learner} |\n\
             | predicts | `{target}`: a number |\n\
             | answers with | the number, in the unit of `{target}` |\n\
             | features | {n_features} |\n"
        ),
    };
    head + &rows
}

fn calibration(model: &Model) -> String {
    match model.calibration() {
        None => "none".to_owned(),
        Some(Calibration::Sigmoid(line)) => {
            format!("sigmoid: log-odds times {:.4}, plus {:.4}", -line.a, -line.b)
        }
        Some(Calibration::Isotonic(steps)) => format!("isotonic: {} points", steps.x.len()),
    }
}

fn intended_use(parts: &Parts<'_>) -> String {
    format!("## Intended use\n\n{}\n", parts.texts.intended_use)
}

fn data(parts: &Parts<'_>, schema: &InputSchema) -> String {
    let trained_on = match parts.model {
        TaskModel::Classifier(Classifier { model, .. }) => {
            let training = model.training();
            let (rows, positives) = (training.rows, training.positives);
            format!("{rows} rows, {positives} of them of the positive class")
        }
        TaskModel::Regressor(model) => format!("{} rows", model.rows()),
    };
    let mut text = format!(
        "## Data\n\nTrained on {trained_on}. A request is answered \
         only when every field is within what the data had:\n\n\
         | field | type | valid values | null |\n|---|---|---|---|\n",
    );
    for field in &schema.fields {
        let null = if field.nullable { "yes" } else { "no" };
        let (name, ty) = (cell(&field.name), type_name(field.ty));
        // Writing to a text cannot fail.
        let _ = writeln!(text, "| {name} | {ty} | {} | {null} |", cell(&valid(field)));
    }
    text
}

fn type_name(ty: FieldType) -> &'static str {
    match ty {
        FieldType::Integer => "whole number",
        FieldType::Number => "number",
        FieldType::Boolean => "true or false",
        FieldType::Category => "category",
        FieldType::Text => "text",
    }
}

fn valid(field: &InputField) -> String {
    let show = |x| input::plain(&input::number(x, field.ty == FieldType::Integer));
    if let (Some(min), Some(max)) = (field.min, field.max) {
        return format!("{} to {}", show(min), show(max));
    }
    if let Some(format) = &field.date {
        return format!("a date of the format {format}");
    }
    let Some(categories) = &field.categories else { return "any".to_owned() };
    let listed = categories.iter().take(MAX_LISTED).cloned().collect::<Vec<_>>().join(", ");
    match categories.len().saturating_sub(MAX_LISTED) {
        0 => listed,
        more => format!("{listed} and {more} more"),
    }
}

fn metrics(parts: &Parts<'_>) -> String {
    let mut names: Vec<&str> = Vec::new();
    for name in parts.metrics.values().flat_map(|scores| scores.keys()) {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    names.sort_by_key(|name| {
        (LEADING.iter().position(|leading| leading == name).unwrap_or(LEADING.len()), *name)
    });
    let unseen = match parts.model {
        TaskModel::Classifier(_) => "neither training nor the choice of the threshold saw",
        TaskModel::Regressor(_) => "training did not see",
    };
    let mut text = format!("## Metrics\n\nOn test rows that {unseen}.\n\n");
    let _ =
        writeln!(text, "| segment | {} |\n|---|{}", names.join(" | "), "---|".repeat(names.len()));
    let mut segments: Vec<_> = parts.metrics.iter().collect();
    // All rows first; the segments follow by name.
    segments.sort_by_key(|(segment, _)| *segment != OVERALL);
    for (segment, scores) in segments {
        let intervals = parts.intervals.get(segment);
        let value = |name: &&str| {
            let value = scores.get(*name).map_or(String::new(), rounded);
            match intervals.and_then(|known| known.get(*name)) {
                Some([low, high]) => format!("{value} [{low:.3}, {high:.3}]"),
                None => value,
            }
        };
        let values: Vec<String> = names.iter().map(value).collect();
        let _ = writeln!(text, "| {} | {} |", cell(segment), values.join(" | "));
    }
    if let Some(confidence) = parts.confidence {
        let _ = writeln!(
            text,
            "\nIn brackets: where the figure lies for other rows of the same kind, with a \
             confidence of {confidence}. It does not tell what another training or another time would change."
        );
    }
    text
}

fn decision(parts: &Parts<'_>, classifier: &Classifier) -> String {
    let Classifier { model, threshold, thresholds } = classifier;
    let positive = show(&model.classes()[1]);
    let mut text = format!(
        "## Decision rule\n\n`{positive}` is predicted when its probability is at least \
         {threshold}.",
    );
    if let Some(rule) = parts.threshold_rule {
        let _ = write!(text, " The threshold was {rule}.");
    }
    text.push('\n');
    if let Some(per_segment) = thresholds {
        let column = cell(&per_segment.column);
        let _ = write!(
            text,
            "\nSome rows have another threshold, chosen in the same way on rows like them:\n\n\
             | {column} | threshold |\n|---|---|\n"
        );
        for (value, threshold) in &per_segment.thresholds {
            let _ = writeln!(text, "| {} | {threshold} |", cell(value));
        }
    }
    text
}

fn limitations(parts: &Parts<'_>) -> String {
    format!(
        "## Limitations\n\n{}\n\nThe valid values above are those of the data; outside of them \
         nothing is known of the model, and a request is refused.\n",
        parts.texts.limitations
    )
}

fn verify(model: &TaskModel) -> String {
    let exact = match model {
        TaskModel::Classifier(_) => "probabilities",
        TaskModel::Regressor(_) => "predictions",
    };
    format!(
        "## How to verify\n\n\
         `package.json` lists every file of this package with its blake3 digest (`b3sum *` shows \
         them); the model version is the first 12 hex digits of the digest of `package.json` \
         itself. `reference.json` holds rows with the exact bits of their {exact}: whatever loads \
         this package must give the same bits, and the service does not become ready before it \
         did. `provenance.json` tells from which data, parameters and code the model was made.\n"
    )
}

/// A number as a table shows it: counts whole, others to four places.
fn rounded(value: &Value) -> String {
    match value.as_f64() {
        Some(x) if value.is_f64() => format!("{x:.4}"),
        _ => show(value),
    }
}

fn show(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A text that cannot break a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace(['\n', '\r'], " ")
}
