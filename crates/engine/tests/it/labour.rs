//! Toy kinds that take their time and keep a ledger: for tests that disturb a run in its middle.

use std::fs;
use std::time::Duration;

use engine::digest::Digest;
use engine::kind::{Arity, Context, Output};
use engine::params::{Param, Type};
use rayon::prelude::*;
use serde_json::Value;

use crate::toys::{PLAIN, Toy, any_input};

fn work_params() -> Vec<Param> {
    let ms = Param::new("ms", Type::Int(0, 10_000), 0, "how long it takes");
    vec![Param::new("text", Type::Text, "x", "what it writes"), ms]
}

/// Takes its time between the files that it writes: a directory of three, one of them large. Every
/// execution adds a line to the file that the environment names.
fn work(context: &Context<'_>, has_inputs: bool) -> anyhow::Result<()> {
    let params: Value = context.params()?;
    let mut text = params["text"].as_str().unwrap_or_default().to_owned();
    if let Some(ledger) = std::env::var_os("LAB_LEDGER") {
        let mut ledger = fs::OpenOptions::new().create(true).append(true).open(ledger)?;
        std::io::Write::write_all(&mut ledger, format!("{text}\n").as_bytes())?;
    }
    let pause = Duration::from_millis(params["ms"].as_u64().unwrap_or_default() / 2);
    let inputs = if has_inputs { context.many("from").to_vec() } else { Vec::new() };
    for input in inputs {
        text.push_str(&fs::read_to_string(input.path.join("small"))?);
    }
    let dir = context.output("out");
    fs::create_dir_all(dir.join("deep"))?;
    fs::write(dir.join("small"), Digest::of(text.as_bytes()).to_string())?;
    std::thread::sleep(pause);
    fs::write(dir.join("deep/large"), text.repeat(20_000 / text.len().max(1)))?;
    std::thread::sleep(pause);
    Ok(fs::write(dir.join("deep/empty"), "")?)
}

/// Works on nothing.
pub(super) static DIG: Toy = Toy {
    name: "dig",
    params: work_params,
    outputs: |_| vec![Output::new("out", "tree", "leaves")],
    run: |context| work(context, false),
    ..PLAIN
};

/// Works on what others made.
pub(super) static FORGE: Toy = Toy {
    name: "forge",
    inputs: || any_input(Arity::Many),
    run: |context| work(context, true),
    params: work_params,
    outputs: |_| vec![Output::new("out", "tree", "leaves")],
    ..PLAIN
};

/// Not reproducible: writes the mood of whoever runs it, which is declared nowhere.
pub(crate) static WHIM: Toy = Toy {
    name: "whim",
    run: |context| {
        let mood = std::env::var("LAB_MOOD").unwrap_or_default();
        context.write("out", format!("{mood:>9}").as_bytes())
    },
    ..PLAIN
};

/// Works in a parallel loop of its own, on the threads of the pool.
pub(crate) static PARALLEL: Toy = Toy {
    name: "parallel",
    inputs: || any_input(Arity::Optional),
    run: |context| {
        let pause = |_| std::thread::sleep(Duration::from_millis(1));
        (0..300).into_par_iter().for_each(pause);
        context.write("out", b"x")
    },
    ..PLAIN
};

/// Tells whether its thread is one of a pool, where it might have to do another stage's work.
pub(crate) static THREAD: Toy = Toy {
    name: "thread",
    run: |context| {
        let is_own = rayon::current_thread_index().is_none();
        context.write("out", if is_own { b"its own" } else { b"a pool's" })
    },
    ..PLAIN
};
