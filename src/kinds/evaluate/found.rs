//! What `evaluate` finds: models, reference and baselines on the same rows, and how sure that is.

use anyhow::{Context as _, ensure};
use engine::kind::Context;

use super::params::Params;
use super::{CHAMPION, REFERENCE};
use crate::kinds::shared;
use crate::ml::columns::Columns;
use crate::ml::evaluation::baseline::Baselines;
use crate::ml::evaluation::certainty::{self, Certainty};
use crate::ml::evaluation::document::Comparison;
use crate::ml::evaluation::{
    Evaluated, Rows, Side, check_models, comparison, evaluate, reference_scores,
};
use crate::ml::model::Model;
use crate::ml::table::Table;
use crate::ml::table_file;
use crate::ml::target::{self, Classes};

/// The input of rows that baselines are learned from.
pub(super) const TRAIN: &str = "train";

/// A model that is plugged in.
pub(super) struct Candidate {
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
    pub(super) model: Model,
}

/// The rows of all inputs.
pub(super) struct Tables {
    validation: Table,
    test: Table,
    train: Option<Table>,
    reference: Option<Table>,
}

/// What the rows are for, and what is to be predicted.
pub(super) struct Task {
    columns: Columns,
    classes: Classes,
}

/// What was found.
pub(super) struct Found {
    pub(super) variants: Vec<(String, Evaluated)>,
    pub(super) reference: Option<Evaluated>,
    /// Or why there are none.
    pub(super) baselines: Result<Baselines, String>,
    /// Of the variants, then the baselines, then the reference.
    pub(super) certainty: Certainty,
    pub(super) comparisons: Vec<Comparison>,
}

/// Reads the models that are plugged in.
///
/// # Errors
/// A file that is no model; a name that is taken.
pub(super) fn read_models(context: &Context<'_>) -> anyhow::Result<Vec<Candidate>> {
    let mut models: Vec<Candidate> = Vec::new();
    for plugged in context.many("models") {
        let name = plugged.name.clone();
        let is_taken = [REFERENCE, CHAMPION].contains(&name.as_str());
        ensure!(!is_taken, "a variant cannot be called `{name}`: that means something here");
        ensure!(models.iter().all(|model| model.name != name), "two models are called `{name}`");
        let bytes = std::fs::read(&plugged.path)?;
        let model = Model::from_bytes(&bytes).with_context(|| format!("model `{name}`"))?;
        models.push(Candidate { name, bytes, model });
    }
    Ok(models)
}

impl Tables {
    /// Reads the rows that are plugged in.
    ///
    /// # Errors
    /// A file that is no table; a role of a column that one of them has not.
    pub(super) fn read(context: &Context<'_>, params: &Params) -> anyhow::Result<Tables> {
        let tables = Tables {
            validation: table_file::read(context.input("validation"))?,
            test: table_file::read(context.input("test"))?,
            train: context.optional(TRAIN).map(table_file::read).transpose()?,
            reference: context.optional(REFERENCE).map(table_file::read).transpose()?,
        };
        for table in [&tables.validation, &tables.test].into_iter().chain(&tables.train) {
            shared::check_roles(&params.columns, table)?;
        }
        Ok(tables)
    }

    /// What all models are for, on these rows.
    ///
    /// # Errors
    /// Models that are for different things; columns that do not play their part.
    pub(super) fn task(&self, params: &Params, models: &[Candidate]) -> anyhow::Result<Task> {
        let columns = Columns::of(&self.validation, &params.columns).map_err(anyhow::Error::msg)?;
        let named = models.iter().map(|candidate| (candidate.name.as_str(), &candidate.model));
        let classes = check_models(named, &columns.target, params.positive.as_ref())
            .map_err(anyhow::Error::msg)?;
        Ok(Task { columns, classes })
    }

    /// The rows of both sides, ready to be scored.
    ///
    /// # Errors
    /// A target that is neither class; a segment that does not group rows.
    pub(super) fn sides(&self, task: &Task, params: &Params) -> anyhow::Result<[Rows<'_>; 2]> {
        let rows = |side: Side, table| {
            Rows::new(table, &task.columns, &task.classes, &params.segments.intersect)
                .map_err(|error| anyhow::anyhow!("{}: {error}", side.name()))
        };
        Ok([rows(Side::Validation, &self.validation)?, rows(Side::Test, &self.test)?])
    }

    /// From which rows baselines are learned.
    pub(super) fn learned_on(&self) -> &'static str {
        if self.train.is_some() { TRAIN } else { Side::Validation.name() }
    }

    fn baselines(
        &self,
        task: &Task,
        sides: &[Rows<'_>; 2],
        params: &Params,
    ) -> Result<Baselines, String> {
        let table = self.train.as_ref().unwrap_or(&self.validation);
        let target = table.column(&task.columns.target).ok_or("no column of the target")?;
        let labels = target::labels(target, &task.classes)?;
        Baselines::learn(table, &labels, &task.columns.features, sides, &params.deciding())
    }
}

/// Evaluates everything on the rows of both sides.
///
/// # Errors
/// A model that does not fit the rows, or whose scores allow no threshold.
pub(super) fn find(
    context: &Context<'_>,
    params: &Params,
    models: &[Candidate],
    tables: &Tables,
    task: &Task,
    sides: &[Rows<'_>; 2],
) -> anyhow::Result<Found> {
    let deciding = params.deciding();
    let evaluate = |name: &str, scores: [Vec<f64>; 2]| {
        evaluate(sides, scores, &deciding).map_err(|error| anyhow::anyhow!("{name}: {error}"))
    };
    let mut variants = Vec::new();
    for Candidate { name, model, .. } in models {
        let scores = [model.probabilities(&tables.validation)?, model.probabilities(&tables.test)?];
        variants.push((name.clone(), evaluate(&format!("model `{name}`"), scores)?));
    }
    let mut reference = None;
    if let Some(known) = &tables.reference {
        let join =
            |table| reference_scores(known, &task.columns.id, table).map_err(anyhow::Error::msg);
        let scores = [join(&tables.validation)?, join(&tables.test)?];
        reference = Some(evaluate(REFERENCE, scores)?);
    }
    let baselines = tables.baselines(task, sides, params);
    let without_model = baselines.iter().flat_map(|b| [&b.majority, &b.one_feature]);
    let all: Vec<&Evaluated> =
        variants.iter().map(|(_, e)| e).chain(without_model).chain(&reference).collect();
    let how = params.how_sure();
    let certainty = certainty::measure(&sides[1], &all, &how, &|label| context.seed(label));
    let resamples = certainty.overall.as_ref().map_err(|why| *why);
    let comparisons = comparison::compare(&sides[1], &variants, resamples, how.level);
    Ok(Found { variants, reference, baselines, certainty, comparisons })
}
