//! Numbers that must not be mixed up, each a type of its own.

use std::fmt;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u64);

        impl $name {
            /// The smallest.
            pub const ZERO: Self = Self(0);
            /// The largest.
            pub const MAX: Self = Self(u64::MAX);

            /// Creates it from the plain number.
            pub const fn new(number: u64) -> Self {
                Self(number)
            }

            /// Returns the plain number.
            pub const fn get(self) -> u64 {
                self.0
            }

            /// Returns the one after this.
            ///
            /// # Panics
            /// At the end of the range, which no database ever reaches.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0.checked_add(1).expect("64 bits suffice"))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }
    };
}

number! {
    /// A version of the whole database: one per commit, rising in commit order, never used twice. Zero is
    /// before every commit: a key that never existed has it.
    ///
    /// ```
    /// use stormproof::Version;
    ///
    /// assert_eq!(Version::ZERO.next(), Version::new(1));
    /// assert_eq!(Version::new(7).get(), 7);
    /// ```
    Version, "v"
}

number! {
    /// Identifies a transaction; never used twice, not even after a crash that lost it. The order of ids says
    /// nothing within one opening.
    TxnId, "t"
}

number! {
    /// Log sequence number: the position of a record's first byte in the log, counted over all segments.
    Lsn, "lsn "
}

number! {
    /// The short name of a run inside one database, by which versions and the log refer to it. Zero is the
    /// database itself.
    RunNumber, "run #"
}

impl Version {
    /// Returns the one before this; zero has none before it.
    #[must_use]
    pub(crate) const fn previous(self) -> Self {
        Self(self.0.saturating_sub(1))
    }
}

/// What a transaction is protected from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Isolation {
    /// Reads one snapshot, and the first committer wins: allows write skew and phantoms, and nothing else.
    Snapshot,
    /// As if one transaction ran after the other, in real-time order (strict serializability).
    #[default]
    Serializable,
}
