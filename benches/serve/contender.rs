//! Who is measured: what has to be there first, how it is started, and what it is asked.

use std::ffi::OsString;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use clap::ValueEnum;
use serde_json::{Map, Value, json};

use crate::load::{self, Requests};
use crate::report::Round;
use crate::server::Server;
use crate::{bare, install};

/// What is asked of PyPI; figures of other versions would not be comparable.
const PACKAGES: [&str; 8] = [
    "fastapi==0.165.0",
    "uvicorn[standard]==0.54.0",
    "pydantic==2.14.4",
    "scikit-learn==1.9.1",
    "pandas==2.3.3",
    "numpy==2.3.5",
    "joblib==1.6.0",
    "orjson==3.13.0",
];
const MLFLOW: &str = "mlflow==3.17.2";

/// How many different records are asked for.
const N_RECORDS: usize = 1000;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Ask {
    /// The prediction of one record.
    One,
    /// That of a record with a number out of range.
    Refused,
    /// Those of a thousand records, in one body.
    Thousand,
}

/// Where what servers need is made, each once.
pub(crate) struct Room<'a> {
    dir: &'a Path,
    program: &'a Path,
}

/// A server, or what is measured in the place of one.
pub(crate) struct Contender {
    /// As in `--servers`.
    pub(crate) name: String,
    /// What it is, for people.
    pub(crate) what: &'static str,
    command: Vec<OsString>,
    dir: PathBuf,
    models: PathBuf,
    port: u16,
    ready: &'static str,
    asks: Vec<(Ask, Requests)>,
}

impl<'a> Room<'a> {
    /// A directory that is there, and the product.
    pub(crate) fn new(dir: &'a Path, program: &'a Path) -> Room<'a> {
        Room { dir, program }
    }

    /// The example's package, of the variant that it picks or of another one.
    fn package(&self, variant: Option<&str>) -> anyhow::Result<PathBuf> {
        let project = self.dir.join(variant.unwrap_or("champion"));
        let package = project.join("outputs/package/package");
        if package.exists() {
            return Ok(package);
        }
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        for part in ["stages", "data"] {
            fs::create_dir_all(project.join(part))?;
            for entry in fs::read_dir(root.join(part))?.flatten().filter(|e| e.path().is_file()) {
                fs::copy(entry.path(), project.join(part).join(entry.file_name()))?;
            }
        }
        fs::copy(root.join("pipeline.toml"), project.join("pipeline.toml"))?;
        if let Some(variant) = variant {
            let file = project.join("stages/package.toml");
            let text = fs::read_to_string(&file)?;
            let other =
                text.replace("\"evaluate.champion\"", &format!("\"train@{variant}.model\""));
            ensure!(other != text, "the example's package has no champion");
            fs::write(file, other)?;
        }
        crate::note("making the example's package");
        let mut run = Command::new(self.program);
        let run = run.args(["run", "--no-serve", "--quiet"]).current_dir(&project);
        ensure!(run.status()?.success(), "{run:?} failed");
        Ok(package)
    }

    /// An environment of Python, with a model that scikit-learn has fitted to the example's table.
    fn python(&self, with_mlflow: bool) -> anyhow::Result<PathBuf> {
        let (name, mut packages) = ("serve", PACKAGES.to_vec());
        let environment = if with_mlflow {
            packages.push(MLFLOW);
            install::python("serve-mlflow", &packages)?
        } else {
            install::python(name, &packages)?
        };
        let python = environment.join("bin/python");
        let model = self.dir.join(if with_mlflow { "mlflow" } else { "model.joblib" });
        if !model.exists() {
            let root = Path::new(env!("CARGO_MANIFEST_DIR"));
            let mut train = Command::new(&python);
            train.arg(peers().join("train.py")).arg(root.join("data/subscribers.csv"));
            train.arg(self.dir).args(with_mlflow.then_some("mlflow"));
            ensure!(train.stdout(Stdio::null()).status()?.success(), "{train:?} failed");
        }
        Ok(environment)
    }

    /// The product with a package, up to its port.
    fn product(&self, variant: Option<&str>) -> anyhow::Result<Vec<OsString>> {
        let mut command: Vec<OsString> = vec![self.program.into(), "serve".into()];
        command.extend(["--package".into(), self.package(variant)?.into()]);
        command.extend(["--max-body-bytes", "4194304", "--port"].map(OsString::from));
        Ok(command)
    }

    /// The product with a log of its predictions, up to its port.
    fn logging(&self, dir: &str, flags: &[&str]) -> anyhow::Result<Vec<OsString>> {
        let mut command = self.product(Some("logistic"))?;
        let given: [OsString; 2] = ["--predictions".into(), self.dir.join(dir).into()];
        // Behind the verb.
        command.splice(2..2, given.into_iter().chain(flags.iter().map(OsString::from)));
        Ok(command)
    }

    /// uvicorn with an application, up to its port.
    fn uvicorn(&self, app: &str, flags: &[&str]) -> anyhow::Result<Vec<OsString>> {
        let mut command = vec![self.python(false)?.join("bin/uvicorn").into(), app.into()];
        command.extend(flags.iter().map(OsString::from));
        command.push("--port".into());
        Ok(command)
    }

    /// MLflow's server, up to its port.
    fn mlflow(&self) -> anyhow::Result<Vec<OsString>> {
        let mut command = vec![self.python(true)?.join("bin/mlflow").into()];
        command.extend(["models", "serve", "--env-manager", "local", "-m"].map(OsString::from));
        command.extend([self.dir.join("mlflow").into(), "--port".into()]);
        Ok(command)
    }

    /// What parses and scores a thousand records without a server.
    fn parse(&self) -> anyhow::Result<Vec<OsString>> {
        let body = self.dir.join("thousand.json");
        fs::write(&body, serde_json::to_vec(&self.records()?)?)?;
        let mut command = bare("parse")?;
        command.extend([self.package(Some("logistic"))?.into(), body.into()]);
        Ok(command)
    }

    /// Records of the example's table, as a client sends them.
    fn records(&self) -> anyhow::Result<Vec<Value>> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let text = fs::read_to_string(root.join("data/subscribers.csv"))?;
        let mut lines = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
        let names = lines.next().context("an empty table")?;
        let is_feature = |name: &str| name != "customer_id" && name != "churned";
        let value = |text: &str| match text {
            "" => Value::Null,
            "true" | "false" => json!(text == "true"),
            _ => serde_json::from_str(text).unwrap_or_else(|_| json!(text)),
        };
        let record = |line: Vec<&str>| {
            let fields = names.iter().zip(line).filter(|(name, _)| is_feature(name));
            Value::Object(fields.map(|(name, text)| ((*name).to_owned(), value(text))).collect())
        };
        Ok(lines.map(record).take(N_RECORDS).collect())
    }
}

fn peers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/serve/peers")
}

/// Requests for the same records at the paths of a server; `None` where it has none.
struct Paths {
    one: &'static str,
    refused: Option<(&'static str, u16)>,
    thousand: Option<&'static str>,
    /// The key below which records stand, for MLflow.
    key: Option<&'static str>,
}

/// How a server is started and asked.
struct Started {
    what: &'static str,
    /// Its command, but for the port.
    command: Vec<OsString>,
    /// The path that says whether it is ready; empty where there is no server.
    ready: &'static str,
    paths: Paths,
}

impl Paths {
    const TYPED: Paths =
        Paths { one: "/predict", refused: None, thousand: Some("/thousand"), key: None };
    const STRICT: Paths =
        Paths { refused: Some(("/predict", 422)), thousand: Some("/predict"), ..Paths::TYPED };
    const FASTAPI: Paths = Paths { thousand: Some("/predict/batch"), ..Paths::STRICT };
    const FLOOR: Paths = Paths { thousand: None, ..Paths::TYPED };
    const MLFLOW: Paths = Paths {
        one: "/invocations",
        refused: None,
        thousand: Some("/invocations"),
        key: Some("dataframe_records"),
    };
}

impl Started {
    /// A server by its name, with everything that it needs.
    fn of(name: &str, room: &Room<'_>) -> anyhow::Result<Started> {
        let with = |what, command: anyhow::Result<Vec<OsString>>, ready, paths| {
            Ok(Started { what, command: command?, ready, paths })
        };
        let ready = "/health/ready";
        match name {
            "pipeline" => {
                let command = room.product(Some("logistic"));
                with("the product, logistic regression", command, ready, Paths::STRICT)
            }
            "logged" => {
                let command = room.logging("logged", &[]);
                with("`pipeline` with a log of predictions", command, ready, Paths::STRICT)
            }
            "recorded" => {
                let command = room.logging("recorded", &["--predictions-input"]);
                with("the same, records included", command, ready, Paths::STRICT)
            }
            "forest" => {
                with("the product, the forest it ships", room.product(None), ready, Paths::STRICT)
            }
            "warp" => with("bare warp, serde, a dot product", bare("warp"), "/ready", Paths::TYPED),
            "hyper" => {
                with("bare hyper, serde, a dot product", bare("hyper"), "/ready", Paths::TYPED)
            }
            "fastapi" => {
                let command = room.uvicorn("written:app", &[]);
                with("FastAPI as people write it", command, "/health", Paths::FASTAPI)
            }
            "tuned" => {
                let what = "FastAPI without pandas or scikit-learn";
                with(what, room.uvicorn("tuned:app", &[]), "/health", Paths::FASTAPI)
            }
            "floor" => {
                let command = room.uvicorn("floor:app", &["--no-access-log"]);
                with("uvicorn alone, json, a dot product", command, "/health", Paths::FLOOR)
            }
            "mlflow" => with("MLflow's scoring server", room.mlflow(), "/ping", Paths::MLFLOW),
            "parse" => with("serde and the model, without HTTP", room.parse(), "", Paths::FLOOR),
            _ => bail!("no server is named `{name}`"),
        }
    }
}

/// This program as a server.
fn bare(which: &str) -> anyhow::Result<Vec<OsString>> {
    Ok(vec![std::env::current_exe()?.into(), bare::WORKER.into(), which.into()])
}

impl Contender {
    /// A server by its name, with everything that it needs.
    pub(crate) fn new(name: &str, room: &Room<'_>) -> anyhow::Result<Contender> {
        let port = free_port()?;
        let Started { what, mut command, ready, paths } = Started::of(name, room)?;
        let mut asks = Vec::new();
        if !ready.is_empty() {
            asks = requests(&paths, &room.records()?)?;
            command.push(port.to_string().into());
        }
        // Python finds its application in the working directory, and the model by a variable.
        let dir = if ready == "/health" { peers() } else { room.dir.to_owned() };
        let models = room.dir.to_owned();
        Ok(Contender { name: name.to_owned(), what, command, dir, models, port, ready, asks })
    }

    /// Starts it, asks what is wanted for some time each, and ends it.
    pub(crate) fn round(
        &self,
        wanted: &[Ask],
        n_connections: usize,
        time: Duration,
    ) -> anyhow::Result<Vec<(Ask, Round)>> {
        let mut command = Command::new(&self.command[0]);
        command.args(&self.command[1..]).current_dir(&self.dir).env("MODEL_DIR", &self.models);
        if self.ready.is_empty() {
            return parse(&mut command, wanted);
        }
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let server = Server::start(&mut command, address, self.ready)?;
        let mut measured = Vec::new();
        for (ask, requests) in self.asks.iter().filter(|(ask, _)| wanted.contains(ask)) {
            // What is made at the first requests is made here.
            load::ask(address, requests, n_connections, time / 10)?;
            let before = server.usage()?;
            let mut answers = load::ask(address, requests, n_connections, time)
                .with_context(|| format!("{} {ask:?}", self.name))?;
            let after = server.usage()?;
            answers.seconds.sort_by(f32::total_cmp);
            let at = |share: f64| {
                let index = (answers.seconds.len() as f64 * share) as usize;
                f64::from(answers.seconds[index.min(answers.seconds.len() - 1)])
            };
            ensure!(!answers.seconds.is_empty(), "{} answered nothing", self.name);
            let n = answers.seconds.len() as f64;
            measured.push((
                *ask,
                Round {
                    cpu: (after.cpu - before.cpu) / n,
                    per_second: Some(n / answers.elapsed),
                    half: Some(at(0.5)),
                    most: Some(at(0.99)),
                    memory: Some(after.memory),
                    start: Some(server.start),
                },
            ));
        }
        Ok(measured)
    }
}

/// What a thousand records cost without HTTP.
fn parse(command: &mut Command, wanted: &[Ask]) -> anyhow::Result<Vec<(Ask, Round)>> {
    if !wanted.contains(&Ask::Thousand) {
        return Ok(Vec::new());
    }
    let output = command.stderr(Stdio::inherit()).output()?;
    ensure!(output.status.success(), "{command:?} failed");
    let cpu = String::from_utf8(output.stdout)?.trim().parse()?;
    Ok(vec![(Ask::Thousand, Round { cpu, ..Round::default() })])
}

fn requests(paths: &Paths, records: &[Value]) -> anyhow::Result<Vec<(Ask, Requests)>> {
    let laid = |value: Value| match paths.key {
        Some(key) => {
            let list = if value.is_array() { value } else { json!([value]) };
            Value::Object(Map::from_iter([(key.to_owned(), list)]))
        }
        None => value,
    };
    let post = |path: &str, value: Value| -> anyhow::Result<Vec<u8>> {
        Ok(load::post(path, &serde_json::to_vec(&laid(value))?))
    };
    let each = |path: &str, change: &dyn Fn(&mut Value)| -> anyhow::Result<Vec<Vec<u8>>> {
        let text = |record: &Value| {
            let mut record = record.clone();
            change(&mut record);
            post(path, record)
        };
        records.iter().map(text).collect()
    };
    let mut asks = vec![(Ask::One, Requests { texts: each(paths.one, &|_| ())?, status: 200 })];
    if let Some((path, status)) = paths.refused {
        let texts = each(path, &|record| record["tenure_months"] = json!(9999))?;
        asks.push((Ask::Refused, Requests { texts, status }));
    }
    if let Some(path) = paths.thousand {
        let texts = vec![post(path, json!(records))?];
        asks.push((Ask::Thousand, Requests { texts, status: 200 }));
    }
    Ok(asks)
}

fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
