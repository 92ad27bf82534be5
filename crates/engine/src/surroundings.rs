//! What a stage takes from outside of its project: declared environment variables and programs.
//!
//! Both are part of the recipe, variables by value and programs by the digest of their bytes, and
//! nothing else of the caller's environment reaches a program. The engine reads no environment: the
//! product hands the variables over. A program is its executable, or a directory such as a virtual
//! environment; of one that is a script also what runs it (`#!`) is a program of the stage. What an
//! executable loads from elsewhere (shared libraries, the modules of an interpreter) is not known
//! here.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::canonical;
use crate::clock::Clock;
use crate::data::{self, What};
use crate::digest::Digest;
use crate::error::Error;
use crate::files::{self, entries};
use crate::interpreter::{self, Interpreter};
use crate::once::Once;
use crate::stat::{Seen, Signature, StatCache};
use crate::tool::Tool;

/// The variable whose directories programs are looked up in.
const PATH: &str = "PATH";
/// Directories that hold what an interpreter made of its sources, again and again, with times.
const LEFT_OUT: &[&str] = &["__pycache__"];

/// What a stage declares of the world around it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Surroundings {
    /// Variables with their values.
    pub environment: BTreeMap<String, String>,
    /// Variables that are taken from the caller.
    pub pass: Vec<String>,
    /// Programs: names that are looked up, or paths.
    pub tools: Vec<String>,
    /// The parameters that say all this, which the recipe does not say twice.
    pub told: &'static [&'static str],
}

impl Surroundings {
    /// Every declared variable with its value, `None` for one that the caller does not have.
    pub fn variables(
        &self,
        caller: impl Fn(&str) -> Option<String>,
    ) -> BTreeMap<String, Option<String>> {
        let passed = self.pass.iter().map(|name| (name.clone(), caller(name)));
        let own = self.environment.iter().map(|(name, value)| (name.clone(), Some(value.clone())));
        passed.chain(own).collect()
    }
}

/// What is known of a program: its digest, and its files as they were when they were hashed.
#[derive(Debug)]
struct Hashed {
    digest: Digest,
    files: Vec<(PathBuf, Signature)>,
}

/// The world outside of one project.
#[derive(Debug, Default)]
pub(crate) struct Outside {
    variables: BTreeMap<String, String>,
    /// Where names were found, each looked up once per process.
    on_path: Mutex<BTreeMap<String, Option<PathBuf>>>,
    /// What runs the scripts that a program is or holds, each looked at once per process.
    interpreters: Mutex<BTreeMap<PathBuf, Arc<[Interpreter]>>>,
    /// Digests of programs, each computed once per process.
    digests: Once<PathBuf, Hashed>,
}

impl Outside {
    pub(crate) fn new(variables: &[(String, String)]) -> Outside {
        Outside { variables: variables.iter().cloned().collect(), ..Outside::default() }
    }

    pub(crate) fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }

    /// The declared programs, in their order.
    ///
    /// # Errors
    /// `Missing` with the names of all that cannot be found.
    pub(crate) fn tools(&self, root: &Path, declared: &[String]) -> Result<Vec<Tool>, Error> {
        let (found, missing) = self.resolve(root, declared);
        if missing.is_empty() { Ok(found) } else { Err(not_found(&missing)) }
    }

    /// The declared programs in their order, and the names of those that cannot be found.
    fn resolve<'a>(&self, root: &Path, declared: &'a [String]) -> (Vec<Tool>, BTreeSet<&'a str>) {
        let mut found: Vec<Tool> = Vec::new();
        let mut missing = BTreeSet::new();
        let by_path = |name: &&String| is_path(name);
        // Paths first: names may be found in a directory that is declared.
        for name in declared.iter().filter(by_path) {
            let path = std::path::absolute(root.join(name)).unwrap_or_else(|_| root.join(name));
            match files::metadata(&path) {
                Ok(metadata) => {
                    found.push(Tool::declared(name, path, metadata.is_dir()));
                }
                Err(_) => drop(missing.insert(name.as_str())),
            }
        }
        for name in declared.iter().filter(|name| !by_path(name)) {
            let own = found.iter().filter(|tool| tool.is_dir).map(Tool::dir).collect::<Vec<_>>();
            match self.look_up(name, &own) {
                Some(path) => found.push(Tool::declared(name, path, false)),
                None => drop(missing.insert(name.as_str())),
            }
        }
        found.sort_by_key(|tool| declared.iter().position(|name| *name == tool.name));
        self.add_interpreters(&mut found);
        (found, missing)
    }

    /// Adds what runs the scripts among these programs, and what runs that. One that is not there
    /// has no say: the script cannot be run.
    fn add_interpreters(&self, tools: &mut Vec<Tool>) {
        let dirs = Tool::dirs(tools);
        let mut n_seen = 0;
        while let Some(tool) = tools.get(n_seen) {
            n_seen += 1;
            for Interpreter { line, program } in self.interpreters(tool).iter() {
                let places: Vec<_> = match program.starts_with('/') {
                    true => vec![PathBuf::from(program)],
                    // Where the program itself will look.
                    false => dirs.iter().map(|dir| dir.join(program)).collect(),
                };
                let Some(at) = places.iter().position(|path| is_executable(path)) else { continue };
                let path = places[at].clone();
                let has_it =
                    |tool: &Tool| path == tool.path || tool.is_dir && path.starts_with(&tool.path);
                if !tools.iter().any(has_it) {
                    let passed = places[..at].to_vec();
                    let name = line.clone();
                    tools.push(Tool { name, path, is_dir: false, implied: Some(passed) });
                }
            }
        }
    }

    /// What runs the scripts that a program is or holds.
    fn interpreters(&self, tool: &Tool) -> Arc<[Interpreter]> {
        let look = || -> Arc<[Interpreter]> {
            let mut found = match tool.is_dir {
                true => {
                    let files = entries(&tool.dir()).unwrap_or_default();
                    let files = files.iter().filter(|path| is_executable(path));
                    files.flat_map(|path| interpreter::of_file(path)).collect()
                }
                false => interpreter::of_file(&tool.path),
            };
            found.sort_by(|a, b| a.line.cmp(&b.line));
            found.dedup();
            found.into()
        };
        let mut known = self.interpreters.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(tool.path.clone()).or_insert_with(look).clone()
    }

    /// Fails with every one of these programs that cannot be found.
    ///
    /// # Errors
    /// `Missing` with the names of all that cannot be found.
    pub(crate) fn require(
        &self,
        root: &Path,
        declared: BTreeSet<Vec<String>>,
    ) -> Result<(), Error> {
        let missing: BTreeSet<_> =
            declared.iter().flat_map(|tools| self.resolve(root, tools).1).collect();
        if missing.is_empty() { Ok(()) } else { Err(not_found(&missing)) }
    }

    fn look_up(&self, name: &str, own: &[PathBuf]) -> Option<PathBuf> {
        let found = own.iter().map(|dir| dir.join(name)).find(|path| is_executable(path));
        found.or_else(|| self.on_path(name))
    }

    /// Where a name is found on the caller's PATH.
    fn on_path(&self, name: &str) -> Option<PathBuf> {
        let mut known = self.on_path.lock().unwrap_or_else(PoisonError::into_inner);
        let search = || {
            let path = self.variables.get(PATH).map(String::as_str).unwrap_or_default();
            let dirs = path.split(':').map(Path::new).filter(|dir| dir.is_absolute());
            dirs.map(|dir| dir.join(name)).find(|path| is_executable(path))
        };
        known.entry(name.to_owned()).or_insert_with(search).clone()
    }

    /// The digests of declared programs by name.
    ///
    /// # Errors
    /// `Missing` with the names of all that cannot be found; else what reading gives.
    pub(crate) fn digests(
        &self,
        root: &Path,
        surroundings: &Surroundings,
        stat: &StatCache,
    ) -> Result<BTreeMap<String, Digest>, Error> {
        let mut digests = BTreeMap::new();
        for tool in self.tools(root, &surroundings.tools)? {
            let hash = || hash(&tool, stat).map_err(Error::io("read", &tool.path));
            let digest = self.digests.ask(&tool.path, hash)?.digest;
            digests.insert(tool.name, digest);
        }
        Ok(digests)
    }

    /// The first of these programs that is no longer what `digests` hashed: a stage that was run by
    /// another program than its recipe says would be served as that recipe's outcome for ever.
    pub(crate) fn changed(&self, root: &Path, declared: &[String]) -> Option<String> {
        let is_same = |tool: &Tool| {
            let Some(hashed) = self.digests.known(&tool.path) else { return false };
            let is_as_it_was = |(path, seen): &(PathBuf, Signature)| {
                Signature::of(path).is_ok_and(|signature| signature == *seen)
            };
            let is_listed = || {
                let Ok(found) = data::walk(&tool.path, usize::MAX, LEFT_OUT) else { return false };
                let files = found.into_iter().filter(|found| found.what == What::File);
                files
                    .map(|found| tool.path.join(found.name))
                    .eq(hashed.files.iter().map(|(path, _)| path.clone()))
            };
            hashed.files.iter().all(is_as_it_was) && (!tool.is_dir || is_listed())
        };
        let (found, missing) = self.resolve(root, declared);
        let changed = found.iter().find(|tool| !is_same(tool)).map(|tool| tool.name.clone());
        changed.or_else(|| missing.first().map(|name| (*name).to_owned()))
    }
}

impl Outside {
    /// What the programs of a stage rest on: their bytes, and what has their name in a directory
    /// that is searched before their own: nothing, mostly, or a file that cannot be executed.
    /// `None` when one of them is not what it was hashed as, or changed so lately that a second
    /// change might go unseen.
    pub(crate) fn seen(
        &self,
        root: &Path,
        surroundings: &Surroundings,
        stat: &StatCache,
        clock: &Clock,
    ) -> Option<Vec<Seen>> {
        let mut seen = Vec::new();
        for tool in self.tools(root, &surroundings.tools).ok()? {
            if tool.is_dir {
                for dir in data::dirs(&tool.path, usize::MAX, LEFT_OUT).ok()? {
                    seen.push(Seen::settled(dir, clock)?);
                }
                for found in data::walk(&tool.path, usize::MAX, LEFT_OUT).ok()? {
                    let path = tool.path.join(&found.name);
                    seen.extend(match found.what {
                        What::File => Some(seen_file(path, stat)?),
                        _ => None,
                    });
                }
            } else {
                for path in self.passed_over(&tool) {
                    seen.push(Seen::settled(path.clone(), clock)?);
                    // After its signature: what changes later has another one.
                    (!is_executable(&path)).then_some(())?;
                }
                seen.push(seen_file(tool.path, stat)?);
            }
        }
        Some(seen)
    }

    /// Where a program was looked for before it was found.
    fn passed_over(&self, tool: &Tool) -> Vec<PathBuf> {
        if let Some(passed) = &tool.implied {
            return passed.clone();
        }
        if is_path(&tool.name) {
            return Vec::new();
        }
        let own = tool.dir();
        let path = self.variables.get(PATH).map(String::as_str).unwrap_or_default();
        let dirs: Vec<_> = path.split(':').map(PathBuf::from).collect();
        let n_before = dirs.iter().position(|dir| *dir == own).unwrap_or(0);
        let before = dirs.into_iter().take(n_before).filter(|dir| dir.is_absolute());
        before.map(|dir| dir.join(&tool.name)).collect()
    }
}

fn seen_file(path: PathBuf, stat: &StatCache) -> Option<Seen> {
    let (signature, digest) = stat.entry(&memory_name(&path))?;
    let is_same = Signature::of(&path).is_ok_and(|now| now == signature);
    is_same.then_some(Seen { path, signature: Some(signature), digest: Some(digest) })
}

/// Whether a program is declared by its path, so that it is not looked up.
pub(crate) fn is_path(name: &str) -> bool {
    name.contains('/') || name.starts_with('.')
}

/// What the digest of a program is remembered under.
fn memory_name(path: &Path) -> String {
    format!("tool:{}", path.display())
}

fn is_executable(path: &Path) -> bool {
    const ANYBODY: u32 = 0o111;
    files::metadata(path)
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & ANYBODY != 0)
}

fn not_found(missing: &BTreeSet<&str>) -> Error {
    let names: Vec<_> = missing.iter().map(|name| format!("`{name}`")).collect();
    let (what, them) = match names.len() {
        1 => ("the program", "it"),
        _ => ("the programs", "them"),
    };
    Error::Missing(format!(
        "{what} {} cannot be found\nhint: install {them}, or name {them} by path: a name is looked \
         up in the caller's PATH, a path begins at the project",
        names.join(", ")
    ))
}

/// The digest of an executable, or of the list of what a directory holds.
fn hash(tool: &Tool, stat: &StatCache) -> io::Result<Hashed> {
    let mut files = Vec::new();
    let mut digest_of = |path: PathBuf| -> io::Result<Digest> {
        let (digest, signature) = stat.digest_seen(&path, &memory_name(&path))?;
        files.push((path, signature));
        Ok(digest)
    };
    if !tool.is_dir {
        return Ok(Hashed { digest: digest_of(tool.path.clone())?, files });
    }
    let mut list: Vec<(String, String)> = Vec::new();
    for found in data::walk(&tool.path, usize::MAX, LEFT_OUT)? {
        let told = match found.what {
            What::File => digest_of(tool.path.join(&found.name))?.to_string(),
            What::Link(to) => format!("-> {}", to.display()),
            What::Other(is) => is.to_owned(),
        };
        list.push((found.name, told));
    }
    Ok(Hashed { digest: Digest::of(&canonical::to_bytes(&list)), files })
}
