//! `pipeline predict --replay`: what was logged is predicted again, by the same package and by
//! others.

use std::collections::BTreeSet;
use std::fs;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::lab::Lab;
use crate::predictions::{ask, files, logging, record, replayed, stop};
use crate::service::Service;
use crate::small;
use crate::turns::LEARNERS;

/// Rows of the example as requests have them; some are beyond the range of the data.
struct Rows {
    names: Vec<String>,
    types: Vec<String>,
    /// As they stand in CSV.
    texts: Vec<Vec<String>>,
}

impl Rows {
    fn of_example(lab: &Lab, n: usize) -> Rows {
        let schema = lab.json("outputs/package/package/schema.json");
        let fields = schema["fields"].as_array().unwrap();
        let of = |key: &str| fields.iter().map(|f| f[key].as_str().unwrap().to_owned()).collect();
        let (names, types): (Vec<String>, Vec<String>) = (of("name"), of("type"));
        let csv = lab.read("data/subscribers.csv");
        let mut lines = csv.lines();
        let header: Vec<&str> = lines.next().unwrap().split(',').collect();
        let places: Vec<usize> =
            names.iter().map(|name| header.iter().position(|h| h == name).unwrap()).collect();
        let row = |(i, line): (usize, &str)| {
            let cells: Vec<&str> = line.split(',').collect();
            let mut texts: Vec<String> = places.iter().map(|at| cells[*at].to_owned()).collect();
            let at = names.iter().position(|name| name == "tenure_months").unwrap();
            if i % 7 == 0 {
                texts[at] = (1000 + i).to_string();
            }
            texts
        };
        let texts = lines.take(n).enumerate().map(row).collect();
        Rows { names, types, texts }
    }

    fn value(&self, row: usize, field: usize) -> Value {
        let text = self.texts[row][field].as_str();
        match self.types[field].as_str() {
            _ if text.is_empty() => Value::Null,
            "integer" | "number" | "boolean" => serde_json::from_str(text).unwrap(),
            _ => text.into(),
        }
    }

    fn records(&self) -> Vec<Value> {
        let fields = self.names.iter().enumerate();
        let record = |row: usize| {
            fields.clone().map(|(i, name)| (name.clone(), self.value(row, i))).collect()
        };
        (0..self.texts.len()).map(|row| Value::Object(record(row))).collect()
    }

    fn csv(&self) -> String {
        let lines = self.texts.iter().map(|row| row.join(",") + "\n");
        self.names.join(",") + "\n" + &lines.collect::<String>()
    }

    fn tensors(&self) -> Value {
        let n = self.texts.len();
        let tensor = |(i, name): (usize, &String)| {
            let datatype = match self.types[i].as_str() {
                "integer" => "INT64",
                "number" => "FP64",
                "boolean" => "BOOL",
                _ => "BYTES",
            };
            let data: Vec<Value> = (0..n).map(|row| self.value(row, i)).collect();
            json!({"name": name, "shape": [n, 1], "datatype": datatype, "data": data})
        };
        json!({ "inputs": self.names.iter().enumerate().map(tensor).collect::<Vec<_>>() })
    }
}

#[test]
fn what_a_service_logs_by_any_door_is_predicted_again_bit_by_bit() {
    let lab = Lab::example_that_ran();
    let package = "outputs/package/package";
    let rows = Rows::of_example(&lab, 40);
    let (records, json) = (rows.records(), "application/json");
    let name = lab.json(&format!("{package}/package.json"))["name"].as_str().unwrap().to_owned();
    let mut n_asked = 0;
    for range in ["warn", "clip"] {
        // The second service goes on where the first one stopped.
        let service = match range {
            "warn" => logging(&lab, package, &["--predictions-input", "--range=warn"]),
            // As a stage or a profile sets it.
            _ => Service::launch(lab.command(&[
                "serve",
                "--set=serve.port=0",
                "--set=serve.predictions=log",
                "--set=serve.predictions_input=true",
                "--set=serve.range=clip",
            ])),
        };
        let list = Value::from(records.clone()).to_string();
        let lines: Vec<String> = records.iter().map(Value::to_string).collect();
        let data: Vec<Vec<Value>> = (0..records.len())
            .map(|row| (0..rows.names.len()).map(|field| rows.value(row, field)).collect())
            .collect();
        let split = json!({"dataframe_split": {"columns": rows.names, "data": data}});
        for (path, media_type, body) in [
            ("/predict", json, list.clone()),
            ("/predict/batch", "application/x-ndjson", lines.join("\n")),
            ("/predict/batch", "text/csv", rows.csv()),
            ("/invocations", json, split.to_string()),
            ("/invocations", json, json!({ "instances": records }).to_string()),
            ("/invocations", "text/csv", rows.csv()),
            (&format!("/v2/models/{name}/infer"), json, rows.tensors().to_string()),
        ] {
            ask(&service, path, media_type, &body);
            n_asked += records.len();
        }
        ask(&service, "/predict", json, &lines[0]);
        n_asked += 1;
        stop(service);
    }
    let report = replayed(&lab, package, &["--exit-code"]);
    let (all, counts) = (&report["all"], &report["counts"]);
    assert_eq!((&all["predicted"], &all["same"]), (&json!(n_asked), &json!(n_asked)), "{report}");
    assert_eq!((&all["refused"], &counts["lines"]), (&json!(0), &json!(n_asked)));
    assert_eq!(all["max_absolute_difference"], 0.0);
    // The range that the service let through is refused where that is wanted.
    let strict = ["predict", "--replay", "log", "--package", package, "--range", "reject"];
    lab.call(&strict).expect(1).tells("field 'tenure_months' must be between 1 and 72");
    let digests: BTreeSet<String> = files(&lab)
        .iter()
        .flat_map(|path| {
            fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect::<Vec<_>>()
        })
        .map(|line| serde_json::from_str::<Value>(&line).unwrap()["input_digest"].to_string())
        .collect();
    // By every door a row is the same; clipped, those beyond the range are others.
    assert_eq!(digests.len(), 40 + 40_usize.div_ceil(7));
}

#[test]
fn another_package_is_compared_and_what_cannot_be_is_told() {
    let lab = small::project();
    let [package, other] = LEARNERS.map(small::package);
    let replay = |args: &[&str]| lab.call(&[&["predict", "--replay"], args].concat());
    replay(&["log", "--package", &package]).expect(4).tells("no log of predictions at `log`");
    fs::create_dir(lab.path("log")).unwrap();
    replay(&["log", "--package", &package]).expect(4).tells("predictions-NUMBER.jsonl");

    let service = logging(&lab, &package, &[]);
    ask(&service, "/predict", "application/json", &record(24).to_string());
    stop(service);
    let told = replay(&["log", "--package", &package]).expect(4).tells("none of the 1 lines");
    told.tells("predictions_input = true");

    let service = logging(&lab, &package, &["--predictions-input", "--range=warn"]);
    let ages = [2, 24, 40, 60, 500].map(record);
    ask(&service, "/predict", "application/json", &Value::from(ages.to_vec()).to_string());
    stop(service);
    let log = files(&lab).pop().unwrap();
    let log = log.to_str().unwrap();
    let args = [log, "--package", &other];
    replay(&args).expect(0).tells("predicted again by model").tells("1 of 6 lines have no record");
    replay(&[&args[..], &["--exit-code"]].concat()).expect(3);
    let ended = replay(&[&args[..], &["--range=reject"]].concat()).expect(1);
    ended.tells("refused 1: field 'age' must be between").tells("less_than_equal");
    let rows = replay(&[&args[..], &["--output=jsonl", "--json", "-q"]].concat()).expect(0).out;
    let rows: Vec<Value> = rows.lines().map(|row| serde_json::from_str(row).unwrap()).collect();
    let (report, rows) = rows.split_last().unwrap();
    assert_eq!((&report["schema"], rows.len()), (&json!("pipeline.replay/1"), 5));
    for (row, old) in rows.iter().zip(1..) {
        assert_eq!((&row["schema"], &row["row"]), (&json!("pipeline.replayed/1"), &json!(old)));
        assert_ne!(row["old"]["model_version"], row["new"]["model_version"]);
    }
    // What the verb says of the same records by itself.
    lab.write("ages.jsonl", &ages.map(|record| format!("{record}\n")).concat());
    let said = lab.call(&["predict", "ages.jsonl", "--package", &other, "--range=warn"]).expect(0);
    for (line, row) in said.out.lines().zip(rows) {
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["probability"], row["new"]["probability"]);
    }
    replay(&[&args[..], &["--output=csv"]].concat()).expect(2).tells("--output jsonl");
    replay(&["ages.jsonl", "--package", &other]).expect(2).tells("`ages.jsonl`, line 1, is no");
    let text = fs::read_to_string(log).unwrap();
    fs::write(log, text.replace("\"age\":500", "\"age\":50")).unwrap();
    replay(&args).expect(5).tells("its digest differs");
}

/// The most memory that a replay takes, in kB.
fn memory(lab: &Lab, args: &[&str]) -> u64 {
    let mut child = lab.command(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let (path, mut most) = (format!("/proc/{}/status", child.id()), 0);
    while child.try_wait().unwrap().is_none() {
        let text = fs::read_to_string(&path).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kb = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        most = most.max(kb.unwrap_or(0));
        thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(child.wait().unwrap().code(), Some(0));
    most
}

#[test]
fn a_log_of_any_size_is_predicted_again_in_a_bounded_memory() {
    let lab = small::project();
    let package = small::package(LEARNERS[0]);
    let service = logging(&lab, &package, &["--predictions-input"]);
    let body = Value::from(vec![record(24); 200]).to_string();
    ask(&service, "/predict", "application/json", &body);
    stop(service);
    let args = ["predict", "--replay", "log", "--package", &package, "--output=jsonl"];
    let small = memory(&lab, &args);
    let text = lab.read("log/predictions-00000001.jsonl");
    lab.write("log/predictions-00000002.jsonl", &text.repeat(400));
    let large = memory(&lab, &args);
    let n_mib = (text.len() * 400) >> 20;
    assert!(n_mib > 24, "{n_mib} MiB");
    assert!(large < small + (8 << 10), "{small} kB, then {large} kB for {n_mib} MiB");
}
