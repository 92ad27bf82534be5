//! Any texts are a project or are refused, with every place inside its text.
//!
//! The input is `pipeline.toml` and stage files, with a line of `---- NAME` before each.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    engine_fuzz::load(text);
});
