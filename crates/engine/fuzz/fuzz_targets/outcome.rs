//! An outcome is refused unless it is what was written, and then writes back to the same.
#![no_main]

use engine::outcome::Outcome;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    engine_fuzz::reads_back::<Outcome>(bytes);
});
