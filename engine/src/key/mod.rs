//! Keys: where (namespace), what (type tag), which (user key), in one ordered sequence of bytes.
//!
//! ```text
//! system     00                                     tag  user key
//! default    01                                     tag  user key
//! named      02  tenant 0 1 app 0 1 agent 0 1 run 0 1  tag  user key
//! ```
//! Inside a component of a named namespace a zero byte is written `00 FF`, so that `00 01` ends it and the
//! order of encoded keys is the order of their components.
//!
//! * INV-KEY-1: the order of keys is the order of (namespace, tag, user key).
//! * INV-KEY-2: no encoded namespace is a prefix of another.

mod into_key;
mod namespace;

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use smallvec::SmallVec;

pub use into_key::IntoKey;
use namespace::{DEFAULT, NAMED, SYSTEM, push_component, split_component};
pub use namespace::{Namespace, TypeTag};

use crate::cost;
use crate::run_id::RunId;

/// Bytes of a key that are stored without an allocation.
const KEY_INLINE: usize = 24;

type KeyBytes = SmallVec<[u8; KEY_INLINE]>;

/// A whole key. Short ones (up to 22 bytes of user key in the shared namespace) are stored without an
/// allocation.
///
/// ```
/// use stormproof::{Namespace, TypeTag};
///
/// let key = Namespace::shared().key("ticket/7");
/// assert_eq!((key.namespace(), key.tag()), (Namespace::shared(), Some(TypeTag::Kv)));
/// assert_eq!(key.user_key(), b"ticket/7");
/// ```
pub struct Key(KeyBytes);

impl Hash for Key {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl PartialEq for Key {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        cost::step();
        self.is(other.as_bytes())
    }
}

impl Eq for Key {}

impl Clone for Key {
    /// By copying the bytes as a whole: `SmallVec` clones them one by one.
    #[inline]
    fn clone(&self) -> Self {
        Self(KeyBytes::from_slice(&self.0))
    }
}

impl Ord for Key {
    /// That of the bytes. Most keys differ within sixteen of them, and two words are compared faster than
    /// strings.
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        cost::step();
        let (left, right) = (self.as_bytes(), other.as_bytes());
        match (left.split_first_chunk::<16>(), right.split_first_chunk::<16>()) {
            (Some((left, left_rest)), Some((right, right_rest))) => {
                let first = u128::from_be_bytes(*left).cmp(&u128::from_be_bytes(*right));
                first.then_with(|| left_rest.cmp(right_rest))
            }
            _ => left.cmp(right),
        }
    }
}

impl PartialOrd for Key {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Key {
    /// Returns the encoded bytes, in whose order keys are ordered.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns whether these are its encoded bytes. Most keys have 16 to 32, which are two words of 16 that
    /// may overlap.
    #[inline]
    pub(crate) fn is(&self, bytes: &[u8]) -> bool {
        let own = self.as_bytes();
        if own.len() != bytes.len() {
            return false;
        }
        match (
            own.first_chunk::<16>(),
            bytes.first_chunk::<16>(),
            own.last_chunk::<16>(),
            bytes.last_chunk::<16>(),
        ) {
            (Some(first), Some(other), Some(last), Some(other_last)) if own.len() <= 32 => {
                u128::from_ne_bytes(*first) == u128::from_ne_bytes(*other)
                    && u128::from_ne_bytes(*last) == u128::from_ne_bytes(*other_last)
            }
            _ => own == bytes,
        }
    }

    /// Returns the key that has these encoded bytes; `None` if no key has.
    ///
    /// ```
    /// use stormproof::{Key, Namespace};
    ///
    /// let key = Namespace::shared().key("jobs/1");
    /// assert_eq!(Key::from_bytes(key.as_bytes()), Some(key));
    /// assert_eq!(Key::from_bytes(b"jobs/1"), None);
    /// ```
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let key = Self::from_encoded(bytes);
        let tag = key.tag()?;
        // Encoded again from its parts it must be the same; otherwise it is cut off, or escaped in another
        // way.
        let prefix = match *bytes.first()? {
            SYSTEM => Self::system(tag, &[]),
            DEFAULT => Self::shared(tag, &[]),
            NAMED => key.namespace().tagged(tag, &[]),
            _ => return None,
        };
        (bytes.get(..prefix.as_bytes().len())? == prefix.as_bytes()).then_some(key)
    }

    /// Returns the name that the user gave, without namespace and type tag.
    pub fn user_key(&self) -> &[u8] {
        Self::user_key_of(&self.0)
    }

    /// Returns the user key of an encoded key.
    #[inline]
    pub(crate) fn user_key_of(bytes: &[u8]) -> &[u8] {
        &bytes[user_key_start(bytes)..]
    }

    /// Returns the namespace.
    pub fn namespace(&self) -> Namespace {
        let mut namespace = Namespace::default();
        if self.0.first() == Some(&NAMED) {
            let mut rest = &self.0[1..];
            let mut next = || {
                let (component, tail) = split_component(rest);
                rest = tail;
                component
            };
            namespace.tenant = String::from_utf8_lossy(&next()).into_owned();
            namespace.app = String::from_utf8_lossy(&next()).into_owned();
            namespace.agent = String::from_utf8_lossy(&next()).into_owned();
            namespace.run = <[u8; 16]>::try_from(next().as_slice()).ok().map(RunId::from_bytes);
        }
        namespace
    }

    /// Returns what kind of data the key holds.
    pub fn tag(&self) -> Option<TypeTag> {
        self.0.get(user_key_start(&self.0).checked_sub(1)?).copied().and_then(TypeTag::from_byte)
    }

    /// Returns whether the key is one of the database's own.
    #[inline]
    pub(crate) fn is_system(&self) -> bool {
        Self::is_system_encoded(&self.0)
    }

    /// Returns whether an encoded key is one of the database's own. Those come before all others.
    #[inline]
    pub(crate) fn is_system_encoded(encoded: &[u8]) -> bool {
        encoded.first() == Some(&SYSTEM)
    }

    pub(crate) fn system(tag: TypeTag, user_key: &[u8]) -> Self {
        let mut bytes = KeyBytes::new();
        bytes.push(SYSTEM);
        bytes.push(tag as u8);
        bytes.extend_from_slice(user_key);
        Self(bytes)
    }

    #[inline]
    pub(crate) fn shared(tag: TypeTag, user_key: &[u8]) -> Self {
        let mut inline = [0; KEY_INLINE];
        if let Some(place) = inline.get_mut(2..2 + user_key.len()) {
            place.copy_from_slice(user_key);
            (inline[0], inline[1]) = (DEFAULT, tag as u8);
            return Self(KeyBytes::from_buf_and_len(inline, 2 + user_key.len()));
        }
        let mut bytes = KeyBytes::with_capacity(2 + user_key.len());
        bytes.extend_from_slice(&[DEFAULT, tag as u8]);
        bytes.extend_from_slice(user_key);
        Self(bytes)
    }

    /// Creates a key from bytes that [`Key::as_bytes`] gave, or from the bound of a range.
    #[inline]
    pub(crate) fn from_encoded(bytes: &[u8]) -> Self {
        Self(KeyBytes::from_slice(bytes))
    }

    /// Becomes the key of these bytes, reusing its memory.
    #[inline]
    pub(crate) fn set_encoded(&mut self, bytes: &[u8]) {
        self.0.clear();
        self.0.extend_from_slice(bytes);
    }

    /// Appends these bytes.
    pub(crate) fn with_bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// Appends an escaped component.
    pub(crate) fn with_component(mut self, component: &[u8]) -> Self {
        push_component(&mut self.0, component);
        self
    }

    /// Appends a number, so that keys are in the order of their numbers.
    pub(crate) fn with_number(mut self, number: u64) -> Self {
        self.0.extend_from_slice(&number.to_be_bytes());
        self
    }

    /// Returns the number at the end of the key.
    pub(crate) fn last_number(&self) -> Option<u64> {
        self.0.last_chunk().map(|bytes| u64::from_be_bytes(*bytes))
    }

    /// Returns the first key after all those that start with this one; `None` if there is none.
    pub(crate) fn prefix_end(&self) -> Option<Self> {
        let mut end = KeyBytes::from_slice(&self.0);
        while let Some(last) = end.last_mut() {
            if *last < u8::MAX {
                *last += 1;
                return Some(Self(end));
            }
            end.pop();
        }
        None
    }

    /// Returns the smallest key greater than this one.
    pub(crate) fn successor(&self) -> Self {
        let mut bytes = KeyBytes::with_capacity(self.0.len() + 1);
        bytes.extend_from_slice(&self.0);
        bytes.push(0);
        Self(bytes)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Key {
    /// Writes the user key, quoted and escaped, after its namespace if that is not the shared one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.first() == Some(&NAMED) {
            let Namespace { tenant, app, agent, run } = self.namespace();
            write!(f, "{}/{}/{}/", tenant.escape_debug(), app.escape_debug(), agent.escape_debug())?;
            if let Some(run) = run {
                write!(f, "{run}")?;
            }
            f.write_str(":")?;
        }
        match self.tag() {
            Some(TypeTag::Kv) | None => {}
            Some(tag) => write!(f, "{tag:?}:")?,
        }
        write!(f, "\"{}\"", self.user_key().escape_ascii())
    }
}

/// Returns where the user key of an encoded key begins.
#[inline]
fn user_key_start(bytes: &[u8]) -> usize {
    if bytes.first() != Some(&NAMED) {
        return bytes.len().min(2);
    }
    let mut rest = &bytes[1..];
    for _ in 0..4 {
        rest = split_component(rest).1;
    }
    (bytes.len() - rest.len() + 1).min(bytes.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Key, Namespace, TypeTag};
    use crate::run_id::RunId;

    fn namespaces() -> impl Strategy<Value = Namespace> {
        let part = "[\\x00\\x01a\u{ff}]{0,3}";
        (part, part, part, proptest::option::of(any::<[u8; 16]>())).prop_map(|(tenant, app, agent, run)| {
            Namespace { tenant, app, agent, run: run.map(RunId::from_bytes) }
        })
    }

    fn tags() -> impl Strategy<Value = TypeTag> {
        prop_oneof![Just(TypeTag::Kv), Just(TypeTag::Event), Just(TypeTag::State), Just(TypeTag::Run)]
    }

    proptest! {
        #[test]
        fn inv_key_1_order_is_that_of_the_parts(
            a in (namespaces(), tags(), any::<Vec<u8>>()),
            b in (namespaces(), tags(), any::<Vec<u8>>()),
        ) {
            type Parts = (Namespace, TypeTag, Vec<u8>);
            let encode = |(namespace, tag, user): &Parts| namespace.tagged(*tag, user);
            let (left, right) = (encode(&a), encode(&b));
            prop_assert_eq!(left.cmp(&right), a.cmp(&b));
        }

        #[test]
        fn parts_come_back(namespace in namespaces(), tag in tags(), user in any::<Vec<u8>>()) {
            let key = namespace.tagged(tag, &user);
            prop_assert_eq!(key.namespace(), namespace);
            prop_assert_eq!(key.tag(), Some(tag));
            prop_assert_eq!(key.user_key(), user.as_slice());
        }

        #[test]
        fn keys_are_equal_exactly_if_their_bytes_are(
            bytes in prop::collection::vec(any::<u8>(), 0..48),
            at in any::<prop::sample::Index>(),
            cut in 0_usize..3,
        ) {
            let key = Key::from_encoded(&bytes);
            prop_assert!(key.is(&bytes));
            if !bytes.is_empty() {
                let mut other = bytes.clone();
                other[at.index(bytes.len())] ^= 1;
                prop_assert!(!key.is(&other));
                prop_assert_eq!(key.is(&bytes[cut.min(bytes.len())..]), cut == 0);
            }
        }

        #[test]
        fn prefix_end_is_the_first_key_behind(prefix in any::<Vec<u8>>(), other in any::<Vec<u8>>()) {
            let (prefix, other) = (Key::from_encoded(&prefix), Key::from_encoded(&other));
            let inside = prefix <= other && prefix.prefix_end().is_none_or(|end| other < end);
            prop_assert_eq!(inside, other.as_bytes().starts_with(prefix.as_bytes()));
        }
    }

    #[test]
    fn a_key_reads_well() {
        assert_eq!(Key::shared(TypeTag::Kv, b"a\n").to_string(), "\"a\\n\"");
        let namespace = Namespace { tenant: "t".into(), app: "x".into(), ..Namespace::default() };
        assert_eq!(namespace.key("k").to_string(), "t/x//:\"k\"");
    }
}
