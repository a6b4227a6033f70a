//! Integers outside of the range of `i64`.

use std::fmt;

/// An integer outside of the range of `i64`, of up to 128 bits beside its sign.
///
/// ```
/// use stormproof::Value;
///
/// let Value::BigInt(number) = Value::from(u64::MAX) else { panic!("it is no i64") };
/// assert_eq!((number.is_negative(), number.magnitude()), (false, u128::from(u64::MAX)));
/// assert_eq!((number.to_number::<u64>(), number.to_number::<i64>()), (Some(u64::MAX), None));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct BigInt {
    is_negative: bool,
    /// In halves, so that values need no larger alignment.
    magnitude: [u64; 2],
}

impl BigInt {
    /// Converts a number outside of the range of `i64`.
    pub(crate) fn of<N: TryInto<u128> + TryInto<i128> + Copy>(number: N) -> Self {
        let positive = TryInto::<u128>::try_into(number).ok();
        let negative = || TryInto::<i128>::try_into(number).map_or(0, i128::unsigned_abs);
        Self::from_parts(positive.is_none(), positive.unwrap_or_else(negative))
    }

    pub(crate) const fn from_parts(is_negative: bool, magnitude: u128) -> Self {
        Self { is_negative, magnitude: [(magnitude >> 64) as u64, magnitude as u64] }
    }

    /// Returns whether a number of these parts is outside of the range of `i64`.
    pub(crate) const fn is_big(is_negative: bool, magnitude: u128) -> bool {
        magnitude > i64::MAX as u128 + is_negative as u128
    }

    /// Returns whether it is below zero.
    pub const fn is_negative(&self) -> bool {
        self.is_negative
    }

    /// Returns the absolute value.
    pub const fn magnitude(&self) -> u128 {
        (self.magnitude[0] as u128) << 64 | self.magnitude[1] as u128
    }

    /// Returns the number as another type; `None` if that can't hold it.
    pub fn to_number<N: TryFrom<u128> + TryFrom<i128>>(&self) -> Option<N> {
        let magnitude = self.magnitude();
        if !self.is_negative {
            return N::try_from(magnitude).ok();
        }
        // `i128` reaches one further below zero than above.
        let number = i128::try_from(magnitude.checked_sub(1)?).ok()?;
        N::try_from(!number).ok()
    }
}

impl fmt::Display for BigInt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad_integral(!self.is_negative, "", &self.magnitude().to_string())
    }
}

impl fmt::Debug for BigInt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
