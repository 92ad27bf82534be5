//! `pipeline gc`: removes what no kept run and no lock needs, and says what it freed.

use std::time::SystemTime;

use bytesize::ByteSize;
use engine::error::ExitCode;
use engine::gc::{self, Freed, Policy};
use serde_json::json;

use super::open;
use crate::cli::{Gc as Args, Global};
use crate::terminal::{Style, Terminal, counted};

pub(super) fn gc(global: &Global, args: &Args, terminal: &Terminal) -> anyhow::Result<ExitCode> {
    let opened = open(global)?;
    let policy = Policy {
        keep_last: args.keep_last.map(usize::from),
        max_age: args.max_age.map(Into::into),
        max_size: args.max_size.map(|size| size.as_u64()),
        is_dry: args.dry_run,
    };
    let freed = gc::collect(&opened.project, &opened.graph, policy, SystemTime::now())?;
    if terminal.json {
        let document = json!({"schema": "pipeline.gc/1", "dry_run": args.dry_run, "freed": freed});
        terminal.json_line(&document);
    } else {
        tell(&freed, args, terminal);
    }
    Ok(if freed.refused.is_empty() { ExitCode::Ok } else { ExitCode::Failed })
}

fn tell(freed: &Freed, args: &Args, terminal: &Terminal) {
    let size = |bytes| ByteSize(bytes).display().si().to_string();
    for id in &freed.runs {
        terminal.out(&format!("run {id}"));
    }
    for stage in &freed.outputs {
        terminal.out(&format!("outputs/{stage}, of a stage that the pipeline no longer has"));
    }
    let parts = [
        (freed.runs.len(), "run"),
        (freed.outputs.len(), "directory of outputs"),
        (freed.outcomes, "outcome"),
        (freed.recipes, "recipe"),
        (freed.objects, "object"),
        (freed.quarantined, "damaged file"),
    ];
    let parts: Vec<_> =
        parts.into_iter().filter(|(n, _)| *n > 0).map(|(n, noun)| counted(n, noun)).collect();
    let verb = if args.dry_run { "would free" } else { "freed" };
    let what = if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") };
    let line = format!("{verb} {}: {what}; {} left", size(freed.bytes), size(freed.left));
    terminal.out(&terminal.paint(&line, Style::Bold));
    freed.refused.iter().for_each(|why| terminal.warning(why));
    if let Some(max) = args.max_size.filter(|max| freed.left > max.as_u64()) {
        let left = size(freed.left);
        let max = max.display().si();
        terminal.warning(&format!("{left} is over {max}: the lock and the newest run need it"));
    }
}
