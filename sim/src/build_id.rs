//! Identity of this binary's code, which the results of a campaign carry: shards of different code don't add
//! up.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The code that a campaign ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildId {
    /// The version of the crate.
    pub version: String,
    /// A digest of the sources of engine and simulator.
    pub source: String,
    /// The commit, if the build was given one in `STORMPROOF_COMMIT`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
}

impl BuildId {
    /// Returns the identity of this binary's code.
    pub fn this() -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            source: env!("STORMPROOF_SOURCE").to_owned(),
            commit: option_env!("STORMPROOF_COMMIT").filter(|commit| !commit.is_empty()).map(str::to_owned),
        }
    }
}

impl fmt::Display for BuildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stormproof {}", self.version)?;
        match &self.commit {
            Some(commit) => write!(f, " ({})", commit.get(..12).unwrap_or(commit)),
            None => write!(f, " (source {})", self.source),
        }
    }
}
