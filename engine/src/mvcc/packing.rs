//! Packs leaves whose journals are nearly full beside commits, so that few commits have to: the leader's lock
//! is held for as long as it takes to put the result in place.
//!
//! What is packed are the records that every snapshot sees. Those that came after them, or meanwhile, go into
//! the journal of the new leaf.
//!
//! INV-PACKING-1: a leaf is put in place of the very state that it was packed from, and has all of that
//! state's records: none is lost, and none that was rolled back returns.

use rt::lockfree::{Published, pin};
use rt::sync::{Condvar, Mutex};
use rt::time::Instant;

use super::active_snapshots::ActiveSnapshots;
use super::index::Index;
use super::leaf::{Keys, Leaf, Order};
use super::page::compare;
use super::repack::{Plan, gather_keys, patch_by};
use super::writer::{Packed, Writer};
use crate::types::Version;

/// How long a thread that packs looks for more by itself, before commits have to wake it: that costs them
/// more than all else that they do here.
fn rounds_awake() -> u32 {
    if rt::probe::is_simulated() { 0 } else { 50 }
}

/// Between two looks.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(1);

/// The leaves that commits ask to pack, and the thread that waits for them.
#[derive(Debug)]
pub(crate) struct PackingQueue {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct State {
    numbers: Vec<u32>,
    /// Whether there is a thread that packs.
    is_served: bool,
    /// Whether it waits to be woken.
    is_asleep: bool,
    is_stopping: bool,
    /// How often it has looked since there was something.
    rounds: u32,
}

/// What a thread that waits is to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Pack these leaves.
    Pack(Vec<u32>),
    /// What is due at the deadline.
    Due,
    Stop,
}

impl PackingQueue {
    pub(super) fn new() -> Self {
        Self {
            state: Mutex::new("maintenance.turn", State { rounds: u32::MAX, ..State::default() }),
            wake: Condvar::new("maintenance.wake"),
        }
    }

    /// From now on there is a thread that packs, which [waits](Self::wait).
    pub(crate) fn serve(&self) {
        self.state.lock().is_served = true;
    }

    /// Asks to pack a leaf.
    #[cold]
    pub(super) fn ask(&self, number: u32) {
        let mut state = self.state.lock();
        if !state.is_served {
            return;
        }
        state.numbers.push(number);
        if std::mem::take(&mut state.is_asleep) {
            drop(state);
            self.wake.notify_all();
        }
    }

    /// Waits for leaves to pack, or for the deadline.
    pub(crate) fn wait(&self, deadline: Instant) -> Turn {
        let mut state = self.state.lock();
        loop {
            if state.is_stopping {
                return Turn::Stop;
            }
            if !state.numbers.is_empty() {
                state.rounds = 0;
                return Turn::Pack(std::mem::take(&mut state.numbers));
            }
            let now = rt::time::now();
            if now >= deadline {
                return Turn::Due;
            }
            let until = if state.rounds < rounds_awake() {
                state.rounds += 1;
                deadline.min(now.saturating_add(PAUSE))
            } else {
                state.is_asleep = true;
                deadline
            };
            self.wake.wait_until(&mut state, until);
            state.is_asleep = false;
        }
    }

    /// Tells the thread to stop.
    pub(crate) fn stop(&self) {
        let mut state = self.state.lock();
        (state.is_stopping, state.is_served) = (true, false);
        drop(state);
        self.wake.notify_all();
    }
}

/// A leaf that was packed beside commits.
#[derive(Debug)]
pub(crate) struct PackedBeside {
    number: u32,
    before: Published<Leaf>,
    /// How many records of its journal are in the new pages.
    records: usize,
    left: Leaf,
    /// The second half, if it was split.
    right: Option<Leaf>,
    dropped: usize,
}

impl Index {
    /// Packs the records of a leaf's journal that every snapshot at or above `oldest` sees, if it is worth
    /// it. Changes nothing; no snapshot may be below `oldest`.
    pub(crate) fn pack_beside(&self, number: u32, oldest: Version) -> Option<PackedBeside> {
        let before = {
            let pin = pin();
            self.directory.leaf(number, &pin)?.keep()?
        };
        // Tombstones and what is old are for the leader: when they may go depends on what happens meanwhile.
        if before.history.is_some() || before.page.tombstones() > 0 {
            return None;
        }
        let is_seen = |version: Version| version <= oldest || rt::mutant!(PackingIgnoresSnapshots);
        let len = before.journal.len();
        let settled = before.journal.placed(len);
        let records = settled.take_while(|(_, record)| is_seen(record.version()) && record.value().is_some());
        let records = records.count();
        let keys = Keys::new(&before, Order::of_first(&before, records));
        // Of a hot key the leader keeps the newest version, which costs less.
        let is_worth = records * 2 >= self.sizes.journal && !keys.has_few_old_keys(self.sizes.journal);
        if !is_worth || !is_seen(before.page.newest()) {
            return None;
        }
        if let Some(left) = patch_by(&before, records) {
            drop(keys);
            return Some(PackedBeside { number, before, records, left, right: None, dropped: 0 });
        }
        let gathered =
            gather_keys(&before, &keys, &Plan::collecting(ActiveSnapshots::from(oldest), oldest.next()));
        let dropped = gathered.dropped;
        let (left, right) = match gathered.split_at(self.sizes.page) {
            Some(at) => {
                let (left, right) = gathered.pack_two(at, &before.fence);
                (left, Some(right))
            }
            None => (gathered.pack(&before.fence), None),
        };
        drop((gathered, keys));
        Some(PackedBeside { number, before, records, left, right, dropped })
    }
}

impl Writer {
    /// Puts a leaf in place that was packed beside commits, unless another state came before it. For the
    /// writer, between two groups. Returns the state before, to be dropped outside of its lock, and how many
    /// versions went.
    pub(crate) fn put_in_place(
        &mut self,
        index: &Index,
        packed: PackedBeside,
    ) -> Option<(Published<Leaf>, usize)> {
        let PackedBeside { number, before, records, left, right, dropped } = packed;
        let pin = pin();
        let is_current =
            index.directory.leaf(number, &pin).is_some_and(|leaf| std::ptr::eq(&*leaf, &*before));
        if !is_current && !rt::mutant!(PackingTrustsItsLeaf) {
            rt::reached!("packing beside commits came too late");
            return None;
        }
        let news = before.journal.placed(before.journal.len()).skip(records);
        for (_, record) in news.filter(|_| !rt::mutant!(PackingForgetsNews)) {
            let leaf = match &right {
                Some(right) if compare(record.key(), &right.fence.lower).is_ge() => right,
                _ => &left,
            };
            leaf.journal.push(record.clone(), leaf.place(record.key(), record.fingerprint()));
        }
        let bytes = self.bytes_of(number, &before);
        let (packed_left, mut kept) = (Packed::with_journal(&left), left.bytes_by_reference());
        if let Some(right) = right {
            rt::reached!("leaf split beside commits");
            let packed_right = Packed::with_journal(&right);
            kept += right.bytes_by_reference();
            let (new, _) = index.directory.split(&mut self.numbers, number, left, right);
            self.note_packed(new, packed_right);
        } else {
            rt::reached!("leaf packed beside commits");
            index.directory.replace(number, left);
        }
        self.note_packed(number, packed_left);
        self.retired.count(&before, bytes.saturating_sub(kept));
        Some((before, dropped))
    }
}
