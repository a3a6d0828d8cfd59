//! Work on several threads, whose results come in the order of what they were made of.

use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

/// Results of one piece of work that wait to be taken: each may be large.
const AHEAD: usize = 1;

/// What becomes of a piece of work: it is called with each result, and says whether anybody wants another one.
pub(super) type Give<'a, T> = &'a mut dyn FnMut(T) -> bool;

/// The results of one piece of work; nothing after the last.
type Results<T> = Receiver<Option<T>>;

/// Results in the order of the work.
///
/// Threads take the next piece of work under a lock, so that a source need not be one of several threads. How much is made
/// before anybody takes it is limited.
#[derive(Debug)]
pub(super) struct InOrder<T> {
    queue: Option<Receiver<Results<T>>>,
    current: Option<Results<T>>,
    threads: Vec<JoinHandle<()>>,
}

impl<T: Send + 'static> InOrder<T> {
    /// Starts a thread for each worker.
    pub(super) fn start<W: Send + 'static>(
        source: impl FnMut() -> Option<W> + Send + 'static,
        workers: Vec<impl FnMut(W, Give<'_, T>) + Send + 'static>,
    ) -> Self {
        let source = Arc::new(Mutex::new(source));
        // Beside what waits here, one piece is taken and one is about to wait: so every thread has one.
        let (sender, queue) = sync_channel(workers.len().saturating_sub(1).max(1));
        let start = |worker| {
            let (source, sender) = (Arc::clone(&source), sender.clone());
            thread::spawn(move || work(&source, worker, &sender))
        };
        let threads = workers.into_iter().map(start).collect();
        Self { queue: Some(queue), current: None, threads }
    }

    /// The next result; `None` after the last.
    ///
    /// # Panics
    /// When a thread has.
    pub(super) fn next(&mut self) -> Option<T> {
        loop {
            let Some(current) = &self.current else {
                match self.queue.as_ref()?.recv() {
                    Ok(next) => self.current = Some(next),
                    Err(_) => return self.end(),
                }
                continue;
            };
            match current.recv() {
                Ok(Some(result)) => return Some(result),
                Ok(None) => self.current = None,
                Err(_) => return self.end(),
            }
        }
    }

    fn end(&mut self) -> Option<T> {
        (self.queue, self.current) = (None, None);
        for thread in self.threads.drain(..) {
            if let Err(panic) = thread.join() {
                resume_unwind(panic);
            }
        }
        None
    }
}

fn work<W, T>(
    source: &Mutex<impl FnMut() -> Option<W>>,
    mut worker: impl FnMut(W, Give<'_, T>),
    queue: &SyncSender<Results<T>>,
) {
    loop {
        let (piece, results) = {
            let Ok(mut source) = source.lock() else { return };
            let Some(piece) = source() else { return };
            let (sender, results) = sync_channel(AHEAD);
            // Under the lock: the order of the queue is that of the work.
            if queue.send(results).is_err() {
                return;
            }
            (piece, sender)
        };
        let mut wanted = true;
        worker(piece, &mut |result| {
            wanted = wanted && results.send(Some(result)).is_ok();
            wanted
        });
        if !wanted || results.send(None).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Gives each number as many times as it says, later ones sooner.
    fn repeat(number: u64, give: Give<'_, u64>) {
        thread::sleep(Duration::from_millis(3 - number.min(3)));
        let _ = (0..number).all(|_| give(number));
    }

    #[test]
    fn results_come_in_the_order_of_the_work() {
        for threads in [1, 2, 5] {
            let mut numbers = [3, 1, 0, 4, 2, 0, 5].into_iter();
            let mut results = InOrder::start(move || numbers.next(), vec![repeat; threads]);
            let found: Vec<u64> = std::iter::from_fn(|| results.next()).collect();
            assert_eq!(found, [3, 3, 3, 1, 4, 4, 4, 4, 2, 2, 5, 5, 5, 5, 5]);
            assert_eq!(results.next(), None);
        }
    }

    #[test]
    fn threads_end_when_nobody_takes_what_they_make() {
        let mut results = InOrder::start(|| Some(9), vec![repeat; 3]);
        assert_eq!(results.next(), Some(9));
        let threads = std::mem::take(&mut results.threads);
        drop(results);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    }

    #[test]
    #[should_panic(expected = "seven")]
    fn a_panic_is_handed_on() {
        let mut numbers = 0..10;
        let panics = |number: i32, give: Give<'_, i32>| {
            assert_ne!(number, 7, "seven");
            give(number);
        };
        let mut results = InOrder::start(move || numbers.next(), vec![panics; 2]);
        while results.next().is_some() {}
    }
}
