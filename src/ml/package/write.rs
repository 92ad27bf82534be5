//! Making a package: from a trained model and what is known of it to the bytes of its files.
//!
//! The same parts give the same bytes: no time, host or path is among them. Knows nothing of
//! stages; whoever calls it has read the parts from wherever they were.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use super::distribution::Distribution;
use super::evaluation::Intervals;
use super::files::digest_of;
use super::input::InputSchema;
use super::reference::Reference;
use super::{
    CARD, DISTRIBUTION, MANIFEST, MODEL, Manifest, PROVENANCE, REFERENCE, SCHEMA, Scores,
    TaskModel, card,
};
use crate::ml::cell::Cell;
use crate::ml::json;
use crate::ml::schema::Schema;

/// What a package is made of.
pub struct Parts<'a> {
    /// Texts that a person wrote.
    pub texts: &'a Texts,
    /// The model, with what decides.
    pub model: &'a TaskModel,
    /// How the threshold was chosen, as the rest of a sentence; a number has none.
    pub threshold_rule: Option<&'a str>,
    /// How well it did on the test rows.
    pub metrics: &'a Scores,
    /// Where those scores lie for other rows of the kind, as far as that is known.
    pub intervals: &'a Intervals,
    /// How often such an interval holds the truth; `None` without intervals.
    pub confidence: Option<f64>,
    /// The schema of the whole table.
    pub schema: &'a Schema,
    /// Rows to prove the model by, one cell per feature.
    pub rows: &'a [Vec<Cell>],
    /// Rows that the model has not learnt from, with whose distribution later ones are compared;
    /// without any, nothing is.
    pub seen: &'a [Vec<Cell>],
    /// Where it comes from: the experiment record, or an empty object.
    pub provenance: &'a Value,
}

/// Texts that a person wrote.
#[derive(Clone, Debug)]
pub struct Texts {
    /// What people call the model.
    pub name: String,
    /// What it is for, in a sentence.
    pub description: String,
    /// Who should use it for what.
    pub intended_use: String,
    /// What it cannot do.
    pub limitations: String,
}

/// The files of a package with their bytes.
///
/// # Errors
/// Why the parts make no package.
pub fn files(parts: &Parts<'_>) -> Result<BTreeMap<&'static str, Vec<u8>>, String> {
    let model = parts.model;
    let schema = InputSchema::new(parts.schema, model.features(), parts.rows)
        .map_err(|name| format!("the schema does not have the model's feature `{name}`"))?;
    if let Some(flaw) = schema.flaw() {
        return Err(format!("no input schema can be made of the profile: {flaw}"));
    }
    if parts.rows.is_empty() {
        return Err("there are no reference rows to prove the model by".to_owned());
    }
    let reference = Reference::new(&schema, parts.rows, |row| model.predict(row));
    let mut files = BTreeMap::from([
        (CARD, card::write(parts, &schema).into_bytes()),
        (MODEL, model.to_bytes()),
        (PROVENANCE, canonical(parts.provenance)?),
        (REFERENCE, canonical(&reference)?),
        (SCHEMA, canonical(&schema)?),
    ]);
    if !parts.seen.is_empty() {
        let found = Distribution::new(&schema, parts.seen, |row| model.predict(row).score());
        files.insert(DISTRIBUTION, canonical(&found)?);
    }
    let listed = files.iter().map(|(name, bytes)| ((*name).to_owned(), digest_of(bytes)));
    let manifest = Manifest {
        name: parts.texts.name.clone(),
        description: parts.texts.description.clone(),
        learner: model.learner().to_owned(),
        target: model.target().to_owned(),
        task: model.task(),
        metrics: parts.metrics.clone(),
        files: listed.collect(),
    };
    files.insert(MANIFEST, canonical(&manifest)?);
    Ok(files)
}

/// Writes the files of a package into a new directory.
///
/// # Errors
/// What writing gives.
pub fn write(dir: &Path, files: &BTreeMap<&'static str, Vec<u8>>) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    files.iter().try_for_each(|(name, bytes)| fs::write(dir.join(name), bytes))
}

fn canonical<T: Serialize>(document: &T) -> Result<Vec<u8>, String> {
    json::to_bytes(document).map_err(|error| error.to_string())
}
