//! The name of a run.

use std::fmt;
use std::str::FromStr;

use env::Entropy;
use uuid::Uuid;

/// Identifies a run: one agent's session of work, unique across databases.
///
/// ```
/// use stormproof::RunId;
///
/// let run = RunId::random(&env::OsEntropy);
/// assert_eq!(RunId::from_bytes(*run.as_bytes()), run);
/// assert_eq!(RunId::from_uuid(*run.as_uuid()), run);
/// assert_eq!(run.to_string().parse(), Ok(run));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(Uuid);

impl RunId {
    /// Creates a random id (UUID version 4) from the given entropy.
    pub fn random(entropy: &dyn Entropy) -> Self {
        let mut bytes = [0; 16];
        entropy.fill(&mut bytes);
        Self(uuid::Builder::from_random_bytes(bytes).into_uuid())
    }

    /// Creates the id of a run that exists elsewhere from its UUID.
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid)
    }

    /// Returns the UUID.
    pub const fn as_uuid(&self) -> &Uuid {
        &self.0
    }

    /// Returns the 16 bytes of the UUID.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// Creates an id from the 16 bytes of a UUID.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl FromStr for RunId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}
