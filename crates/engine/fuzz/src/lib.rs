//! What the fuzz targets share: kinds without work, a project from one text, sealed documents.

use std::collections::BTreeMap;
use std::fs;

use engine::build::Kinds;
use engine::canonical;
use engine::digest::Digest;
use engine::error::{Error, Mistakes};
use engine::export;
use engine::graph::Graph;
use engine::kind::{Arity, Context, FILE, Input, Kind, Output};
use engine::params::{Param, Type};
use engine::project;
use engine::spec::Request;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A kind that has inputs, outputs and parameters of several types, and does nothing.
struct Idle;

impl Kind for Idle {
    fn name(&self) -> &'static str {
        "idle"
    }

    fn about(&self) -> &'static str {
        "does nothing"
    }

    fn code(&self) -> Digest {
        Digest::of(b"1")
    }

    fn params(&self) -> Type {
        Type::Record(vec![
            Param::new("text", Type::Text, "x", "a text"),
            Param::new("count", Type::Int(0, 9), 1, "a number"),
            Param::new("way", Type::Choice(&["left", "right"]), "left", "a choice"),
        ])
    }

    fn inputs(&self, _: &serde_json::Value) -> Vec<Input> {
        vec![Input { name: "from".into(), types: &["text", FILE], arity: Arity::Many, doc: "anything" }]
    }

    fn outputs(&self, _: &serde_json::Value) -> Vec<Output> {
        vec![Output::new("out", "text", "out.txt")]
    }

    fn run(&self, _: &Context<'_>) -> anyhow::Result<()> {
        Ok(())
    }
}

static KINDS: Kinds = &[&Idle];

/// Loads a project from one text: `pipeline.toml`, then stage files, each behind `---- NAME`. What
/// is loaded means the same the second time, and rests on nothing that comes behind it.
///
/// # Panics
/// When it does not, when a mistake has a place outside of its source, or when the project cannot
/// be written.
pub fn load(text: &str) {
    let dir =
        tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a directory");
    fs::create_dir(dir.path().join("stages")).expect("a directory");
    let mut place = dir.path().join("pipeline.toml");
    let mut part = String::new();
    for line in text.lines() {
        let name = line.strip_prefix("---- ").filter(|name| {
            let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
            !name.is_empty() && name.len() < 60 && name.chars().all(is_plain)
        });
        if let Some(name) = name {
            fs::write(&place, &part).expect("a file");
            place = dir.path().join("stages").join(format!("{name}.toml"));
            part.clear();
        } else {
            part.push_str(line);
            part.push('\n');
        }
    }
    fs::write(&place, &part).expect("a file");
    let request = Request { root: dir.path().to_owned(), ..Request::default() };
    match project::load(&request, KINDS) {
        Ok((_, graph)) => {
            for id in graph.ids() {
                assert!(graph.stage(id).needs().iter().all(|need| need.0 < id.0), "{text:?}");
            }
            let again = project::load(&request, KINDS).expect("what is loaded is loaded again").1;
            let ids = graph.ids().collect();
            let document = |graph| serde_json::to_value(export::json(graph, &ids)).unwrap();
            assert_eq!(document(&graph), document(&again), "{text:?}");
        }
        Err(Error::Config(mistakes)) => check_places(&mistakes),
        Err(_) => {}
    }
}

fn check_places(mistakes: &Mistakes) {
    for diagnostic in &mistakes.diagnostics {
        assert!(!diagnostic.message.is_empty());
        let Some(place) = &diagnostic.place else { continue };
        let text = &mistakes.sources.get(place.source).text;
        assert!(text.get(place.span.clone()).is_some(), "{diagnostic:?} in {text:?}");
        mistakes.sources.locate(place);
    }
}

/// A graph with stages of these names and nothing else, whatever the names are.
pub fn graph_of<'n>(names: impl Iterator<Item = &'n String>) -> Graph {
    let stage = |name: &String| engine::graph::Stage {
        name: name.clone(),
        group: name.clone(),
        variant: None,
        kind: &Idle,
        params: serde_json::Value::Null,
        seed: None,
        inputs: Vec::new(),
        after: Vec::new(),
        outputs: Vec::new(),
        control: engine::graph::Control::default(),
    };
    let stages = names.map(stage).collect();
    Graph { name: "fuzz".to_owned(), stages, resources: BTreeMap::new() }
}

/// Reads a document, bare or as it is stored: what is read writes back to bytes that read to the
/// same, and of a stored one every byte that says something has a say in whether it is believed.
///
/// # Panics
/// When it does not.
pub fn reads_back<T>(bytes: &[u8])
where
    T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug,
{
    let bare = canonical::from_bytes::<T>(bytes).ok();
    // No input hits its own digest by chance: what can be read is sealed here.
    let sealed = bare.as_ref().map(|document| canonical::seal(document));
    for sealed in [bytes].into_iter().chain(sealed.as_deref()) {
        let Some(document) = canonical::unseal::<T>(sealed) else { continue };
        let written = canonical::seal(&document);
        assert_eq!(canonical::unseal::<T>(&written).as_ref(), Some(&document));
        let digit = written.iter().position(|byte| byte.is_ascii_digit()).expect("a check");
        let mut forged = written;
        forged[digit] = if forged[digit] == b'0' { b'1' } else { b'0' };
        assert_eq!(canonical::unseal::<T>(&forged), None);
    }
    if let Some(document) = bare {
        let written = canonical::to_bytes(&document);
        let again: T = canonical::from_bytes(&written).expect("what is written is read");
        assert_eq!(again, document);
    }
}
