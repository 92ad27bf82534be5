//! Naive Bayes: Gaussian over numbers, by counts over categories.
//!
//! Numbers are scikit-learn's `GaussianNB`: mean and variance per class, to each variance being
//! added `var_smoothing` times the largest variance that any number has over all rows. Codes of
//! categories are its `CategoricalNB`: `(n_cy + alpha) / (n_y + alpha * categories)`, of which
//! there are as many as training has codes. Both at once is what scikit-learn does not offer; it is
//! the sum of what each says.
//!
//! Weights of rows count everywhere, a row of weight two being the same as two rows (scikit-learn
//! leaves them out of the largest variance). Those of classes only move the base: how numbers are
//! distributed within a class does not depend on how much the class counts. A missing value is left
//! out of the sums and says nothing later.
//!
//! One pass per feature in the order of the rows, features side by side: any number of threads
//! gives the same bits.

use linfa::traits::Fit;
use ndarray::{Array1, Array2};
use rayon::prelude::*;

use super::bayes::{Bayes, Evidence, Gaussian};
use super::{
    Checked, ClassWeight, Dataset, FeatureHints, LearnError, Limits, check_rows, require, weighed,
};

/// A code of a category is below this.
const MOST_CODES: f64 = 1e6;

/// The parameters of naive Bayes.
#[derive(Clone, Debug, PartialEq)]
pub struct NaiveBayes {
    /// The part of the largest variance that is added to all, at least 0.
    pub var_smoothing: f64,
    /// What is added to the count of each category, above 0.
    pub alpha: f64,
    /// Whether the classes are as frequent as in training; else they are equally frequent.
    pub fit_prior: bool,
    /// How much a row counts by its class.
    pub class_weight: ClassWeight,
    /// What is known of the features.
    pub hints: FeatureHints,
}

impl Limits for NaiveBayes {
    fn limits(&self) -> Result<(), LearnError> {
        let smoothing = self.var_smoothing;
        require(smoothing >= 0.0 && smoothing.is_finite(), "var_smoothing", "at least 0")?;
        require(self.alpha > 0.0 && self.alpha.is_finite(), "alpha", "above 0")
    }
}

/// The rows, column by column.
struct Rows<'a> {
    records: &'a Array2<f64>,
    targets: &'a Array1<bool>,
    weights: Vec<f64>,
}

/// What is known of a number before it is smoothed.
struct Moments {
    mean: [f64; 2],
    variance: [f64; 2],
    /// Whether each class has a value.
    is_known: bool,
    /// The variance over all rows.
    overall: f64,
}

impl Fit<Array2<f64>, Array1<bool>, LearnError> for Checked<NaiveBayes> {
    type Object = Bayes;

    fn fit(&self, dataset: &Dataset) -> Result<Bayes, LearnError> {
        let params = &self.0;
        check_rows(dataset, true)?;
        let by_class = params.class_weight.weights(weighed(dataset))?;
        let weights: Vec<f64> =
            (0..dataset.targets.len()).map(|i| dataset.weight_for(i).into()).collect();
        if !weights.iter().all(|weight| weight.is_finite() && *weight >= 0.0) {
            return Err(LearnError::Data("a weight is below 0 or not finite".to_owned()));
        }
        let rows = Rows { records: &dataset.records, targets: &dataset.targets, weights };
        let width = dataset.records.ncols();
        let is_code = |j: usize| params.hints.is_categorical.get(j).copied().unwrap_or(false);
        let moments: Vec<Option<Moments>> =
            (0..width).into_par_iter().map(|j| (!is_code(j)).then(|| rows.moments(j))).collect();
        let largest = moments.iter().flatten().map(|m| m.overall).fold(0.0, f64::max);
        let added = params.var_smoothing * largest;
        let evidence: Vec<Evidence> = (0..width)
            .into_par_iter()
            .map(|j| match &moments[j] {
                Some(moments) => Ok(moments.evidence(added)),
                None => rows.categories(j, params.alpha),
            })
            .collect::<Result<_, _>>()?;
        let base = if params.fit_prior { rows.prior(by_class)? } else { 0.0 };
        Ok(Bayes { base, evidence })
    }
}

impl Rows<'_> {
    /// The log-odds of the weighted classes.
    fn prior(&self, by_class: [f64; 2]) -> Result<f64, LearnError> {
        let mut sums = [0.0; 2];
        for (positive, weight) in self.targets.iter().zip(&self.weights) {
            sums[usize::from(*positive)] += weight * by_class[usize::from(*positive)];
        }
        if sums.iter().any(|sum| *sum <= 0.0) {
            return Err(LearnError::Data("all rows of a class have the weight 0".to_owned()));
        }
        Ok(libm::log(sums[1]) - libm::log(sums[0]))
    }

    /// The values of a column that are there, each with its class and weight.
    fn values(&self, j: usize) -> impl Iterator<Item = (f64, usize, f64)> {
        let rows = self.records.column(j).into_iter().zip(self.targets).zip(&self.weights);
        rows.map(|((x, positive), weight)| (*x, usize::from(*positive), *weight))
            .filter(|(x, ..)| !x.is_nan())
    }

    fn moments(&self, j: usize) -> Moments {
        let (mut sums, mut weights) = ([0.0; 2], [0.0; 2]);
        for (x, class, weight) in self.values(j) {
            sums[class] += weight * x;
            weights[class] += weight;
        }
        let is_known = weights.iter().all(|weight| *weight > 0.0);
        if !is_known {
            return Moments { mean: [0.0; 2], variance: [0.0; 2], is_known, overall: 0.0 };
        }
        let mean = [sums[0] / weights[0], sums[1] / weights[1]];
        let middle = (sums[0] + sums[1]) / (weights[0] + weights[1]);
        let (mut squares, mut all) = ([0.0; 2], 0.0);
        for (x, class, weight) in self.values(j) {
            let (from_mean, from_middle) = (x - mean[class], x - middle);
            squares[class] += weight * from_mean * from_mean;
            all += weight * from_middle * from_middle;
        }
        let variance = [squares[0] / weights[0], squares[1] / weights[1]];
        Moments { mean, variance, is_known, overall: all / (weights[0] + weights[1]) }
    }

    /// What a column of codes says.
    fn categories(&self, j: usize, alpha: f64) -> Result<Evidence, LearnError> {
        let (mut counts, mut totals) = (Vec::new(), [0.0; 2]);
        for (code, class, weight) in self.values(j) {
            if !(0.0..MOST_CODES).contains(&code) {
                return Err(LearnError::Data(format!("{code} is no code of a category")));
            }
            let code = code as usize;
            if counts.len() <= code {
                counts.resize(code + 1, [0.0; 2]);
            }
            counts[code][class] += weight;
            totals[class] += weight;
        }
        if totals.iter().any(|total| *total <= 0.0) {
            return Ok(Evidence::Nothing);
        }
        let smoothed = alpha * counts.len() as f64;
        let share = |count: f64, total: f64| libm::log(count + alpha) - libm::log(total + smoothed);
        let ratio = |count: &[f64; 2]| share(count[1], totals[1]) - share(count[0], totals[0]);
        Ok(Evidence::Categorical(counts.iter().map(ratio).collect()))
    }
}

impl Moments {
    fn evidence(&self, added: f64) -> Evidence {
        let variance = self.variance.map(|variance| variance + added);
        // Without smoothing, a class may have one value only, which would know all about itself.
        if !self.is_known || variance.iter().any(|variance| *variance < f64::MIN_POSITIVE) {
            return Evidence::Nothing;
        }
        Evidence::Gaussian(Gaussian::new(self.mean, variance))
    }
}

#[cfg(test)]
mod tests;
