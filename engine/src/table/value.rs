//! What a table can hold.

use crate::error::{Error, Result};
use crate::value::Value;

/// What can be the value of a [`Table`](crate::Table): every type that goes into a [`Value`] and comes back,
/// so all plain ones and, with the feature `serde`, the wrapper `Serde` of any serde type.
///
/// ```
/// use stormproof::TableValue;
///
/// let stored = TableValue::into_stored(7_u64)?;
/// assert_eq!(<u64 as TableValue>::from_stored(stored)?, 7);
/// # Ok::<(), stormproof::Error>(())
/// ```
pub trait TableValue: Sized {
    /// Converts it to the value that is stored.
    ///
    /// # Errors
    /// [`Error::Value`] when it can't be stored.
    fn into_stored(self) -> Result<Value>;

    /// Converts it back from the value that is stored.
    ///
    /// # Errors
    /// [`Error::Value`] when it is of another type.
    fn from_stored(value: Value) -> Result<Self>;
}

impl<V> TableValue for V
where
    V: TryFrom<Value> + TryInto<Value>,
    Error: From<<V as TryFrom<Value>>::Error> + From<<V as TryInto<Value>>::Error>,
{
    fn into_stored(self) -> Result<Value> {
        Ok(self.try_into()?)
    }

    fn from_stored(value: Value) -> Result<Self> {
        Ok(Self::try_from(value)?)
    }
}
