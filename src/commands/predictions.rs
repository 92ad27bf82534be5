//! The log of predictions of a service: opened before it listens, closed when it has stopped.
//!
//! The service itself does not print; what goes wrong with its log while it runs is told here.

use std::time::Duration;

use engine::error::ExitCode;

use super::ended;
use crate::serve::{JournalNews, Logging, Predictions, Unopened};
use crate::terminal::Terminal;

/// Begins to log.
pub(super) fn open(logging: Logging, terminal: &Terminal) -> anyhow::Result<Predictions> {
    let (shown, terminal) = (logging.dir.display().to_string(), *terminal);
    let tell = move |news: &JournalNews| match news {
        JournalNews::Failing { reason } => terminal.warning(&format!(
            "predictions are not logged: {reason}; they go on, and the log does when it can"
        )),
        JournalNews::Resumed { lost } => {
            let lost = counted(*lost);
            terminal.warning(&format!("predictions are logged again; {lost} not in the log"));
        }
    };
    Predictions::open(logging, tell).map_err(|error| match error {
        Unopened::Busy => {
            let message = format!("another service logs its predictions in `{shown}`");
            ended(ExitCode::Busy, format!("{message}\nhint: each needs a directory of its own"))
        }
        Unopened::Io(error) => {
            ended(ExitCode::Failed, format!("cannot log predictions in `{shown}`: {error}"))
        }
    })
}

/// Ends the log, in so much time, and says what is not in it.
pub(super) fn close(log: &Predictions, patience: Duration, terminal: &Terminal) {
    if !log.close(patience) {
        let time = patience.as_secs_f64();
        terminal.warning(&format!("the log of predictions was not written out within {time} s"));
    }
    if log.dropped() > 0 {
        terminal.warning(&format!("{} not in the log", counted(log.dropped())));
    }
}

fn counted(n: u64) -> String {
    if n == 1 { "1 prediction is".to_owned() } else { format!("{n} predictions are") }
}
