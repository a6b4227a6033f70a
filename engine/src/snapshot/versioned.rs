//! A value with its version.

use crate::types::Version;
use crate::value::Value;

/// A key's value and the version that it has.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Versioned {
    /// The value; `None` if the key is absent.
    pub value: Option<Value>,
    /// The version of the value, or of the tombstone if the key was deleted or has expired; zero if it never
    /// existed; `None` if a transaction reads its own write, which has no version yet.
    pub version: Option<Version>,
}
