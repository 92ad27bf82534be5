//! The kind `command`: any program as a stage.
//!
//! A program runs in a directory that holds its inputs and nothing else, with no environment but
//! what is declared, and yields the outputs that it writes there. What it may be influenced by is
//! in the recipe: its arguments, its inputs by content and place, declared variables by value and
//! declared programs by digest. What it says is kept beside the outcome, never in it.

pub(crate) mod attempt;
mod capture;
mod family;
mod fence;
mod forgotten;
mod mark;
mod process;
mod start;
mod taken;
mod telling;
mod trace;
mod words;

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::canonical;
use crate::digest::Digest;
use crate::kind::{ANY, Arity, Context, DIRECTORY, FILE, Input, Kind, Output};
use crate::own;
use crate::params::{Complaint, Param, Step, Type};
use crate::surroundings::{Surroundings, is_path};
use words::Piece;

pub use family::{kill_all, terminate};

/// The shell of `shell`.
const SHELL: &str = "/bin/sh";

/// The kind `command`; the product says what its code is.
pub struct Command {
    code: fn() -> Digest,
}

impl Command {
    /// The kind, with the fingerprint of its code.
    pub const fn new(code: fn() -> Digest) -> Command {
        Command { code }
    }
}

/// The parameters.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Params {
    pub(crate) run: Option<Vec<String>>,
    pub(crate) shell: Option<String>,
    pub(crate) outputs: BTreeMap<String, Declared>,
    #[serde(deserialize_with = "texts")]
    pub(crate) environment: BTreeMap<String, String>,
    pass: Vec<String>,
    tools: Vec<String>,
    pub(crate) hermetic: bool,
}

/// Variables as texts: a number or a truth value is the text that documents have for it, so that
/// it can be an axis of a matrix or be swept.
fn texts<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<String, String>, D::Error> {
    let values = BTreeMap::<String, Value>::deserialize(from)?;
    Ok(values.iter().map(|(name, value)| (name.clone(), canonical::show(value))).collect())
}

/// An output as it is declared.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Declared {
    path: String,
    #[serde(rename = "type")]
    ty: Option<String>,
}

impl Params {
    fn of(params: &Value) -> Option<Params> {
        Params::deserialize(params).ok()
    }

    /// The program, unless it is an input.
    pub(crate) fn program(&self) -> Option<&str> {
        let first = match &self.run {
            Some(run) => run.first()?.as_str(),
            None => SHELL,
        };
        let is_plain = |piece: &Piece| matches!(piece, Piece::Text(_));
        words::parse(first).is_ok_and(|pieces| pieces.iter().all(is_plain)).then_some(first)
    }

    /// All declared programs: the one that is run first.
    pub(crate) fn tools(&self) -> Vec<String> {
        let mut tools: Vec<String> = Vec::new();
        for name in self.program().into_iter().chain(self.tools.iter().map(String::as_str)) {
            if !tools.iter().any(|other| other == name) {
                tools.push(name.to_owned());
            }
        }
        tools
    }

    /// The words that placeholders may stand in, each with its path.
    fn words(&self) -> Vec<(Vec<Step>, &str)> {
        let key = |name: &str| Step::Key(name.to_owned());
        let run = self.run.iter().flatten().enumerate();
        let run = run.map(|(i, word)| (vec![key("run"), Step::Item(i)], word.as_str()));
        run.chain(self.shell.iter().map(|script| (vec![key("shell")], script.as_str()))).collect()
    }
}

/// An output path as it is written, taken apart.
struct Place<'a> {
    /// The path without wildcards: of the file, or of the directory that is taken.
    path: &'a str,
    /// Which of the files below it are taken; all without one.
    pattern: Option<&'a str>,
    is_dir: bool,
}

impl Place<'_> {
    fn of(written: &str) -> Place<'_> {
        if let Some(at) = written.find(['*', '?', '[']) {
            let path = written[..at].rsplit_once('/').map_or("", |(dir, _)| dir);
            return Place { path, pattern: Some(written), is_dir: true };
        }
        let path = written.trim_end_matches('/');
        Place { path, pattern: None, is_dir: path != written }
    }
}

impl Kind for Command {
    fn name(&self) -> &'static str {
        "command"
    }

    fn about(&self) -> &'static str {
        "run any program on declared inputs, in a directory and an environment of its own"
    }

    fn code(&self) -> Digest {
        (self.code)()
    }

    fn params(&self) -> Type {
        let none = || Value::Array(Vec::new());
        let empty = || Value::Object(serde_json::Map::new());
        let output = Type::Short(vec![
            Param::required(
                "path",
                Type::Text,
                "where it writes: a file, `DIR/` for a directory, `DIR/*.csv` for a pattern",
            ),
            Param::optional("type", Type::Text, "what fits it; `file` or `directory` without one"),
        ]);
        Type::Record(vec![
            Param::optional(
                "run",
                Type::Text.list(),
                "the program and its arguments; `{PORT}` stands for a path, `{{` for a brace",
            ),
            Param::optional("shell", Type::Text, "a script for `/bin/sh -eu`, instead of `run`"),
            Param::required("outputs", output.map(), "what it writes, by the names of its ports"),
            Param::new("environment", Type::Scalar.map(), empty(), "variables that it is given"),
            Param::new("pass", Type::Text.list(), none(), "variables taken from the caller"),
            Param::new(
                "tools",
                Type::Text.list(),
                none(),
                "the other programs it needs, by name or path; a directory such as `.venv` can be \
                 one",
            ),
            Param::new(
                "hermetic",
                Type::Bool,
                false,
                "whether reading anything but inputs, tools and the system is refused",
            ),
        ])
    }

    fn check(&self, params: &Value) -> Vec<Complaint> {
        let Some(params) = Params::of(params) else { return Vec::new() };
        let mut wrong = Vec::new();
        let hint = "`run = [\"python3\", \"fit.py\", \"{train}\"]` or `shell = \"sort {a} > b\"`";
        match (&params.run, &params.shell) {
            (None, None) => {
                wrong.push(Complaint::at(Vec::new(), "expected `run` or `shell`").hinted(hint));
            }
            (Some(_), Some(_)) => {
                let message = "expected one of `run` and `shell`, found both";
                wrong.push(Complaint::about("shell", message));
            }
            (Some(run), None) if run.first().is_none_or(String::is_empty) => {
                wrong.push(Complaint::about("run", "expected a program").hinted(hint));
            }
            _ => {}
        }
        for (i, name) in params.tools.iter().enumerate().filter(|(_, name)| is_path(name)) {
            let place = vec![Step::Key("tools".to_owned()), Step::Item(i)];
            let told = own::complaint(Path::new(name));
            wrong.extend(told.map(|message| Complaint::at(place, message).hinted(own::HINT)));
        }
        if params.outputs.is_empty() {
            let message = "expected at least one output: what yields nothing cannot be cached";
            wrong.push(Complaint::about("outputs", message));
        }
        for (name, output) in &params.outputs {
            wrong.extend(check_output(name, &output.path));
        }
        if wrong.is_empty() {
            let outputs = outputs(&params);
            let told = Output::misplaced(&outputs).into_iter();
            wrong.extend(told.map(|(i, message)| Complaint::at(place(&outputs[i].name), message)));
        }
        for (path, word) in params.words() {
            wrong.extend(has_nul(word).then(|| Complaint::at(path, NUL)));
        }
        for (name, _) in params.environment.iter().filter(|(_, value)| has_nul(value)) {
            let path = ["environment", name].map(|key| Step::Key(key.to_owned()));
            wrong.push(Complaint::at(path.to_vec(), NUL));
        }
        let names = params.environment.keys().chain(&params.pass);
        for name in names.filter(|name| !is_variable(name)) {
            let message = format!("`{name}` cannot be the name of a variable");
            wrong.push(Complaint::about("environment", message));
        }
        for name in params.pass.iter().filter(|name| params.environment.contains_key(*name)) {
            let message = format!("`{name}` has a value under `environment`");
            wrong.push(Complaint::about("pass", message));
        }
        wrong
    }

    fn inputs(&self, _params: &Value) -> Vec<Input> {
        Vec::new()
    }

    fn other_inputs(&self) -> Option<Input> {
        let doc = "what it reads, under a name of your own";
        Some(Input { name: "NAME".into(), types: &[ANY], arity: Arity::Many, doc })
    }

    fn check_inputs(&self, params: &Value, inputs: &[&str]) -> Vec<Complaint> {
        let Some(params) = Params::of(params) else { return Vec::new() };
        let outputs = params.outputs.keys().map(String::as_str);
        let known: Vec<_> = inputs.iter().copied().chain(outputs).collect();
        let mut wrong = Vec::new();
        for name in inputs {
            if !is_port(name) {
                let message =
                    format!("the input `{name}` is named by letters, digits, `_` and `-`");
                wrong.push(Complaint::at(Vec::new(), message));
            }
            if params.outputs.contains_key(*name) {
                let message = format!("`{name}` is the name of an input, too");
                wrong.push(Complaint::about("outputs", message));
            }
        }
        for (path, word) in params.words() {
            match words::parse(word) {
                Ok(pieces) => {
                    let unknown = |piece| match piece {
                        Piece::Port(name) if !known.contains(&name.as_str()) => Some(name),
                        _ => None,
                    };
                    let unknown = pieces.into_iter().filter_map(unknown);
                    wrong.extend(unknown.map(|name| unknown_port(path.clone(), &name, &known)));
                }
                Err(message) => wrong.push(Complaint::at(path, message).hinted("`{{` is a brace")),
            }
        }
        wrong
    }

    fn outputs(&self, params: &Value) -> Vec<Output> {
        Params::of(params).map(|params| outputs(&params)).unwrap_or_default()
    }

    fn is_external(&self) -> bool {
        true
    }

    fn surroundings(&self, params: &Value) -> Surroundings {
        let Some(params) = Params::of(params) else { return Surroundings::default() };
        Surroundings {
            tools: params.tools(),
            environment: params.environment,
            pass: params.pass,
            told: &["environment", "pass", "tools"],
        }
    }

    fn run(&self, context: &Context<'_>) -> anyhow::Result<()> {
        attempt::run(context)
    }
}

fn unknown_port(path: Vec<Step>, name: &str, known: &[&str]) -> Complaint {
    let message = format!("`{{{name}}}` is none of its inputs and outputs");
    let suggested = crate::error::suggestion(name, known.iter().copied());
    let hint =
        suggested.unwrap_or_else(|| format!("known: {}; `{{{{` is a brace", known.join(", ")));
    Complaint::at(path, message).hinted(hint)
}

fn outputs(params: &Params) -> Vec<Output> {
    let output = |(name, declared): (&String, &Declared)| {
        let place = Place::of(&declared.path);
        let own = if place.is_dir { DIRECTORY } else { FILE };
        let ty = declared.ty.clone().unwrap_or_else(|| own.to_owned());
        Output::new(name, ty, place.path)
    };
    params.outputs.iter().map(output).collect()
}

/// Where an output is declared.
fn place(name: &str) -> Vec<Step> {
    ["outputs", name].map(|key| Step::Key(key.to_owned())).to_vec()
}

fn check_output(name: &str, written: &str) -> Option<Complaint> {
    let at = |message: String| Complaint::at(place(name), message);
    if !is_port(name) {
        let message = format!("the output `{name}` is named by letters, digits, `_` and `-`");
        return Some(at(message));
    }
    let place = Place::of(written);
    let pattern = place.pattern?;
    if let Err(error) = glob::Pattern::new(pattern) {
        return Some(at(format!("`{pattern}` is no pattern: {}", error.msg)));
    }
    let message = || format!("`{pattern}` has no directory of its own");
    place.path.is_empty().then(|| at(message()).hinted("write into one, as in `parts/*.csv`"))
}

/// What is told of a text that no program can be given.
const NUL: &str = "no program can be given a text with a NUL character in it";

fn has_nul(text: &str) -> bool {
    text.contains('\0')
}

fn is_port(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    !name.is_empty() && name.chars().all(is_plain)
}

fn is_variable(name: &str) -> bool {
    !name.is_empty() && !name.contains(['=', '\0'])
}
