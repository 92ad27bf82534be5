//! A graph as a text for other programs.

use std::io::Write;
use std::process::{Command, Stdio};

use engine::export;
use serde_json::json;

use crate::lab::Lab;

fn lab() -> Lab {
    Lab::new()
        .stage("load", "kind = \"count\"\ninputs.from = \"data.raw\"\nexclusive = \"db\"")
        .stage("t", "kind = \"concat\"\ninputs.from = [\"load.out\", \"data.raw\"]\nmatrix.separator = [\"a\", \"b\"]")
        .stage("all", "kind = \"concat\"\ninputs.from = [\"t.out\"]\nafter = [\"load\"]")
        .stage("web", "kind = \"service\"\ninputs.from = \"all.out\"")
        .more("[data]\nraw = \"a \\\"b\\\" <c> \\\\ #d\"\n")
}

#[test]
fn a_graph_is_drawn_for_mermaid() {
    let graph = lab().load().unwrap();
    let expected = "\
flowchart LR
  d0[(\"raw<br>a #34;b#34; #60;c#62; #92; #35;d\")]
  s0[\"load<br>count\"]
  s1[\"t@separator=a<br>concat\"]
  s2[\"t@separator=b<br>concat\"]
  s3[\"all<br>concat\"]
  s4([\"web<br>service\"])
  d0 -->|\"from\"| s0
  s0 -->|\"from\"| s1
  d0 -->|\"from\"| s1
  s0 -->|\"from\"| s2
  d0 -->|\"from\"| s2
  s0 -.-> s3
  s1 -->|\"from\"| s3
  s2 -->|\"from\"| s3
  s3 -->|\"from\"| s4
";
    assert_eq!(export::mermaid(&graph, &graph.ids().collect()), expected);
}

#[test]
fn a_graph_is_drawn_for_graphviz() {
    let graph = lab().load().unwrap();
    let drawn = export::dot(&graph, &graph.with_ancestors(graph.named("t").unwrap()));
    let expected = r##"digraph "lab" {
  rankdir=LR
  node [shape=box]
  "data.raw" [shape=note, label="raw\na \"b\" <c> \\ #d"]
  "load" [label="load\ncount"]
  "t@separator=a" [label="t@separator=a\nconcat"]
  "t@separator=b" [label="t@separator=b\nconcat"]
  "data.raw" -> "load" [label="from"]
  "load" -> "t@separator=a" [label="from"]
  "data.raw" -> "t@separator=a" [label="from"]
  "load" -> "t@separator=b" [label="from"]
  "data.raw" -> "t@separator=b" [label="from"]
}
"##;
    assert_eq!(drawn, expected);
    assert!(export::dot(&graph, &graph.ids().collect()).contains("[style=dashed]"));
}

/// Where Graphviz is installed, it must read what is drawn; elsewhere the text above has to do.
#[test]
fn graphviz_reads_what_is_drawn_for_it() {
    let graph = lab().load().unwrap();
    let drawn = export::dot(&graph, &graph.ids().collect());
    let mut command = Command::new("dot");
    command.arg("-Tplain").stdin(Stdio::piped()).stdout(Stdio::piped());
    let Ok(mut dot) = command.spawn() else { return };
    dot.stdin.take().unwrap().write_all(drawn.as_bytes()).unwrap();
    let output = dot.wait_with_output().unwrap();
    assert!(output.status.success());
    let plain = String::from_utf8(output.stdout).unwrap();
    let count = |word: &str| plain.lines().filter(|line| line.starts_with(word)).count();
    assert_eq!((count("node "), count("edge ")), (6, 9), "{plain}");
    assert!(plain.contains(r#""raw\na \"b\" <c> \\ #d""#), "{plain}");
}

#[test]
fn a_graph_is_told_to_programs() {
    let graph = lab().load().unwrap();
    let ids = graph.ids().collect();
    let document = serde_json::to_value(export::json(&graph, &ids)).unwrap();
    assert_eq!(document["schema"], "pipeline.graph/1");
    assert_eq!(document["stages"].as_array().unwrap().len(), 5);
    let load = json!({
        "stage": "load", "group": "load", "variant": null, "kind": "count", "service": false,
        "inputs": {"from": [{"data": "raw", "path": "a \"b\" <c> \\ #d"}]},
        "outputs": [{"name": "out", "type": "number", "path": "n/count.txt"}],
        "after": [],
        "control": {"timeout": null, "retries": 0, "resources": {}, "exclusive": ["db"]},
    });
    assert_eq!(document["stages"][0], load);
    let all = &document["stages"][3];
    assert_eq!(all["after"], json!(["load"]));
    assert_eq!(all["inputs"]["from"][1], json!({"stage": "t@separator=b", "output": "out"}));
}
