//! Whatever a client sends is answered as the service's own OpenAPI document says, within bounds.
//!
//! What must hold is the affair of `pipeline::serve::fuzz`, which is only there with
//! `--cfg fuzzing`: .ci/fuzz sets it, and without it there is nothing to try.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
mod target {
    use std::path::Path;
    use std::sync::LazyLock;

    use libfuzzer_sys::{Corpus, fuzz_target};
    use pipeline::serve::fuzz::Fuzz;

    static SERVICE: LazyLock<Fuzz> =
        LazyLock::new(|| Fuzz::new(&Path::new(env!("CARGO_MANIFEST_DIR")).join("package")));

    /// A panic is a finding, but in what reads Parquet: that is caught, and the file is refused.
    fn pass_over_polars() {
        let abort = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let place = panic.location().map_or("", |place| place.file());
            if !place.contains("/polars") {
                abort(panic);
            }
        }));
    }

    fuzz_target!(init: pass_over_polars(), |bytes: &[u8]| -> Corpus {
        match SERVICE.ask(bytes) {
            Ok(Some(_)) => Corpus::Keep,
            Ok(None) => Corpus::Reject,
            Err(broken) => panic!("{broken}"),
        }
    });
}

#[cfg(not(fuzzing))]
fn main() {}
