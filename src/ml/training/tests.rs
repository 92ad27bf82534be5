//! Whole trainings on a small table: any number of threads, any learner, the same bytes.

use serde_json::json;

use super::*;
use crate::ml::cell::Cell;
use crate::ml::learn::forest::MaxFeatures;
use crate::ml::learn::{ClassWeight, FeatureHints};
use crate::ml::random::Random;
use crate::ml::schema::{Role, Roles};
use crate::ml::table::{Column, Values};

/// Rows with numbers, truth values, texts and holes; the class depends on the first two.
pub(crate) fn table(n_rows: usize) -> Table {
    let mut random = Random::new([9; 32]);
    let mut columns: [Vec<Option<f64>>; 2] = Default::default();
    let (mut truth, mut colour, mut target) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..n_rows {
        let (a, b) = (random.uniform() * 10.0, random.uniform());
        let is_blue = random.below(3) > 0;
        let score = 0.4 * a - 2.5 + if is_blue { 1.0 } else { -1.0 };
        columns[0].push((random.below(20) > 0).then_some(a));
        columns[1].push(Some(b));
        truth.push(Some(random.below(2) == 0));
        colour.push(Some(if is_blue { "blue" } else { "red" }.to_owned()));
        let leaves = random.uniform() < 1.0 / (1.0 + libm::exp(-score));
        target.push(Some(if leaves { "Yes" } else { "No" }.to_owned()));
    }
    let numbers = |values: &[Option<f64>]| {
        Values::Number(values.iter().map(|value| value.unwrap_or(f64::NAN)).collect())
    };
    Table::new(vec![
        Column::new("a", numbers(&columns[0])),
        Column::new("b", numbers(&columns[1])),
        Column::new("truth", Values::Boolean(truth)),
        Column::new("colour", Values::Text(colour.into())),
        Column::new("nothing", Values::Number(vec![f64::NAN; n_rows])),
        Column::new("leaves", Values::Text(target.into())),
    ])
    .unwrap()
}

pub(crate) fn columns(table: &Table) -> Columns {
    let roles: Roles = [("leaves".to_owned(), vec![Role::Target])].into();
    Columns::of(table, &roles).unwrap()
}

pub(crate) fn feature_params() -> FeatureParams {
    FeatureParams::default()
}

pub(crate) fn learners() -> [Learner; 8] {
    let tree = DecisionTree {
        max_depth: Some(6),
        min_samples_split: 2,
        min_samples_leaf: 3,
        class_weight: ClassWeight::Balanced,
        hints: FeatureHints::default(),
    };
    let forest = RandomForest {
        n_estimators: 10,
        tree: tree.clone(),
        max_features: MaxFeatures::Sqrt,
        bootstrap: true,
        draw_thresholds: false,
        seed: [5; 32],
    };
    let extra = RandomForest { bootstrap: false, draw_thresholds: true, ..forest.clone() };
    [
        Learner::LogisticRegression(LogisticRegression {
            c: 1.0,
            class_weight: ClassWeight::Balanced,
            max_iter: 100,
            tol: 1e-8,
            fit_intercept: true,
        }),
        Learner::DecisionTree(tree),
        Learner::RandomForest(forest),
        Learner::RandomForest(extra),
        Learner::GradientBoosting(
            GradientBoosting {
                n_estimators: 20,
                subsample: 0.8,
                colsample_bytree: 0.8,
                ..GradientBoosting::default()
            },
            [("b".to_owned(), -1)].into(),
        ),
        Learner::ElasticNet(ElasticNet {
            c: 1.0,
            l1_ratio: 0.5,
            class_weight: ClassWeight::Balanced,
            max_iter: 100,
            tol: 1e-8,
            fit_intercept: true,
        }),
        Learner::LinearSvm(LinearSvm {
            c: 1.0,
            class_weight: ClassWeight::Balanced,
            max_iter: 100,
            tol: 1e-8,
            fit_intercept: true,
            intercept_scaling: 1.0,
            cv: 5,
        }),
        Learner::NaiveBayes(NaiveBayes {
            var_smoothing: 1e-9,
            alpha: 1.0,
            fit_prior: true,
            class_weight: ClassWeight::Balanced,
            hints: FeatureHints::default(),
        }),
    ]
}

pub(crate) fn all(table: &Table) -> Rows<'_> {
    Rows { train: table, stop_by: None }
}

pub(crate) fn train_on(table: &Table, learner: &Learner) -> Trained {
    train(all(table), &columns(table), None, &feature_params(), learner).unwrap()
}

#[test]
fn every_learner_gives_the_same_bytes_on_any_number_of_threads() {
    let table = table(6000);
    for learner in learners() {
        let on_threads = |n| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
            pool.install(|| {
                let model = train_on(&table, &learner).model;
                (model.to_bytes(), model.probabilities(&table).unwrap())
            })
        };
        let one = on_threads(1);
        assert_eq!(one, on_threads(2), "{}", learner.name());
        assert_eq!(one, on_threads(8), "{}", learner.name());
    }
}

#[test]
fn every_learner_tells_the_classes_apart() {
    use crate::ml::metrics::Curve;
    let all = table(4000);
    let (seen, unseen): (Vec<usize>, Vec<usize>) = ((0..2000).collect(), (2000..4000).collect());
    let unseen = all.take(&unseen);
    for learner in learners() {
        let model = train_on(&all.take(&seen), &learner).model;
        let labels = target::labels(unseen.column("leaves").unwrap(), model.classes()).unwrap();
        let auc = Curve::new(&labels, &model.probabilities(&unseen).unwrap()).roc_auc().unwrap();
        assert!(auc > 0.76, "{} {auc}", learner.name());
    }
}

#[test]
fn what_is_worth_telling_is_told() {
    let trained = train_on(&table(500), &learners()[0]);
    assert_eq!(trained.empty, ["nothing"]);
    assert!(matches!(trained.effort, Effort::Steps { converged: true, iterations: 1..12 }));
    assert_eq!(trained.model.training().rows, 500);
    assert_eq!(trained.model.classes(), &[json!("No"), json!("Yes")]);
    assert_eq!(trained.model.target(), "leaves");
    let names = ["a", "b", "truth", "colour=blue", "colour=red", "nothing"];
    assert_eq!(trained.model.encoded_names(), names);
    let coefficients = trained.model.coefficients().unwrap();
    assert!(coefficients[0].value > 0.5 && coefficients[5].value == 0.0, "{coefficients:?}");
}

#[test]
fn one_row_and_the_whole_table_get_the_same_bits() {
    let table = table(300);
    for learner in learners() {
        let model = train_on(&table, &learner).model;
        let all = model.probabilities(&table).unwrap();
        for row in [0, 17, 299] {
            let cells: Vec<Cell> = model
                .features()
                .iter()
                .map(|feature| table.column(&feature.name).unwrap().cell(row))
                .collect();
            assert_eq!(model.probability(&cells).to_bits(), all[row].to_bits());
        }
    }
}

#[test]
fn a_column_of_another_kind_is_refused_and_an_empty_one_is_not() {
    let table = table(200);
    let model = train_on(&table, &learners()[0]).model;
    let replaced = |values: Values| {
        let swap = |column: &Column| {
            let is_colour = column.name == "colour";
            if is_colour { Column::new("colour", values.clone()) } else { column.clone() }
        };
        Table::new(table.columns().iter().map(swap).collect()).unwrap()
    };
    let numbers = replaced(Values::Integer(vec![Some(1); 200]));
    let wrong = model.probabilities(&numbers).unwrap_err().to_string();
    assert_eq!(wrong, "column `colour` holds numbers, the model wants texts");
    assert!(model.probabilities(&replaced(Values::Integer(vec![None; 200]))).is_ok());
    let wrong = model.probabilities(&Table::default()).unwrap_err().to_string();
    assert_eq!(wrong, "no column `a`");
}

#[test]
fn an_override_of_a_column_that_is_no_feature_is_refused() {
    let table = table(50);
    let mut params = feature_params();
    params.columns.insert("leaves".to_owned(), Default::default());
    let wrong = train(all(&table), &columns(&table), None, &params, &learners()[0]).unwrap_err();
    assert_eq!(wrong.to_string(), "`features.columns` names `leaves`, which is no feature");
}

#[test]
fn a_learner_without_missing_values_names_the_column_and_the_mend() {
    let table = table(200);
    let refuse = |params: serde_json::Value| {
        let params = serde_json::from_value(params).unwrap();
        train(all(&table), &columns(&table), None, &params, &learners()[0]).unwrap_err().to_string()
    };
    let wrong = refuse(json!({"columns": {"a": {"impute": "none"}}}));
    let expected = "column `a` may stay missing, and `logistic_regression` takes no missing \
                    values: give it another `impute` than \"none\", and another `encode` than \
                    \"code\"";
    assert_eq!(wrong, expected);
    assert!(refuse(json!({"columns": {"colour": {"encode": "code"}}})).contains("`colour`"));
}

/// A column of nearly unique texts, encoded by the mean of the target, takes a learner away from
/// what matters when each row's own target is part of it, and does no harm out of fold.
#[test]
fn a_column_that_names_rows_misleads_no_learner() {
    use crate::ml::metrics::Curve;
    let mut random = Random::new([4; 32]);
    let names: Vec<_> = (0..4000).map(|_| Some(random.below(1500).to_string())).collect();
    let with = |table: &Table, values: Values| {
        let mut columns = table.columns().to_vec();
        columns.retain(|column| column.name != "name");
        columns.push(Column::new("name", values));
        Table::new(columns).unwrap()
    };
    let all = with(&table(4000), Values::Text(names.into()));
    let [seen, unseen] = [0..2000, 2000..4000].map(|rows| all.take(&rows.collect::<Vec<_>>()));
    let target = json!({"columns": {"name": {"encode": "target", "smooth": 1.0}}});
    let params: FeatureParams = serde_json::from_value(target).unwrap();
    let labels_of = |table: &Table| {
        target::labels(table.column("leaves").unwrap(), &[json!("No"), json!("Yes")]).unwrap()
    };
    let encoder =
        fit_transform(&seen, &columns(&seen), &labels_of(&seen), &params).unwrap().encoder;
    let at = encoder.encoded_names().iter().position(|name| name == "name").unwrap();
    // The table as someone would make it who encodes all rows by all rows.
    let naive = |table: &Table| {
        let rows = encoder.encode_table(table).unwrap();
        with(table, Values::Number(rows.column(at).to_vec()))
    };
    let without =
        |table: &Table| with(table, Values::Text(vec![None::<&str>; table.rows()].into()));
    for learner in learners() {
        let auc = |seen: &Table, unseen: &Table, params: &FeatureParams| {
            let model =
                train(Rows { train: seen, stop_by: None }, &columns(seen), None, params, &learner)
                    .unwrap()
                    .model;
            let scores = model.probabilities(unseen).unwrap();
            Curve::new(&labels_of(unseen), &scores).roc_auc().unwrap()
        };
        let fair = auc(&seen, &unseen, &params);
        let ignored = auc(&without(&seen), &without(&unseen), &feature_params());
        let misled = auc(&naive(&seen), &naive(&unseen), &feature_params());
        let told =
            format!("{}: {fair} out of fold, {ignored} without, {misled} naive", learner.name());
        assert!(fair > ignored - 0.03, "{told}");
        assert!(misled < fair - 0.05, "{told}");
    }
}

#[test]
fn a_monotone_column_must_be_one_that_the_trees_see_as_a_number() {
    let table = table(200);
    let boosting = GradientBoosting::default();
    let wrong = |name: &str| {
        let learner = Learner::GradientBoosting(boosting.clone(), [(name.to_owned(), 1)].into());
        let trained = train(all(&table), &columns(&table), None, &feature_params(), &learner);
        trained.unwrap_err().to_string()
    };
    let told = "`monotone_constraints` names `colour`, which is no number that the trees see: they \
                see a, b, truth, colour=blue, colour=red, nothing";
    assert_eq!(wrong("colour"), told);
}

#[test]
fn trees_split_codes_of_categories_by_sets_and_take_what_is_missing() {
    use crate::ml::learn::tree::Ask;
    use crate::ml::learn::{Predictor, Trees};
    let table = table(2000);
    let params = json!({"numeric": {"impute": "none"}, "categorical": {"encode": "code"}});
    let params: FeatureParams = serde_json::from_value(params).unwrap();
    for learner in learners().into_iter().skip(1).take(4) {
        let model = train(all(&table), &columns(&table), None, &params, &learner).unwrap().model;
        let trees = match model.predictor() {
            Predictor::Trees(Trees(trees)) => trees,
            Predictor::Boosted(boosted) => &boosted.trees,
            Predictor::Linear(_) | Predictor::Bayes(_) => unreachable!(),
        };
        let nodes = || trees.iter().flat_map(|tree| tree.nodes());
        assert!(nodes().any(|node| matches!(node.ask, Ask::OneOf(_))), "{}", learner.name());
        let back = Model::from_bytes(&model.to_bytes()).unwrap();
        assert_eq!(back.probabilities(&table).unwrap(), model.probabilities(&table).unwrap());
    }
}

/// The table with a column of weights, and with each row as often as its weight says.
fn weighed_and_repeated(n_rows: usize) -> [Table; 2] {
    let mut random = Random::new([4; 32]);
    let counts: Vec<usize> = (0..n_rows).map(|_| random.below(4) as usize).collect();
    let weights = Values::Integer(counts.iter().map(|count| Some(*count as i64)).collect());
    let mut columns = table(n_rows).columns().to_vec();
    columns.push(Column::new("weight", weights));
    let weighed = Table::new(columns).unwrap();
    let times = counts.iter().enumerate().flat_map(|(row, n)| std::iter::repeat_n(row, *n));
    let repeated = table(n_rows).take(&times.collect::<Vec<_>>());
    [weighed, repeated]
}

#[test]
fn a_weight_is_as_good_as_the_row_so_often_and_none_is_as_good_as_no_row() {
    let [weighed, repeated] = weighed_and_repeated(200);
    let mut with_weight = columns(&repeated);
    with_weight.weight = Some("weight".to_owned());
    // What transforms learn counts rows alike, so they learn nothing here; neither do the bins of
    // trees, of as few rows as these.
    let params = json!({"numeric": {"impute": "constant", "scale": ["none"]}});
    let params: FeatureParams = serde_json::from_value(params).unwrap();
    let fit = |table, columns: &Columns, learner: &Learner| {
        train(all(table), columns, None, &params, learner).unwrap().model
    };
    for mut learner in learners() {
        // Limits on rows count rows; draws are of rows.
        match &mut learner {
            Learner::DecisionTree(tree) => tree.min_samples_leaf = 1,
            Learner::RandomForest(RandomForest { tree, bootstrap, draw_thresholds, .. }) => {
                (tree.min_samples_leaf, *bootstrap, *draw_thresholds) = (1, false, false);
            }
            Learner::GradientBoosting(params, _) => {
                (params.min_child_samples, params.subsample) = (1, 1.0);
            }
            // The folds of its calibration are of rows.
            Learner::LinearSvm(_) => continue,
            _ => {}
        }
        let a = fit(&weighed, &with_weight, &learner).probabilities(&weighed).unwrap();
        let b = fit(&repeated, &columns(&repeated), &learner).probabilities(&weighed).unwrap();
        let is_exact = matches!(learner, Learner::DecisionTree(_) | Learner::RandomForest(_));
        let far = a.iter().zip(&b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(if is_exact { far == 0.0 } else { far < 1e-6 }, "{} {far}", learner.name());
        let alike = fit(&weighed, &columns(&repeated), &learner).probabilities(&weighed).unwrap();
        assert_ne!(a, alike, "{}: weights have no say", learner.name());
    }
}

#[test]
fn early_stopping_is_by_the_weights_of_the_rows_that_it_watches() {
    let [weighed, _] = weighed_and_repeated(1500);
    let (seen, watched): (Vec<usize>, Vec<usize>) = ((0..700).collect(), (700..1500).collect());
    let (seen, watched) = (weighed.take(&seen), weighed.take(&watched));
    let count = |row: usize| watched.column("weight").unwrap().number(row).unwrap() as usize;
    let times = (0..watched.rows()).flat_map(|row| std::iter::repeat_n(row, count(row)));
    let repeated = watched.take(&times.collect::<Vec<_>>());
    let alike = |table: &Table| {
        let mut columns = table.columns().to_vec();
        let weight = columns.iter_mut().find(|column| column.name == "weight").unwrap();
        weight.values = Values::Integer(vec![Some(1); table.rows()]);
        Table::new(columns).unwrap()
    };
    let mut roles = columns(&weighed);
    roles.features.retain(|name| name != "weight");
    roles.weight = Some("weight".to_owned());
    let boosting = GradientBoosting {
        n_estimators: 60,
        learning_rate: 0.3,
        early_stopping_rounds: 5,
        ..GradientBoosting::default()
    };
    let learner = Learner::GradientBoosting(boosting, BTreeMap::new());
    let fit = |stop_by: &Table| {
        let rows = Rows { train: &seen, stop_by: Some(stop_by) };
        train(rows, &roles, None, &feature_params(), &learner).unwrap().model.to_bytes()
    };
    assert_eq!(fit(&watched), fit(&alike(&repeated)));
    let told = train(
        Rows { train: &seen, stop_by: Some(&table(50)) },
        &roles,
        None,
        &feature_params(),
        &learner,
    );
    assert_eq!(
        format!("{:#}", told.unwrap_err()),
        "rows to stop by: the table has no column `weight`"
    );
}
