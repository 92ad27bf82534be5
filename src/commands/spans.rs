//! Whether spans of requests are sent, and where to: what OpenTelemetry's variables say.

use engine::error::ExitCode;

use super::ended;
use crate::serve::{Collector, Spans};
use crate::terminal::Terminal;

/// Begins to send spans, if the environment wants that.
///
/// # Errors
/// When a variable is not what it should be, or the system gives no thread.
pub(super) fn start(terminal: Terminal) -> anyhow::Result<Option<Spans>> {
    let collector = Collector::of(&|name| std::env::var(name).ok());
    let collector = collector.map_err(|message| ended(ExitCode::Usage, message))?;
    let warn = move |told: &str| terminal.warning(told);
    Ok(collector.map(|collector| Spans::start(collector, warn)).transpose()?)
}
