//! A lock that is read writes back to a text that reads to the same lock.
#![no_main]

use engine::lock::Lock;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(lock) = Lock::parse(text, "pipeline.lock") else { return };
    let graph = engine_fuzz::graph_of(lock.stages.keys());
    let written = lock.text(&graph);
    let again = Lock::parse(&written, "pipeline.lock").expect("what is written is read");
    assert_eq!(again, lock, "{written}");
});
