//! References are made from what is declared: `docs/KINDS.md` and the tables of
//! `docs/EXPECTATIONS.md` cannot lag behind.

use std::fmt::Write;
use std::path::Path;

use engine::kind::{Arity, Kind};
use engine::params::{Param, Presence, Type};
use pipeline::ml::expect::declarations;
use pipeline::ml::leakage::CHECKS;
use serde_json::{Map, Value};

const HEADING: &str = "\
# The kinds of stages

Made from the declarations in `src/kinds` by `WRITE_DOCS=1 cargo test --test it docs`; not to be
edited. How stages, inputs and values are written: [CONFIGURATION.md](CONFIGURATION.md).
";

#[test]
fn the_reference_of_kinds_says_what_the_kinds_declare() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/KINDS.md");
    let mut text = HEADING.to_owned();
    pipeline::kinds::KINDS.iter().for_each(|kind| describe(*kind, &mut text));
    if std::env::var_os("WRITE_DOCS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(written == text, "`WRITE_DOCS=1 cargo test --test it docs` writes docs/KINDS.md");
}

/// What follows it is made from the declarations.
const MARKER: &str = "<!-- made from the declarations -->\n";

#[test]
fn the_reference_of_expectations_says_what_they_declare() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/EXPECTATIONS.md");
    let written = std::fs::read_to_string(&path).unwrap();
    let by_hand = written.split(MARKER).next().unwrap();
    let mut text = format!("{by_hand}{MARKER}\n| check | finds | bound |\n|---|---|---|\n");
    for check in CHECKS {
        let bound = check.bound;
        let row = (check.name, check.doc, bound.name, bound.default, bound.doc);
        writeln!(text, "| `{}` | {} | `{} = {:?}`: {} |", row.0, row.1, row.2, row.3, row.4)
            .unwrap();
    }
    let headings = "| expectation | what must be true | takes |\n|---|---|---|";
    writeln!(text, "\n## All expectations\n\n{headings}").unwrap();
    for declaration in declarations() {
        let own: Vec<_> =
            declaration.own.iter().map(|parameter| format!("`{}`", parameter.name)).collect();
        let (name, doc) = (declaration.name, declaration.doc);
        writeln!(text, "| `{name}` | {doc} | {} |", own.join(", ")).unwrap();
    }
    if std::env::var_os("WRITE_DOCS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    assert!(
        written == text,
        "`WRITE_DOCS=1 cargo test --test it docs` writes docs/EXPECTATIONS.md"
    );
}

fn describe(kind: &dyn Kind, out: &mut String) {
    writeln!(out, "\n## `{}`\n\n{}.", kind.name(), kind.about()).unwrap();
    let none = Value::Object(Map::new());
    let inputs: Vec<_> = kind.inputs(&none).into_iter().chain(kind.other_inputs()).collect();
    let outputs = kind.outputs(&none);
    if !inputs.is_empty() || !outputs.is_empty() {
        writeln!(out, "\n| port | | type | |\n|---|---|---|---|").unwrap();
    }
    for input in inputs {
        let arity = match input.arity {
            Arity::One => "input",
            Arity::Optional => "input, optional",
            Arity::Many => "inputs, any number",
        };
        let types = input.types.join(" or ");
        writeln!(out, "| `{}` | {arity} | {types} | {} |", input.name, input.doc).unwrap();
    }
    for output in outputs {
        writeln!(out, "| `{}` | output | {} | `{}` |", output.name, output.ty, output.path)
            .unwrap();
    }
    let mut rows = Vec::new();
    walk("", &kind.params(), &mut rows);
    if !rows.is_empty() {
        writeln!(out, "\n| parameter | takes | default | |\n|---|---|---|---|").unwrap();
        rows.iter().for_each(|row| out.push_str(row));
    }
}

/// The rows of a table of parameters; nested ones with the path that leads to them.
fn walk(path: &str, ty: &Type, rows: &mut Vec<String>) {
    match ty {
        Type::Record(params) | Type::Short(params) => {
            params.iter().for_each(|param| row(path, param, rows));
        }
        Type::Tagged { tag, cases, default } => {
            for (name, params) in cases {
                let is_default = if Some(*name) == *default { ", the default" } else { "" };
                rows.push(format!("| **`{path}{tag} = \"{name}\"`**{is_default} | | | |\n"));
                params.iter().for_each(|param| row(path, param, rows));
            }
        }
        Type::Map(item) => walk(&format!("{path}NAME."), item, rows),
        _ => {}
    }
}

fn row(path: &str, param: &Param, rows: &mut Vec<String>) {
    let default = match &param.presence {
        Presence::Required => "required".to_owned(),
        Presence::Optional => String::new(),
        Presence::Default(value) => format!("`{value}`"),
    };
    let (name, takes, doc) = (param.name, param.ty.expected(), param.doc);
    rows.push(format!("| `{path}{name}` | {takes} | {default} | {doc} |\n"));
    match &param.ty {
        Type::List(item) => walk(&format!("{path}{name}[]."), item, rows),
        ty => walk(&format!("{path}{name}."), ty, rows),
    }
}
