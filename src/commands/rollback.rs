//! `pipeline rollback`: an alias stands again for what it stood for before.

use engine::alias::{self, Alias, Event};
use engine::error::ExitCode;

use super::promote::{seen, tell};
use super::{alone, open};
use crate::cli::{Global, Rollback as Args};
use crate::terminal::Terminal;

pub(super) fn rollback(
    global: &Global,
    args: &Args,
    terminal: &Terminal,
) -> anyhow::Result<ExitCode> {
    let opened = open(global)?;
    let _alone = alone(&opened.project)?;
    let before = opened.project.aliases.read(&args.alias)?;
    let before = before.as_ref().and_then(Alias::current).cloned();
    let event =
        Event { promoted: None, seen: seen(), reason: args.reason.clone(), is_forced: false };
    let now = alias::add(&opened.project, &args.alias, event)?;
    tell(&opened, &args.alias, &now, before.as_ref(), terminal);
    Ok(ExitCode::Ok)
}
