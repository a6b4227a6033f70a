//! Transaction ids.

use rt::sync::atomic::{AtomicU64, Ordering};
use rt::thread::STRIPES;

use crate::types::TxnId;

/// Ids that a stripe takes at once.
const BLOCK: u64 = 64;

/// Hands out ids, each once. Their order means nothing: a stripe takes them in blocks, so that threads do not
/// wait for each other's cache lines.
#[derive(Debug)]
pub(crate) struct TxnIds {
    /// Number of the first block that is not taken.
    blocks: AtomicU64,
    first: u64,
    stripes: [Stripe; STRIPES],
}

/// Distance of the next id from the first one. The last place of a block is never an id: it says that a new
/// block is due.
#[derive(Debug)]
#[repr(align(64))]
struct Stripe(AtomicU64);

impl TxnIds {
    /// Creates the source of the ids from `first` on.
    pub(crate) fn new(first: TxnId) -> Self {
        Self {
            blocks: AtomicU64::new("txn_ids.blocks", 0),
            first: first.get(),
            stripes: std::array::from_fn(|_| Stripe(AtomicU64::new("txn_ids.next", BLOCK - 1))),
        }
    }

    /// Returns an id that was never handed out before.
    #[inline]
    pub(crate) fn next(&self) -> TxnId {
        let next = &self.stripes[rt::thread::stripe()].0;
        let mut current = next.load(Ordering::Relaxed);
        loop {
            let id =
                if is_end(current) { self.blocks.fetch_add(1, Ordering::Relaxed) * BLOCK } else { current };
            match next.compare_exchange(current, id + 1, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return TxnId::new(self.first + id),
                Err(actual) => current = actual,
            }
        }
    }
}

/// Returns whether a stripe has used up its block, whose last place stands for that.
const fn is_end(next: u64) -> bool {
    next % BLOCK == BLOCK - 1
}

#[cfg(test)]
mod tests {
    use rt::sync::Arc;

    use super::{BLOCK, TxnIds};
    use crate::types::TxnId;

    #[test]
    fn no_id_is_given_twice() {
        rt::check(|| {
            let ids = Arc::new(TxnIds::new(TxnId::new(7)));
            let threads: Vec<_> = (0..3)
                .map(|_| {
                    let ids = Arc::clone(&ids);
                    let body = move || (0..BLOCK / 2 + 3).map(|_| ids.next()).collect::<Vec<_>>();
                    rt::thread::spawn("taker", body).unwrap()
                })
                .collect();
            let mut taken: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
            let count = taken.len();
            taken.sort();
            taken.dedup();
            assert_eq!(taken.len(), count);
            assert!(taken.iter().all(|id| *id >= TxnId::new(7)));
        });
    }
}
