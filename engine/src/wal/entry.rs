//! The entries of a transaction's record, as bincode with variable-length integers.
//!
//! ```text
//! BeginTxn{transaction, run}  Write | WriteExpiring | Delete …  CommitTxn{version} | AbortTxn
//! ```
//! Small numbers are short ones, so the transaction is stored as its distance from the commit version, and
//! the version as its distance from the first of the epoch. A value is a string of bytes that holds the
//! encoded [`Value`](crate::Value): a reader can step over it, and hand it to another thread, without
//! decoding it.
//!
//! `AbortTxn` ends the record of a transaction that was withdrawn after its encoding had begun. Its writes
//! are taken out, and recovery ignores it.

use env::UnixMillis;

use super::format::{PAYLOAD_BYTES_MAX, RecordKind, begin_record, end_record};
use super::header_file::NUMBER_MAX;
use crate::decoder::Decoder;
use crate::encoding::{BorrowDecode, Encode, push};
use crate::error::{Error, Result};
use crate::types::{RunNumber, TxnId, Version};

/// One entry, borrowed from the record that holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub(crate) enum Entry<'a> {
    /// The first entry of a record.
    BeginTxn {
        /// Transaction id minus commit version, wrapping.
        transaction: i64,
        run: u64,
    },
    /// A put.
    Write { key: &'a [u8], value: &'a [u8] },
    /// A put that expires, in milliseconds since the Unix epoch.
    WriteExpiring { key: &'a [u8], value: &'a [u8], expires_at: u64 },
    /// A delete.
    Delete { key: &'a [u8] },
    /// The last entry of a record that counts.
    CommitTxn {
        /// Commit version minus the first version of the epoch.
        version: u64,
    },
    /// The last entry of a record that does not count.
    AbortTxn,
}

/// Discriminants of [`Entry`], as the derived encoding writes them.
mod tag {
    pub(super) const BEGIN: u8 = 0;
    pub(super) const WRITE: u8 = 1;
    pub(super) const WRITE_EXPIRING: u8 = 2;
    pub(super) const DELETE: u8 = 3;
    pub(super) const COMMIT: u8 = 4;
    pub(super) const ABORT: u8 = 5;
}

/// Encodes one transaction's writes straight into the log's buffer.
#[derive(Debug)]
pub(crate) struct RecordWriter<'a> {
    buffer: &'a mut Vec<u8>,
    start: usize,
}

impl RecordWriter<'_> {
    /// Adds a put of an encoded value.
    #[inline]
    pub(crate) fn put(&mut self, key: &[u8], value: &[u8], expires_at: Option<UnixMillis>) -> Result<()> {
        self.buffer.push(if expires_at.is_some() { tag::WRITE_EXPIRING } else { tag::WRITE });
        push_bytes(self.buffer, key);
        push_bytes(self.buffer, value);
        if let Some(UnixMillis(at)) = expires_at {
            push_varint(self.buffer, at);
        }
        self.check_size()
    }

    /// Adds a delete.
    #[inline]
    pub(crate) fn delete(&mut self, key: &[u8]) -> Result<()> {
        self.buffer.push(tag::DELETE);
        push_bytes(self.buffer, key);
        self.check_size()
    }

    #[inline]
    fn check_size(&self) -> Result<()> {
        let size = self.buffer.len() - self.start;
        // Less the end of the record, which follows even if this write is refused.
        if size > PAYLOAD_BYTES_MAX - 32 {
            return Err(Error::LimitExceeded {
                what: "bytes in the log",
                limit: PAYLOAD_BYTES_MAX,
                actual: size,
            });
        }
        Ok(())
    }
}

/// Appends the record of one transaction to `buffer`. If `fill` fails, what remains is a record that ends in
/// `AbortTxn`, and the version is not used.
///
/// # Errors
/// Those of `fill`.
#[inline]
pub(crate) fn encode_transaction(
    buffer: &mut Vec<u8>,
    first_version: Version,
    version: Version,
    transaction: TxnId,
    run: RunNumber,
    fill: impl FnOnce(&mut RecordWriter<'_>) -> Result<()>,
) -> Result<()> {
    let start = begin_record(buffer);
    let distance = transaction.get().wrapping_sub(version.get()).cast_signed();
    push(buffer, Entry::BeginTxn { transaction: distance, run: run.get() });
    let writes = buffer.len();
    let filled = fill(&mut RecordWriter { buffer, start });
    if filled.is_ok() {
        push(buffer, Entry::CommitTxn { version: version.get() - first_version.get() });
    } else {
        buffer.truncate(writes);
        push(buffer, Entry::AbortTxn);
    }
    end_record(buffer, start, RecordKind::Transaction);
    filled
}

/// The first and the last entry of a transaction, decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TransactionHead {
    pub(crate) version: Version,
    pub(crate) transaction: TxnId,
    pub(crate) run: RunNumber,
}

/// One put or delete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WriteEntry<'a> {
    pub(crate) key: &'a [u8],
    /// The encoded value; `None` for a delete.
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) expires_at: Option<UnixMillis>,
}

/// Decodes the payload of a transaction's record: hands every write to `visit`, in order, and returns the
/// head; `None` for a transaction that was withdrawn.
///
/// # Errors
/// When the payload is not what [`encode_transaction`] writes: what is wrong.
pub(crate) fn decode_transaction<'a>(
    payload: &'a [u8],
    first_version: Version,
    mut visit: impl FnMut(WriteEntry<'a>),
) -> Result<Option<TransactionHead>, &'static str> {
    let mut rest = Decoder::new(payload);
    if rest.byte() != Some(tag::BEGIN) {
        return Err("a transaction without a beginning");
    }
    let (distance, run) =
        rest.signed_varint().zip(rest.varint()).ok_or("a beginning that can't be decoded")?;
    loop {
        let Some(tag) = rest.byte() else { return Err("a transaction without an end") };
        let (version, withdrawn) = match tag {
            tag::WRITE | tag::WRITE_EXPIRING | tag::DELETE => {
                visit(decode_write(&mut rest, tag).ok_or("an entry that can't be decoded")?);
                continue;
            }
            tag::COMMIT => (rest.varint().ok_or("an end that can't be decoded")?, false),
            tag::ABORT => (0, true),
            _ => return Err("an entry of an unknown kind"),
        };
        if !rest.is_empty() {
            return Err("entries after the end of a transaction");
        }
        if withdrawn {
            return Ok(None);
        }
        let version = first_version.get().checked_add(version).filter(|version| *version < NUMBER_MAX);
        let version = version.ok_or("a version beyond all versions")?;
        let transaction = version.wrapping_add(distance.cast_unsigned());
        if transaction >= NUMBER_MAX {
            return Err("a transaction beyond all transactions");
        }
        return Ok(Some(TransactionHead {
            version: Version::new(version),
            transaction: TxnId::new(transaction),
            run: RunNumber::new(run),
        }));
    }
}

/// Decodes what follows the tag of a put or a delete.
#[inline]
fn decode_write<'a>(rest: &mut Decoder<'a>, tag: u8) -> Option<WriteEntry<'a>> {
    let key = rest.bytes()?;
    let value = if tag == tag::DELETE { None } else { Some(rest.bytes()?) };
    let expires_at = if tag == tag::WRITE_EXPIRING { Some(UnixMillis(rest.varint()?)) } else { None };
    Some(WriteEntry { key, value, expires_at })
}

#[inline]
pub(crate) fn push_bytes(buffer: &mut Vec<u8>, bytes: &[u8]) {
    push_varint(buffer, bytes.len() as u64);
    buffer.extend_from_slice(bytes);
}

#[inline]
pub(crate) fn push_varint(buffer: &mut Vec<u8>, number: u64) {
    if number < 251 {
        buffer.push(number.to_le_bytes()[0]);
    } else {
        push(buffer, number);
    }
}

#[cfg(test)]
mod tests {
    use env::UnixMillis;
    use proptest::prelude::*;

    use super::{Entry, TransactionHead, decode_transaction, encode_transaction};
    use crate::encoding::{CONFIG, decode_value};
    use crate::error::{Error, Result};
    use crate::types::{RunNumber, TxnId, Version};
    use crate::value::Value;
    use crate::wal::format::RECORD_HEADER_BYTES;

    type OwnedWrite = (Vec<u8>, Option<(Vec<u8>, Option<u64>)>);

    fn encode(version: u64, writes: &[OwnedWrite]) -> Vec<u8> {
        let mut buffer = Vec::new();
        encode_transaction(
            &mut buffer,
            Version::new(100),
            Version::new(version),
            TxnId::new(version + 3),
            RunNumber::new(5),
            |record| {
                for (key, put) in writes {
                    match put {
                        Some((value, expires_at)) => record.put(
                            key,
                            &Value::from(value.as_slice()).encoded(),
                            expires_at.map(UnixMillis),
                        )?,
                        None => record.delete(key)?,
                    }
                }
                Ok(())
            },
        )
        .unwrap();
        buffer
    }

    fn decode(payload: &[u8]) -> Result<(Option<TransactionHead>, Vec<OwnedWrite>), &'static str> {
        let mut writes = Vec::new();
        let head = decode_transaction(payload, Version::new(100), |write| {
            writes.push((
                write.key.to_vec(),
                write.value.map(|value| {
                    let value = Vec::<u8>::try_from(decode_value(value).unwrap()).unwrap();
                    (value, write.expires_at.map(|at| at.0))
                }),
            ));
        })?;
        Ok((head, writes))
    }

    proptest! {
        #[test]
        fn transactions_come_back_as_they_were_written(
            version in 100_u64..1 << 50,
            writes in prop::collection::vec(
                (
                    prop::collection::vec(any::<u8>(), 0..300),
                    prop::option::of((prop::collection::vec(any::<u8>(), 0..600), any::<Option<u64>>())),
                ),
                0..8,
            ),
        ) {
            let record = encode(version, &writes);
            let (head, decoded) = decode(&record[RECORD_HEADER_BYTES..]).unwrap();
            prop_assert_eq!(decoded, writes);
            prop_assert_eq!(head, Some(TransactionHead {
                version: Version::new(version),
                transaction: TxnId::new(version + 3),
                run: RunNumber::new(5),
            }));
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = decode_transaction(&bytes, Version::new(1), |_| {});
        }

        #[test]
        fn the_hand_written_decoding_is_the_derived_one(
            bytes in prop::collection::vec(prop_oneof![0_u8..6, any::<u8>()], 0..60),
        ) {
            let mut writes = Vec::new();
            let by_hand = decode_transaction(&bytes, Version::new(1), |write| writes.push(write));
            if let Ok(head) = by_hand {
                let mut rest = bytes.as_slice();
                let mut entries = Vec::new();
                while !rest.is_empty() {
                    let (entry, used) = bincode::borrow_decode_from_slice::<Entry<'_>, _>(rest, CONFIG).unwrap();
                    entries.push(entry);
                    rest = &rest[used..];
                }
                prop_assert_eq!(entries.len(), writes.len() + 2);
                prop_assert!(matches!(entries[0], Entry::BeginTxn { .. }), "no beginning");
                prop_assert_eq!(head.is_none(), entries.last() == Some(&Entry::AbortTxn));
            }
        }
    }

    #[test]
    fn the_hand_written_encoding_is_the_derived_one() {
        let value = &*Value::from(vec![7_u8; 300]).encoded();
        let entries = [
            Entry::BeginTxn { transaction: 3, run: 5 },
            Entry::Write { key: b"k", value },
            Entry::WriteExpiring { key: &[9; 300], value, expires_at: 1 << 40 },
            Entry::Delete { key: b"gone" },
            Entry::CommitTxn { version: 77 },
        ];
        let derived: Vec<u8> =
            entries.iter().flat_map(|entry| bincode::encode_to_vec(entry, CONFIG).unwrap()).collect();
        let written = encode(
            177,
            &[
                (b"k".to_vec(), Some((vec![7; 300], None))),
                (vec![9; 300], Some((vec![7; 300], Some(1 << 40)))),
                (b"gone".to_vec(), None),
            ],
        );
        assert_eq!(&written[RECORD_HEADER_BYTES..], derived);
    }

    #[test]
    fn a_withdrawn_transaction_leaves_no_writes() {
        let mut buffer = Vec::new();
        let refused = encode_transaction(
            &mut buffer,
            Version::ZERO,
            Version::new(9),
            TxnId::new(9),
            RunNumber::ZERO,
            |record| {
                record.delete(b"key")?;
                Err(Error::Closed)
            },
        );
        assert!(matches!(refused, Err(Error::Closed)));
        let mut writes = 0;
        let head = decode_transaction(&buffer[RECORD_HEADER_BYTES..], Version::ZERO, |_| writes += 1);
        assert_eq!((head, writes), (Ok(None), 0));
    }

    #[test]
    fn a_commit_of_one_small_write_takes_at_most_150_bytes() {
        let record = encode(100 + 1_000_000, &[(vec![1; 18], Some((vec![2; 100], None)))]);
        assert!(record.len() <= 150, "{} bytes", record.len());
    }
}
