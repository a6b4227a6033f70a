//! Where a key lives (namespace), and what it holds (type tag).

use super::{Key, KeyBytes};
use crate::run_id::RunId;

/// The first byte of keys in the system namespace.
pub(super) const SYSTEM: u8 = 0;
/// The first byte of keys in the shared namespace.
pub(super) const DEFAULT: u8 = 1;
/// The first byte of keys in all other namespaces.
pub(super) const NAMED: u8 = 2;

/// What kind of data a key holds; keys of different kinds never meet, even under one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum TypeTag {
    /// Key-value data.
    Kv = 1,
    /// Entries of event logs.
    Event = 2,
    /// States of state machines.
    State = 3,
    /// Run records.
    Run = 4,
}

impl TypeTag {
    pub(super) const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Kv),
            2 => Some(Self::Event),
            3 => Some(Self::State),
            4 => Some(Self::Run),
            _ => None,
        }
    }
}

/// Where a key lives. The default namespace is shared by all runs; [`Namespace::of_run`] is private to one.
///
/// ```
/// # let db = stormproof::Database::open_in_memory()?;
/// # let run = db.begin_run()?;
/// use stormproof::{Namespace, TypeTag};
///
/// let team = Namespace { tenant: "acme".into(), app: "support".into(), ..Namespace::shared() };
/// let key = team.key("ticket/7");
/// db.put(run, &key, "open")?;
/// assert_eq!((key.namespace(), key.user_key(), key.tag()), (team, &b"ticket/7"[..], Some(TypeTag::Kv)));
/// assert_eq!(db.get::<String>("ticket/7")?, None, "the shared namespace is another");
///
/// let own = Namespace::of_run(run).key("scratch");
/// db.put(run, &own, 1_i64)?;
/// assert_ne!(own.as_bytes(), key.as_bytes());
/// # Ok::<(), stormproof::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Namespace {
    /// The customer.
    pub tenant: String,
    /// The application.
    pub app: String,
    /// The agent.
    pub agent: String,
    /// The run, if the data are private to one.
    pub run: Option<RunId>,
}

impl Namespace {
    /// Returns the namespace that all runs share.
    pub fn shared() -> Self {
        Self::default()
    }

    /// Creates a namespace that belongs to one run.
    pub fn of_run(run: RunId) -> Self {
        Self { run: Some(run), ..Self::default() }
    }

    /// Returns the key of that name in this namespace, for key-value data.
    pub fn key(&self, user_key: impl AsRef<[u8]>) -> Key {
        self.tagged(TypeTag::Kv, user_key.as_ref())
    }

    pub(crate) fn tagged(&self, tag: TypeTag, user_key: &[u8]) -> Key {
        let mut bytes = KeyBytes::new();
        if *self == Self::default() {
            bytes.push(DEFAULT);
        } else {
            bytes.push(NAMED);
            for component in [self.tenant.as_bytes(), self.app.as_bytes(), self.agent.as_bytes()] {
                push_component(&mut bytes, component);
            }
            push_component(&mut bytes, self.run.as_ref().map_or(&[], |run| run.as_bytes().as_slice()));
        }
        bytes.push(tag as u8);
        bytes.extend_from_slice(user_key);
        Key(bytes)
    }
}

/// Appends an escaped component and its end.
pub(super) fn push_component(bytes: &mut KeyBytes, component: &[u8]) {
    for &byte in component {
        bytes.push(byte);
        if byte == 0 {
            bytes.push(u8::MAX);
        }
    }
    bytes.extend_from_slice(&[0, 1]);
}

/// Splits off the first component, without its escapes.
pub(super) fn split_component(bytes: &[u8]) -> (Vec<u8>, &[u8]) {
    let mut component = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        match (bytes[at], bytes.get(at + 1)) {
            (0, Some(1)) => return (component, &bytes[at + 2..]),
            (0, _) => {
                component.push(0);
                at += 2;
            }
            (byte, _) => {
                component.push(byte);
                at += 1;
            }
        }
    }
    (component, &[])
}
