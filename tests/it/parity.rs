//! One row, three ways, the same bits: the stages, `pipeline predict` and the service, for every
//! declared learner.

use engine::params::{Param, Type};
use serde_json::{Map, Value};

use pipeline::ml::cell::Cell;
use pipeline::ml::metrics::regression::{RegressionMetric, Residuals};
use pipeline::ml::package::{Package, TaskModel};
use pipeline::ml::table::Table;
use pipeline::ml::table_file;

use crate::lab::Lab;
use crate::small::{self, LEARNERS, NUMBER_LEARNERS, Served};

/// The names of all learners of a task that can be written in a stage.
fn declared(task: &str) -> Vec<&'static str> {
    let train = pipeline::kinds::KINDS.iter().find(|kind| kind.name() == "train").unwrap();
    let Type::Tagged { tag: "learner", cases, .. } = train.params() else {
        panic!("`train` is no longer told by its learner")
    };
    let has_task = |params: &[Param]| {
        let declared = params.iter().find(|param| param.name == "task");
        declared.is_some_and(|found| matches!(found.ty, Type::Choice(ts) if ts.contains(&task)))
    };
    let of_task = cases.into_iter().filter(|(_, params)| has_task(params));
    of_task.map(|(learner, _)| learner).collect()
}

/// What the stages say of all rows: of classes the bits of the probabilities, else of the numbers.
fn expected(lab: &Lab, learner: &str, table: &Table) -> Vec<u64> {
    let package = Package::load(&lab.path(small::package(learner))).unwrap();
    let said = match package.model() {
        TaskModel::Classifier(of) => of.model.probabilities(table).unwrap(),
        TaskModel::Regressor(model) => model.predictions(table).unwrap(),
    };
    said.into_iter().map(f64::to_bits).collect()
}

/// The bits of an answer: of its probability, or of the number where it has none.
fn bits(answer: &Value) -> u64 {
    let number = answer.get("probability").unwrap_or(&answer["prediction"]);
    number.as_f64().unwrap_or_else(|| panic!("{answer}")).to_bits()
}

/// The bits of what `pipeline predict` writes for a file.
fn predicted(lab: &Lab, learner: &str, file: &str, more: &[&str]) -> Vec<u64> {
    let package = small::package(learner);
    let args = ["predict", file, "--package", &package, "--extra", "ignore", "--output", "jsonl"];
    let ended = lab.call(&[&args, more].concat()).expect(0);
    let answer = |line: &str| serde_json::from_str::<Value>(line).unwrap();
    ended.out.lines().map(|line| bits(&answer(line))).collect()
}

/// The rows of a table as requests have them.
fn records(lab: &Lab, learner: &str, table: &Table) -> Vec<Value> {
    let schema = lab.json(&format!("{}/schema.json", small::package(learner)));
    let fields = schema["fields"].as_array().unwrap();
    let record = |row: usize| {
        let value = |field: &Value| {
            let name = field["name"].as_str().unwrap();
            let value = match (table.column(name).unwrap().cell(row), &field["type"]) {
                (Cell::Missing, _) => Value::Null,
                (Cell::Text(text), _) => text.as_str().into(),
                (Cell::Number(x), ty) if ty == "boolean" => (x != 0.0).into(),
                (Cell::Number(x), _) => x.into(),
            };
            (name.to_owned(), value)
        };
        Value::Object(fields.iter().map(value).collect::<Map<_, _>>())
    };
    (0..table.rows()).map(record).collect()
}

/// Holds every learner to the stages' bits, by the verb and by the service.
fn hold(lab: &Lab, learners: &[(&str, &str)]) {
    let test = table_file::read(&lab.path("outputs/split/test.parquet")).unwrap();
    let all = table_file::read(&lab.path("people.csv")).unwrap();
    for (learner, _) in learners {
        let of_test = expected(lab, learner, &test);
        assert!(of_test.iter().collect::<std::collections::BTreeSet<_>>().len() > 3, "{learner}");
        assert_eq!(predicted(lab, learner, "outputs/split/test.parquet", &[]), of_test);
        assert_eq!(predicted(lab, learner, "people.csv", &[]), expected(lab, learner, &all));
        let explained = predicted(lab, learner, "outputs/split/test.parquet", &["--explain"]);
        assert_eq!(explained, of_test, "{learner}");
        let service = Served::start(lab, &small::package(learner), &[]);
        let records = records(lab, learner, &test);
        let (status, answers) = service.post("/predict", &Value::Array(records));
        assert_eq!(status, 200, "{answers}");
        let served: Vec<u64> = answers.as_array().unwrap().iter().map(bits).collect();
        assert_eq!(served, of_test, "{learner}");
    }
}

#[test]
fn the_stages_the_verb_and_the_service_give_the_same_bits_for_every_learner() {
    let named = LEARNERS.map(|(learner, _)| learner);
    assert_eq!(declared("classification"), named, "a learner is not tested here");
    hold(&small::project(), &LEARNERS);
}

#[test]
fn the_same_bits_are_had_of_every_learner_of_numbers_and_are_those_that_were_evaluated() {
    let named = NUMBER_LEARNERS.map(|(learner, _)| learner);
    let mut declared = declared("regression");
    declared.sort_by_key(|learner| named.iter().position(|name| name == learner));
    assert_eq!(declared, named, "a learner is not tested here");
    let lab = small::numbers();
    hold(&lab, &NUMBER_LEARNERS);
    // `evaluate` tells figures and no rows: the service's numbers give the very same figures.
    let test = table_file::read(&lab.path("outputs/split/test.parquet")).unwrap();
    let spent = test.column("spent").unwrap();
    let actual: Vec<f64> = (0..test.rows()).map(|row| spent.number(row).unwrap()).collect();
    let metrics = lab.json("outputs/evaluate/metrics.json");
    for (learner, _) in NUMBER_LEARNERS {
        let served = predicted(&lab, learner, "outputs/split/test.parquet", &[]);
        let served: Vec<f64> = served.into_iter().map(f64::from_bits).collect();
        let told = &metrics["variants"][learner]["test"]["overall"];
        for (metric, value) in Residuals::new(&actual, &served).values() {
            let evaluated = told[metric.name()].as_f64().unwrap();
            assert_eq!(evaluated.to_bits(), value.unwrap().to_bits(), "{learner} {metric:?}");
        }
        assert!(told[RegressionMetric::R2.name()].as_f64().unwrap() > 0.5, "{learner}: {told}");
    }
}

#[test]
fn a_file_of_numbers_is_predicted_without_a_column_of_probabilities() {
    let lab = small::numbers();
    let package = small::package("ridge");
    let args = ["predict", "people.csv", "--extra", "ignore", "--package", &package];
    let ended = lab.call(&args).expect(0).tells("predicted 400 of 400 records");
    assert!(ended.out.starts_with("row,prediction,model_version,error,warning\r\n1,"));
    assert!(ended.out.lines().skip(1).all(|line| line.split(',').count() == 5), "{}", ended.out);
}

#[test]
fn a_file_is_predicted_line_by_line_and_its_faults_are_told() {
    let lab = small::project();
    let package = small::package("logistic_regression");
    let predict = |more: &[&str]| lab.call(&[&["predict", "--package", &package], more].concat());
    predict(&["people.csv"]).expect(2).tells("field 'id' is not known").tells("--extra ignore");
    let ended = predict(&["people.csv", "--extra", "ignore"]).expect(0);
    assert!(ended.out.starts_with("row,prediction,probability,model_version,error,warning\r\n1,"));
    assert_eq!(ended.out.lines().count(), 401);
    lab.write(
        "two.jsonl",
        "{\"age\": 24, \"charge\": 9.5, \"member\": true, \"plan\": \"gold\"}\n{}\n",
    );
    let ended = predict(&["two.jsonl"]).expect(1).tells("1 records were refused");
    let second: Value = serde_json::from_str(ended.out.lines().nth(1).unwrap()).unwrap();
    assert_eq!((&second["row"], second["errors"].as_array().unwrap().len()), (&2.into(), 4));
    predict(&["nothing.csv"]).expect(4).tells("is not there");
    predict(&["people.csv", "--explain"]).expect(2).tells("--output jsonl");
}
