//! Whether models differ on the same test rows, and by how much.
//!
//! Pairing matters: two similar models make the same mistakes, and intervals of each alone are many
//! times too wide for their difference. The area under the ROC curve and decisions at the threshold
//! may disagree, so both are tested. p-values are adjusted for the number of pairs (Holm), the two
//! tests as families of their own. What is significant need not matter, and what is not significant
//! is not thereby equal.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::document::{AucTest, Comparison, DecisionTest, Difference};
use super::{Evaluated, Rows, Side};
use crate::ml::metrics::bootstrap::Replicates;
use crate::ml::metrics::delong::{Paired, Placements};
use crate::ml::metrics::{McNemar, Metric, holm};

/// Every pair of models on the rows of test, in their order. `resamples` holds the same models
/// first, and says why if there are none.
pub fn compare(
    rows: &Rows<'_>,
    models: &[(String, Evaluated)],
    resamples: Result<&Replicates, &'static str>,
    level: f64,
) -> Vec<Comparison> {
    let placements: Vec<Placements> =
        models.iter().map(|(_, model)| placements(rows, model)).collect();
    let n = models.len();
    let pairs: Vec<(usize, usize)> = (0..n).flat_map(|a| (a + 1..n).map(move |b| (a, b))).collect();
    let compare = |(a, b): (usize, usize)| {
        let decided = |model: usize| models[model].1.predicted(Side::Test).decided.as_slice();
        let differences = Metric::ALL.map(|metric| {
            let value = |model: usize| models[model].1.overall(Side::Test, metric).ok();
            let interval = resamples.and_then(|known| known.difference(a, b, metric, level));
            let difference = Difference {
                value: value(b).zip(value(a)).map(|(b, a)| b - a),
                interval: interval.ok().map(|interval| [interval.low, interval.high]),
            };
            (metric.name().to_owned(), difference)
        });
        Comparison {
            a: models[a].0.clone(),
            b: models[b].0.clone(),
            roc_auc: AucTest::of(placements[a].against(&placements[b], level)),
            mcnemar: DecisionTest::of(McNemar::of(rows.labels(), decided(a), decided(b))),
            differences: BTreeMap::from(differences),
        }
    };
    let mut comparisons: Vec<Comparison> = pairs.into_par_iter().map(compare).collect();
    adjust(&mut comparisons);
    comparisons
}

/// How far the area under the ROC curve of each model on test is above that of a rule.
pub fn above_one_feature(
    rows: &Rows<'_>,
    rule: &Evaluated,
    models: &[(String, Evaluated)],
    level: f64,
) -> BTreeMap<String, AucTest> {
    let of_rule = placements(rows, rule);
    let above = |(name, model): &(String, Evaluated)| {
        (name.clone(), AucTest::of(of_rule.against(&placements(rows, model), level)))
    };
    models.iter().map(above).collect()
}

/// The placements of a model on the rows of test.
fn placements(rows: &Rows<'_>, model: &Evaluated) -> Placements {
    Placements::new(rows.labels(), &model.predicted(Side::Test).scores)
}

fn adjust(comparisons: &mut [Comparison]) {
    let of_auc: Vec<Option<f64>> = comparisons.iter().map(|pair| pair.roc_auc.p).collect();
    let of_decisions: Vec<Option<f64>> =
        comparisons.iter().map(|pair| Some(pair.mcnemar.p)).collect();
    for ((pair, auc), decisions) in
        comparisons.iter_mut().zip(holm(&of_auc)).zip(holm(&of_decisions))
    {
        pair.roc_auc.p_holm = auc;
        pair.mcnemar.p_holm = decisions.unwrap_or(pair.mcnemar.p);
    }
}

impl AucTest {
    /// A test to be written, not adjusted yet.
    fn of(paired: Result<Paired, &'static str>) -> AucTest {
        match paired {
            Ok(Paired { difference, interval, z, p }) => AucTest {
                difference: Some(difference),
                interval: Some([interval.low, interval.high]),
                z: Some(z),
                p: Some(p),
                ..AucTest::default()
            },
            Err(why) => AucTest { undefined: Some(why.to_owned()), ..AucTest::default() },
        }
    }
}

impl DecisionTest {
    fn of(test: McNemar) -> DecisionTest {
        DecisionTest {
            only_a: test.only_a,
            only_b: test.only_b,
            test: if test.chi_squared.is_some() { "chi_squared" } else { "exact" }.to_owned(),
            chi_squared: test.chi_squared,
            p: test.p,
            p_holm: test.p,
        }
    }
}
