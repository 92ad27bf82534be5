//! Fitting: what is learnt from the training rows, and how a learner may see them.
//!
//! Every transform is fitted to the rows that it is given and no others. One that has seen the
//! target (`Encode::Target`) would tell a learner the target of the very row that it encodes; so
//! `fit_transform` encodes each training row by what the rows of the other folds say, through the
//! same `encode`, and returns the encoder of all training rows for every other row.

use ndarray::Array2;
use rayon::prelude::*;

use super::category::{Counts, Levels, Place};
use super::date::{Dated, Moment};
use super::folds::folds;
use super::interaction::{Joined, cross};
use super::number::Number;
use super::params::{
    CategoricalParams, ColumnParams, Encode, FeatureParams, FitError, Impute, NumericParams,
    Smooth, Unseen, categorical, numeric,
};
use super::target_means::TargetMeans;
use super::transform::Transform;
use super::{Encoder, Feature, FeatureKind, Interaction, Rows};
use crate::ml::cell::Cell;
use crate::ml::columns::Columns;
use crate::ml::table::{Column, Table};

/// Fitted transforms, and the training rows as a learner may see them.
pub struct Fitted {
    /// For all other rows.
    pub encoder: Encoder,
    /// The training rows, by the folds that they are not in where a transform knows the target.
    pub rows: Array2<f64>,
}

/// Fits transforms to a table, `labels` being its rows' targets.
///
/// # Errors
/// Every column that cannot be what it is declared to be, and every name that is none.
pub fn fit_transform(
    table: &Table,
    columns: &Columns,
    labels: &[bool],
    params: &FeatureParams,
) -> Result<Fitted, FitError> {
    told(params.mistakes(&columns.features))?;
    let fit = |name: &String| {
        let column = table.column(name);
        let column = column.ok_or_else(|| FitError(format!("the table has no column `{name}`")))?;
        let cells = (0..column.len()).map(|row| column.cell(row));
        fit(name, FeatureKind::of(column.ty()), cells, labels, params)
    };
    let features = collect(columns.features.par_iter().map(fit).collect())?;
    let join = |pair: &Vec<String>| join(table, &features, pair, labels, params);
    let interactions = collect(params.interactions.par_iter().map(join).collect())?;
    let encoder = Encoder::new(features, interactions).map_err(FitError)?;
    let rows = if encoder.targets().next().is_none() {
        encoder.encode_table(table)
    } else {
        folds(table, columns, params.categorical.cv, &params.seed)
            .and_then(|folds| out_of_fold(&encoder, table, labels, params, &folds))
    };
    Ok(Fitted { rows: rows.map_err(FitError)?, encoder })
}

/// All values, or all mistakes.
fn collect<T>(found: Vec<Result<T, FitError>>) -> Result<Vec<T>, FitError> {
    let (mut values, mut mistakes) = (Vec::new(), Vec::new());
    for found in found {
        match found {
            Ok(value) => values.push(value),
            Err(FitError(mistake)) => mistakes.push(mistake),
        }
    }
    told(mistakes)?;
    Ok(values)
}

fn told(mistakes: Vec<String>) -> Result<(), FitError> {
    if mistakes.is_empty() { Ok(()) } else { Err(FitError(mistakes.join("\n"))) }
}

/// Fits the transform of a column to its cells in training, `labels` being their targets.
///
/// # Errors
/// A parameter that does not suit the column, too many categories, a text that is no date.
pub fn fit(
    name: &str,
    kind: FeatureKind,
    cells: impl Iterator<Item = Cell> + Clone,
    labels: &[bool],
    params: &FeatureParams,
) -> Result<Feature, FitError> {
    let own = params.own(name);
    let is_missing = || cells.clone().any(|cell| cell == Cell::Missing);
    let (transform, indicator) = if own.date.is_some() {
        let params = numeric(name, &params.numeric, &own)?;
        (fit_date(name, kind, cells.clone(), &own, &params)?, params.indicator)
    } else if kind == FeatureKind::Categorical || own.kind.is_some() {
        let params = categorical(name, &params.categorical, &own)?;
        if params.unseen == Unseen::Error && kind != FeatureKind::Categorical {
            return Err(FitError(format!(
                "column `{name}` holds numbers: `unseen = \"error\"` is for texts, give it another \
                 `unseen`"
            )));
        }
        let counts = Counts::of(name, kind, cells.clone())?;
        let cells = cells.clone();
        let place = move |levels: &Levels| cells.map(|cell| levels.place(&cell, kind)).collect();
        (fit_category(name, counts, place, labels, &params)?, params.indicator)
    } else {
        let params = numeric(name, &params.numeric, &own)?;
        let number = |cell| if let Cell::Number(number) = cell { Some(number) } else { None };
        let numbers: Vec<Option<f64>> = cells.clone().map(number).collect();
        (Transform::Number(Number::fit(&numbers, &params)), params.indicator)
    };
    let indicator = indicator && is_missing();
    Ok(Feature { name: name.to_owned(), kind, transform, indicator })
}

fn fit_date(
    name: &str,
    kind: FeatureKind,
    cells: impl Iterator<Item = Cell>,
    own: &ColumnParams,
    params: &NumericParams,
) -> Result<Transform, FitError> {
    let Some(date) = own.date.as_ref().filter(|_| kind != FeatureKind::Boolean) else {
        return Err(FitError(format!("column `{name}` holds truth values and no dates")));
    };
    if let Some(mistake) = date.mistake() {
        return Err(FitError(format!("column `{name}`: {mistake}")));
    }
    let read = |(row, cell): (usize, Cell)| match date.format.read(&cell) {
        None if cell != Cell::Missing => {
            let shown = match cell {
                Cell::Text(text) => text.chars().take(40).collect(),
                Cell::Number(number) => number.to_string(),
                Cell::Missing => String::new(),
            };
            let format = &date.format;
            let message = format!(
                "column `{name}` has `{shown}` in row {}, which is no date of the format `{format}`",
                row + 1
            );
            Err(FitError(message))
        }
        moment => Ok(moment),
    };
    let moments: Vec<Option<Moment>> = cells.enumerate().map(read).collect::<Result<_, _>>()?;
    Ok(Transform::Date(Dated::fit(date, &moments, |part| Number::fit(part, params))))
}

/// The transform of counted categories; `place` tells where each row belongs.
fn fit_category(
    name: &str,
    counts: Counts,
    place: impl FnOnce(&Levels) -> Vec<Place>,
    labels: &[bool],
    params: &CategoricalParams,
) -> Result<Transform, FitError> {
    let levels = Levels::fit(counts, params);
    Ok(match params.encode {
        Encode::OneHot => Transform::OneHot(levels.limited(name)?),
        Encode::Ordinal => Transform::Ordinal(levels.limited(name)?),
        Encode::Code => Transform::Code(levels.limited(name)?),
        Encode::Target => {
            let places = place(&levels);
            let rows = places.into_iter().zip(labels.iter().copied());
            Transform::Target(TargetMeans::fit(levels, rows, params.smooth))
        }
    })
}

/// Fits what becomes of two columns together.
fn join(
    table: &Table,
    features: &[Feature],
    pair: &[String],
    labels: &[bool],
    params: &FeatureParams,
) -> Result<Interaction, FitError> {
    let find = |name: &String| {
        let feature = features.iter().find(|feature| feature.name == *name);
        feature.zip(table.column(name))
    };
    let [left, right] = pair else { return Err(FitError(format!("{pair:?} is no pair"))) };
    let (Some(left), Some(right)) = (find(left), find(right)) else {
        return Err(FitError(format!("{pair:?} are not both features")));
    };
    let sides = [left, right].map(|(feature, _)| {
        (feature.transform.number().is_some(), feature.transform.levels().is_some())
    });
    let (left, right, transform) = match sides {
        [(true, _), (true, _)] => (left, right, Joined::Product),
        [(true, _), (_, true)] => (left, right, Joined::ByCategory),
        [(_, true), (true, _)] => (right, left, Joined::ByCategory),
        [(_, true), (_, true)] => {
            (left, right, Joined::Cross(fit_cross(left, right, labels, params)?))
        }
        _ => {
            return Err(FitError(format!(
                "`features.interactions` has {pair:?}: it takes numbers and categories, no dates"
            )));
        }
    };
    let interaction =
        Interaction { left: left.0.name.clone(), right: right.0.name.clone(), transform };
    let name = interaction.name();
    let is_cross = matches!(interaction.transform, Joined::Cross(_));
    if !is_cross && params.own(&name) != ColumnParams::default() {
        return Err(FitError(format!(
            "`{name}` is the product of what its columns become: `features.columns` has no say"
        )));
    }
    Ok(interaction)
}

type Side<'a> = (&'a Feature, &'a Column);

/// Fits a crossing of two categories. What is missing is imputed by the columns themselves.
fn fit_cross(
    left: Side<'_>,
    right: Side<'_>,
    labels: &[bool],
    params: &FeatureParams,
) -> Result<Transform, FitError> {
    let name = format!("{}:{}", left.0.name, right.0.name);
    let own = params.own(&name);
    let is_wrong = [own.impute.is_some(), own.fill.is_some(), own.indicator.is_some()];
    if is_wrong.contains(&true) || own.date.is_some() || own.kind.is_some() {
        return Err(FitError(format!(
            "`{name}` is a crossing: it takes `encode`, `min_frequency`, `max_categories`, \
             `unseen` and `smooth`; its columns say what stands for a missing value"
        )));
    }
    let unseen = own.unseen;
    let mut params = categorical(&name, &params.categorical, &own)?;
    params.impute = Impute::None;
    if unseen == Some(Unseen::Error) {
        return Err(FitError(format!("`{name}` is a crossing: its `unseen` is ignore or rare")));
    }
    if params.unseen == Unseen::Error {
        // Its columns refuse what they have not seen; a new pair of seen ones is none of the pairs.
        params.unseen = Unseen::Ignore;
    }
    let cells = (0..left.1.len())
        .map(|row| cross((left.0, &left.1.cell(row)), (right.0, &right.1.cell(row))));
    let kind = FeatureKind::Categorical;
    let counts = Counts::of(&name, kind, cells.clone())?;
    let place = |levels: &Levels| cells.map(|cell| levels.place(&cell, kind)).collect();
    fit_category(&name, counts, place, labels, &params)
}

impl Encoder {
    /// What knows the target, with the name that it has parameters under.
    fn targets(&self) -> impl Iterator<Item = (String, &TargetMeans)> {
        let features =
            self.features.iter().map(|feature| (feature.name.clone(), &feature.transform));
        let joined = self.interactions.iter().filter_map(|joined| match &joined.transform {
            Joined::Cross(transform) => Some((joined.name(), transform)),
            Joined::Product | Joined::ByCategory => None,
        });
        features.chain(joined).filter_map(|(name, transform)| match transform {
            Transform::Target(means) => Some((name, means)),
            _ => None,
        })
    }

    /// The same, to be changed.
    fn targets_mut(&mut self) -> impl Iterator<Item = &mut TargetMeans> {
        let features = self.features.iter_mut().map(|feature| &mut feature.transform);
        let joined =
            self.interactions.iter_mut().filter_map(|joined| match &mut joined.transform {
                Joined::Cross(transform) => Some(transform),
                Joined::Product | Joined::ByCategory => None,
            });
        features.chain(joined).filter_map(|transform| match transform {
            Transform::Target(means) => Some(means),
            _ => None,
        })
    }

    /// Where each row belongs among the categories of everything that knows the target.
    fn target_places(&self, cells: &[Cell]) -> Vec<Place> {
        let of = |transform: &Transform, cell: &Cell, kind| match transform {
            Transform::Target(means) => Some(means.levels.place(cell, kind)),
            _ => None,
        };
        let features = self.features.iter().zip(cells);
        let features = features.filter_map(|(it, cell)| of(&it.transform, cell, it.kind));
        let joined =
            self.joined().zip(&self.pairs).filter_map(|((joined, left, right), [i, j])| {
                let Joined::Cross(transform) = &joined.transform else { return None };
                let cell = cross((left, &cells[*i]), (right, &cells[*j]));
                of(transform, &cell, FeatureKind::Categorical)
            });
        features.chain(joined).collect()
    }
}

/// The training rows, each encoded by what the rows of other folds than its own say.
pub(super) fn out_of_fold(
    encoder: &Encoder,
    table: &Table,
    labels: &[bool],
    params: &FeatureParams,
    folds: &[usize],
) -> Result<Array2<f64>, String> {
    let smooths: Vec<Smooth> = encoder
        .targets()
        .map(|(name, _)| params.own(&name).smooth.unwrap_or(params.categorical.smooth))
        .collect();
    let rows = Rows::new(encoder.features(), table)?;
    let places: Vec<Vec<Place>> = rows.map(|cells| encoder.target_places(cells));
    let without = |fold: usize| {
        let mut encoder = encoder.clone();
        for (i, (means, smooth)) in encoder.targets_mut().zip(&smooths).enumerate() {
            let others = (0..labels.len()).filter(|row| folds[*row] != fold);
            *means = means.refit(others.map(|row| (places[row][i], labels[row])), *smooth);
        }
        encoder
    };
    let encoders: Vec<Encoder> = (0..params.categorical.cv).into_par_iter().map(without).collect();
    rows.encode(encoder.width(), |row| &encoders[folds[row]])
}
