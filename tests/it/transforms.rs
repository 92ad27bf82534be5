//! Every way in which columns become numbers, and every calibration, in processes of their own.
//!
//! The list of what is tried is made from what the kinds declare, so that nothing new escapes it.

use engine::params::{Param, Presence, Type};
use serde_json::{Map, Value, json};

use crate::lab::Lab;

/// The parameters of a kind, those of one of its learners if it has such.
fn params(kind: &str) -> Vec<Param> {
    let kind = pipeline::kinds::KINDS.iter().find(|it| it.name() == kind).unwrap();
    match kind.params() {
        Type::Record(params) => params,
        Type::Tagged { cases, .. } => cases.into_iter().next().unwrap().1,
        _ => panic!("neither a record nor tagged"),
    }
}

fn inner(params: &[Param], name: &str) -> Vec<Param> {
    match &params.iter().find(|param| param.name == name).unwrap().ty {
        Type::Record(params) => params.clone(),
        _ => panic!("`{name}` is no record"),
    }
}

/// All choices of a parameter; of what has no choices one value that is not the default.
fn values(param: &Param) -> Vec<Value> {
    match &param.ty {
        Type::Bool => vec![json!(true)],
        Type::Choice(choices) => choices.iter().map(|choice| json!(choice)).collect(),
        Type::OneOrMany(item) => {
            let Type::Choice(choices) = **item else { panic!("`{}`", param.name) };
            let pair = json!(["log1p", "standard"]);
            choices.iter().map(|choice| json!([choice])).chain([pair]).collect()
        }
        Type::Int(min, max) => vec![json!((min + 4).min(*max))],
        Type::Float(..) => vec![json!(0.1)],
        Type::Text => vec![json!("nothing")],
        Type::Scalar => vec![json!(2.5)],
        _ => panic!("`{}`: say here how this is tried", param.name),
    }
}

/// Per variant the parameter `features`: every value of every parameter by itself.
fn variants() -> Vec<(String, Value)> {
    let features = inner(&params("train"), "features");
    let mut all = Vec::new();
    for group in ["numeric", "categorical"] {
        for param in inner(&features, group) {
            for (i, value) in values(&param).into_iter().enumerate() {
                let mut own = Map::from_iter([(param.name.to_owned(), value)]);
                // What only says something beside another one.
                match param.name {
                    "n_quantiles" | "output_distribution" => {
                        own.insert("scale".into(), json!("quantile"))
                    }
                    "smooth" | "cv" => own.insert("encode".into(), json!("target")),
                    "fill" => own.insert("impute".into(), json!("constant")),
                    "unseen" => own.insert("max_categories".into(), json!(3)),
                    _ => None,
                };
                all.push((format!("{group}_{}_{i}", param.name), json!({group: own})));
            }
        }
    }
    assert!(features.iter().all(|param| matches!(param.presence, Presence::Default(_))));
    all
}

/// Whether missing values may stay missing, which not every learner takes.
fn may_be_missing(features: &Value) -> bool {
    let impute = |group: &str| features[group]["impute"] == "none";
    impute("numeric") || impute("categorical") || features["categorical"]["encode"] == "code"
}

/// A table with columns of every type, with gaps.
fn rows(n: u64, seed: u64) -> String {
    let mut text = "amount,gaps,truth,code,colour,holes,town,day,time,left\n".to_owned();
    for row in 0..n {
        let mixed = (row + seed * 1000 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let draw = |shift: u32, n: u64| (mixed >> shift) % n;
        let amount = draw(3, 1000) as f64 / 7.0 - 40.0;
        let gaps = if draw(11, 5) == 0 { String::new() } else { draw(13, 90).to_string() };
        let holes = ["", "red", "red", "blue", "green"][draw(17, 5) as usize];
        let colour = ["red", "blue", "green", "teal"][draw(19, 4).min(draw(23, 4)) as usize];
        let (truth, code) = (draw(29, 2) == 1, draw(31, 9));
        let (town, day, time) =
            (draw(37, 40), draw(41, 28) + 1, 1_600_000_000 + draw(5, 90_000_000));
        let left = u8::from(amount + 20.0 * code as f64 > draw(43, 150) as f64);
        text += &format!(
            "{amount},{gaps},{truth},{code},{colour},{holes},t{town},2024-03-{day:02},{time},{left}\n"
        );
    }
    text
}

/// A project that trains a model per variant, and calibrates the first by every method.
fn lab(others: u64) -> Lab {
    let lab = Lab::empty();
    lab.write("rows.csv", &rows(400, 1));
    lab.write("others.csv", &rows(200, others));
    lab.write(
        "pipeline.toml",
        "name = \"transforms\"\nseed = 5\nstages = [\"train\", \"calibrate\"]\n\
         [data]\nrows = \"rows.csv\"\nothers = \"others.csv\"\n",
    );
    let variant = |(name, mut features): (String, Value)| {
        let has_gaps = !may_be_missing(&features);
        features["columns"] = json!({
            "code": {"kind": "categorical", "unseen": "ignore"},
            "day": {"date": {"parts": ["day", "day_of_week", "days_since"], "since": "2024-02-29"}},
            "time": {"date": {"format": "epoch_seconds", "parts": ["year", "month", "hour"]}},
        });
        features["interactions"] =
            json!([["amount", "truth"], ["amount", "town"], ["colour", "town"]]);
        let roles = if has_gaps {
            json!({"left": "target"})
        } else {
            json!({"left": "target", "gaps": "ignore", "holes": "ignore"})
        };
        let learner = if has_gaps { "logistic_regression" } else { "decision_tree" };
        json!({"name": name, "params": {"learner": learner, "columns": roles, "features": features}})
    };
    let variants: Vec<Value> = variants().into_iter().map(variant).collect();
    let train = json!({
        "kind": "train",
        "inputs": {"train": "data.rows", "validation": "data.others"},
        "variant": variants,
    });
    let methods = params("calibrate").iter().find(|it| it.name == "method").map(values).unwrap();
    let calibrate = json!({
        "kind": "calibrate",
        "inputs": {"model": format!("train@{}.model", variants[0]["name"].as_str().unwrap()),
            "rows": "data.others"},
        "matrix": {"method": methods},
    });
    for (name, stage) in [("train", train), ("calibrate", calibrate)] {
        lab.write(&format!("stages/{name}.toml"), &toml::to_string(&stage).unwrap());
    }
    lab
}

/// What a run in a process of its own wrote: the lock.
fn ran(lab: &Lab, threads: &str, variables: &[(&str, &str)]) -> String {
    let mut command = lab.command(&["run", "--no-serve", "--jobs", threads]);
    command.env("RAYON_NUM_THREADS", threads).env("POLARS_MAX_THREADS", threads);
    let output = command.envs(variables.iter().copied()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    lab.read("pipeline.lock")
}

#[test]
fn every_transform_and_calibration_gives_the_same_bytes_in_any_process() {
    let first = ran(&lab(2), "1", &[]);
    assert!(first.matches("[stage.\"train@").count() > 30, "{first}");
    assert_eq!(first.matches("[stage.\"calibrate@").count(), 2, "{first}");
    for threads in ["2", "8"] {
        assert_eq!(ran(&lab(2), threads, &[]), first, "{threads} threads");
    }
    let other_libm = [("GLIBC_TUNABLES", "glibc.cpu.hwcaps=-FMA,-AVX2,-FMA4")];
    assert_eq!(ran(&lab(2), "2", &other_libm), first, "another libm");
}

/// No byte of a model follows from rows that it is not trained on.
#[test]
fn other_validation_rows_change_no_model() {
    let outputs = |lock: &str, stage: &str| -> Vec<String> {
        let blocks = lock.split("\n\n").filter(|block| block.contains(stage));
        let output = |block: &str| {
            block.lines().find(|line| line.starts_with("outputs.")).map(str::to_owned).unwrap()
        };
        blocks.map(output).collect()
    };
    let [one, other] = [2, 3].map(|others| ran(&lab(others), "2", &[]));
    assert!(outputs(&one, "stage.\"train@").len() > 30);
    assert_eq!(outputs(&one, "stage.\"train@"), outputs(&other, "stage.\"train@"));
    assert_ne!(outputs(&one, "stage.\"calibrate@"), outputs(&other, "stage.\"calibrate@"));
}

/// A block of the documentation, without what it is fenced by.
fn documented(first_line: &str) -> String {
    let docs = include_str!("../../docs/CONFIGURATION.md");
    let start = docs.find(&format!("```toml\n{first_line}\n")).unwrap() + "```toml\n".len();
    docs[start..].split("```").next().unwrap().to_owned()
}

/// Rows with the columns of the documentation.
fn documented_rows(n: u64) -> String {
    let mut text = "age,plan,region,city,branch,joined,left\n".to_owned();
    for row in 0..n {
        let mixed = (row + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let draw = |shift: u32, n: u64| (mixed >> shift) % n;
        let age = if draw(7, 12) == 0 { String::new() } else { (18 + draw(11, 60)).to_string() };
        let (plan, region) = (["basic", "gold"][draw(13, 2) as usize], draw(17, 5));
        let (city, branch, day) = (draw(19, 60), draw(23, 8), 1 + draw(29, 28));
        let left = u8::from(draw(31, 100) < 15 + 40 * draw(13, 2));
        let joined = format!("202{}-0{}-{day:02}", draw(37, 5), 1 + draw(41, 9));
        text += &format!("{age},{plan},r{region},c{city},{branch},{joined},{left}\n");
    }
    text
}

#[test]
fn what_the_documentation_shows_runs_from_split_to_package() {
    let lab = Lab::empty();
    lab.write("rows.csv", &documented_rows(900));
    lab.write(
        "pipeline.toml",
        "name = \"documented\"\nseed = 3\n\
         stages = [\"profile\", \"split\", \"train\", \"calibrate\", \"evaluate\", \"package\"]\n\
         [data]\nrows = \"rows.csv\"\n[defaults.columns]\nleft = \"target\"\n\
         plan = [\"feature\", \"segment\"]\n",
    );
    let stage = |name: &str, inputs: &str, rest: &str| {
        let kind = format!("kind = \"{name}\"\n[inputs]\n{inputs}\n{rest}");
        lab.write(&format!("stages/{name}.toml"), &kind);
    };
    stage("profile", "table = \"data.rows\"", "");
    stage("split", "table = \"data.rows\"", "");
    let features = documented("[params.features.numeric]");
    let forest = "[[variant]]\nname = \"forest\"\nparams = { learner = \"random_forest\", \
                  n_estimators = 20, class_weight = \"balanced\" }\n";
    stage("train", "train = \"split.train\"", &format!("{features}\n{forest}"));
    lab.write("stages/calibrate.toml", &documented("kind = \"calibrate\""));
    let sides = "validation = \"split.validation\"\ntest = \"split.test\"";
    let models = "models = [\"train.model\", \"calibrate.model\"]";
    stage("evaluate", &format!("{models}\n{sides}"), "");
    let package = "model = \"evaluate.champion\"\nmetrics = \"evaluate.metrics\"\n\
                   schema = \"profile.schema\"\nreference = \"split.test\"";
    stage("package", package, "");
    lab.call(&["run", "--no-serve"]).expect(0).tells("log_loss");
    let metrics = lab.json("outputs/evaluate/metrics.json");
    let overall = |variant: &str, metric: &str| {
        metrics["variants"][variant]["validation"]["overall"][metric].as_f64().unwrap()
    };
    // The order of the rows stays as it is; the rates become right.
    assert_eq!(overall("forest", "roc_auc"), overall("calibrate", "roc_auc"));
    assert!(overall("calibrate", "log_loss") < overall("forest", "log_loss"));
    let schema = lab.json("outputs/package/package/schema.json");
    let joined = schema["fields"].as_array().unwrap().iter().find(|it| it["name"] == "joined");
    assert_eq!(joined.unwrap()["date"], "%Y-%m-%d");
}
