//! Loads what recovery reads into an empty index.
//!
//! No reader exists yet, so only the newest version of every key is kept, and nothing of a deleted key:
//! snapshots from now on see the last recovered state or a later one.
//!
//! Recovery reads and checks in its own thread. The pages of a checkpoint become leaves of the index as they
//! are where the log has none of their keys. What is read of the log goes to *parts*, each of which takes all
//! writes of its keys, in log order: so the state does not depend on the number of parts. A small log is
//! loaded by that one thread; beyond [`alone_bytes()`] every part gets a thread of its own.
//!
//! Replay is idempotent: a write at or below the version that a key has already changes nothing, so a log
//! that begins before its checkpoint gives the same state (contract §5).

mod batch;
mod part;
mod sorted;
mod worker;

use rt::sync::Arc;

use batch::Batch;
use part::Part;
use sorted::Sorted;
use worker::Worker;

use crate::error::{Error, Result};
use crate::key::Key;
use crate::mvcc::{Index, Sizes, StoredPage, VersionEntry, Writer, fingerprint};
use crate::recovery::RecoverySink;
use crate::wal::RecoveredWrite;

/// Bytes of keys and values up to which one thread loads alone. Small in simulations, so that they see
/// several threads.
fn alone_bytes() -> usize {
    if rt::probe::is_simulated() { 2 << 10 } else { 4 << 20 }
}

/// Bytes at which a batch is handed over.
fn batch_bytes() -> usize {
    if rt::probe::is_simulated() { 256 } else { 256 << 10 }
}

/// Most parts, which are told apart by one byte.
const PARTS_MAX: usize = 64;

/// An index while it is loaded.
#[derive(Debug)]
pub(crate) struct IndexLoader {
    sizes: Sizes,
    /// Of the checkpoint, in key order.
    pages: Vec<StoredPage>,
    parts: Parts,
    /// Writes that were read for each part and not handed over yet.
    batches: Vec<Batch>,
    /// Bytes that have been handed over.
    bytes: usize,
}

/// The threads that fill the parts.
#[derive(Debug)]
enum Parts {
    /// The calling thread fills all of them.
    Alone(Vec<Part>),
    /// Each has a thread.
    Shared(Vec<Worker>),
}

impl IndexLoader {
    /// Begins to load an index, with at most `threads` threads.
    pub(crate) fn new(sizes: Sizes, threads: usize) -> Self {
        let threads = threads.clamp(1, PARTS_MAX);
        let parts = (0..threads).map(|_| Part::default()).collect();
        let batches = (0..threads).map(|_| Batch::default()).collect();
        Self { sizes, pages: Vec::new(), parts: Parts::Alone(parts), batches, bytes: 0 }
    }

    /// Returns the whole index, and the right to change it. `each` is called with the newest version of
    /// every system key, and of every key that expires.
    ///
    /// # Errors
    /// [`Error::Corruption`] for a value that can't be decoded.
    pub(crate) fn finish(mut self, each: impl FnMut(&Key, &VersionEntry)) -> Result<(Index, Writer)> {
        for part in 0..self.batches.len() {
            self.hand_over(part)?;
        }
        let parts: Vec<Sorted> = match self.parts {
            Parts::Alone(parts) => parts.into_iter().map(Part::finish).collect(),
            Parts::Shared(mut workers) => {
                // End all before waiting for the first, or they would work one after the other.
                workers.iter().for_each(Worker::end);
                workers.iter_mut().map(Worker::join).collect::<Result<_>>()?
            }
        };
        let records = parts.into_iter().reduce(Sorted::merge).unwrap_or_default().into_records();
        Ok(Index::load(self.sizes, self.pages, records, each))
    }

    fn take(&mut self, writes: &[RecoveredWrite<'_>]) -> Result<()> {
        for write in writes {
            let part = usize::from(fingerprint(write.key)) * self.batches.len() / 256;
            self.batches[part].push(write);
            if self.batches[part].bytes() >= batch_bytes() {
                self.hand_over(part)?;
            }
        }
        Ok(())
    }

    /// Hands the writes of a part over to it.
    fn hand_over(&mut self, part: usize) -> Result<()> {
        self.bytes += self.batches[part].bytes();
        if self.bytes > alone_bytes() {
            self.share()?;
        }
        match &mut self.parts {
            Parts::Alone(parts) => {
                let restored = self.batches[part].restore_into(&mut parts[part]);
                self.batches[part].clear();
                restored
            }
            Parts::Shared(workers) => {
                workers[part].give(std::mem::take(&mut self.batches[part]));
                Ok(())
            }
        }
    }

    /// Starts a thread for every part, unless that was done or there is only one part.
    fn share(&mut self) -> Result<()> {
        let Parts::Alone(parts) = &mut self.parts else { return Ok(()) };
        if parts.len() < 2 {
            return Ok(());
        }
        rt::reached!("recovery in several threads");
        let workers = std::mem::take(parts).into_iter().map(Worker::start).collect::<Result<_>>()?;
        self.parts = Parts::Shared(workers);
        Ok(())
    }
}

impl RecoverySink for IndexLoader {
    fn load(&mut self, pages: Vec<StoredPage>) -> Result<()> {
        self.pages.extend(pages);
        Ok(())
    }

    fn apply(&mut self, writes: &[RecoveredWrite<'_>]) -> Result<()> {
        self.take(writes)
    }
}

/// Returns the error for a thread that could not be started.
fn no_thread(error: std::io::Error) -> Error {
    Error::Io { operation: "start a thread of recovery", file: "the log".to_owned(), source: Arc::new(error) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::IndexLoader;
    use crate::error::Error;
    use crate::mvcc::{Index, Sizes};
    use crate::range::KeyRange;
    use crate::recovery::RecoverySink as _;
    use crate::types::{RunNumber, TxnId, Version};
    use crate::value::Value;
    use crate::wal::RecoveredWrite;

    fn encoded(number: u64) -> Vec<u8> {
        Value::from(vec![number.to_le_bytes()[0]; 40]).encoded()
    }

    fn write<'a>(key: &'a [u8], value: Option<&'a [u8]>, version: u64) -> RecoveredWrite<'a> {
        RecoveredWrite {
            key,
            value,
            version: Version::new(version),
            transaction: TxnId::new(version),
            run: RunNumber::ZERO,
            expires_at: None,
        }
    }

    /// Returns all keys in order, with values and versions.
    fn content(index: &Index) -> Vec<(Vec<u8>, Option<Value>, u64)> {
        let mut found = Vec::new();
        index.entries(&KeyRange::everything(), Version::MAX, |entry| {
            let entry = (entry.key().to_vec(), entry.to_entry().value, entry.version().get());
            let seen = index.entry(&crate::Key::from_encoded(&entry.0), Version::MAX).unwrap();
            assert_eq!(
                (&seen.value, seen.version.get()),
                (&entry.1, entry.2),
                "what is in order is found by its key"
            );
            found.push(entry);
            std::ops::ControlFlow::Continue(())
        });
        found
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if rt::CHECKS > 1 { 4 } else { 64 }))]

        #[test]
        fn several_threads_restore_what_one_does(
            writes in prop::collection::vec((0_u16..400, any::<bool>()), 0..600),
            threads in 2_usize..5,
        ) {
            rt::check(move || {
                let restored = |threads| {
                    let mut loader = IndexLoader::new(Sizes::DEFAULT, threads);
                    for (version, (key, deleted)) in (1..).zip(&writes) {
                        let (key, value) = (key.to_be_bytes(), encoded(version));
                        let value = (!deleted).then_some(value.as_slice());
                        loader.apply(&[write(&key, value, version)]).unwrap();
                    }
                    content(&loader.finish(|_, _| ()).unwrap().0)
                };
                assert_eq!(restored(threads), restored(1));
            });
        }
    }

    #[test]
    fn a_value_that_can_not_be_decoded_is_reported_by_any_thread() {
        rt::check(|| {
            for threads in [1, 3] {
                let mut loader = IndexLoader::new(Sizes::DEFAULT, threads);
                let mut result = Ok(());
                for number in 0..200_u64 {
                    let value = if number == 100 { vec![250] } else { encoded(number) };
                    let key = number.to_be_bytes();
                    result = result.and_then(|()| loader.apply(&[write(&key, Some(&value), number + 1)]));
                }
                let error = result.and_then(|()| loader.finish(|_, _| ()).map(drop)).unwrap_err();
                assert!(matches!(error, Error::Corruption { .. }), "{error}");
            }
        });
    }
}
