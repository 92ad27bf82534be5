//! Parquet over HTTP, written and read by Arrow's own library for Python (from PyPI).

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::service::Service;
use crate::small;
use crate::venv;

const CLIENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients");

/// How much the memory of the service may grow by all that is sent, in kB. The file that stands for
/// a hundred million rows would take thirty times as much.
const ALLOWED_KB: u64 = 256 << 10;

/// The most memory that a process has ever had, in kB.
fn peak(process: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = text.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Checks that the rows of a Parquet file of answers say what the lines say, to the bit.
fn are_the_same(rows: &[Value], lines: &[Value]) {
    assert_eq!(rows.len(), lines.len());
    for (row, line) in rows.iter().zip(lines) {
        let line: Value = serde_json::from_str(line.as_str().unwrap()).unwrap();
        assert_eq!((&row["row"], &row["prediction"]), (&line["row"], &line["prediction"]));
        let bits = |value: &Value| value["probability"].as_f64().unwrap().to_bits();
        assert_eq!(bits(row), bits(&line));
        assert_eq!(row["model_version"], line["model_version"]);
        assert_eq!(row["error"], Value::Null);
    }
}

#[test]
fn arrows_library_sends_a_table_and_reads_the_answers() {
    let Some(venv) = venv::with(&Path::new(CLIENTS).join("parquet.txt")) else { return };
    let lab = small::project();
    let package = small::package("gradient_boosting");
    // The table has its target and the names of the people beside what the model knows.
    let args = ["serve", "--port=0", "--extra=ignore", "--package", &package];
    let service = Service::launch(lab.command(&args));
    let before = peak(service.child.id());
    let output = Command::new(venv.join("bin/python"))
        .arg(format!("{CLIENTS}/parquet.py"))
        .arg(&service.address)
        .arg(lab.path("people.csv"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();

    let lines = told["lines"].as_array().unwrap();
    assert_eq!(lines.len(), 400);
    for (way, is_same) in told["same"].as_object().unwrap() {
        assert_eq!(is_same, true, "written `{way}`");
    }
    let types = json!({
        "row": "int64", "prediction": "bool", "probability": "double",
        "model_version": "large_string", "error": "large_string", "warning": "large_string",
    });
    let told_types = told["types"].to_string().replace("string_view", "large_string");
    assert_eq!(serde_json::from_str::<Value>(&told_types).unwrap(), types);
    are_the_same(told["answers"].as_array().unwrap(), lines);

    let bomb = &told["bomb"];
    assert!(bomb["bytes"].as_u64().unwrap() < 2 << 20, "{}", bomb["bytes"]);
    assert_eq!((&bomb["status"], &bomb["answer"]["status"]), (&json!(413), &json!(413)));
    let grown = peak(service.child.id()) - before;
    assert!(grown < ALLOWED_KB, "{grown} kB");

    let statuses = told["damaged"].as_array().unwrap();
    let known = [200, 400, 413, 422].map(|status| json!(status));
    assert!(statuses.iter().all(|status| known.contains(status)), "{statuses:?}");
    assert!(statuses.contains(&json!(400)), "{statuses:?}");
    assert!(!service.told().contains("panicked"), "{}", service.told());
    assert_eq!(service.health().0, 200);
}
