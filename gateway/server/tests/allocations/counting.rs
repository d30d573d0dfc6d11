//! A global allocator that counts what the hot threads take while it is told to.
#![expect(unsafe_code, reason = "only an allocator of the whole program sees every allocation")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    fs,
    sync::atomic::{AtomicBool, AtomicI32, AtomicU64, AtomicUsize, Ordering},
};

/// Hands everything on to the system's allocator.
struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

/// Threads whose allocations count; 0 in places that are free.
static WATCHED: [AtomicI32; 8] = [const { AtomicI32::new(0) }; 8];
static IS_ON: AtomicBool = AtomicBool::new(false);
static COUNT: AtomicU64 = AtomicU64::new(0);
/// Bytes of the last one that counted.
static LAST_LEN: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// The thread's number, once asked for. Neither made nor dropped with an allocation.
    static THREAD: Cell<i32> = const { Cell::new(0) };
}

fn note(len: usize) {
    if !IS_ON.load(Ordering::Relaxed) {
        return;
    }
    let number = THREAD.with(|cell| {
        if cell.get() == 0 {
            cell.set(rustix::thread::gettid().as_raw_nonzero().get());
        }
        cell.get()
    });
    if WATCHED.iter().any(|watched| watched.load(Ordering::Relaxed) == number) {
        COUNT.fetch_add(1, Ordering::Relaxed);
        LAST_LEN.store(len, Ordering::Relaxed);
    }
}

// SAFETY: every call goes to the system's allocator with its arguments unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: the caller keeps to the contract, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: `pointer` came from `alloc` or `realloc` above, so from the system.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        note(new_size);
        // SAFETY: as in `dealloc`; the caller keeps to the contract for `new_size`.
        unsafe { System.realloc(pointer, layout, new_size) }
    }
}

/// Numbers of this process's threads of these names.
pub(crate) fn numbers_of(names: &[&str]) -> Vec<i32> {
    let tasks = fs::read_dir("/proc/self/task").unwrap().map(|entry| entry.unwrap());
    let chosen = tasks.filter(|task| {
        let name = fs::read_to_string(task.path().join("comm")).unwrap_or_default();
        names.contains(&name.trim_end())
    });
    chosen.map(|task| task.file_name().to_str().unwrap().parse().unwrap()).collect()
}

/// Counts the allocations that the threads `names` make during `work`: how many there were, and
/// the bytes of the last one.
pub(crate) fn count(names: &[&str], work: impl FnOnce()) -> (u64, usize) {
    let numbers = numbers_of(names);
    assert_eq!(numbers.len(), names.len(), "threads {names:?}");
    for (place, number) in WATCHED.iter().zip(numbers) {
        place.store(number, Ordering::Relaxed);
    }
    COUNT.store(0, Ordering::Relaxed);
    IS_ON.store(true, Ordering::SeqCst);
    work();
    IS_ON.store(false, Ordering::SeqCst);
    for place in &WATCHED {
        place.store(0, Ordering::Relaxed);
    }
    (COUNT.load(Ordering::Relaxed), LAST_LEN.load(Ordering::Relaxed))
}
