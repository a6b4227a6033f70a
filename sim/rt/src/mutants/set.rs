//! Sets of mutants: those that are switched on in a life.

use std::fmt;

use super::Mutant;

/// Which mutants are switched on.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct MutantSet([u64; 4]);

impl MutantSet {
    /// None: the engine as it is.
    pub const NONE: Self = Self([0; 4]);

    /// Adds a mutant.
    #[must_use]
    pub const fn with(mut self, mutant: Mutant) -> Self {
        self.0[mutant as usize / 64] |= 1 << (mutant as usize % 64);
        self
    }

    /// Returns whether a mutant is in the set.
    pub const fn contains(&self, mutant: Mutant) -> bool {
        self.0[mutant as usize / 64] & (1 << (mutant as usize % 64)) != 0
    }

    /// Returns the mutants in the set.
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
