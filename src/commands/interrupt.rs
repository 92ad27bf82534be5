//! Ctrl-C and SIGTERM: a run ends at once, a service ends cleanly.
//!
//! A run may end at any moment, because nothing is published before it is whole; what was finished
//! stays. A service first answers what it has begun; a second signal ends it at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use engine::error::ExitCode;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

use crate::terminal::Terminal;

/// Listens for signals until the process ends.
#[derive(Clone)]
pub(super) struct Interrupt {
    is_serving: Arc<AtomicBool>,
    stop: Arc<Notify>,
}

impl Interrupt {
    /// Starts to listen.
    ///
    /// # Errors
    /// When the system gives no thread or no signal handler.
    pub(super) fn listen(terminal: Terminal) -> anyhow::Result<Interrupt> {
        let interrupt = Interrupt { is_serving: Arc::default(), stop: Arc::default() };
        let listener = interrupt.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let (mut interrupts, mut terminations) = {
            let _entered = runtime.enter();
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
        };
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            runtime.block_on(async {
                loop {
                    std::future::poll_fn(|context| {
                        let received = interrupts.poll_recv(context).is_ready()
                            || terminations.poll_recv(context).is_ready();
                        if received { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
                    })
                    .await;
                    if !listener.is_serving.swap(false, Ordering::SeqCst) {
                        terminal.note("interrupted; what was finished is kept");
                        std::process::exit(ExitCode::Interrupted as i32);
                    }
                    listener.stop.notify_one();
                }
            });
        })?;
        Ok(interrupt)
    }

    /// From now on a signal asks the service to end.
    pub(super) fn serve(&self) -> impl Future<Output = ()> + use<> {
        self.is_serving.store(true, Ordering::SeqCst);
        let stop = Arc::clone(&self.stop);
        async move { stop.notified().await }
    }
}
