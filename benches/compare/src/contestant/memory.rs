//! What a database holds in memory. Measured in a process of its own, as what another left behind counts too.

use std::path::Path;
use std::time::Duration;

use clap::ValueEnum;

use super::{SCATTERED_STEP, content, update, write};
use crate::data;
use crate::engine::{Engine, Setting};
use crate::outcome::Result;

/// How long a database is left alone before it is looked at again.
const REST: Duration = Duration::from_secs(3);

/// What the process does before it looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Stage {
    /// Fills it in random order, looks; updates it, looks; leaves it alone, looks.
    Fill,
    /// Opens what is there, reads all of it, looks.
    Open,
}

/// Returns by how many bytes the process has grown, each time that it looked.
pub(super) fn resident<E: Engine>(dir: &Path, keys: u64, stage: Stage) -> Result<Vec<u64>> {
    let numbers = data::shuffled(keys);
    let before = resident_bytes()?;
    let grown =
        || Ok::<_, Box<dyn std::error::Error + Send + Sync>>(resident_bytes()?.saturating_sub(before));
    let engine = E::open(dir, Setting::Later)?;
    let mut session = engine.session()?;
    let mut seen = Vec::new();
    match stage {
        Stage::Fill => {
            for some in numbers.chunks(1 << 14) {
                write::<E>(&mut session, some.iter().copied(), SCATTERED_STEP)?;
            }
            seen.push(grown()?);
            update::<E>(&mut session, keys)?;
            seen.push(grown()?);
            rt::time::sleep(REST);
            seen.push(grown()?);
        }
        Stage::Open => {
            let (count, _) = content::<E>(&mut session)?;
            if count != keys {
                return Err(format!("{count} of {keys} keys are there").into());
            }
            seen.push(grown()?);
        }
    }
    drop(session);
    engine.close()?;
    Ok(seen)
}

/// The resident bytes of this process, files that it has mapped among them.
fn resident_bytes() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes =
        line.and_then(|line| line.split_whitespace().next()).ok_or("no VmRSS in /proc/self/status")?;
    Ok(kilobytes.parse::<u64>()? << 10)
}
