//! Whatever is sent: requests that were written down, and many more that are made of them.
//!
//! `crate::serve::fuzz` says what must hold of every answer. The corpus is that of the fuzz target,
//! in `fuzz/corpus/request`; a file's name begins with the status of its answer.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::ml::package::Package;
use crate::ml::package::tests::small_package;
use crate::ml::random::Random;
use crate::serve::fuzz::Fuzz;

/// How many requests are made up unless `FUZZ_CASES` says otherwise.
const CASES: u64 = 20_000;

/// The longest request that is made up, in bytes.
const MAX_LEN: usize = 4096;

/// What is put into a request to break it.
const TOKENS: [&str; 40] = [
    "\"",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\\ud800",
    "1e400",
    "null",
    "-1",
    "\n",
    "\r\n",
    "\u{0}",
    "true",
    "\u{feff}",
    "é",
    "\\",
    "NaN",
    "0.1",
    "9007199254740993",
    "\"age\"",
    "\"plan\": \"gold\"",
    "accept: text/csv\n",
    "accept: application/problem+json\n",
    "accept: application/vnd.apache.parquet\n",
    "content-type: text/csv\n",
    "content-type: application/x-ndjson\n",
    "content-type: application/json\n",
    "transfer-encoding: chunked\n",
    "x-request-id: a\n",
    "origin: x\n",
    "forwarded: for=x\n",
    "?explain=true",
    "&explain=1",
    "%",
    "/",
    "PAR1",
    "\u{1}\u{0}\u{0}\u{0}",
    "\u{7f}\u{7f}",
];

fn top(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The corpus, by the names of its files.
fn corpus() -> BTreeMap<String, Vec<u8>> {
    let files = fs::read_dir(top("fuzz/corpus/request")).unwrap().map(|file| file.unwrap().path());
    let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    files.map(|path| (name(&path), fs::read(path).unwrap())).collect()
}

fn set(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

/// A request made of one or two of the corpus.
fn made_up(random: &mut Random, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut below = |n: usize| random.below(n as u64) as usize;
    let mut bytes = corpus[below(corpus.len())].clone();
    for _ in 0..below(6) {
        let at = below(bytes.len() + 1);
        match below(8) {
            0 | 1 => {
                // Another byte, or one bit of it.
                let changed = if below(2) == 0 { below(256) as u8 } else { 1 << below(8) };
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= changed;
                }
            }
            2 => bytes.truncate(at),
            3 => {
                // A piece that comes twice, or is left out.
                let end = (at + below(64)).min(bytes.len());
                let piece = if below(2) == 0 { [&bytes[at..end]; 2].concat() } else { Vec::new() };
                drop(bytes.splice(at..end, piece));
            }
            4 => {
                // The head of one and the body of another.
                let other = &corpus[below(corpus.len())];
                let body = |of: &[u8]| of.windows(2).position(|two| two == b"\n\n");
                if let (Some(ours), Some(theirs)) = (body(&bytes), body(other)) {
                    bytes.truncate(ours);
                    bytes.extend_from_slice(&other[theirs..]);
                }
            }
            _ => drop(bytes.splice(at..at, TOKENS[below(TOKENS.len())].bytes())),
        }
    }
    bytes.truncate(MAX_LEN);
    bytes
}

#[test]
fn every_request_of_the_corpus_is_answered_as_its_name_says() {
    let dir = small_package();
    let service = Fuzz::new(dir.path());
    let mut wrong = Vec::new();
    for (name, bytes) in corpus() {
        let (expected, _) = name.split_once('-').unwrap();
        match service.ask(&bytes) {
            Ok(status) if status == expected.parse().ok() => {}
            Ok(status) => wrong.push(format!("{name}: {status:?}")),
            Err(broken) => wrong.push(format!("{name}: {broken}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn whatever_is_made_of_them_has_an_answer_as_it_is_promised() {
    let dir = small_package();
    let service = Fuzz::new(dir.path());
    let corpus: Vec<Vec<u8>> = corpus().into_values().collect();
    let seed = set("FUZZ_SEED").unwrap_or(1);
    let (mut statuses, mut broken) = (BTreeMap::<Option<u16>, u64>::new(), Vec::new());
    for case in 0..set("FUZZ_CASES").unwrap_or(CASES) {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        let bytes = made_up(&mut Random::nth(&key, case), &corpus);
        match service.ask(&bytes) {
            Ok(status) => *statuses.entry(status).or_default() += 1,
            Err(told) => broken.push(told),
        }
    }
    let first: Vec<_> = broken.iter().take(8).map(String::as_str).collect();
    assert!(broken.is_empty(), "{} are broken:\n{}", broken.len(), first.join("\n\n"));
    // What is made up reaches every part, and is not all refused at the door.
    for status in [200, 204, 400, 403, 404, 405, 415, 422] {
        assert!(statuses.contains_key(&Some(status)), "{status} is not among {statuses:?}");
    }
}

#[test]
fn the_package_of_the_fuzz_target_takes_what_the_small_one_takes() {
    let dir = small_package();
    if std::env::var_os("WRITE_PACKAGE").is_some() {
        for file in fs::read_dir(dir.path()).unwrap().map(|file| file.unwrap()) {
            fs::copy(file.path(), top("fuzz/package").join(file.file_name())).unwrap();
        }
    }
    let small = Package::load(dir.path()).unwrap();
    let kept = Package::load(&top("fuzz/package")).unwrap();
    let shown = |package: &Package| serde_json::to_value(package.schema()).unwrap();
    assert_eq!(shown(&kept), shown(&small), "`WRITE_PACKAGE=1` writes it again");
    assert_eq!(kept.manifest().name, small.manifest().name);
}
