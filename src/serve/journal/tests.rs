//! Tests of the queue and the thread of a journal, over sinks that fail and that are stuck.

use std::sync::mpsc::{Receiver, channel};

use super::*;

/// How long a thread may take for anything.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a sink was given.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

/// A sink that takes nothing while its disk is full, and waits where it is told to.
struct Disk {
    kept: Kept,
    is_full: Arc<Mutex<bool>>,
    /// A word for every write that may begin; `None` for a disk that is never stuck.
    turns: Option<Receiver<()>>,
}

impl Sink for Disk {
    fn write(&mut self, lines: &[u8]) -> Written {
        if let Some(turns) = &self.turns {
            let _ = turns.recv();
        }
        if *self.is_full.lock().unwrap() {
            return Written { lines: 0, fault: Some("full".to_owned()) };
        }
        self.kept.0.lock().unwrap().extend_from_slice(lines);
        let lines = lines.iter().filter(|byte| **byte == b'\n').count() as u64;
        Written { lines, fault: None }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn disk(turns: Option<Receiver<()>>) -> Disk {
    Disk { kept: Kept::default(), is_full: Arc::default(), turns }
}

/// Waits until something is so.
fn until(is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "it never came");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn all_that_was_taken_is_written_in_order_before_the_end() {
    let disk = disk(None);
    let kept = disk.kept.clone();
    let journal = Journal::start(disk, |_| {}).unwrap();
    (0..5000).for_each(|i| journal.append(i.to_string().as_bytes()));
    assert!(journal.close(PATIENCE));
    journal.append(b"too late");
    let expected: String = (0..5000).map(|i| format!("{i}\n")).collect();
    assert_eq!(String::from_utf8(kept.0.lock().unwrap().clone()).unwrap(), expected);
    assert_eq!((journal.written(), journal.dropped()), (5000, 1));
}

#[test]
fn lines_of_many_threads_stay_whole() {
    let disk = disk(None);
    let kept = disk.kept.clone();
    let journal = Journal::start(disk, |_| {}).unwrap();
    std::thread::scope(|scope| {
        for name in ["a", "b", "c", "d"] {
            let journal = journal.clone();
            scope.spawn(move || (0..2000).for_each(|_| journal.append(name.repeat(50).as_bytes())));
        }
    });
    assert!(journal.close(PATIENCE));
    let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
    assert_eq!(text.lines().count(), 8000);
    let is_whole = |line: &str| line.len() == 50 && line.bytes().all(|b| b == line.as_bytes()[0]);
    assert!(text.lines().all(is_whole));
}

#[test]
fn a_disk_that_is_stuck_costs_lines_and_neither_time_nor_memory() {
    let (turns, taken) = channel();
    let disk = disk(Some(taken));
    let kept = disk.kept.clone();
    let journal = Journal::start(disk, |_| {}).unwrap();
    let line = [b'x'; 1023];
    let n_lines = 4 * MAX_WAITING as u64 / 1024;
    let start = Instant::now();
    (0..n_lines).for_each(|_| journal.append(&line));
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    // As much as waits, and as much as is being written; nothing else is left.
    let most = 2 * MAX_WAITING as u64 / 1024;
    let dropped = journal.dropped();
    assert!((n_lines - most..n_lines).contains(&dropped), "{dropped} of {n_lines}");
    assert!(journal.0.0.lock().bytes.capacity() <= 2 * MAX_WAITING);
    assert!(!journal.close(Duration::from_millis(10)), "it is stuck");
    drop(turns);
    until(|| journal.written() == n_lines - dropped);
    assert_eq!(kept.0.lock().unwrap().len() as u64, (n_lines - dropped) * 1024);
}

#[test]
fn a_fault_is_told_once_with_its_reason_and_its_end_with_what_it_cost() {
    let disk = disk(None);
    let is_full = Arc::clone(&disk.is_full);
    let told = Arc::<Mutex<Vec<News>>>::default();
    let heard = Arc::clone(&told);
    let journal = Journal::start(disk, move |news| heard.lock().unwrap().push(news.clone()));
    let journal = journal.unwrap();
    *is_full.lock().unwrap() = true;
    for n in 1..=5 {
        journal.append(b"lost");
        until(|| journal.dropped() == n);
    }
    *is_full.lock().unwrap() = false;
    journal.append(b"kept");
    assert!(journal.close(PATIENCE));
    assert_eq!((journal.written(), journal.dropped()), (1, 5));
    let expected = [News::Failing { reason: "full".to_owned() }, News::Resumed { lost: 5 }];
    assert_eq!(*told.lock().unwrap(), expected);
}

#[test]
fn a_journal_that_nobody_has_any_more_ends() {
    let disk = disk(None);
    let (kept, is_full) = (disk.kept.clone(), Arc::clone(&disk.is_full));
    let journal = Journal::start(disk, |_| {}).unwrap();
    journal.append(b"last");
    drop(journal);
    // The thread had the other one.
    until(|| Arc::strong_count(&is_full) == 1);
    assert_eq!(*kept.0.lock().unwrap(), b"last\n");
}
