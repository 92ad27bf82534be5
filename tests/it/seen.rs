//! What a service sees, told by `/drift`: the example's own rows, and those with one column moved.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::lab::Lab;
use crate::service::{PATIENCE, Service};

/// How many rows are sent at once.
const ROWS_AT_ONCE: usize = 500;

/// The rows of the example's data as a service takes them: without the name of a row and what
/// became of it.
fn rows(lab: &Lab) -> Vec<Vec<String>> {
    let text = lab.read("data/subscribers.csv");
    let cells = |line: &str| line.split(',').map(str::to_owned).collect::<Vec<_>>();
    let mut rows: Vec<Vec<String>> = text.lines().map(cells).collect();
    for row in &mut rows {
        assert_eq!(row.len(), 18);
        row.pop();
        row.remove(0);
    }
    rows
}

/// Asks for all rows, each of which is taken.
fn ask(service: &Service, header: &[String], rows: &[Vec<String>]) {
    for rows in rows.chunks(ROWS_AT_ONCE) {
        let lines = std::iter::once(header).chain(rows.iter().map(Vec::as_slice));
        let body: String = lines.map(|line| line.join(",") + "\n").collect();
        let mut stream = TcpStream::connect(&service.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let head = format!(
            "POST /predict/batch HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\
             content-type: text/csv\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        assert_eq!(reply.matches("\"prediction\":").count(), rows.len(), "{reply}");
    }
}

fn drift(service: &Service) -> Value {
    let (status, report) = service.request("GET", "/drift", "");
    assert_eq!(status, 200);
    report
}

/// The report that follows when `change` is done to every value of a column.
fn report(lab: &Lab, column: &str, change: impl Fn(f64) -> f64) -> Value {
    let service = Service::start(lab);
    let rows = rows(lab);
    let (header, rows) = rows.split_first().unwrap();
    let at = header.iter().position(|name| name == column).unwrap();
    let changed = |row: &Vec<String>| {
        let mut row = row.clone();
        // What is missing stays so.
        if let Ok(number) = row[at].parse::<f64>() {
            row[at] = change(number).to_string();
        }
        row
    };
    let rows: Vec<_> = rows.iter().map(changed).collect();
    ask(&service, header, &rows);
    let report = drift(&service);
    assert_eq!(report["rows"].as_u64(), Some(rows.len() as u64));
    report
}

#[test]
fn the_column_that_has_moved_is_told_and_no_other() {
    let lab = Lab::example_that_ran();
    let still = report(&lab, "age", |age| age);
    assert_eq!((&still["status"], &still["drifted"]), (&json!("ok"), &json!([])), "{still:#}");
    assert_eq!(still["score"]["is_drifted"], false);

    let schema = lab.json("outputs/package/package/schema.json");
    let fields = schema["fields"].as_array().unwrap();
    let field = fields.iter().find(|field| field["name"] == "age").unwrap();
    let oldest = field["max"].as_f64().unwrap();
    // Everybody is older, and nobody older than anybody was.
    let moved = report(&lab, "age", |age| (age + 6.0).min(oldest));
    assert_eq!((&moved["status"], &moved["drifted"]), (&json!("drift"), &json!(["age"])));
    let of = |report: &Value, name: &str| {
        let features = report["features"].as_array().unwrap();
        let found = features.iter().find(|feature| feature["feature"] == name).unwrap();
        found["psi"].as_f64().unwrap()
    };
    assert!(of(&moved, "age") > 10.0 * of(&still, "age"));
    for feature in still["features"].as_array().unwrap() {
        let name = feature["feature"].as_str().unwrap();
        let is_same = of(&still, name).to_bits() == of(&moved, name).to_bits();
        assert_eq!(is_same, name != "age", "{name}");
    }
}
