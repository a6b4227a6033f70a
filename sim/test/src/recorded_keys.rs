//! Keys of the engine as the history has them.
//!
//! Plain keys of the shared namespace are what the application calls them. All others begin with the byte
//! 254, which no text does: event logs as `stream/` and their name, states as `machine/` and kind and name,
//! what is in another namespace as its encoded key.

use stormproof::{Key, KeyRange, Namespace, TypeTag};
use stormproof_workloads::store::{self, Range};

/// The first byte of keys that are not plain ones of the shared namespace, and so the end of those.
pub(crate) const KV_END: &[u8] = &[OTHER];

const OTHER: u8 = 254;

/// The first byte of keys that the database keeps for itself.
const SYSTEM: u8 = 0;

/// Ends a name inside of an encoded key.
const END: &[u8] = &[0, 1];

/// Bytes of an event's number, after the name of its log.
const NUMBER_BYTES: usize = 8;

/// Returns whether it is a plain key of the shared namespace.
pub(crate) fn is_kv(key: &Key) -> bool {
    key.as_bytes().starts_with(&kv())
}

/// Returns the key as the history has it; `None` for one that it has no place for, for events, which it has
/// by log, and for what the database keeps for itself.
pub(crate) fn recorded(key: &Key) -> Option<store::Key> {
    if let Some(user) = key.as_bytes().strip_prefix(&*kv()) {
        return user.first().is_none_or(|first| *first < OTHER).then(|| user.to_vec());
    }
    match key.tag() {
        Some(TypeTag::Event | TypeTag::Run) | None => None,
        _ if key.as_bytes().first() == Some(&SYSTEM) => None,
        Some(TypeTag::State) if is_shared(key) => Some(named("machine/", key.user_key())),
        _ => Some(named("", key.as_bytes())),
    }
}

/// Returns the log that a key of it belongs to.
pub(crate) fn stream_of(key: &Key) -> Option<store::Key> {
    (key.tag() == Some(TypeTag::Event)).then_some(())?;
    let user = key.user_key();
    let end = user.windows(END.len()).position(|window| window == END)?;
    let before = key.as_bytes().len() - user.len();
    let name = if is_shared(key) { &user[..end] } else { &key.as_bytes()[..before + end] };
    Some(named("stream/", name))
}

/// Returns the log that a range is the whole of.
pub(crate) fn whole_stream(range: &KeyRange) -> Option<store::Key> {
    let (start, stream) = (range.start(), stream_of(range.start())?);
    let log = match start.as_bytes().strip_suffix(&[0; NUMBER_BYTES]) {
        Some(log) if log.ends_with(END) => log,
        _ => start.as_bytes(),
    };
    let end = range.end()?.as_bytes();
    let (last, rest) = log.split_last()?;
    (log.ends_with(END) && end.split_last() == Some((&(last + 1), rest))).then_some(stream)
}

/// Returns a range of plain keys as the history has it; `None` for one that has none.
pub(crate) fn scanned(range: &KeyRange) -> Option<Range> {
    let kv = kv();
    let start = range.start().as_bytes();
    let start = match start.strip_prefix(&*kv) {
        Some(user) => user.to_vec(),
        None if start < &*kv => Vec::new(),
        None => return None,
    };
    let end = match range.end().map(Key::as_bytes) {
        Some(end) if end < &*kv => return None,
        Some(end) => end.strip_prefix(&*kv).unwrap_or(KV_END),
        None => KV_END,
    };
    Some(Range { start, end: Some(end.min(KV_END).to_vec()) })
}

/// Returns what plain keys of the shared namespace begin with.
fn kv() -> Vec<u8> {
    Namespace::shared().key("").as_bytes().to_vec()
}

fn is_shared(key: &Key) -> bool {
    key.as_bytes().first() == kv().first()
}

/// Returns a key of the parts of a name, which end in two bytes that are no text, with slashes between them.
/// A slash inside of a part is escaped.
fn named(kind: &str, name: &[u8]) -> store::Key {
    let mut key = vec![OTHER];
    key.extend_from_slice(kind.as_bytes());
    let name = name.strip_suffix(END).unwrap_or(name);
    let mut bytes = name.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            0 if bytes.next_if_eq(&1).is_some() => key.push(b'/'),
            b'/' | b'~' => key.extend_from_slice(&[b'~', byte]),
            other => key.push(other),
        }
    }
    key
}

#[cfg(test)]
mod tests {
    use stormproof::{KeyRange, Namespace};

    use super::{named, recorded, scanned};

    #[test]
    fn plain_keys_are_what_the_application_calls_them() {
        let shared = Namespace::shared();
        assert_eq!(recorded(&shared.key("seat/1")), Some(b"seat/1".to_vec()));
        assert_eq!(recorded(&shared.key([254, 1])), None);
        let range = scanned(&KeyRange::prefix("seat/")).expect("plain keys");
        assert_eq!((range.start, range.end), (b"seat/".to_vec(), Some(b"seat0".to_vec())));
        let all = scanned(&KeyRange::prefix("")).expect("plain keys");
        assert_eq!((all.start, all.end), (Vec::new(), Some(vec![254])));
        let team = Namespace { tenant: "acme".into(), ..Namespace::shared() };
        assert_ne!(recorded(&team.key("seat/1")), recorded(&shared.key("seat/1")));
    }

    #[test]
    fn parts_of_names_are_told_apart() {
        assert_eq!(named("machine/", b"show\0\x01tonight\0\x01"), b"\xfemachine/show/tonight");
        assert_ne!(named("", b"a/b\0\x01c\0\x01"), named("", b"a\0\x01b/c\0\x01"));
    }
}
