//! Toy kinds: the engine is tested without machine learning.
//!
//! Each does one thing that a stage can do, good or bad. A toy is a row of functions, so that a new
//! one is a few lines; none knows the lab.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, bail};
use engine::build::Kinds;
use engine::command::Command;
use engine::digest::Digest;
use engine::kind::{Arity, Context, FILE, GateFailed, Goal, Input, Kind, Output, Role};
use engine::params::{Complaint, Param, Type};
use serde_json::Value;

use crate::gate::{GATED, GATED_TOO};
use crate::labour::{DIG, FORGE, PARALLEL, THREAD, WHIM};

/// All toys.
pub(crate) static TOYS: Kinds = &[
    &TEXT, &CONCAT, &COUNT, &FAIL, &PANIC, &GATE, &RANDOM, &CLOCK, &SLOW, &TREE, &LIST, &LINEAGE,
    &ROGUE, &BAND, &PARALLEL, &PLACES, &THREAD, &SPAN, &FLOCK, &SERVICE, &PROGRAM, &COMMAND, &DIG,
    &FORGE, &WHIM, &GATED, &GATED_TOO,
];

/// The real thing.
static COMMAND: Command = Command::new(|| Digest::of(b"command"));

/// All toys, `text` with other code.
pub(crate) static TOYS_WITH_NEW_TEXT: Kinds = &[&TEXT_2, &CONCAT, &COUNT];

pub(crate) struct Toy {
    pub(super) name: &'static str,
    pub(super) code: &'static str,
    pub(super) params: fn() -> Vec<Param>,
    pub(super) check: fn(&Value) -> Vec<Complaint>,
    pub(super) inputs: fn() -> Vec<Input>,
    pub(super) outputs: fn(&Value) -> Vec<Output>,
    pub(super) is_seeded: bool,
    pub(super) reads_lineage: bool,
    pub(super) is_external: bool,
    pub(super) role: Role,
    pub(super) run: fn(&Context<'_>) -> anyhow::Result<()>,
}

impl Kind for Toy {
    fn name(&self) -> &'static str {
        self.name
    }

    fn about(&self) -> &'static str {
        "a toy"
    }

    fn code(&self) -> Digest {
        Digest::of(self.code.as_bytes())
    }

    fn params(&self) -> Type {
        Type::Record((self.params)())
    }

    fn check(&self, params: &Value) -> Vec<Complaint> {
        (self.check)(params)
    }

    fn inputs(&self, _params: &Value) -> Vec<Input> {
        (self.inputs)()
    }

    fn outputs(&self, params: &Value) -> Vec<Output> {
        (self.outputs)(params)
    }

    fn is_seeded(&self) -> bool {
        self.is_seeded
    }

    fn reads_lineage(&self) -> bool {
        self.reads_lineage
    }

    fn is_external(&self) -> bool {
        self.is_external
    }

    fn role(&self) -> Role {
        self.role
    }

    fn run(&self, context: &Context<'_>) -> anyhow::Result<()> {
        (self.run)(context)
    }
}

/// A toy that reads nothing and writes `x`.
pub(super) const PLAIN: Toy = Toy {
    name: "plain",
    code: "1",
    params: Vec::new,
    check: |_| Vec::new(),
    inputs: Vec::new,
    outputs: |_| vec![out()],
    is_seeded: false,
    reads_lineage: false,
    is_external: false,
    role: Role::Work,
    run: |context| context.write("out", b"x"),
};

fn out() -> Output {
    Output::new("out", "text", "out.txt")
}

pub(super) fn any_input(arity: Arity) -> Vec<Input> {
    let types = &["text", "number", "tree", FILE];
    vec![Input { name: "from".into(), types, arity, doc: "what it reads" }]
}

fn text_param() -> Vec<Param> {
    vec![Param::new("text", Type::Text, "x", "what it writes")]
}

fn write_text(context: &Context<'_>) -> anyhow::Result<()> {
    let params: Value = context.params()?;
    context.write("out", params["text"].as_str().unwrap_or_default().as_bytes())
}

/// Says that it runs a program.
static PROGRAM: Toy = Toy { name: "program", is_external: true, ..PLAIN };

/// Writes its parameter.
static TEXT: Toy = Toy { name: "text", params: text_param, run: write_text, ..PLAIN };

/// The same with other code.
static TEXT_2: Toy = Toy { code: "2", ..TEXT };

/// Joins what it is given.
static CONCAT: Toy = Toy {
    name: "concat",
    params: || vec![Param::new("separator", Type::Text, "", "between two parts")],
    inputs: || any_input(Arity::Many),
    run: |context| {
        let params: Value = context.params()?;
        let parts: Vec<_> = context.many("from").iter().map(|p| fs::read(&p.path)).collect();
        let parts = parts.into_iter().collect::<Result<Vec<_>, _>>()?;
        let separator = params["separator"].as_str().unwrap_or_default();
        context.write("out", &parts.join(separator.as_bytes()))
    },
    ..PLAIN
};

/// Counts the bytes it is given: a change of the same length ends here.
static COUNT: Toy = Toy {
    name: "count",
    params: || vec![Param::new("x", Type::Int(0, 9), 1, "changes nothing")],
    inputs: || {
        let types = &["text", FILE];
        vec![Input { name: "from".into(), types, arity: Arity::One, doc: "what it counts" }]
    },
    outputs: |_| vec![Output::new("out", "number", "n/count.txt")],
    run: |context| {
        let n_bytes = fs::read(context.input("from"))?.len();
        context.metric("bytes", n_bytes as f64, Goal::Min);
        context.remark(format!("{n_bytes} bytes"));
        context.write("out", n_bytes.to_string().as_bytes())
    },
    ..PLAIN
};

/// Tells the size of the file it is given without reading it.
static SPAN: Toy = Toy {
    name: "span",
    inputs: || any_input(Arity::One),
    run: |context| {
        let n_bytes = fs::metadata(context.input("from"))?.len();
        context.write("out", n_bytes.to_string().as_bytes())
    },
    ..PLAIN
};

/// Fails with a cause, after it wrote something.
static FAIL: Toy = Toy {
    name: "fail",
    inputs: || any_input(Arity::Optional),
    run: |context| {
        context.write("out", b"half of")?;
        context.remark("so far so good");
        fs::read("/nowhere/at/all").context("cannot read the table").map(|_| ())
    },
    ..PLAIN
};

/// Panics.
static PANIC: Toy = Toy {
    name: "panic",
    inputs: || any_input(Arity::Optional),
    run: |_| panic!("index {} out of {}", 3, 2),
    ..PLAIN
};

/// Has a result that is not good enough.
static GATE: Toy = Toy {
    name: "gate",
    inputs: || any_input(Arity::Optional),
    run: |context| {
        context.metric("recall", 0.4, Goal::Max);
        bail!(GateFailed(vec!["recall 0.4 is below 0.5".to_owned(), "auc".to_owned()]))
    },
    ..PLAIN
};

/// Draws from its seed.
static RANDOM: Toy = Toy {
    name: "random",
    params: text_param,
    is_seeded: true,
    run: |context| context.write("out", format!("{:?}", context.seed("rows")).as_bytes()),
    ..PLAIN
};

/// Not reproducible: never writes the same twice.
static CLOCK: Toy = Toy {
    name: "clock",
    run: |context| {
        static TICKS: AtomicU64 = AtomicU64::new(0);
        context.write("out", TICKS.fetch_add(1, Ordering::SeqCst).to_string().as_bytes())
    },
    ..PLAIN
};

/// Takes its time, then writes its parameter.
static SLOW: Toy = Toy {
    name: "slow",
    params: text_param,
    inputs: || any_input(Arity::Optional),
    run: |context| {
        std::thread::sleep(Duration::from_millis(80));
        write_text(context)
    },
    ..PLAIN
};

/// Writes a directory with a file per letter of its parameter.
static TREE: Toy = Toy {
    name: "tree",
    params: text_param,
    outputs: |_| vec![Output::new("out", "tree", "leaves")],
    run: |context| {
        let params: Value = context.params()?;
        for letter in params["text"].as_str().unwrap_or_default().chars() {
            let dir = context.output("out").join(letter.to_string());
            fs::create_dir_all(&dir)?;
            fs::write(dir.join("leaf"), letter.to_string())?;
        }
        Ok(())
    },
    ..PLAIN
};

/// Writes its parameter into a file for each letter of the alphabet.
static FLOCK: Toy = Toy {
    name: "flock",
    params: text_param,
    outputs: |_| vec![Output::new("out", "tree", "flock")],
    run: |context| {
        let params: Value = context.params()?;
        fs::create_dir_all(context.output("out"))?;
        for letter in 'a'..='z' {
            let text = params["text"].as_str().unwrap_or_default();
            fs::write(context.output("out").join(letter.to_string()), text)?;
        }
        Ok(())
    },
    ..PLAIN
};

/// Lists the directory it is given.
static LIST: Toy = Toy {
    name: "list",
    inputs: || {
        vec![Input { name: "from".into(), types: &["tree"], arity: Arity::One, doc: "a directory" }]
    },
    run: |context| {
        let mut names = Vec::new();
        for entry in fs::read_dir(context.input("from"))? {
            let dir = entry?.path();
            let leaf = fs::read_to_string(dir.join("leaf"))?;
            names.push(format!("{leaf} in {}", dir.file_name().unwrap_or_default().display()));
        }
        names.sort();
        context.write("out", names.join(", ").as_bytes())
    },
    ..PLAIN
};

/// Writes the names and kinds of the stages before it.
static LINEAGE: Toy = Toy {
    name: "lineage",
    inputs: || any_input(Arity::Optional),
    reads_lineage: true,
    run: |context| {
        let tell = |a: &engine::kind::Ancestor| format!("{} {}", a.stage, a.recipe.kind);
        let told: Vec<_> = context.lineage().iter().map(tell).collect();
        context.write("out", told.join("\n").as_bytes())
    },
    ..PLAIN
};

/// Breaks the rules of outputs in one way or another.
static ROGUE: Toy = Toy {
    name: "rogue",
    params: || {
        let ways = Type::Choice(&["omit", "extra", "link", "dangle", "hardlink", "remove", "edit"]);
        vec![Param::required("how", ways, "which rule it breaks")]
    },
    inputs: || any_input(Arity::Optional),
    run: |context| {
        let params: Value = context.params()?;
        let out = context.output("out");
        match params["how"].as_str().unwrap_or_default() {
            "omit" => Ok(()),
            "extra" => {
                fs::write(out.with_file_name("more.txt"), "more")?;
                context.write("out", b"x")
            }
            "link" => Ok(symlink(context.input("from"), out)?),
            "dangle" => Ok(symlink("/nowhere/at/all", out)?),
            "hardlink" => Ok(fs::hard_link(fs::canonicalize(context.input("from"))?, out)?),
            "remove" => {
                fs::remove_file(context.input("from"))?;
                context.write("out", b"x")
            }
            _ => {
                fs::write(context.input("from"), "edited meanwhile")?;
                context.write("out", b"x")
            }
        }
    },
    ..PLAIN
};

/// Has a mistake that no single type can tell.
static BAND: Toy = Toy {
    name: "band",
    params: || {
        vec![
            Param::new("min", Type::Int(0, 9), 1, "lower"),
            Param::new("max", Type::Int(0, 9), 5, "upper"),
        ]
    },
    check: |params| {
        let is_empty = params["min"].as_i64() > params["max"].as_i64();
        let complaint = || Complaint::about("min", "expected at most `max`").hinted("swap them");
        if is_empty { vec![complaint()] } else { Vec::new() }
    },
    ..PLAIN
};

/// Writes where its parameters say.
static PLACES: Toy = Toy {
    name: "places",
    params: || vec![Param::required("paths", Type::Text.list(), "its outputs")],
    outputs: |params| {
        let paths = params["paths"].as_array().into_iter().flatten().filter_map(Value::as_str);
        paths.map(|path| Output::new(path, "text", path)).collect()
    },
    run: |context| {
        let params: Value = context.params()?;
        let mut paths = params["paths"].as_array().into_iter().flatten().filter_map(Value::as_str);
        paths.try_for_each(|path| context.write(path, path.as_bytes()))
    },
    ..PLAIN
};

/// Goes on until it is stopped; a run never runs it.
static SERVICE: Toy = Toy {
    name: "service",
    inputs: || any_input(Arity::Optional),
    outputs: |_| Vec::new(),
    role: Role::Service,
    run: |_| bail!("a run does not run a service"),
    ..PLAIN
};
