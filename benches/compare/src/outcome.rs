//! What measurements return.

use std::error::Error;

/// What happened, or why not.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;
