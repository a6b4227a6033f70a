//! References by number, in segments that are never moved.

use rt::lockfree::{AtomicRef, Loaded, Pin, Published, WriteOnce};

/// The first segment has as many places; each of the others twice as many as the one before.
const FIRST: usize = 16;
/// Enough for all numbers of 32 bits.
const SEGMENTS: usize = 33 - FIRST.trailing_zeros() as usize;

type Segment<T> = Box<[AtomicRef<T>]>;

/// Any number of references, each found by its number.
#[derive(Debug)]
pub(crate) struct Table<T> {
    label: &'static str,
    segments: [WriteOnce<Segment<T>>; SEGMENTS],
}

impl<T: 'static> Table<T> {
    pub(crate) fn new(label: &'static str) -> Self {
        Self { label, segments: std::array::from_fn(|_| WriteOnce::new()) }
    }

    /// Returns the value of that number; `None` if there is none.
    #[inline]
    pub(crate) fn load<'pin>(&self, number: u32, pin: &'pin Pin) -> Option<Loaded<'pin, T>> {
        let (segment, place) = locate(number);
        self.segments[segment].get()?[place].load(pin)
    }

    /// Replaces the value of that number, and returns the one before. One thread at a time.
    pub(crate) fn set(&self, number: u32, value: Option<T>) -> Option<Published<T>> {
        let (segment, place) = locate(number);
        let cell = &self.segments[segment];
        if cell.get().is_none() {
            let places = FIRST << segment;
            let fresh = (0..places).map(|_| AtomicRef::empty(self.label)).collect();
            assert!(cell.set(fresh).is_ok(), "one thread at a time writes");
        }
        let segment = cell.get().expect("it was just made");
        segment[place].swap(value.map(Published::new))
    }
}

/// Segment, and place in it.
#[inline]
const fn locate(number: u32) -> (usize, usize) {
    let position = number as usize + FIRST;
    let segment = (position.ilog2() - FIRST.ilog2()) as usize;
    (segment, position - (FIRST << segment))
}

#[cfg(test)]
mod tests {
    use super::{FIRST, locate};

    #[test]
    fn numbers_fill_segment_after_segment() {
        let mut expected = (0, 0);
        for number in 0..10_000 {
            assert_eq!(locate(number), expected);
            expected.1 += 1;
            if expected.1 == FIRST << expected.0 {
                expected = (expected.0 + 1, 0);
            }
        }
    }
}
