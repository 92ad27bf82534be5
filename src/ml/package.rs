//! A package: a directory with all that is needed to predict, and the proof that it still does.
//!
//! `package.json` lists every other file with its digest; the digest of `package.json` is therefore
//! one for all of them, and the model version is its beginning. Nothing in a package can be run.
//! Loading trusts no byte: every file is hashed, parsed and checked against the others, and the
//! reference rows must give the very bits they gave when the package was made. Whether it predicts
//! a class or a number is told by `manifest` and `task`, and nowhere else. Knows neither the engine
//! that made it nor the service that uses it.

pub mod card;
pub mod distribution;
pub mod evaluation;
pub mod files;
pub mod input;
pub mod manifest;
pub mod reference;
pub mod task;
pub mod write;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde_json::Value;

use crate::ml::cell::Cell;
use crate::ml::features::Known;
use crate::ml::model::{Explained, FeatureKind};
use crate::ml::schema::FieldType;

use distribution::Distribution;
use files::{FileEntry, digest_of};
use input::InputSchema;
use reference::Reference;

pub use manifest::{Manifest, Task};
pub use task::{Classifier, Prediction, TaskModel};

/// The manifest's name.
pub const MANIFEST: &str = "package.json";

/// The model's name.
pub const MODEL: &str = "model.json";

/// The input schema's name.
pub const SCHEMA: &str = "schema.json";

/// The reference rows' name.
pub const REFERENCE: &str = "reference.json";

/// The provenance's name.
pub const PROVENANCE: &str = "provenance.json";

/// The model card's name.
pub const CARD: &str = "MODEL_CARD.md";

/// The name of the distribution of rows, which packages of earlier programs lack.
pub const DISTRIBUTION: &str = "distribution.json";

/// All files that every manifest lists: these, `DISTRIBUTION`, and no others.
pub const LISTED: [&str; 5] = [CARD, MODEL, PROVENANCE, REFERENCE, SCHEMA];

/// How many hex digits of the manifest's digest make the model version.
const VERSION_LEN: usize = 12;

/// Metrics by segment, then by name; the segment `overall` is all rows.
pub type Scores = BTreeMap<String, BTreeMap<String, Value>>;

/// A package in memory, proved.
#[derive(Debug)]
pub struct Package {
    manifest: Manifest,
    manifest_entry: FileEntry,
    model: TaskModel,
    /// What the categories of the schema become.
    known: Known,
    schema: InputSchema,
    reference: Reference,
    distribution: Option<Distribution>,
    card: String,
}

/// Why a directory is not a package that predicts what it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PackageError {
    /// A file is not there.
    Missing(String),
    /// A file cannot be read.
    Unreadable(String, std::io::ErrorKind),
    /// The bytes of a file are not those that were packaged.
    Altered(String),
    /// A file does not say what it must.
    Invalid(String, String),
    /// The model gives another result for a reference row than when it was packaged.
    Reference(usize),
}

impl fmt::Display for PackageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PackageError::Missing(file) => write!(f, "package file '{file}' is missing"),
            PackageError::Unreadable(file, kind) => {
                write!(f, "package file '{file}' cannot be read: {kind}")
            }
            PackageError::Altered(file) => {
                write!(f, "package file '{file}' was altered: its digest is not the packaged one")
            }
            PackageError::Invalid(file, flaw) => write!(f, "package file '{file}': {flaw}"),
            PackageError::Reference(row) => {
                write!(f, "reference row {row} gives another prediction than when it was packaged")
            }
        }
    }
}

impl std::error::Error for PackageError {}

impl Package {
    /// Reads a package and proves it.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn load(dir: &Path) -> Result<Package, PackageError> {
        let manifest = files::read(dir, MANIFEST)?;
        let mut listed = BTreeMap::new();
        for name in LISTED {
            listed.insert(name, files::read(dir, name)?);
        }
        // What makes the manifest none is told below.
        let told = serde_json::from_slice::<Manifest>(&manifest);
        if told.is_ok_and(|manifest| manifest.files.contains_key(DISTRIBUTION)) {
            listed.insert(DISTRIBUTION, files::read(dir, DISTRIBUTION)?);
        }
        Package::from_bytes(&manifest, &listed)
    }

    /// Checks the bytes of a package: the manifest, and the files it lists by name.
    ///
    /// # Errors
    /// The first thing that is wrong with them.
    pub fn from_bytes(
        manifest_bytes: &[u8],
        listed: &BTreeMap<&str, Vec<u8>>,
    ) -> Result<Package, PackageError> {
        let manifest: Manifest = parse(MANIFEST, manifest_bytes)?;
        check_manifest(&manifest)?;
        for (name, entry) in &manifest.files {
            let bytes = listed.get(name.as_str());
            let bytes = bytes.ok_or_else(|| PackageError::Missing(name.clone()))?;
            if digest_of(bytes) != *entry {
                return Err(PackageError::Altered(name.clone()));
            }
        }
        let bytes = |name: &str| listed.get(name).map(Vec::as_slice).unwrap_or_default();
        let model = TaskModel::from_bytes(&manifest.task, bytes(MODEL));
        let model = model.map_err(|flaw| invalid(MODEL, &flaw))?;
        let schema: InputSchema = parse(SCHEMA, bytes(SCHEMA))?;
        let card = String::from_utf8(bytes(CARD).to_vec());
        let card = card.map_err(|_| invalid(CARD, &"it is not UTF-8"))?;
        let _: Value = parse(PROVENANCE, bytes(PROVENANCE))?;
        check_fit(&manifest, &model, &schema)?;
        let reference: Reference = parse(REFERENCE, bytes(REFERENCE))?;
        let is_listed = manifest.files.contains_key(DISTRIBUTION);
        let parsed = is_listed.then(|| parse(DISTRIBUTION, bytes(DISTRIBUTION))).transpose()?;
        let distribution: Option<Distribution> = parsed;
        if let Some(flaw) = distribution.as_ref().and_then(|known| known.flaw(&schema)) {
            return Err(invalid(DISTRIBUTION, &flaw));
        }
        let manifest_entry = digest_of(manifest_bytes);
        let known = model.known(schema.fields.iter().map(|field| field.categories.as_deref()));
        let package = Package {
            manifest,
            manifest_entry,
            model,
            known,
            schema,
            reference,
            distribution,
            card,
        };
        package.prove()?;
        Ok(package)
    }

    /// Predicts the reference rows anew.
    ///
    /// # Errors
    /// The first row that gives other bits or another class, or that is no row.
    pub fn prove(&self) -> Result<(), PackageError> {
        self.reference.prove(&self.schema, |row| self.predict(row))
    }

    /// Predicts a row: one cell per field of the schema, in its order.
    pub fn predict(&self, row: &[Cell]) -> Prediction<'_> {
        self.model.predict(row)
    }

    /// The same bits, of a row of which `places` has, for each cell that is a category of its
    /// field, which one: nothing is searched for again. The buffer is kept between calls.
    pub fn predict_known(
        &self,
        row: &[Cell],
        places: &[Option<u32>],
        scratch: &mut Vec<f64>,
    ) -> Prediction<'_> {
        self.model.predict_known(row, places, &self.known, scratch)
    }

    /// What each field of a row adds to what the model says of it.
    ///
    /// # Errors
    /// Why the model cannot be explained.
    pub fn explain(&self, row: &[Cell]) -> Result<Explained, &'static str> {
        self.model.explain(row)
    }

    /// The name under which predictions are traced.
    pub fn version(&self) -> &str {
        &self.manifest_entry.digest[..VERSION_LEN]
    }

    /// What the package says of itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// What a record must look like.
    pub fn schema(&self) -> &InputSchema {
        &self.schema
    }

    /// What is predicted.
    pub fn task(&self) -> &Task {
        &self.manifest.task
    }

    /// The model.
    pub fn model(&self) -> &TaskModel {
        &self.model
    }

    /// How many reference rows prove it.
    pub fn reference_len(&self) -> usize {
        self.reference.rows.len()
    }

    /// How rows that the model has not learnt from are distributed, if the package says so.
    pub fn distribution(&self) -> Option<&Distribution> {
        self.distribution.as_ref()
    }

    /// The model card, in Markdown.
    pub fn card(&self) -> &str {
        &self.card
    }

    /// Every file, the manifest among them, with what its bytes must be.
    pub fn files(&self) -> impl Iterator<Item = (&str, &FileEntry)> {
        let listed = self.manifest.files.iter().map(|(name, entry)| (name.as_str(), entry));
        std::iter::once((MANIFEST, &self.manifest_entry)).chain(listed)
    }
}

fn check_manifest(manifest: &Manifest) -> Result<(), PackageError> {
    let names = manifest.files.keys().map(String::as_str);
    if !names.filter(|name| *name != DISTRIBUTION).eq(LISTED) {
        return Err(invalid(MANIFEST, &"it does not list the files of a package"));
    }
    if manifest.task.decision().is_some_and(|of| !(0.0..=1.0).contains(&of.threshold)) {
        return Err(invalid(MANIFEST, &"its threshold is not between 0 and 1"));
    }
    Ok(())
}

/// Whether manifest, model and schema speak of the same model.
fn check_fit(
    manifest: &Manifest,
    model: &TaskModel,
    schema: &InputSchema,
) -> Result<(), PackageError> {
    if let Some(flaw) = schema.flaw() {
        return Err(invalid(SCHEMA, &flaw));
    }
    let is_same = manifest.task == model.task()
        && manifest.learner == model.learner()
        && manifest.target == model.target();
    if !is_same {
        return Err(invalid(MANIFEST, &"it describes another model"));
    }
    if let Some(flaw) = model.flaw() {
        return Err(invalid(MANIFEST, &flaw));
    }
    let fields = schema.fields.iter().map(|field| (field.name.as_str(), kind_of(field.ty)));
    let features = model.features().iter().map(|feature| (feature.name.as_str(), feature.kind));
    if !fields.eq(features) {
        return Err(invalid(SCHEMA, &"its fields are not the features of the model"));
    }
    Ok(())
}

/// The kind of feature that takes a field's values.
pub fn kind_of(ty: FieldType) -> FeatureKind {
    match ty {
        FieldType::Integer | FieldType::Number => FeatureKind::Numeric,
        FieldType::Boolean => FeatureKind::Boolean,
        FieldType::Category | FieldType::Text => FeatureKind::Categorical,
    }
}

fn parse<T: serde::de::DeserializeOwned>(file: &str, bytes: &[u8]) -> Result<T, PackageError> {
    serde_json::from_slice(bytes).map_err(|error| invalid(file, &error))
}

fn invalid(file: &str, flaw: &dyn fmt::Display) -> PackageError {
    // A flaw may repeat a text of the file; what is told of it is bounded.
    let flaw: String = flaw.to_string().chars().take(200).collect();
    PackageError::Invalid(file.to_owned(), flaw)
}

#[cfg(test)]
#[path = "package/tests.rs"]
pub(crate) mod tests;
