//! What simulated functions may return.

use std::error::Error;
use std::fmt::Display;

/// What a simulated function returns that may fail in any way.
pub type Result<T = (), E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

/// What simulated functions may return: nothing, or a [`Result`] with any error.
pub trait Outcome {
    /// Turns a failure into its words.
    ///
    /// # Errors
    /// When it is one.
    fn into_result(self) -> Result<(), String>;
}

impl Outcome for () {
    fn into_result(self) -> Result<(), String> {
        Ok(())
    }
}

impl<T, E: Display> Outcome for Result<T, E> {
    fn into_result(self) -> Result<(), String> {
        self.map(drop).map_err(|error| error.to_string())
    }
}
