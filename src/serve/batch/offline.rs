//! A batch without a service: from a reader to a writer.
//!
//! The same checks and the same answers as over HTTP, byte for byte, so that a file that is scored
//! on a laptop and one that is sent to the service cannot differ.

use std::io::{Read, Write};

use super::{Batch, Counts, Wanted};
use crate::ml::package::Package;
use crate::serve::counts::Counters;
use crate::serve::policy::Policy;
use crate::serve::scorer::Scorer;
use crate::serve::validation::Validator;

/// How many bytes are read at once.
const STEP: usize = 64 << 10;

/// Why a batch could not be answered.
#[derive(Debug)]
pub enum Failed {
    /// The header of a CSV text is wrong: every sentence about it.
    Header(Vec<String>),
    /// The reader or the writer failed.
    Io(std::io::Error),
}

impl From<std::io::Error> for Failed {
    fn from(error: std::io::Error) -> Failed {
        Failed::Io(error)
    }
}

/// Answers every record of `input` on `output`, in a bounded memory.
///
/// # Errors
/// When the header of a CSV text is wrong, or reading or writing fails.
pub fn predict(
    package: &Package,
    policy: Policy,
    wanted: Wanted,
    input: &mut dyn Read,
    output: &mut dyn Write,
) -> Result<Counts, Failed> {
    let validator = Validator::new(package.schema(), policy);
    let counts = Counters::default().of(package);
    let (validator, counts) = (&validator, &counts);
    let (drift, shared, notes, tap, request_id) = (None, None, None, None, "");
    let scorer = Scorer { package, validator, counts, drift, shared, notes, tap, request_id };
    let mut batch = Batch::new(wanted);
    let (mut bytes, mut out) = (vec![0; STEP], Vec::new());
    let header = |problem: crate::serve::errors::Problem| {
        Failed::Header(problem.entries.into_iter().map(|entry| entry.message).collect())
    };
    loop {
        let n = input.read(&mut bytes)?;
        let mut at = 0;
        while at < n {
            at += batch.push(scorer, &bytes[at..n], &mut out).map_err(header)?;
            output.write_all(&out)?;
            out.clear();
        }
        if n == 0 {
            batch.finish(scorer, &mut out).map_err(header)?;
            output.write_all(&out)?;
            output.flush()?;
            return Ok(batch.counts());
        }
    }
}
