//! How much memory a run with a cache takes, counted where it is allocated: a program of its own, as others would be counted
//! with it. With two threads: each has a chunk of sequences.

use algolens_core::{
    engine::{Engine, Plain, hooks::Filter},
    model::Model,
    task::SortedList,
    train::Architecture,
};
use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

/// The system's allocator, which counts bytes.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is the system's allocator's; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD.fetch_add(layout.size(), Relaxed) + layout.size();
        MOST.fetch_max(held, Relaxed);
        // SAFETY: the caller's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

#[test]
fn a_cache_of_500_lists_takes_at_most_a_fifth_more_than_it_holds() {
    let model = Model::<f32>::init(Architecture::default().config(&SortedList::POST), 0).unwrap();
    let data = SortedList::POST.dataset(500, 0);
    let engine = Plain::new();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    let before = HELD.load(Relaxed);
    MOST.store(before, Relaxed);
    let (logits, cache) = pool.install(|| engine.run_with_cache(&model, data.tokens(), Filter::All)).unwrap();
    let most = MOST.load(Relaxed) - before;
    let numbers = logits.len() + cache.iter().map(|(_, activation)| activation.len()).sum::<usize>();
    let held = numbers * size_of::<f32>();
    assert!(most >= held && most * 5 <= held * 6, "{most} bytes at most, {held} of them recorded");
}
