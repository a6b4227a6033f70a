//! The open snapshots, as counters per generation.
//!
//! A generation is a span of published versions with a counter of the snapshots that began in it. Beginning
//! increments the counter of the current generation, ending decrements it; nothing is allocated or ordered.
//! The counter is split into stripes, so that threads do not wait for each other's cache lines: it is zero
//! when all stripes are. The oldest snapshot is at or above the floor of the oldest generation that is in
//! use: the version that was published when the generation began. Epoch-based reclamation (Fraser, "Practical
//! lock-freedom", 2004, §5.2.3) with versions in the place of epochs.
//!
//! ```text
//! generation   4      5      6      7  (current)
//! floor        v20    v31    v31    v44
//! in use       0      2      0      1             oldest snapshot: v31
//! ```
//!
//! * INV-SNAP-1: a registered snapshot reads at a version at or above the floor of its generation.
//! * INV-SNAP-2: `oldest` never passes the floor of a generation with a registered snapshot. Registration
//!   re-checks that its generation is still the current one after it has counted itself; the collector reads
//!   the counters after it has moved the current generation on. Both in sequentially consistent order, so one
//!   of them sees the other. A stripe that was zero then has no registered snapshot any more, so the stripes
//!   may be read one after the other. Hence all registered snapshots are in generations from the oldest to
//!   the current one, and no others need be read to know whether there is any.

use rt::sync::Arc;
use rt::sync::atomic::{AtomicU64, Ordering};
use rt::thread::STRIPES;

use crate::types::Version;

/// Counts snapshots by generation.
#[derive(Debug)]
pub(crate) struct SnapshotRegistry {
    generations: Box<[Generation]>,
    /// Number of the current generation; its place is the remainder by the number of places.
    current: AtomicU64,
    /// The oldest generation that may be in use. Only the commit leader moves it.
    oldest: AtomicU64,
    /// The newest version that snapshots may read.
    published: Arc<AtomicU64>,
}

#[derive(Debug)]
struct Generation {
    floor: AtomicU64,
    in_use: [Stripe; STRIPES],
}

/// Part of a counter, alone on its cache line.
#[derive(Debug)]
#[repr(align(64))]
struct Stripe(AtomicU64);

/// A snapshot in use, until it is given back with [`SnapshotRegistry::release`].
#[derive(Debug)]
pub(crate) struct Registered {
    place: usize,
    stripe: usize,
    pub(crate) version: Version,
}

impl SnapshotRegistry {
    pub(crate) fn new(places: usize, published: Arc<AtomicU64>) -> Self {
        let floor = published.load(Ordering::SeqCst);
        let generations = (0..places)
            .map(|_| Generation {
                floor: AtomicU64::new("snapshot.floor", floor),
                in_use: std::array::from_fn(|_| Stripe(AtomicU64::new("snapshot.in_use", 0))),
            })
            .collect();
        Self {
            generations,
            current: AtomicU64::new("snapshot.current", 0),
            oldest: AtomicU64::new("snapshot.oldest", 0),
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
            let place = self.place(current);
            rt::probe::at("snapshot generation read");
            let counter = self.counter(place, stripe);
            // Counted before the second check: a collector that moves on after the check sees the counter
            // (INV-SNAP-2).
            counter.fetch_add(1, Ordering::SeqCst);
            if self.current.load(Ordering::SeqCst) == current || rt::mutant!(SnapshotNotRechecked) {
                // Read last: a version read before could be collected before this is counted.
                let version = Version::new(self.published.load(Ordering::SeqCst));
                return Registered { place, stripe, version: early.unwrap_or(version) };
            }
            counter.fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// A deliberate bug of the zoo, empty in production: reads the version before the snapshot is counted.
    #[inline]
    fn version_before_registration(&self) -> Option<Version> {
        rt::mutant!(SnapshotReadBeforeRegistered).then(|| {
            let version = Version::new(self.published.load(Ordering::SeqCst));
            rt::probe::at("begin.read→register");
            version
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

    /// Begins a new generation, if there is a free place, and returns a version at or below every registered
    /// snapshot. Only the commit leader calls this.
    pub(crate) fn advance(&self) -> Version {
        let mut current = self.current.load(Ordering::SeqCst);
        let published = self.published.load(Ordering::SeqCst);
        let next = self.place(current + 1);
        let stale = self.generations[self.place(current)].floor.load(Ordering::SeqCst) < published;
        // A place is free once the generation that had it is behind the oldest in use.
        let free = current + 1 - self.oldest.load(Ordering::SeqCst) < self.generations.len() as u64;
        if stale && free {
            self.generations[next].floor.store(published, Ordering::SeqCst);
            current += 1;
            self.current.store(current, Ordering::SeqCst);
        }
        let mut oldest = self.oldest.load(Ordering::SeqCst);
        while oldest < current && self.generations[self.place(oldest)].is_unused() {
            oldest += 1;
        }
        self.oldest.store(oldest, Ordering::SeqCst);
        self.floor()
    }

    /// Returns a version at or below every registered snapshot. Exact for the commit leader; for others a
    /// moment old.
    pub(crate) fn floor(&self) -> Version {
        let oldest = self.oldest.load(Ordering::SeqCst);
        Version::new(self.generations[self.place(oldest)].floor.load(Ordering::SeqCst))
    }

    /// Returns whether no snapshot is registered. Only the commit leader asks, once for each tombstone that
    /// it collects: so this reads no more than it must.
    ///
    /// A snapshot that was registered before the call, and still is, is seen: its generation is neither
    /// behind the oldest (INV-SNAP-2) nor ahead of the current one, and the leader, which alone moves both,
    /// is here. One that is registered meanwhile may be missed, and has read nothing yet.
    pub(crate) fn is_idle(&self) -> bool {
        let oldest = self.oldest.load(Ordering::SeqCst);
        let current = self.current.load(Ordering::SeqCst);
        (oldest..=current).all(|generation| self.generations[self.place(generation)].is_unused())
    }

    /// Returns how many snapshots are registered, about: they come and go while this counts.
    pub(crate) fn in_use(&self) -> u64 {
        let stripes = self.generations.iter().flat_map(|generation| &generation.in_use);
        stripes.map(|stripe| stripe.0.load(Ordering::SeqCst)).sum()
    }

    #[inline]
    fn counter(&self, place: usize, stripe: usize) -> &AtomicU64 {
        &self.generations[place].in_use[stripe].0
    }

    #[inline]
    fn place(&self, generation: u64) -> usize {
        (generation % self.generations.len() as u64) as usize
    }
}

impl Generation {
    fn is_unused(&self) -> bool {
        self.in_use.iter().all(|stripe| stripe.0.load(Ordering::SeqCst) == 0)
    }
}

#[cfg(test)]
mod tests {
    use rt::sync::Arc;
    use rt::sync::atomic::{AtomicU64, Ordering};

    use super::SnapshotRegistry;
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
                assert!(registry.advance() <= Version::new(10));
            }
            registry.release(&reader);
            registry.advance();
            assert!(registry.advance() >= Version::new(13), "floor {}", registry.advance());
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
            assert!(registry.advance() <= second.version);
            registry.release(&second);
            assert_eq!(registry.advance(), Version::new(9));
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
                highest_floor.store(registry.advance().get(), Ordering::SeqCst);
            }
            for reader in readers {
                reader.join().unwrap();
            }
        });
    }
}
