//! How the engine's tables are allocated: at start, on huge pages where the system has them, and
//! touched, so that trading meets no page for the first time.

#![cfg_attr(
    all(target_os = "linux", not(miri)),
    expect(unsafe_code, reason = "advice about memory takes a pointer")
)]

use core::mem::MaybeUninit;

/// Size of a huge page, or a multiple of it.
#[cfg(all(target_os = "linux", not(miri)))]
const HUGE: usize = 2 << 20;

/// A table of `len` times `value`.
pub(crate) fn filled<T: Clone>(value: T, len: usize) -> Vec<T> {
    let mut table = Vec::with_capacity(len);
    advise(table.spare_capacity_mut());
    table.resize(len, value);
    table
}

/// An empty table with room for `capacity` items; `value` is what its memory is touched with.
pub(crate) fn empty<T: Clone>(value: T, capacity: usize) -> Vec<T> {
    let mut table = filled(value, capacity);
    table.clear();
    table
}

/// Asks for huge pages before the memory is touched. Without them the tables are only slower.
#[cfg(all(target_os = "linux", not(miri)))]
fn advise<T>(room: &mut [MaybeUninit<T>]) {
    let bytes = size_of_val(room);
    let start = room.as_mut_ptr().cast::<u8>();
    let before = start.align_offset(HUGE);
    let Some(inside) = bytes.checked_sub(before) else { return };
    let len = inside / HUGE * HUGE;
    if len == 0 {
        return;
    }
    let first = start.wrapping_add(before).cast();
    // SAFETY: the range lies within `room`, which is ours alone; the advice changes neither what is
    // in the memory nor who may access it. A kernel without huge pages says no, and that is all.
    let _advised = unsafe { rustix::mm::madvise(first, len, rustix::mm::Advice::LinuxHugepage) };
}

#[cfg(not(all(target_os = "linux", not(miri))))]
const fn advise<T>(_room: &mut [MaybeUninit<T>]) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_whole_whatever_its_size() {
        let large = if cfg!(miri) { 10_001 } else { 3_000_001 };
        for len in [0, 1, 1_000, large] {
            let table = filled(7_u32, len);
            assert_eq!((table.len(), table.iter().all(|&it| it == 7)), (len, true));
            let table = empty(7_u32, len);
            assert!(table.is_empty() && len <= table.capacity());
        }
    }
}
