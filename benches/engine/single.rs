//! Large inputs: a directory of many files, and one file of many bytes.
//!
//! Both are compared with a program that does that one thing: a loop that reads a directory and
//! asks for each file's status (here, too), and `b3sum`.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, ensure};

use crate::cost::{Bench, Cost};
use crate::graphs::Tools;
use crate::options::{Options, Scenario};
use crate::peers;
use crate::sample::Sample;
use crate::shape;
use crate::tools::{self, Pipeline, Tool};

/// The word that makes this program be the loop.
pub(crate) const LOOP: &str = "stat-loop";

/// The file or directory that the only stage reads.
const INPUT: &str = "data/input";
/// Files per directory.
const FILES_PER_DIR: usize = 1000;
/// See `graphs`: nobody edits and runs within this.
const SETTLE: Duration = Duration::from_millis(60);

/// Measures both, if they are asked for.
pub(crate) fn measure(
    bench: &Bench,
    options: &Options,
    tools: &Tools,
    dir: &Path,
) -> anyhow::Result<Vec<Sample>> {
    let large = Large { bench, options, tools, dir: dir.join("single") };
    let mut samples = Vec::new();
    if options.wants(Scenario::Directory) {
        samples.extend(large.directory()?);
    }
    if options.wants(Scenario::Hash) {
        samples.extend(large.file()?);
    }
    Ok(samples)
}

/// A program that does one thing, with its name in tables.
type Plain = (&'static str, Vec<String>);

struct Large<'a> {
    bench: &'a Bench,
    options: &'a Options,
    tools: &'a Tools,
    dir: PathBuf,
}

impl Large<'_> {
    fn directory(&self) -> anyhow::Result<Vec<Sample>> {
        let n_files = self.options.files;
        let block = format!("one input directory of {n_files} files");
        crate::note(&block);
        for i in 0..n_files {
            let path = format!("{INPUT}/{}/{i}.txt", i / FILES_PER_DIR);
            shape::write(&self.dir.join(path), &format!("{i}\n"))?;
        }
        let program = std::env::current_exe()?.display().to_string();
        let plain = vec![program, LOOP.to_owned(), INPUT.to_owned()];
        let samples = self.rounds(&block, &[("stat loop", plain)])?;
        fs::remove_dir_all(&self.dir)?;
        Ok(samples)
    }

    fn file(&self) -> anyhow::Result<Vec<Sample>> {
        let block = format!("one input file of {} MiB", self.options.mib);
        let b3sum = peers::b3sum()?.display().to_string();
        crate::note(&block);
        self.write_file()?;
        let all = vec![b3sum, INPUT.to_owned()];
        let one = [&all[..], &["--num-threads".to_owned(), "1".to_owned()]].concat();
        let samples = self.rounds(&block, &[("b3sum", all), ("b3sum, 1 thread", one)])?;
        fs::remove_dir_all(&self.dir)?;
        Ok(samples)
    }

    /// A file without repetitions.
    fn write_file(&self) -> anyhow::Result<()> {
        const MIB: usize = 1 << 20;
        fs::create_dir_all(self.dir.join("data"))?;
        let mut file = BufWriter::new(File::create(self.dir.join(INPUT))?);
        let mut block = vec![0; MIB];
        for i in 0..self.options.mib {
            blake3::Hasher::new().update(&i.to_le_bytes()).finalize_xof().fill(&mut block);
            file.write_all(&block)?;
        }
        Ok(file.flush()?)
    }

    /// Every program in turn: first with nothing known, then with nothing changed.
    fn rounds(&self, block: &str, plain: &[Plain]) -> anyhow::Result<Vec<Sample>> {
        let mut samples = Vec::new();
        let (baseline, _) = plain[0];
        for scenario in ["first", "no-op"] {
            let is_first = scenario == "first";
            let names = plain.iter().map(|(name, _)| (*name).to_owned());
            let own: Vec<_> = self.own(is_first);
            let names = names.chain(own.iter().map(|(tool, _)| tool.name().to_owned()));
            let mut of: Vec<_> =
                names.map(|name| Sample::new(block, scenario, &name, baseline)).collect();
            for _ in 0..self.options.runs {
                let (others, ours) = of.split_at_mut(plain.len());
                for (sample, (_, args)) in others.iter_mut().zip(plain) {
                    sample.add(self.bench.measure(&self.dir, args).map(|measured| measured.cost));
                }
                for (sample, (tool, stage)) in ours.iter_mut().zip(&own) {
                    if sample.problem.is_none() {
                        sample.add(self.turn(tool, stage, is_first));
                    }
                }
            }
            samples.extend(of);
        }
        Ok(samples)
    }

    /// Our programs, each with its stage; the first run is the same with and without `--paranoid`.
    fn own(&self, is_first: bool) -> Vec<(Pipeline, String)> {
        let stage = |own: &Pipeline| own.keeping("data.input");
        let own = self.tools.own.iter().filter(|own| own.has_files());
        let own = own.flat_map(|own| [own.clone(), own.paranoid()]);
        own.filter(|own| !is_first || !own.is_paranoid())
            .map(|own| {
                let stage = stage(&own);
                (own, stage)
            })
            .collect()
    }

    fn turn(&self, tool: &Pipeline, stage: &str, is_first: bool) -> anyhow::Result<Cost> {
        let name = "name = \"bench\"\nstages = [\"s0\"]\n";
        let text = format!("{name}[data]\ninput = \"{INPUT}\"\n");
        shape::write(&self.dir.join("pipeline.toml"), &text)?;
        shape::write(&self.dir.join("stages/s0.toml"), stage)?;
        if is_first {
            tools::wipe(tool, &self.dir)?;
        } else {
            // Another program may have been here before: what it knew is not what this one knows.
            self.bench.measure(&self.dir, &tool.command(&self.dir, crate::processors()))?;
        }
        thread::sleep(SETTLE);
        let measured =
            self.bench.measure(&self.dir, &tool.command(&self.dir, crate::processors()))?;
        let n_ran = tool.n_ran(&measured.output).context("it did not tell what ran")?;
        ensure!(n_ran == usize::from(is_first), "{n_ran} stages ran");
        let kept = fs::read_to_string(self.dir.join(tool.output(0)))?;
        ensure!(kept == "kept\n", "the output is `{kept}`");
        Ok(measured.cost)
    }
}

/// Reads a directory and all below it, and asks for the status of every file.
#[expect(clippy::print_stdout, reason = "a program of its own, whose output is kept")]
pub(crate) fn stat_loop(args: &[String]) -> anyhow::Result<bool> {
    let mut waiting = vec![PathBuf::from(args.first().context("no directory given")?)];
    let (mut n_files, mut n_bytes) = (0, 0);
    while let Some(dir) = waiting.pop() {
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                waiting.push(entry.path());
            } else {
                n_files += 1;
                n_bytes += entry.metadata()?.size();
            }
        }
    }
    println!("{n_files} files, {n_bytes} bytes");
    Ok(true)
}
