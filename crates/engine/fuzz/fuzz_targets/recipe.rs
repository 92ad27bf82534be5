//! A recipe that is read writes back to bytes that read to the same recipe, with the same key.
#![no_main]

use engine::canonical;
use engine::recipe::Recipe;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(recipe) = canonical::from_bytes::<Recipe>(bytes) else { return };
    let again: Recipe = canonical::from_bytes(&recipe.bytes()).expect("what is written is read");
    assert_eq!(again.bytes(), recipe.bytes());
    assert_eq!(again.key(), recipe.key());
});
