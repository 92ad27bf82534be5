//! A small project with every learner and every type of column: quick to run, and to be served.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::lab::Lab;

/// Every learner that is declared, with parameters that keep it small.
pub(crate) const LEARNERS: [(&str, &str); 8] = [
    ("logistic_regression", ""),
    ("elastic_net", ", C = 0.5"),
    ("linear_svm", ""),
    ("naive_bayes", ""),
    ("decision_tree", ", max_depth = 5"),
    ("random_forest", ", n_estimators = 12, max_depth = 6"),
    ("extra_trees", ", n_estimators = 12, max_depth = 6"),
    ("gradient_boosting", ", n_estimators = 15"),
];

/// How long a service may take for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// Every learner of numbers that is declared, with parameters that keep it small.
pub(crate) const NUMBER_LEARNERS: [(&str, &str); 5] = [
    ("ridge", ""),
    ("decision_tree", ", max_depth = 5"),
    ("random_forest", ", n_estimators = 12, max_depth = 6"),
    ("extra_trees", ", n_estimators = 12, max_depth = 6"),
    ("gradient_boosting", ", n_estimators = 15"),
];

/// What is predicted of the people.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Task {
    /// Whether they left.
    Left,
    /// What they spent.
    Spent,
}

/// A table of 400 people, some of them with gaps, with an id that no model knows.
fn people(task: Task) -> String {
    let target = if task == Task::Left { "left" } else { "spent" };
    let mut csv = format!("id,age,charge,member,plan,{target}\n");
    for i in 0..400_u32 {
        // A generator by hand, so that no library's change is a change of this table.
        let draw = |k: u32| i.wrapping_mul(2_654_435_761).wrapping_add(k * 40_503) >> 7 & 0xffff;
        let (age, member) = (1 + draw(1) % 72, draw(2) % 3 == 0);
        let charge = f64::from(draw(3) % 12_000) / 100.0;
        let plan = ["basic", "gold", "plus"][draw(4) as usize % 3];
        let shown = if draw(6) % 9 == 0 { String::new() } else { format!("{charge:.2}") };
        write!(csv, "p{i},{age},{shown},{member},{plan},").unwrap();
        match task {
            Task::Left => {
                let risk = draw(5) % 100 + age / 2 + if plan == "basic" { 25 } else { 0 };
                writeln!(csv, "{}", risk > 90).unwrap();
            }
            Task::Spent => {
                let worth = f64::from(age) * 2.5 + if plan == "gold" { 90.0 } else { 0.0 };
                let spent = worth + 0.4 * charge + f64::from(draw(5) % 300) / 10.0;
                writeln!(csv, "{spent:.2}").unwrap();
            }
        }
    }
    csv
}

/// The project, run once: `outputs/package_LEARNER/package` is the package of each learner.
pub(crate) fn project() -> Lab {
    made(Task::Left, &LEARNERS)
}

/// The same of what people spent: a project of regressions.
pub(crate) fn numbers() -> Lab {
    made(Task::Spent, &NUMBER_LEARNERS)
}

fn made(task: Task, learners: &[(&str, &str)]) -> Lab {
    let lab = Lab::empty();
    lab.write("people.csv", &people(task));
    let names: Vec<String> =
        learners.iter().map(|(learner, _)| format!("\"package_{learner}\"")).collect();
    let (defaults, target) = match task {
        Task::Left => ("positive = true", "left"),
        Task::Spent => ("task = \"regression\"", "spent"),
    };
    let mut text = format!(
        "name = \"small\"\nseed = 7\n\
         stages = [\"profile\", \"split\", \"train\", \"evaluate\", \"log\", {}]\n\
         [data]\npeople = \"people.csv\"\n\
         [defaults]\n{defaults}\n[defaults.columns]\nid = \"id\"\n{target} = \"target\"\n\
         [stage.profile]\nkind = \"profile\"\ninputs = {{ table = \"data.people\" }}\n\
         [stage.split]\nkind = \"split\"\ninputs = {{ table = \"data.people\" }}\n\
         [stage.evaluate]\nkind = \"evaluate\"\n[stage.evaluate.inputs]\n\
         models = \"train.model\"\nvalidation = \"split.validation\"\ntest = \"split.test\"\n\
         [stage.log]\nkind = \"log\"\nafter = [\"profile\"]\n\
         inputs = {{ metrics = \"evaluate.metrics\", champion = \"evaluate.champion\" }}\n\
         [stage.train]\nkind = \"train\"\ninputs = {{ train = \"split.train\" }}\n",
        names.join(", ")
    );
    for (learner, params) in learners {
        write!(
            text,
            "[[stage.train.variant]]\nname = \"{learner}\"\n\
             params = {{ learner = \"{learner}\"{params} }}\n"
        )
        .unwrap();
    }
    for (learner, _) in learners {
        write!(
            text,
            "[stage.package_{learner}]\nkind = \"package\"\n[stage.package_{learner}.inputs]\n\
             model = \"train@{learner}.model\"\nmetrics = \"evaluate.metrics\"\n\
             schema = \"profile.schema\"\nreference = \"split.test\"\n\
             experiment = \"log.experiment\"\n[stage.package_{learner}.params]\n\
             name = \"small-{learner}\"\ndescription = \"Tells of people.\"\n\
             intended_use = \"Tests.\"\nlimitations = \"It knows nothing.\"\n"
        )
        .unwrap();
    }
    lab.write("pipeline.toml", &text);
    lab.call(&["run", "--no-serve"]).expect(0);
    lab
}

/// The package of a learner.
pub(crate) fn package(learner: &str) -> String {
    format!("outputs/package_{learner}/package")
}

/// A service that runs as a process of its own.
pub(crate) struct Served {
    child: Child,
    /// `127.0.0.1:PORT`.
    pub(crate) address: String,
}

impl Served {
    /// Starts `pipeline serve` over a package, with more options, and waits until it listens.
    pub(crate) fn start(lab: &Lab, package: &str, more: &[&str]) -> Served {
        let args = [&["serve", "-q", "--port", "0", "--package", package], more].concat();
        Served::launch(lab.command(&args))
    }

    /// Starts a command that says where it is on its first line.
    pub(crate) fn launch(mut command: std::process::Command) -> Served {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let mut told = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        assert!(told.read_line(&mut line).unwrap() > 0, "it ended before it served");
        let address = line.trim().strip_prefix("http://").unwrap().to_owned();
        Served { child, address }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Posts JSON and returns the status and the answer.
    pub(crate) fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.post_text(path, &body.to_string())
    }

    /// Posts a text as JSON and returns the status and the answer.
    pub(crate) fn post_text(&self, path: &str, body: &str) -> (u16, Value) {
        let mut stream = self.connect();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        let (head, body) = reply.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap_or(Value::Null))
    }

    /// A number of kB that the kernel tells of the process, such as `VmHWM`.
    pub(crate) fn memory(&self, name: &str) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let text = std::fs::read_to_string(Path::new(&path)).unwrap();
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
