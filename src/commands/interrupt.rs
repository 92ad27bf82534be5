//! Ctrl-C, SIGTERM, SIGQUIT and a terminal that is closed: a run stops what it runs, a service ends
//! cleanly, a rebuild is passed the word. A SIGHUP that no closed terminal sends asks a service to
//! look for another package, as services have it.
//!
//! A run may end at any moment, because nothing is published before it is whole; what was finished
//! stays. So it is asked to stop, which ends the programs it started, and if it has not come back
//! after a grace, because a kind is at work in this process, the process ends all the same. A
//! service first answers what it has begun. A second signal ends either at once.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use engine::command;
use engine::error::ExitCode;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

use crate::terminal::{Drawn, Terminal};

/// How long a run may take to come back: longer than its programs are given to end.
const GRACE: Duration = Duration::from_secs(3);

/// Listens for signals until the process ends.
#[derive(Clone)]
pub(super) struct Interrupt {
    is_serving: Arc<AtomicBool>,
    /// What a run has drawn, while one goes on.
    drawn: Arc<Mutex<Option<Drawn>>>,
    cancel: Arc<AtomicBool>,
    stop: Arc<Notify>,
    reload: Arc<Notify>,
    /// Whether this process was begun at a terminal.
    has_terminal: bool,
    /// The number of the process that does the work instead of this one; 0 without one.
    child: Arc<AtomicU32>,
}

impl Interrupt {
    /// Starts to listen.
    ///
    /// # Errors
    /// When the system gives no thread or no signal handler.
    pub(super) fn listen(terminal: Terminal) -> anyhow::Result<Interrupt> {
        let interrupt = Interrupt {
            is_serving: Arc::default(),
            drawn: Arc::default(),
            cancel: Arc::default(),
            stop: Arc::default(),
            reload: Arc::default(),
            has_terminal: is_at_terminal(),
            child: Arc::default(),
        };
        let listener = interrupt.clone();
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        let mut signals = {
            let _entered = runtime.enter();
            let kinds = [SignalKind::interrupt(), SignalKind::terminate()].into_iter();
            // What starts it with `nohup` wants it to outlive the terminal.
            let may_be_ignored = [SignalKind::hangup(), SignalKind::quit()].into_iter();
            let kinds = kinds.chain(may_be_ignored.filter(|kind| !is_ignored(*kind)));
            let listened = |kind: SignalKind| Ok((kind, signal(kind)?));
            kinds.map(listened).collect::<std::io::Result<Vec<_>>>()?
        };
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            runtime.block_on(async {
                loop {
                    let kind = std::future::poll_fn(|context| {
                        let mut signals = signals.iter_mut();
                        let received =
                            signals.find_map(|(kind, signal)| match signal.poll_recv(context) {
                                Poll::Ready(_) => Some(*kind),
                                Poll::Pending => None,
                            });
                        received.map_or(Poll::Pending, Poll::Ready)
                    })
                    .await;
                    listener.received(kind, &terminal);
                }
            });
        })?;
        Ok(interrupt)
    }

    fn received(&self, kind: SignalKind, terminal: &Terminal) {
        // The terminal is gone before the signal says so.
        let is_closed = self.has_terminal && !is_at_terminal();
        if kind == SignalKind::hangup() && !is_closed && self.is_serving.load(Ordering::SeqCst) {
            self.reload.notify_one();
            return;
        }
        if self.is_serving.swap(false, Ordering::SeqCst) {
            self.stop.notify_one();
            return;
        }
        let is_running = self.drawn().is_some();
        let is_first = !self.cancel.swap(true, Ordering::SeqCst);
        const WORD: &str = "interrupted; what was finished is kept";
        let child = self.child.load(Ordering::SeqCst);
        if is_first && child != 0 {
            terminal.note("interrupted");
            command::terminate(child);
            return;
        }
        if is_first && is_running {
            self.drawn().iter().for_each(|drawn| drawn.note(WORD));
            let later = self.clone();
            tokio::spawn(async move {
                tokio::time::sleep(GRACE).await;
                later.exit();
            });
            return;
        }
        if is_first {
            terminal.note(WORD);
        }
        self.exit();
    }

    /// Ends the process with nothing left on the terminal and no program left running.
    fn exit(&self) {
        self.drawn().iter().for_each(Drawn::clear);
        command::kill_all();
        std::process::exit(ExitCode::Interrupted as i32);
    }

    fn drawn(&self) -> std::sync::MutexGuard<'_, Option<Drawn>> {
        self.drawn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on a signal asks the run to stop: what is returned becomes true.
    pub(super) fn run(&self, drawn: Drawn) -> &AtomicBool {
        *self.drawn() = Some(drawn);
        &self.cancel
    }

    /// From now on a signal is passed on to a process, which ends by itself.
    pub(super) fn pass_to(&self, child: u32) {
        self.child.store(child, Ordering::SeqCst);
        if self.has_come() {
            command::terminate(child);
        }
    }

    /// Whether a signal came.
    pub(super) fn has_come(&self) -> bool {
        self.cancel.load(Ordering::SeqCst)
    }

    /// From now on a signal asks the service to end.
    pub(super) fn serve(&self) -> impl Future<Output = ()> + use<> {
        // The run is over: the next signal but one ends the process, and not after a grace.
        *self.drawn() = None;
        self.is_serving.store(true, Ordering::SeqCst);
        let stop = Arc::clone(&self.stop);
        async move { stop.notified().await }
    }

    /// What is notified when a service is asked to look for another package.
    pub(super) fn reload(&self) -> Arc<Notify> {
        Arc::clone(&self.reload)
    }
}

/// Whether this process has a terminal that it would be signalled from.
fn is_at_terminal() -> bool {
    std::fs::File::open("/dev/tty").is_ok()
}

/// Whether this process was started with a signal ignored.
fn is_ignored(kind: SignalKind) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask & (1 << (kind.as_raw_value() - 1)) != 0
}
