//! Errors of the conversion between serde types and values.

use std::fmt;

use crate::value::ValueError;

/// A message of serde, on its way to [`ValueError::Serde`].
#[derive(Debug)]
pub(super) struct SerdeError(String);

impl fmt::Display for SerdeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SerdeError {}

impl serde::ser::Error for SerdeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

impl serde::de::Error for SerdeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

impl From<SerdeError> for ValueError {
    fn from(SerdeError(message): SerdeError) -> Self {
        Self::Serde { message }
    }
}
