//! Projects in every state that a verb may find, to be harmed: `faults` makes their file operations
//! fail, `matrix` damages their files.

use std::fs;
use std::time::Duration;

use crate::alias::promote;
use crate::lab::{Lab, flip, make_executable};
use crate::process::{Orders, copy};

/// Longer than after a change a second one might go unseen.
pub(crate) const SETTLED: Duration = Duration::from_millis(60);

/// A project in some state, and what is done with it.
pub(crate) struct Scene {
    pub(crate) name: &'static str,
    pub(crate) lab: Lab,
    /// One of the verbs of `child`.
    pub(crate) verb: &'static str,
    /// More variables of its environment.
    pub(crate) environment: &'static [(&'static str, &'static str)],
    /// Done to each copy first: the files of a copy are other files.
    pub(crate) prepare: fn(&Lab),
}

impl Scene {
    fn new(name: &'static str, lab: Lab, verb: &'static str) -> Scene {
        Scene { name, lab, verb, environment: &[], prepare: |_| {} }
    }

    fn with(self, environment: &'static [(&'static str, &'static str)]) -> Scene {
        Scene { environment, ..self }
    }

    fn prepared(self, prepare: fn(&Lab)) -> Scene {
        Scene { prepare, ..self }
    }

    /// What the verb is asked on a copy.
    pub(crate) fn orders(&self, lab: &Lab) -> Orders {
        // One stage after the other, so that the operations come in the same order each time.
        let orders = Orders::of(self.verb, lab.root()).env("LAB_JOBS", "1");
        self.environment.iter().fold(orders, |orders, (name, value)| orders.env(name, value))
    }
}

/// Kinds that run in the process.
fn toys() -> Lab {
    Lab::new()
        .data("raw", "some rows\n")
        .stage("rows", "kind = \"count\"\ninputs.from = \"data.raw\"")
        .stage("mine", "kind = \"dig\"\nparams.text = \"ore\"")
        .stage("blade", "kind = \"forge\"\ninputs.from = \"mine.out\"")
        .stage("story", "kind = \"lineage\"\ninputs.from = \"rows.out\"")
}

/// Programs that read a directory and a pattern, write files and a directory, and say something.
pub(crate) fn programs() -> Lab {
    let data = "[data]\nparts = \"data/parts\"\ntables = \"data/*.csv\"\n";
    let pack = "kind = \"command\"\ninputs = { parts = \"data.parts\", tables = \"data.tables\" }\n\
                [params]\ntools = [\"cat\", \"./bin/own\"]\noutputs = { out = \"out.txt\", \
                tree = \"tree/\" }\nshell = '''\ncat {tables} > {out}\nown {parts}/x > tree/x\n\
                own {parts}/deep/y > tree/y\necho packed\necho with care >&2\n'''";
    let unpack = "kind = \"command\"\ninputs = { from = \"pack.out\", tree = \"pack.tree\" }\n\
                  [params]\ntools = [\"cat\"]\nhermetic = true\noutputs.out = \"all.txt\"\n\
                  shell = \"cat {from} {tree}/* > {out}\"";
    let lab = Lab::new()
        .more(data)
        .stage("pack", pack)
        .stage("unpack", unpack)
        .stage("size", "kind = \"count\"\ninputs.from = \"unpack.out\"");
    for (name, text) in [
        ("data/parts/x", "an x\n"),
        ("data/parts/deep/y", "a y\n"),
        ("data/a.csv", "1,2\n"),
        ("data/b.csv", "3,4\n"),
        ("bin/own", "#!/bin/sh\nwhile read -r line; do echo \"own $line\"; done < \"$1\"\n"),
    ] {
        lab.write(name, text);
    }
    make_executable(&lab.path("bin/own"));
    lab
}

fn ran(lab: Lab) -> Lab {
    Orders::run(lab.root()).end().result();
    lab
}

/// Bytes that are not what their names say, in all that a run looks at.
fn damaged() -> Lab {
    let lab = ran(toys());
    flip(&lab.objects("mine")[1]);
    flip(&lab.document("outcomes", &lab.key("rows")));
    flip(&lab.document("recipes", &lab.key("story")));
    flip(&lab.path("outputs/blade/leaves/small"));
    lab
}

/// A stage that gives other bytes in another mood.
fn moody() -> Lab {
    let text = "kind = \"count\"\ninputs.from = \"whim.out\"";
    ran(toys().stage("whim", "kind = \"whim\"").stage("size", text))
}

/// A program that fails after it wrote and said something, as it did before with other words.
fn failing() -> Lab {
    let fail = "kind = \"command\"\ninputs.from = \"rows.out\"\n[params]\noutputs.out = \"out.txt\"\n\
                shell = \"echo half > {out}; echo so far; echo no further >&2; exit 3\"";
    let lab = toys().stage("stop", &fail.replace("half", "other").replace("so far", "begun"));
    assert_eq!(Orders::run(lab.root()).end().code, Some(1));
    lab.stage("stop", fail)
}

/// Every kind of file that a run may leave: two runs, a conflict, a failure, something set aside,
/// what programs said, an answer to recall; and what a run or a collection leaves that is killed.
pub(crate) fn crammed() -> Lab {
    let lab = Lab::diamond()
        .stage("t", "kind = \"tree\"\nparams.text = \"pq\"")
        .stage("whim", "kind = \"whim\"")
        .stage("last", "kind = \"lineage\"\ninputs.from = \"size.out\"")
        .stage(
            "talk",
            "kind = \"command\"\n[params]\noutputs.out = \"out.txt\"\n\
                        shell = \"echo said; echo written > {out}\"",
        );
    let lab = ran(lab);
    lab.edit("stages/b.toml", "two", "three");
    flip(&lab.objects("a")[0]);
    let orders = Orders::run(lab.root()).env("LAB_FORCE", "whim").env("LAB_MOOD", "sour");
    orders.end().result();
    // What failed is not part of the pipeline any more, so that nothing clears it away.
    let fail = "kind = \"command\"\n[params]\noutputs.out = \"out.txt\"\n\
                shell = \"echo half > {out}; echo so far; exit 3\"";
    let lab = lab.stage("stop", fail);
    assert_eq!(Orders::run(lab.root()).end().code, Some(1));
    let lab = ran(lab.without("stop"));
    for run in ["@-1", "@"] {
        promote(&lab, run, "talk");
    }
    remember(&lab);
    lab
}

/// What a process leaves that is killed; the next one removes it.
pub(crate) fn leave_rests(lab: &Lab) {
    for rest in ["store/scratch/s1/half/out.txt", ".scratch/s2/of-1/out.txt", ".removed/out.txt"] {
        lab.write(&format!("outputs/{rest}"), "half of something");
    }
}

/// What a collection has to choose from: an older run, a conflict, what was set aside, and outputs
/// of a stage that is gone.
fn crowded() -> Lab {
    let lab = moody().stage("old", "kind = \"text\"\nparams.text = \"old\"");
    let lab = ran(lab);
    lab.edit("stages/mine.toml", "ore", "gold");
    flip(&lab.objects("rows")[0]);
    let orders = Orders::run(lab.root()).env("LAB_FORCE", "whim").env("LAB_MOOD", "sour");
    orders.end().result();
    ran(lab.without("old"))
}

/// What `verify` finds each its own finding in.
fn suspicious() -> Lab {
    let lab = crowded();
    flip(&lab.objects("mine")[1]);
    flip(&lab.document("outcomes", &lab.key("rows")));
    flip(&lab.document("recipes", &lab.key("story")));
    lab.write("outputs/blade/stranger", "in the way");
    fs::remove_file(lab.path("outputs/rows/n/count.txt")).unwrap();
    let records = lab.project().runs.list().unwrap();
    flip(&records[0].join("run.json"));
    lab
}

/// Has the answer of a run remembered.
pub(crate) fn remember(lab: &Lab) {
    for _ in 0..2 {
        // The second time, what the first one wrote has settled.
        std::thread::sleep(SETTLED);
        let orders = || Orders::of("recall", lab.root()).end();
        orders().result();
        if orders().text.contains("\nrecalled") {
            return;
        }
    }
    panic!("nothing is remembered");
}

/// Every scene.
pub(crate) fn scenes() -> Vec<Scene> {
    let finished = ran(toys());
    let edited = copy(&finished);
    edited.edit("stages/mine.toml", "ore", "gold");
    let worn = copy(&finished);
    fs::remove_dir_all(worn.path("outputs/blade")).unwrap();
    fs::remove_dir_all(worn.path("outputs/store/outcomes")).unwrap();
    worn.write("outputs/rows/stranger", "in the way");
    let settle = |_: &Lab| std::thread::sleep(SETTLED);
    let conflict = &[("LAB_FORCE", "whim"), ("LAB_MOOD", "sour")];
    vec![
        Scene::new("first run", toys(), "run"),
        Scene::new("after an edit", edited, "run"),
        Scene::new("no change", finished, "run"),
        Scene::new("after losses", worn, "run"),
        Scene::new("first run of programs", programs(), "run"),
        Scene::new("no change of programs", ran(programs()), "run"),
        Scene::new("damaged", damaged(), "run"),
        Scene::new("a conflict", moody(), "run").with(conflict),
        Scene::new("a failure", failing(), "run"),
        Scene::new("remember", ran(programs()), "recall").prepared(settle),
        Scene::new("recall", ran(programs()), "recall").prepared(remember),
        Scene::new("verify", suspicious(), "verify"),
        Scene::new("rebuild", ran(programs()), "rebuild"),
        Scene::new("collect", crowded(), "gc"),
    ]
}
