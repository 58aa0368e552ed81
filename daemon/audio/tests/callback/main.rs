//! What runs in the sound library's callback allocates nothing and frees nothing: here it runs
//! under an allocator that ends the process for either.
//!
//! A callback that allocates waits for whatever lock the allocator has, and a sound library does
//! not wait for it. The ring's own crate is wait-free; this is about what stands around it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::env;
use std::hint::black_box;
use std::os::unix::process::ExitStatusExt;
use std::process::{self, Command};

use earnest_audio::{Encoding, Intake, Outlet, ring};

thread_local! {
    /// Whether this thread is in the callback. It needs neither a start nor an end, so asking
    /// for it allocates nothing.
    static ARMED: Cell<bool> = const { Cell::new(false) };
}

/// The system's allocator, which ends the process in the callback.
struct Watched;

fn watch() {
    if ARMED.with(|armed| black_box(armed).get()) {
        process::abort();
    }
}

#[expect(unsafe_code, reason = "an allocator is an unsafe trait")]
// SAFETY: each call is handed to the system's allocator as it came, with the caller's own
// promises; all that is added is an end of the process, after which nothing is used.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        watch();
        // SAFETY: the caller keeps to the contract of `alloc`, which is the system's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        watch();
        // SAFETY: `memory` came from the system's allocator, by `alloc` above.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Watched = Watched;

/// Runs the callback with the allocator armed.
fn armed(run: impl FnOnce()) {
    arm(true);
    run();
    arm(false);
}

/// The compiler takes it that no allocator reads what a program writes, and would leave out a
/// flag that nobody else looks at.
fn arm(whether: bool) {
    ARMED.with(|armed| {
        armed.set(whether);
        black_box(armed);
    });
}

/// The frames that a device hands over at once, in bytes that go through every value.
fn bytes(frames: usize, channels: u16) -> Vec<u8> {
    let bytes = frames * usize::from(channels) * 8;
    (0..bytes).map(|n| ((n * 131) >> 3) as u8).collect()
}

fn emptied(outlet: &mut Outlet) -> usize {
    let mut samples = vec![0; outlet.waiting()];
    outlet.read(&mut samples)
}

#[test]
fn no_encoding_and_no_number_of_channels_allocates() {
    for encoding in Encoding::ALL {
        for channels in 1..=8 {
            let (mut intake, mut outlet) = ring(16_000, encoding, channels, false);
            let bytes = bytes(640, channels);
            // The first time, around the end of the ring, and into one that is full.
            for _ in 0..200 {
                armed(|| intake.take(&bytes));
            }
            assert_eq!(emptied(&mut outlet), 16_000, "{encoding:?}");
            assert!(outlet.take_lost() > 0);
            armed(|| intake.take(&bytes));
            assert!(emptied(&mut outlet) >= 640);
        }
    }
}

#[test]
fn bytes_that_are_no_whole_frame_and_a_reader_that_is_gone_allocate_nothing() {
    let (mut intake, outlet) = ring(64, Encoding::I24, 3, false);
    for length in 0..64 {
        let bytes = vec![0x80; length];
        armed(|| intake.take(&bytes));
    }
    drop(outlet);
    armed(|| intake.take(&[1; 1_200]));
}

#[test]
fn a_lossless_callback_sleeps_and_allocates_nothing() {
    let (mut intake, mut outlet) = ring(64, Encoding::F32, 1, true);
    let reader = std::thread::spawn(move || {
        let mut heard = 0;
        while heard < 10_000 {
            heard += emptied(&mut outlet);
            std::thread::yield_now();
        }
    });
    let bytes = vec![0; 40_000];
    armed(|| intake.take(&bytes));
    assert!(reader.join().is_ok());
}

/// The callback runs in a thread of the library's, so each end of the ring goes to another.
#[test]
fn both_ends_can_go_to_other_threads() {
    fn is_sent<T: Send>() {}
    is_sent::<Intake>();
    is_sent::<Outlet>();
}

/// The test can fail: this one's process ends.
#[test]
fn what_allocates_in_the_callback_ends_the_process() {
    const CHILD: &str = "EARNEST_ALLOCATES";
    if env::var_os(CHILD).is_some() {
        armed(|| drop(black_box(Box::new(7))));
        return;
    }
    let mut again = Command::new(env::current_exe().expect("a program knows its path"));
    again.args(["--exact", "what_allocates_in_the_callback_ends_the_process"]);
    let ended = again.env(CHILD, "1").output().expect("it starts");
    assert_eq!(ended.status.signal(), Some(6), "{ended:?}");
}
