//! What was measured of one tool in one scenario, and how it is told: as a table, as JSON.

use serde::Serialize;

use crate::cost::Cost;

/// What was measured of one tool in one scenario.
#[derive(Debug, Serialize)]
pub(crate) struct Sample {
    /// What was worked on: `chain of 1000 stages, shell`.
    pub(crate) block: String,
    /// What happened before: `no-op`.
    pub(crate) scenario: String,
    /// Who did it.
    pub(crate) tool: String,
    /// Whom it is compared with.
    pub(crate) baseline: &'static str,
    /// What each round cost.
    pub(crate) costs: Vec<Cost>,
    /// How many stages ran in the last round, as far as it told.
    pub(crate) n_ran: Option<usize>,
    /// Why there are no more rounds: the command failed, or did not do what it should.
    pub(crate) problem: Option<String>,
}

/// The middle, the least and the greatest of some figures.
struct Spread {
    median: f64,
    min: f64,
    max: f64,
}

impl Sample {
    /// Nothing measured yet.
    pub(crate) fn new(block: &str, scenario: &str, tool: &str, baseline: &'static str) -> Sample {
        Sample {
            block: block.to_owned(),
            scenario: scenario.to_owned(),
            tool: tool.to_owned(),
            baseline,
            costs: Vec::new(),
            n_ran: None,
            problem: None,
        }
    }

    /// Adds a round.
    pub(crate) fn add(&mut self, turn: anyhow::Result<Cost>) {
        match turn {
            Ok(cost) => self.costs.push(cost),
            Err(error) => self.problem = Some(format!("{error:#}")),
        }
    }

    fn spread(&self, of: impl Fn(&Cost) -> f64) -> Option<Spread> {
        let mut figures: Vec<_> = self.costs.iter().map(of).collect();
        figures.sort_by(f64::total_cmp);
        let (min, max) = (*figures.first()?, *figures.last()?);
        let middle = figures.len() / 2;
        let median = if figures.len() % 2 == 1 {
            figures[middle]
        } else {
            f64::midpoint(figures[middle - 1], figures[middle])
        };
        Some(Spread { median, min, max })
    }
}

/// Processor times as multiples of the baseline's, a row per tool, as docs/BENCHMARKS.md has them.
pub(crate) fn ratios(samples: &[Sample]) -> String {
    const SCENARIOS: [&str; 5] = ["no-op", "touch", "leaf", "root", "first"];
    let mut text = format!("\n| | | {} |\n|---|---|", SCENARIOS.join(" | "));
    text.push_str(&"---|".repeat(SCENARIOS.len()));
    for block in samples.chunk_by(|a, b| a.block == b.block) {
        let mut tools: Vec<_> = block.iter().map(|sample| &sample.tool).collect();
        tools.sort_unstable();
        tools.dedup();
        let ratio = |tool: &str, scenario: &str| {
            let of = |tool| block.iter().find(|s| s.tool == tool && s.scenario == scenario);
            let [own, base] = [of(tool)?, of(block[0].baseline)?].map(|s| s.spread(Cost::cpu));
            Some(format!("{:.2}x", own?.median / base?.median))
        };
        for tool in tools.into_iter().filter(|tool| **tool != *block[0].baseline) {
            let cells = SCENARIOS.map(|scenario| ratio(tool, scenario).unwrap_or_default());
            text.push_str(&format!("\n| {} | `{tool}` | {} |", block[0].block, cells.join(" | ")));
        }
    }
    text.push('\n');
    text
}

/// All samples as tables, one per block.
pub(crate) fn tables(samples: &[Sample]) -> String {
    let mut text = String::new();
    for block in samples.chunk_by(|a, b| a.block == b.block) {
        let baseline = block[0].baseline;
        let head = ["scenario", "tool", "CPU ms", "min", "max", "wall ms", "MB", "CPU", "wall"];
        let name = &block[0].block;
        text.push_str(&format!("\n{name} (CPU and wall: times {baseline})\n"));
        let [scenario, tool, rest @ ..] = head;
        text.push_str(&format!("{scenario:<10} {tool:<22}"));
        rest.iter().for_each(|name| text.push_str(&format!(" {name:>9}")));
        text.push_str(&format!(" {:>4} {:>6}\n", "n", "ran"));
        for scenario in block.chunk_by(|a, b| a.scenario == b.scenario) {
            let base = scenario.iter().find(|sample| sample.tool == baseline);
            scenario.iter().for_each(|sample| row(&mut text, sample, base));
        }
    }
    text
}

fn row(text: &mut String, sample: &Sample, base: Option<&Sample>) {
    const MS: f64 = 1e3;
    const KIB_PER_MB: f64 = 1e6 / 1024.0;
    text.push_str(&format!("{:<10} {:<22}", sample.scenario, sample.tool));
    let spreads = (sample.spread(Cost::cpu), sample.spread(|cost| cost.wall));
    if let (Some(cpu), Some(wall)) = spreads {
        let memory = sample.spread(|cost| cost.memory_kib as f64).map_or(0.0, |m| m.max);
        let against = |own: &Spread, of: fn(&Cost) -> f64| {
            let other = base.and_then(|base| base.spread(of));
            other.map_or("-".to_owned(), |other| format!("{:.2}x", own.median / other.median))
        };
        let figures = [cpu.median, cpu.min, cpu.max, wall.median].map(|s| format!("{:.1}", s * MS));
        let others = [
            format!("{:.1}", memory / KIB_PER_MB),
            against(&cpu, Cost::cpu),
            against(&wall, |cost| cost.wall),
        ];
        figures.iter().chain(&others).for_each(|cell| text.push_str(&format!(" {cell:>9}")));
        let n_ran = sample.n_ran.map_or("-".to_owned(), |n| n.to_string());
        text.push_str(&format!(" {:>4} {n_ran:>6}", sample.costs.len()));
    }
    if let Some(problem) = &sample.problem {
        text.push_str(&format!("  {problem}"));
    }
    text.push('\n');
}
