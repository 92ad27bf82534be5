//! One row, three ways, the same bits: the stages, `pipeline predict` and the service, for every
//! declared learner.

use engine::params::{Param, Type};
use serde_json::{Map, Value};

use pipeline::ml::cell::Cell;
use pipeline::ml::package::Package;
use pipeline::ml::table::Table;
use pipeline::ml::table_file;

use crate::lab::Lab;
use crate::small::{self, LEARNERS, Served};

/// The names of all learners of classes that can be written in a stage: those of numbers are not
/// packaged yet.
fn declared() -> Vec<&'static str> {
    let train = pipeline::kinds::KINDS.iter().find(|kind| kind.name() == "train").unwrap();
    let Type::Tagged { tag: "learner", cases, .. } = train.params() else {
        panic!("`train` is no longer told by its learner")
    };
    let classifies = |params: &[Param]| {
        let task = params.iter().find(|param| param.name == "task");
        task.is_some_and(|task| matches!(task.ty, Type::Choice(ts) if ts[0] == "classification"))
    };
    let of_classes = cases.into_iter().filter(|(_, params)| classifies(params));
    of_classes.map(|(learner, _)| learner).collect()
}

/// The bits of the probabilities of all rows, as the stages compute them.
fn expected(lab: &Lab, learner: &str, table: &Table) -> Vec<u64> {
    let package = Package::load(&lab.path(small::package(learner))).unwrap();
    let probabilities = package.model().probabilities(table).unwrap();
    probabilities.into_iter().map(f64::to_bits).collect()
}

fn bits(answer: &Value) -> u64 {
    answer["probability"].as_f64().unwrap_or_else(|| panic!("{answer}")).to_bits()
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

#[test]
fn the_stages_the_verb_and_the_service_give_the_same_bits_for_every_learner() {
    let lab = small::project();
    assert_eq!(declared(), LEARNERS.map(|(learner, _)| learner), "a learner is not tested here");
    let test = table_file::read(&lab.path("outputs/split/test.parquet")).unwrap();
    let all = table_file::read(&lab.path("people.csv")).unwrap();
    for (learner, _) in LEARNERS {
        let of_test = expected(&lab, learner, &test);
        assert!(of_test.iter().collect::<std::collections::BTreeSet<_>>().len() > 3, "{learner}");
        assert_eq!(predicted(&lab, learner, "outputs/split/test.parquet", &[]), of_test);
        assert_eq!(predicted(&lab, learner, "people.csv", &[]), expected(&lab, learner, &all));
        let explained = predicted(&lab, learner, "outputs/split/test.parquet", &["--explain"]);
        assert_eq!(explained, of_test, "{learner}");
        let service = Served::start(&lab, &small::package(learner), &[]);
        let records = records(&lab, learner, &test);
        let (status, answers) = service.post("/predict", &Value::Array(records));
        assert_eq!(status, 200, "{answers}");
        let served: Vec<u64> = answers.as_array().unwrap().iter().map(bits).collect();
        assert_eq!(served, of_test, "{learner}");
    }
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
