//! A few threads that share one job at a time.
//!
//! A decoding step has some forty products of ten to a hundred microseconds each. A general
//! pool wakes its threads through the kernel for every one of them, which costs as much as
//! the product; these workers look for the next job for a short while before they sleep.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;

/// Turns of looking for a job before a worker sleeps: some tens of microseconds, the gap
/// between two products of one step.
const SPINS: usize = 20_000;

/// Most threads that a pool will start: past it the products are too short to share.
const MOST_THREADS: usize = 64;

/// The caller's closure, its lifetime hidden from the workers. See [`Pool::run`].
#[derive(Clone, Copy)]
struct Job {
    task: *const (dyn Fn(usize) + Sync),
    tasks: usize,
}

// SAFETY: the pointee is `Sync`, and `Pool::run` does not return before the workers are done
// with it.
unsafe impl Send for Job {}

/// What the caller and the workers share.
struct Shared {
    /// Grows by one a job; a worker that has seen an older number has a job to take.
    epoch: AtomicUsize,
    job: Mutex<Option<Job>>,
    wake: Condvar,
    /// The next task of the job to be taken.
    next: AtomicUsize,
    /// Workers at the job: they join it under its lock, so none joins once it is withdrawn.
    busy: AtomicUsize,
    /// Workers asleep, counted under the job's lock, so that nobody is woken in vain.
    asleep: AtomicUsize,
    panicked: AtomicBool,
    stop: AtomicBool,
}

/// Threads for one caller at a time; with one thread, the caller alone.
pub struct Pool {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    /// One job at a time, also where the pool is shared by several owners.
    turn: Mutex<()>,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Pool({} threads)", self.threads())
    }
}

impl Pool {
    /// A pool of `threads`, the caller's own among them: 1 to 64, others are brought into
    /// that range.
    ///
    /// # Errors
    /// The system's, when a thread cannot be started.
    pub fn new(threads: usize) -> io::Result<Pool> {
        let shared = Arc::new(Shared {
            epoch: AtomicUsize::new(0),
            job: Mutex::new(None),
            wake: Condvar::new(),
            next: AtomicUsize::new(0),
            busy: AtomicUsize::new(0),
            asleep: AtomicUsize::new(0),
            panicked: AtomicBool::new(false),
            stop: AtomicBool::new(false),
        });
        let mut pool = Pool {
            shared,
            workers: Vec::new(),
            turn: Mutex::new(()),
        };
        for index in 1..threads.clamp(1, MOST_THREADS) {
            let shared = Arc::clone(&pool.shared);
            let worker = std::thread::Builder::new()
                .name(format!("earnest-kernel-{index}"))
                .spawn(move || work(&shared))?;
            pool.workers.push(worker);
        }
        Ok(pool)
    }

    /// How many threads take part, the caller's own among them.
    pub fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// Calls `task` with each of `0..tasks`, in any order, on any of the threads, and returns
    /// when all are done.
    ///
    /// # Panics
    /// When a task does.
    pub fn run(&self, tasks: usize, task: &(dyn Fn(usize) + Sync)) {
        if self.workers.is_empty() || tasks <= 1 {
            (0..tasks).for_each(task);
            return;
        }
        let _turn = lock(&self.turn);
        let shared = &*self.shared;
        // SAFETY: only the lifetime changes. The guard below withdraws the job and waits for
        // the workers that joined it, on every way out of this function.
        let task_for_workers: *const (dyn Fn(usize) + Sync + 'static) =
            unsafe { std::mem::transmute(std::ptr::from_ref(task)) };
        let anyone_asleep = {
            let mut job = lock(&shared.job);
            *job = Some(Job {
                task: task_for_workers,
                tasks,
            });
            shared.next.store(0, Ordering::Relaxed);
            shared.epoch.fetch_add(1, Ordering::Release);
            shared.asleep.load(Ordering::Relaxed) > 0
        };
        if anyone_asleep {
            shared.wake.notify_all();
        }
        let waiting = WaitForWorkers(shared);
        take_tasks(shared, tasks, task);
        drop(waiting);
        if shared.panicked.swap(false, Ordering::AcqRel) {
            panic!("a task of the kernel pool panicked");
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        {
            let _job = lock(&self.shared.job);
            self.shared.stop.store(true, Ordering::Release);
            self.shared.epoch.fetch_add(1, Ordering::Release);
        }
        self.shared.wake.notify_all();
        for worker in self.workers.drain(..) {
            // A worker catches its tasks' panics, so there is nothing to learn from it.
            let _ = worker.join();
        }
    }
}

/// A poisoned lock only says that an earlier task panicked; no data is behind these.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Withdraws the job and waits, also when the caller's own task panics, until no worker holds
/// the closure. A worker that slept through the job is not waited for.
struct WaitForWorkers<'a>(&'a Shared);

impl Drop for WaitForWorkers<'_> {
    fn drop(&mut self) {
        *lock(&self.0.job) = None;
        let mut turns = 0_usize;
        while self.0.busy.load(Ordering::Acquire) != 0 {
            turns += 1;
            if turns.is_multiple_of(1024) {
                std::thread::yield_now();
            } else {
                std::hint::spin_loop();
            }
        }
    }
}

fn take_tasks(shared: &Shared, tasks: usize, task: &(dyn Fn(usize) + Sync)) {
    loop {
        let index = shared.next.fetch_add(1, Ordering::Relaxed);
        if index >= tasks {
            return;
        }
        task(index);
    }
}

fn work(shared: &Shared) {
    let mut seen = 0;
    loop {
        let Some(job) = next_job(shared, &mut seen) else {
            return;
        };
        // SAFETY: `Pool::run` keeps the closure alive until `busy`, which this worker was
        // counted into under the job's lock, is counted down below.
        let task = unsafe { &*job.task };
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            take_tasks(shared, job.tasks, task);
        }));
        if outcome.is_err() {
            shared.panicked.store(true, Ordering::Release);
        }
        shared.busy.fetch_sub(1, Ordering::Release);
    }
}

fn next_job(shared: &Shared, seen: &mut usize) -> Option<Job> {
    loop {
        for _ in 0..SPINS {
            if shared.epoch.load(Ordering::Acquire) != *seen {
                break;
            }
            std::hint::spin_loop();
        }
        let mut job = lock(&shared.job);
        while shared.epoch.load(Ordering::Acquire) == *seen {
            shared.asleep.fetch_add(1, Ordering::Relaxed);
            job = shared
                .wake
                .wait(job)
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            shared.asleep.fetch_sub(1, Ordering::Relaxed);
        }
        *seen = shared.epoch.load(Ordering::Acquire);
        if shared.stop.load(Ordering::Acquire) {
            return None;
        }
        if job.is_some() {
            shared.busy.fetch_add(1, Ordering::Relaxed);
            return *job;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_runs_exactly_once_over_many_jobs() {
        for threads in [1, 2, 3] {
            let pool = Pool::new(threads).unwrap();
            for tasks in (0..200).chain([1000]) {
                let counts: Vec<AtomicUsize> = (0..tasks).map(|_| AtomicUsize::new(0)).collect();
                pool.run(tasks, &|index| {
                    counts[index].fetch_add(1, Ordering::Relaxed);
                });
                assert!(
                    counts
                        .iter()
                        .all(|count| count.load(Ordering::Relaxed) == 1)
                );
            }
        }
    }

    #[test]
    fn a_panicking_task_reaches_the_caller_and_the_pool_lives_on() {
        let pool = Pool::new(2).unwrap();
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            pool.run(64, &|index| assert!(index != 40, "meant to"));
        }));
        assert!(outcome.is_err());
        let sum = AtomicUsize::new(0);
        pool.run(10, &|index| {
            sum.fetch_add(index, Ordering::Relaxed);
        });
        assert_eq!(sum.into_inner(), 45);
    }
}
