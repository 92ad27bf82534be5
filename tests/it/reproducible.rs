//! The same bits, wherever and however they are computed.

use std::path::{Path, PathBuf};
use std::process::Command;

use engine::kind::Kind as _;
use engine::params::Type;

use crate::lab::Lab;

/// The release build, made when it is not there yet: the comparison is the point of the test.
fn release() -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let built = Command::new(cargo)
        .args(["build", "--release", "--bin", "pipeline", "--quiet"])
        .current_dir(root)
        .status()
        .unwrap();
    assert!(built.success());
    let debug = PathBuf::from(env!("CARGO_BIN_EXE_pipeline"));
    let target = debug.parent().and_then(Path::parent).unwrap();
    target.join("release/pipeline")
}

fn result_with(program: Option<PathBuf>, threads: &str) -> (String, String) {
    let lab = Lab::example();
    let lab = if let Some(program) = program { lab.with_program(program) } else { lab };
    let mut command = lab.command(&["run", "--no-serve", "--json", "--jobs", threads]);
    command.env("RAYON_NUM_THREADS", threads).env("POLARS_MAX_THREADS", threads);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let summary: serde_json::Value =
        String::from_utf8(output.stdout).unwrap().lines().last().unwrap().parse().unwrap();
    (summary["result"].as_str().unwrap().to_owned(), lab.read("pipeline.lock"))
}

#[test]
fn any_directory_thread_count_and_build_gives_the_same_result_and_lock() {
    let first = result_with(None, "1");
    for threads in ["2", "8"] {
        assert_eq!(result_with(None, threads), first, "debug, {threads} threads");
    }
    let release = release();
    for threads in ["1", "2", "8"] {
        assert_eq!(result_with(Some(release.clone()), threads), first, "release, {threads}");
    }
}

/// Resamples, shuffled columns and comparisons run on all threads: with everything that can be
/// asked of `evaluate`, its files are the same.
#[test]
fn an_evaluation_of_everything_is_the_same_with_any_thread_count() {
    let files_with = |threads: &str| {
        let lab = Lab::example();
        let rule = r#"threshold = { rule = "f1" }"#;
        let asked = r#"
threshold = { rule = "profit", value = 500, cost = 20, success = 0.3, per_segment = "plan_type" }
segments = { intersect = [["plan_type", "region"]], min_rows = 100 }
importance = { repeats = 2 }"#;
        lab.edit("stages/evaluate.toml", rule, asked);
        let roles = "plan_type = [\"feature\", \"segment\"]\n";
        let both = format!("{roles}region = [\"feature\", \"segment\"]\n");
        lab.edit("pipeline.toml", roles, &both);
        let mut command = lab.command(&["run", "evaluate", "--jobs", threads]);
        command.env("RAYON_NUM_THREADS", threads).env("POLARS_MAX_THREADS", threads);
        let output = command.output().unwrap();
        // The gates are for another threshold: what was found is kept all the same.
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        let dir = if output.status.code() == Some(3) { "failed/evaluate" } else { "evaluate" };
        assert!(matches!(output.status.code(), Some(0 | 3)), "{told}");
        ["metrics", "curves", "importance"]
            .map(|name| lab.read(&format!("outputs/{dir}/{name}.json")))
    };
    let one = files_with("1");
    assert!(one[0].contains("plan_type=prepaid & region=Lagos"), "intersections are asked for");
    for threads in ["2", "8"] {
        assert_eq!(files_with(threads), one, "{threads} threads");
    }
}

/// A project that profiles, compares, validates and divides one table in every way.
fn every_look_at_a_table(threads: &str) -> String {
    let lab = Lab::empty();
    let mut rows = "key,group,day,usage,charge,plan,left\n".to_owned();
    for row in 0..5000 {
        let charge = if row % 11 == 0 { String::new() } else { format!("{}.1", row * 37 % 701) };
        let (day, usage) = (1 + row % 28, f64::from(row * 7919 % 4999) / 7.0);
        let (group, plan, left) = (row % 613, ["a", "b", "c"][row as usize % 3], row % 4 == 0);
        rows += &format!("k{row},g{group},2026-01-{day:02},{usage},{charge},{plan},{left}\n");
    }
    lab.write("rows.csv", &rows);
    lab.write(
        "pipeline.toml",
        "name = \"looks\"\nstages = [\"profile\", \"again\", \"split\", \"validate\"]\n\
         [data]\nrows = \"rows.csv\"\n[defaults.columns]\nkey = \"id\"\nleft = \"target\"\n",
    );
    let profile = "kind = \"profile\"\n[inputs]\ntable = \"data.rows\"\n";
    lab.write("stages/profile.toml", profile);
    lab.write("stages/again.toml", &format!("{profile}reference = \"profile.report\"\n"));
    lab.write(
        "stages/split.toml",
        "kind = \"split\"\n[inputs]\ntable = \"data.rows\"\n\
         [[variant]]\nname = \"group\"\nparams = { method = \"group\", group = \"group\" }\n\
         [[variant]]\nname = \"time\"\nparams = { method = \"time\", time = \"day\" }\n\
         [[variant]]\nname = \"fold\"\nparams = { method = \"k_fold\", fold = 2 }\n",
    );
    let suite = lab.call(&["validate", "--suggest", "rows.csv"]).expect(0).out;
    let sides = "table = \"data.rows\"\ntrain = \"split@fold.train\"\ntest = \"split@fold.test\"";
    lab.write("stages/validate.toml", &suite.replace("table = \"data.rows\"", sides));
    let mut command = lab.command(&["run", "--jobs", threads]);
    command.env("RAYON_NUM_THREADS", threads).env("POLARS_MAX_THREADS", threads);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    lab.read("pipeline.lock")
}

#[test]
fn every_look_at_a_table_is_the_same_with_any_number_of_threads() {
    let first = every_look_at_a_table("1");
    for threads in ["2", "8"] {
        assert_eq!(every_look_at_a_table(threads), first, "{threads} threads");
    }
}

/// A project that trains every learner that is declared, with and without missing values and sets
/// of categories where it takes them.
fn every_learner() -> Lab {
    let Type::Tagged { cases, .. } = pipeline::kinds::train::Train.params() else {
        panic!("learners are declared as cases");
    };
    let lab = Lab::empty();
    let mut rows = "a,b,whole,plan,left\n".to_owned();
    for row in 0..1200_u64 {
        let mixed = (row * 2_654_435_761) % 4_294_967_296;
        let (a, b) = (mixed % 1999, (mixed >> 8) % 977);
        let a = if row % 13 == 0 { String::new() } else { format!("{}.25", a) };
        let plan = ["p", "q", "r", "s", "t", "u"][(mixed >> 16) as usize % 6];
        let left = (mixed % 1999 > 1200) != ((mixed >> 16) % 6 < 2) || row % 17 == 0;
        rows += &format!("{a},{b},{},{plan},{left}\n", b % 7);
    }
    lab.write("rows.csv", &rows);
    lab.write(
        "pipeline.toml",
        "name = \"learners\"\nseed = 5\nstages = [\"train\"]\n[data]\nrows = \"rows.csv\"\n\
         [defaults.columns]\nleft = \"target\"\n",
    );
    let mut stage = "kind = \"train\"\ninputs.train = \"data.rows\"\n".to_owned();
    let native =
        ", features = { numeric = { impute = \"none\" }, categorical = { encode = \"code\" } }";
    for (learner, params) in cases {
        let takes_missing =
            !["logistic_regression", "elastic_net", "linear_svm", "ridge"].contains(&learner);
        let task = params.iter().find(|param| param.name == "task");
        let Some(Type::Choice(tasks)) = task.map(|task| &task.ty) else {
            panic!("`{learner}` declares its tasks");
        };
        for (suffix, features) in [("", ""), ("-native", native)] {
            if suffix.is_empty() || takes_missing {
                stage += &format!(
                    "[[variant]]\nname = \"{learner}{suffix}\"\n\
                     params = {{ learner = \"{learner}\"{features} }}\n"
                );
            }
            // A learner of both is trained on the numbers, too.
            if suffix == "-native" && tasks.len() > 1 {
                stage += &format!(
                    "[[variant]]\nname = \"{learner}-numbers\"\nparams = {{ learner = \
                     \"{learner}\", task = \"regression\", columns = {{ left = \"feature\", \
                     whole = \"target\" }}{features} }}\n"
                );
            }
        }
    }
    lab.write("stages/train.toml", &stage);
    lab
}

#[test]
fn every_learner_gives_the_same_bits_with_any_thread_count_build_and_cpu() {
    let lock = |program: Option<PathBuf>, before: &[&str], threads: &str| {
        let lab = every_learner();
        let lab = if let Some(program) = program { lab.with_program(program) } else { lab };
        let mut command = lab.command(&[before, &["run", "--jobs", threads]].concat());
        command.env("RAYON_NUM_THREADS", threads).env("POLARS_MAX_THREADS", threads);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        lab.read("pipeline.lock")
    };
    let first = lock(None, &[], "1");
    for variant in [
        "gradient_boosting-native",
        "extra_trees",
        "linear_svm",
        "naive_bayes-native",
        "ridge",
        "random_forest-numbers",
    ] {
        assert!(first.contains(&format!("train@{variant}")), "{variant} is declared and trained");
    }
    for threads in ["2", "3", "8"] {
        assert_eq!(lock(None, &[], threads), first, "{threads} threads");
    }
    let release = release();
    assert_eq!(lock(Some(release.clone()), &[], "2"), first, "release");
    if !emulator_is_there() {
        return;
    }
    let program = release.display().to_string();
    for cpu in CPUS {
        let found = lock(Some(PathBuf::from(EMULATOR)), &["-cpu", cpu, &program], "2");
        assert_eq!(found, first, "{cpu}");
    }
}

/// The oldest x86-64 with SSE4.2, one with AVX2 and FMA, and the widest that qemu knows.
const CPUS: [&str; 3] = ["Nehalem", "Haswell", "max"];

const EMULATOR: &str = "qemu-x86_64";

#[expect(clippy::print_stderr, reason = "a test that could not be made must be seen")]
fn emulator_is_there() -> bool {
    let is_there = Command::new(EMULATOR).arg("--version").output().is_ok();
    if !is_there {
        assert!(std::env::var_os("CI").is_none(), "`{EMULATOR}` must be there in CI");
        eprintln!("SKIPPED: `{EMULATOR}` (Debian: qemu-user) is not there");
    }
    is_there
}

#[test]
fn any_cpu_gives_the_committed_lock() {
    if !emulator_is_there() {
        return;
    }
    let program = release().display().to_string();
    for cpu in CPUS {
        let lab = Lab::example().with_program(PathBuf::from(EMULATOR));
        lab.call(&["-cpu", cpu, &program, "run", "--no-serve", "--locked"]).expect(0);
    }
}

#[test]
fn another_locale_time_zone_and_libm_give_the_same_result() {
    let plain = Lab::example();
    let strange = Lab::example();
    let run = |lab: &Lab, variables: &[(&str, &str)]| {
        let mut command = lab.command(&["run", "--no-serve", "--json"]);
        let output = command.envs(variables.iter().copied()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        lab.read("pipeline.lock")
    };
    let variables = [
        ("LC_ALL", "de_DE.UTF-8"),
        ("TZ", "Pacific/Kiritimati"),
        ("HOME", "/nonexistent"),
        ("GLIBC_TUNABLES", "glibc.cpu.hwcaps=-FMA,-AVX2,-FMA4"),
    ];
    assert_eq!(run(&plain, &[]), run(&strange, &variables));
}

#[test]
fn the_committed_lock_is_what_the_example_gives() {
    let lab = Lab::example();
    let committed = lab.read("pipeline.lock");
    lab.call(&["run", "--no-serve", "--locked"]).expect(0);
    assert_eq!(lab.read("pipeline.lock"), committed);
}
