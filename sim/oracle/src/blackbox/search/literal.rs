//! Literals: a variable, or its negation.

/// A variable or its negation, as one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Literal(u32);

impl Literal {
    pub(super) fn of(variable: u32, positive: bool) -> Self {
        Self(variable * 2 + u32::from(!positive))
    }

    pub(super) fn variable(self) -> usize {
        (self.0 / 2) as usize
    }

    pub(super) fn is_positive(self) -> bool {
        self.0.is_multiple_of(2)
    }

    pub(super) fn negated(self) -> Self {
        Self(self.0 ^ 1)
    }

    /// Returns its place in an array over all literals.
    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}
