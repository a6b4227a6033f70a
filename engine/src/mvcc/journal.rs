//! The journal of a leaf: versions that came after its page was packed, in commit order. Filled in place by
//! the commit leader, read by any number of threads without locks.
//!
//! INV-JOURNAL-1: a record is in its slot, with its fingerprint and covered by `newest`, before `len`
//! counts it; what `len` counts never changes.

use rt::lockfree::{WriteOnce, read_step, settled, write_step};
use rt::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::record::{Place, Record, pattern, zero_bytes};
use crate::types::Version;

/// Most records of a journal.
pub(crate) const JOURNAL_MAX: usize = BLOCKS * BLOCK;
const BLOCKS: usize = 8;
/// Slots are allocated in blocks: most journals are short most of the time.
const BLOCK: usize = 4;
/// Fingerprints in one word.
const WORD: usize = 8;
/// Places in one word.
const PLACES: usize = 4;

type Block = Box<[WriteOnce<Record>; BLOCK]>;

/// Versions newer than those of the page.
#[derive(Debug)]
pub(crate) struct Journal {
    len: AtomicU32,
    /// The newest version of the leaf, page included; published or not.
    newest: AtomicU64,
    fingerprints: [AtomicU64; JOURNAL_MAX / WORD],
    /// Where the keys of the records belong in the page: for sorting them without a wait for each.
    places: [AtomicU64; JOURNAL_MAX / PLACES],
    blocks: [WriteOnce<Block>; BLOCKS],
}

impl Journal {
    /// Creates an empty one, over a page whose newest version is `newest`.
    pub(crate) fn new(newest: Version) -> Self {
        Self {
            len: AtomicU32::new("leaf.len", 0),
            newest: AtomicU64::new("leaf.newest", newest.get()),
            fingerprints: std::array::from_fn(|_| AtomicU64::new("leaf.fingerprints", 0)),
            places: std::array::from_fn(|_| AtomicU64::new("leaf.places", 0)),
            blocks: std::array::from_fn(|_| WriteOnce::new()),
        }
    }

    /// Returns how many records there are.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        read_step("leaf.len", self, || self.len.load(Ordering::Acquire)) as usize
    }

    /// Returns the newest version of the leaf, published or not. For the commit leader.
    #[inline]
    pub(crate) fn newest(&self) -> Version {
        Version::new(read_step("leaf.newest", self, || self.newest.load(Ordering::Acquire)))
    }

    /// Appends a record, whose key belongs there in the page. Only the commit leader does.
    ///
    /// # Panics
    /// When the journal is full.
    #[inline]
    pub(crate) fn push(&self, record: Record, place: Place) {
        write_step("leaf.push", self, || self.push_now(record, place));
    }

    fn push_now(&self, record: Record, place: Place) {
        let at = self.len.load(Ordering::Relaxed) as usize;
        let (fingerprint, version) = (record.fingerprint(), record.version().get());
        self.put(at, record);
        add_bits(&self.fingerprints[at / WORD], u64::from(fingerprint) << (at % WORD * 8));
        add_bits(&self.places[at / PLACES], u64::from(place.order()) << (at % PLACES * 16));
        if !rt::mutant!(LeafNewestNotRaised) {
            self.newest.store(version, Ordering::Release);
        }
        self.len.store(at as u32 + 1, Ordering::Release);
    }

    fn put(&self, at: usize, record: Record) {
        let block = &self.blocks[at / BLOCK];
        if block.get().is_none() {
            let fresh: Block = Box::new(std::array::from_fn(|_| WriteOnce::new()));
            assert!(block.set(fresh).is_ok(), "only the leader writes");
        }
        let slot = block.get().map(|block| &block[at % BLOCK]);
        let set = slot.is_some_and(|slot| slot.set(record).is_ok());
        assert!(set, "a slot is written once");
    }

    /// Returns the record of that number, which is below [`len`](Self::len).
    #[inline]
    pub(crate) fn get(&self, number: usize) -> Option<&Record> {
        self.blocks[number / BLOCK].get()?[number % BLOCK].get()
    }

    /// Returns where the keys of the first `len` records belong in the page, in commit order.
    pub(super) fn places(&self, len: usize) -> impl Iterator<Item = Place> {
        (0..len).map(|number| {
            // Not a step of its own in simulations, as with fingerprints.
            let word = settled(|| self.places[number / PLACES].load(Ordering::Relaxed));
            Place::of_order((word >> (number % PLACES * 16)) as u16)
        })
    }

    /// Returns all records, in commit order.
    pub(super) fn records(&self) -> impl Iterator<Item = &Record> {
        (0..self.len()).filter_map(|number| self.get(number))
    }

    /// Returns the first `len` records with their places, in commit order.
    pub(super) fn placed(&self, len: usize) -> impl Iterator<Item = (Place, &Record)> {
        self.places(len).enumerate().filter_map(|(number, place)| Some((place, self.get(number)?)))
    }

    /// Calls `check` with the first `len` records that may have that fingerprint, the newest first, until
    /// it says yes.
    #[inline]
    pub(crate) fn find(
        &self,
        len: usize,
        fingerprint: u8,
        mut check: impl FnMut(&Record) -> bool,
    ) -> Option<(usize, &Record)> {
        let pattern = pattern(fingerprint);
        for word in (0..len.div_ceil(WORD)).rev() {
            let fingerprints = self.fingerprints(word);
            let mut hits = zero_bytes(fingerprints ^ pattern);
            if len < (word + 1) * WORD {
                hits &= (1 << ((len - word * WORD) * 8)) - 1;
            }
            while hits != 0 {
                let top = 63 - hits.leading_zeros();
                hits ^= 1 << top;
                let number = word * WORD + (top / 8) as usize;
                if let Some(record) = self.get(number)
                    && check(record)
                {
                    return Some((number, record));
                }
            }
        }
        None
    }

    /// Returns a word of fingerprints. Not a step of its own in simulations, as what `len` counts never
    /// changes.
    #[inline]
    fn fingerprints(&self, word: usize) -> u64 {
        settled(|| self.fingerprints[word].load(Ordering::Relaxed))
    }
}

/// Sets bits of a word that only the leader writes.
#[inline]
fn add_bits(word: &AtomicU64, bits: u64) {
    word.store(word.load(Ordering::Relaxed) | bits, Ordering::Relaxed);
}
