//! Projects at random: the same for the same seed.

use std::collections::BTreeSet;

use crate::lab::Lab;

/// Numbers that look random and are the same for the same seed.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// A number below a bound.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let digest = engine::digest::Digest::of(&self.0.to_le_bytes());
        u64::from_le_bytes(digest.as_bytes()[..8].try_into().unwrap()) % bound
    }
}

/// A graph of four to nine stages that take a few milliseconds each: kinds of the process,
/// programs that read a directory or what others made, and a stage of several variants. Each
/// execution adds a line to the ledger, whose place is in no recipe.
pub(crate) fn random_lab(dice: &mut Dice) -> Lab {
    let mut lab = Lab::new().more("[data]\nparts = \"data/parts\"\n");
    lab.write("data/parts/x", "an x\n");
    lab.write("data/parts/deep/y", "a y\n");
    let n_stages = 4 + dice.below(6);
    let with_variants = 1 + dice.below(n_stages - 1);
    for i in 0..n_stages {
        let n_reads = if i == 0 { 0 } else { dice.below(3) };
        let reads: BTreeSet<_> = (0..n_reads).map(|_| dice.below(i)).collect();
        let reads: Vec<_> = reads.iter().map(|read| format!("s{read}.out")).collect();
        let ms = dice.below(5);
        let is_program = i > 0 && dice.below(2) == 0;
        let (text, axis) = match is_program {
            true => (program(i, ms, &reads), "environment.NAME"),
            false => (labour(i, ms, &reads), "text"),
        };
        let matrix = match i == with_variants {
            true => format!("\n[matrix]\n\"{axis}\" = [\"text-{i}-a\", \"text-{i}-b\"]\n"),
            false => String::new(),
        };
        lab = lab.stage(&format!("s{i}"), &format!("{text}{matrix}"));
    }
    lab
}

/// A stage of a kind that runs in the process.
fn labour(i: u64, ms: u64, reads: &[String]) -> String {
    let params = format!("params.text = \"text {i}\"\nparams.ms = {ms}");
    match reads {
        [] => format!("kind = \"dig\"\n{params}"),
        reads => format!("kind = \"forge\"\n{params}\ninputs.from = {reads:?}"),
    }
}

/// A stage that is a program. The project is six directories above where it works.
fn program(i: u64, ms: u64, reads: &[String]) -> String {
    let (inputs, read) = match reads {
        [] => ("inputs.from = \"data.parts\"".to_owned(), "cat {from}/x {from}/deep/y"),
        reads => (format!("inputs.from = {reads:?}"), "for dir in {from}; do cat $dir/small; done"),
    };
    format!(
        "kind = \"command\"\n{inputs}\n[params]\ntools = [\"cat\", \"mkdir\", \"sleep\"]\n\
         environment.NAME = \"text {i}\"\n\
         outputs.out = {{ path = \"leaves/\", type = \"tree\" }}\nshell = '''\n\
         echo \"$NAME\" >> ../../../../../../ledger\nmkdir leaves/deep\n\
         echo \"$NAME\" > leaves/small\n{read} >> leaves/small\nsleep 0.00{ms}\n\
         cat leaves/small leaves/small > leaves/deep/large\n\
         echo said $NAME\n: > leaves/deep/empty\n'''"
    )
}
