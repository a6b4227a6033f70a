//! The open snapshots, as counters per generation.
//!
//! A generation is a span of published versions with a counter of the snapshots that began in it. Beginning
//! increments the counter of the current generation, ending decrements it; nothing is allocated or ordered.
//! The counter is split into stripes, so that threads do not wait for each other's cache lines: it is zero
//! when all stripes are. Snapshots are where generations are that are in use: from the version that was
//! published when one began to that when the next did. Epoch-based reclamation (Fraser, "Practical
//! lock-freedom", 2004, §5.2.3) with versions in the place of epochs, and epochs that end in any order.
//!
//! ```text
//! generation   4         5         6         7  (current)
//! versions     v20–v31   v31–v40   v40–v44   v44–
//! in use       2         0         0         1            snapshots: v20–v31, v44–
//! ```
//!
//! * INV-SNAP-1: a registered snapshot reads at a version of its generation: at or above the one that was
//!   published when it began, at or below the one that was published when the next did.
//! * INV-SNAP-2: a generation with a registered snapshot is active. Registration re-checks that its
//!   generation is still the current one after it has counted itself, and has read its version; the collector
//!   reads the counters after it has moved the current generation on. Both in sequentially consistent order,
//!   so one of them sees the other. A stripe that was zero then has no registered snapshot any more, so the
//!   stripes may be read one after the other.
//! * INV-SNAP-3: a generation that is no longer current and was found unused stays so, so that its place is
//!   free for another, and what only it saw may go.

use rt::sync::atomic::{AtomicU64, Ordering};
use rt::sync::{Arc, Mutex};
use rt::thread::STRIPES;

use crate::mvcc::ActiveSnapshots;
use crate::types::Version;

/// Counts snapshots by generation.
#[derive(Debug)]
pub(crate) struct SnapshotRegistry {
    places: Box<[Place]>,
    /// The number of the current generation, and its place.
    current: AtomicU64,
    /// A version at or below every registered snapshot.
    floor: AtomicU64,
    generations: Mutex<Generations>,
    /// The newest version that snapshots may read.
    published: Arc<AtomicU64>,
}

/// Where the snapshots of a generation are counted.
#[derive(Debug)]
struct Place([Stripe; STRIPES]);

/// Part of a counter, alone on its cache line.
#[derive(Debug)]
#[repr(align(64))]
struct Stripe(AtomicU64);

/// The generations that may be in use. Only the commit leader changes them.
#[derive(Debug)]
struct Generations {
    /// The oldest first; the current one is the last.
    active: Vec<Generation>,
    free_places: Vec<usize>,
}

#[derive(Clone, Copy, Debug)]
struct Generation {
    place: usize,
    first: Version,
    last: Version,
}

/// A snapshot in use, until it is given back with [`SnapshotRegistry::release`].
#[derive(Debug)]
pub(crate) struct Registered {
    place: usize,
    stripe: usize,
    pub(crate) version: Version,
}

/// Bits of [`SnapshotRegistry::current`] for the place; those above are the number.
const PLACE_BITS: u32 = 20;

impl SnapshotRegistry {
    /// `places`: how many generations may be in use at once, from 2 to 2^20.
    pub(crate) fn new(places: usize, published: Arc<AtomicU64>) -> Self {
        let first = Version::new(published.load(Ordering::SeqCst));
        let stripe = || Stripe(AtomicU64::new("snapshot.in_use", 0));
        let generations = Generations {
            active: vec![Generation { place: 0, first, last: Version::MAX }],
            free_places: (1..places).rev().collect(),
        };
        Self {
            places: (0..places).map(|_| Place(std::array::from_fn(|_| stripe()))).collect(),
            current: AtomicU64::new("snapshot.current", 0),
            floor: AtomicU64::new("snapshot.floor", first.get()),
            generations: Mutex::new("snapshot.generations", generations),
            published,
        }
    }

    /// Registers a snapshot at the newest published version (V5).
    #[inline]
    pub(crate) fn register(&self) -> Registered {
        let early = self.version_before_registration();
        let stripe = rt::thread::stripe();
        loop {
            let current = self.current.load(Ordering::SeqCst);
            let place = place_of(current);
            rt::probe::at("snapshot generation read");
            let counter = self.counter(place, stripe);
            // Counted before the second check: a collector that moves on after the check sees the counter
            // (INV-SNAP-2).
            counter.fetch_add(1, Ordering::SeqCst);
            // Read between the two: a version read before could be collected before this is counted, and one
            // read after the check could be above those of its generation (INV-SNAP-1).
            let version = self.published_version();
            if self.current.load(Ordering::SeqCst) == current || rt::mutant!(SnapshotNotRechecked) {
                let version = self.version_after_check().unwrap_or(version);
                return Registered { place, stripe, version: early.unwrap_or(version) };
            }
            counter.fetch_sub(1, Ordering::SeqCst);
        }
    }

    #[inline]
    fn published_version(&self) -> Version {
        Version::new(self.published.load(Ordering::SeqCst))
    }

    /// A deliberate bug of the zoo, empty in production: reads the version before the snapshot is counted.
    #[inline]
    fn version_before_registration(&self) -> Option<Version> {
        rt::mutant!(SnapshotReadBeforeRegistered).then(|| {
            let version = self.published_version();
            rt::probe::at("begin.read→register");
            version
        })
    }

    /// A deliberate bug of the zoo, empty in production: reads the version after the second check.
    #[inline]
    fn version_after_check(&self) -> Option<Version> {
        rt::mutant!(SnapshotAboveItsGeneration).then(|| {
            rt::probe::at("begin.check→read");
            self.published_version()
        })
    }

    /// Releases a snapshot.
    #[inline]
    pub(crate) fn release(&self, registered: &Registered) {
        if rt::mutant!(ReleaseUnprotectsEqual) {
            self.counter(registered.place, registered.stripe).store(0, Ordering::SeqCst);
            return;
        }
        self.counter(registered.place, registered.stripe).fetch_sub(1, Ordering::SeqCst);
    }

    /// Begins a new generation, if there is a free place, and returns where snapshots may be. Only the commit
    /// leader calls this.
    pub(crate) fn advance(&self) -> ActiveSnapshots {
        let mut generations = self.generations.lock();
        let published = self.published_version();
        if generations.free_places.is_empty() {
            self.free_unused(&mut generations);
        }
        let number = (self.current.load(Ordering::SeqCst) >> PLACE_BITS) + 1;
        let Generations { active, free_places } = &mut *generations;
        if let Some(current) = active.last_mut()
            && current.first < published
            && let Some(place) = free_places.pop()
        {
            current.last = published;
            active.push(Generation { place, first: published, last: Version::MAX });
            self.current.store(number << PLACE_BITS | place as u64, Ordering::SeqCst);
        }
        // After the move (INV-SNAP-2).
        self.free_unused(&mut generations);
        let spans = generations.active.iter().map(|generation| (generation.first, generation.last));
        let active = ActiveSnapshots::of(spans);
        self.floor.store(active.oldest().get(), Ordering::SeqCst);
        active
    }

    /// Gives back the places of generations that are not current, and not in use (INV-SNAP-3).
    fn free_unused(&self, generations: &mut Generations) {
        let Generations { active, free_places } = generations;
        active.retain(|generation| {
            let is_active = generation.last == Version::MAX || !self.places[generation.place].is_unused();
            if !is_active {
                free_places.push(generation.place);
            }
            is_active
        });
    }

    /// Returns a version at or below every registered snapshot. Exact for the commit leader; for others a
    /// moment old.
    pub(crate) fn floor(&self) -> Version {
        Version::new(self.floor.load(Ordering::SeqCst))
    }

    /// Returns whether no snapshot is registered. Only the commit leader asks, once for each tombstone that
    /// it collects: so this reads no more than it must.
    ///
    /// A snapshot that was registered before the call, and still is, is seen: its generation is active
    /// (INV-SNAP-2), and the leader, which alone changes which ones are, is here. One that is registered
    /// meanwhile may be missed, and has read nothing yet.
    pub(crate) fn is_idle(&self) -> bool {
        self.generations.lock().active.iter().all(|generation| self.places[generation.place].is_unused())
    }

    /// Returns how many snapshots are registered, about: they come and go while this counts.
    pub(crate) fn in_use(&self) -> u64 {
        let stripes = self.places.iter().flat_map(|place| &place.0);
        stripes.map(|stripe| stripe.0.load(Ordering::SeqCst)).sum()
    }

    #[inline]
    fn counter(&self, place: usize, stripe: usize) -> &AtomicU64 {
        &self.places[place].0[stripe].0
    }
}

#[inline]
const fn place_of(current: u64) -> usize {
    (current & ((1 << PLACE_BITS) - 1)) as usize
}

impl Place {
    fn is_unused(&self) -> bool {
        self.0.iter().all(|stripe| stripe.0.load(Ordering::SeqCst) == 0)
    }
}

#[cfg(test)]
mod tests {
    use rt::sync::Arc;
    use rt::sync::atomic::{AtomicU64, Ordering};

    use super::SnapshotRegistry;
    use crate::mvcc::ActiveSnapshots;
    use crate::types::Version;

    fn registry(places: usize) -> (SnapshotRegistry, Arc<AtomicU64>) {
        let published = Arc::new(AtomicU64::new("published", 0));
        (SnapshotRegistry::new(places, Arc::clone(&published)), published)
    }

    #[test]
    fn the_floor_stays_below_a_long_reader_and_rises_when_it_ends() {
        rt::check(|| {
            let (registry, published) = registry(4);
            published.store(10, Ordering::SeqCst);
            registry.advance();
            let reader = registry.register();
            assert_eq!(reader.version, Version::new(10));
            for version in 11..30 {
                published.store(version, Ordering::SeqCst);
                assert!(registry.advance().oldest() <= Version::new(10));
            }
            registry.release(&reader);
            registry.advance();
            assert!(registry.advance().oldest() >= Version::new(13), "floor {}", registry.floor());
            assert_eq!(registry.in_use(), 0);
        });
    }

    #[test]
    fn is_idle_only_without_snapshots_in_whichever_generation() {
        rt::check(|| {
            let (registry, published) = registry(4);
            for later in [1, 5] {
                assert!(registry.is_idle());
                let first = registry.register();
                for _ in 0..later {
                    published.fetch_add(1, Ordering::SeqCst);
                    registry.advance();
                    assert!(!registry.is_idle());
                }
                let second = registry.register();
                registry.release(&first);
                assert!(!registry.is_idle());
                registry.release(&second);
            }
            assert!(registry.is_idle());
        });
    }

    #[test]
    fn is_never_idle_while_a_snapshot_is_registered() {
        rt::check(|| {
            let (registry, published) = registry(2);
            let registry = Arc::new(registry);
            let held = Arc::new(AtomicU64::new("held", 0));
            let reader = {
                let (registry, held) = (Arc::clone(&registry), Arc::clone(&held));
                rt::thread::spawn("reader", move || {
                    let reader = registry.register();
                    held.store(1, Ordering::SeqCst);
                    rt::thread::yield_now();
                    held.store(0, Ordering::SeqCst);
                    registry.release(&reader);
                })
                .unwrap()
            };
            for version in 1..3 {
                published.store(version, Ordering::SeqCst);
                registry.advance();
                let before = held.load(Ordering::SeqCst);
                let idle = registry.is_idle();
                let held = before + held.load(Ordering::SeqCst) == 2;
                assert!(!(idle && held), "idle with a snapshot registered");
            }
            reader.join().unwrap();
            assert!(registry.is_idle());
        });
    }

    #[test]
    fn equal_snapshots_protect_each_for_itself() {
        rt::check(|| {
            let (registry, published) = registry(4);
            published.store(5, Ordering::SeqCst);
            registry.advance();
            let (first, second) = (registry.register(), registry.register());
            registry.release(&first);
            published.store(9, Ordering::SeqCst);
            registry.advance();
            assert!(registry.advance().oldest() <= second.version);
            registry.release(&second);
            assert_eq!(registry.advance(), ActiveSnapshots::from(Version::new(9)));
        });
    }

    #[test]
    fn inv_snap_2_the_floor_never_passes_a_registered_snapshot() {
        rt::check(|| {
            let (registry, published) = registry(2);
            let registry = Arc::new(registry);
            let highest_floor = Arc::new(AtomicU64::new("highest_floor", 0));
            let readers: Vec<_> = (0..2)
                .map(|_| {
                    let (registry, highest_floor) = (Arc::clone(&registry), Arc::clone(&highest_floor));
                    rt::thread::spawn("reader", move || {
                        for _ in 0..3 {
                            let reader = registry.register();
                            rt::thread::yield_now();
                            assert!(Version::new(highest_floor.load(Ordering::SeqCst)) <= reader.version);
                            registry.release(&reader);
                        }
                    })
                    .unwrap()
                })
                .collect();
            for version in 1..6 {
                published.store(version, Ordering::SeqCst);
                highest_floor.store(registry.advance().oldest().get(), Ordering::SeqCst);
            }
            for reader in readers {
                reader.join().unwrap();
            }
        });
    }

    #[test]
    fn nothing_is_seen_between_two_readers_and_what_each_sees_is() {
        rt::check(|| {
            let (registry, published) = registry(4);
            let commit = |version| {
                published.store(version, Ordering::SeqCst);
                registry.advance()
            };
            commit(10);
            let early = registry.register();
            for version in 11..40 {
                commit(version);
            }
            let late = registry.register();
            let active = (40..60).map(commit).last().unwrap();
            let sees = |version, until| active.may_see(Version::new(version), Version::new(until));
            assert!(sees(10, 11) && sees(39, 40) && sees(59, 60), "{active:?}");
            assert!(!sees(12, 39) && !sees(41, 59), "{active:?}");
            registry.release(&early);
            let active = registry.advance();
            assert!(active.oldest() <= late.version && !active.may_see(Version::new(10), Version::new(11)));
            registry.release(&late);
            assert_eq!(registry.advance(), ActiveSnapshots::from(Version::new(59)));
        });
    }

    #[test]
    fn inv_snap_1_a_snapshot_is_at_a_version_of_its_generation() {
        rt::check(|| {
            let (registry, published) = registry(3);
            let registry = Arc::new(registry);
            let reader = {
                let registry = Arc::clone(&registry);
                rt::thread::spawn("reader", move || registry.register()).unwrap()
            };
            for version in 1..3 {
                published.store(version, Ordering::SeqCst);
                registry.advance();
            }
            let reader = reader.join().unwrap();
            let generations = registry.generations.lock();
            let own = generations.active.iter().find(|generation| generation.place == reader.place);
            let own = own.expect("a generation in use is active");
            assert!((own.first..=own.last).contains(&reader.version), "{reader:?} of {own:?}");
        });
    }
}
