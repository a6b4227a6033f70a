//! The zoo's table: deliberate bugs of the engine that a simulation can switch on, one at a time or several.
//!
//! To add one, append a row here and ask `rt::mutant!(Name)` at the place where the engine would go wrong. In
//! production the macro is the constant `false`, so neither the branch nor the name is in the binary.

use std::fmt;
use std::str::FromStr;

use crate::life;

macro_rules! mutants {
    ($($name:ident { breaks: $breaks:literal, bug: $bug:literal, contract: $contract:literal })*) => {
        /// A deliberate bug of the engine.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Mutant {
            $(#[doc = $breaks] $name,)*
        }

        impl Mutant {
            /// All of them, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Its name, as in [`mutant!`](crate::mutant).
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),* }
            }

            /// What it does wrong.
            pub const fn breaks(self) -> &'static str {
                match self { $(Self::$name => $breaks),* }
            }

            /// The kind of real bug on which it is modelled.
            pub const fn modelled_on(self) -> &'static str {
                match self { $(Self::$name => $bug),* }
            }

            /// The row of the contract that it breaks.
            pub const fn contract(self) -> &'static str {
                match self { $(Self::$name => $contract),* }
            }
        }
    };
}

mutants! {
    PublishBeforeInstall {
        breaks: "publishes a commit's version before its writes are in the index",
        bug: "version published before all writes installed",
        contract: "V1"
    }
    AckBeforeSync {
        breaks: "acknowledges a commit before its log record is synced",
        bug: "follower acked on the leader's write, or on an earlier batch's sync",
        contract: "D1"
    }
    SkipReadValidation {
        breaks: "commits although a key that was read has changed since the snapshot",
        bug: "validation that forgets a kind of conflict",
        contract: "ReadConflict"
    }
    SkipWriteValidation {
        breaks: "commits although a key that is blindly written has changed since the snapshot",
        bug: "two winners: lost updates under threads",
        contract: "WriteConflict"
    }
    SkipCasValidation {
        breaks: "commits a conditional write although its key has changed since the snapshot",
        bug: "read and CAS in separate transactions",
        contract: "CasConflict"
    }
    SkipRangeValidation {
        breaks: "commits although a scanned range has changed since the snapshot",
        bug: "phantoms: point reads validated, ranges forgotten",
        contract: "RangeConflict"
    }
    DeleteNotValidated {
        breaks: "commits a delete although its key has changed since the snapshot",
        bug: "validation that forgets the delete set",
        contract: "WriteConflict"
    }
    MissingKeyNotTracked {
        breaks: "leaves keys that were read and never existed out of the read set",
        bug: "missing keys missing from the read set",
        contract: "ReadConflict"
    }
    TombstoneNotTracked {
        breaks: "leaves keys that were read and had been deleted out of the read set",
        bug: "own-deleted or deleted keys missing from the read set",
        contract: "ReadConflict"
    }
    ScanNotTracked {
        breaks: "leaves scanned ranges out of the read set",
        bug: "scanned keys missing from the read set",
        contract: "RangeConflict"
    }
    SnapshotReadBeforeRegistered {
        breaks: "reads the snapshot version before it registers the snapshot, so collection may pass in between",
        bug: "snapshot version read before the lock",
        contract: "V1"
    }
}

impl fmt::Display for Mutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The name of no mutant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownMutant(pub String);

impl fmt::Display for UnknownMutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no mutant is called {:?}: see `Mutant::ALL` for those that there are", self.0)
    }
}

impl std::error::Error for UnknownMutant {}

impl FromStr for Mutant {
    type Err = UnknownMutant;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.iter().find(|mutant| mutant.name() == name);
        found.copied().ok_or_else(|| UnknownMutant(name.to_owned()))
    }
}

/// Which mutants are switched on.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct MutantSet([u64; 4]);

impl MutantSet {
    /// None: the engine as it is.
    pub const NONE: Self = Self([0; 4]);

    /// Adds one.
    #[must_use]
    pub const fn with(mut self, mutant: Mutant) -> Self {
        self.0[mutant as usize / 64] |= 1 << (mutant as usize % 64);
        self
    }

    /// Whether it is in.
    pub const fn contains(&self, mutant: Mutant) -> bool {
        self.0[mutant as usize / 64] & (1 << (mutant as usize % 64)) != 0
    }

    /// Those that are in.
    pub fn iter(&self) -> impl Iterator<Item = Mutant> {
        Mutant::ALL.iter().copied().filter(|mutant| self.contains(*mutant))
    }
}

impl FromIterator<Mutant> for MutantSet {
    fn from_iter<I: IntoIterator<Item = Mutant>>(mutants: I) -> Self {
        mutants.into_iter().fold(Self::NONE, Self::with)
    }
}

impl fmt::Debug for MutantSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// Whether the mutant is switched on in the current life; what [`mutant!`](crate::mutant) asks.
pub fn active(mutant: Mutant) -> bool {
    life::with_core(|core| core.settings.mutants.contains(mutant)).unwrap_or(false)
}
