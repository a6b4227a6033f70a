//! What survives a power cut, drawn by chance.
//!
//! A cut has a *style*, drawn first ([`CrashStyle`]): real devices lose data in patterns, and bugs hide in
//! patterns that independent draws per sector practically never make, like "everything but the second write".
//!
//! INV-CRASH-1: what was synced survives, whatever is drawn (unless a fault broke the sync).
//! INV-CRASH-2: what did not survive one cut does not come back after another.
//! INV-CRASH-3: the same disk, odds and seed leave the same bytes.

mod draw;

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

pub(crate) use draw::{draw_survival, whole};

use crate::odds::Odds;

/// The pattern in which a power cut loses what was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CrashStyle {
    /// Nothing unsynced survives.
    LoseAll,
    /// Everything survives, as after the end of a process.
    KeepAll,
    /// What was done first survives, over all files, up to a point within a write.
    Prefix,
    /// Each write survives or not, each growth and each name too.
    Writes,
    /// Each sector (or page) shows some moment of its past, as page caches write back.
    Sectors,
    /// Each sector of each write survives or not, in any order, as the contract of [`stormproof_env::Disk`]
    /// allows.
    Fragments,
}

impl CrashStyle {
    /// All styles.
    pub const ALL: [Self; 6] =
        [Self::LoseAll, Self::KeepAll, Self::Prefix, Self::Writes, Self::Sectors, Self::Fragments];
}

/// The odds of what survives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CrashOdds {
    /// Weights of the styles, in the order of [`CrashStyle::ALL`].
    pub styles: [u32; 6],
    /// A piece of unsynced data survives.
    pub write_survives: Odds,
    /// The same for the first sector of a file, where headers are; as the others if `None`.
    pub header_survives: Option<Odds>,
    /// The same for the newest write of a file, where commit records are; as the others if `None`.
    pub tail_survives: Option<Odds>,
    /// Growth of a file survives: without it the data after the old end are lost, without them it shows a
    /// hole.
    pub growth_survives: Odds,
    /// A truncation survives.
    pub truncation_survives: Odds,
    /// A creation, rename or removal survives.
    pub entry_survives: Odds,
    /// A surviving piece is torn, below the size of a sector.
    pub torn: Odds,
    /// Data are lost by pages rather than by sectors.
    pub by_pages: Odds,
    /// Changes take effect in another order than they were made.
    pub reordered: Odds,
    /// Weights of what stands where a file grew and no data came: zeros, noise, content of removed files.
    pub fills: [u32; 3],
    /// A rename leaves the file under both names. Off by default: [`stormproof_env::Disk::rename`] is atomic.
    pub half_renamed: Odds,
}

impl Default for CrashOdds {
    fn default() -> Self {
        Self {
            styles: [2, 1, 3, 2, 3, 1],
            write_survives: Odds::percent(50),
            header_survives: None,
            tail_survives: None,
            growth_survives: Odds::percent(75),
            truncation_survives: Odds::percent(50),
            entry_survives: Odds::percent(50),
            torn: Odds::percent(15),
            by_pages: Odds::percent(25),
            reordered: Odds::percent(25),
            fills: [3, 1, 1],
            half_renamed: Odds::NEVER,
        }
    }
}

impl CrashOdds {
    /// Returns odds by which nothing unsynced survives.
    pub fn lose_all() -> Self {
        Self::only(CrashStyle::LoseAll)
    }

    /// Returns odds by which everything survives, as when only the process ends.
    pub fn keep_all() -> Self {
        Self::only(CrashStyle::KeepAll)
    }

    /// Returns the default odds, in one style.
    pub fn only(style: CrashStyle) -> Self {
        let styles = CrashStyle::ALL.map(|other| u32::from(other == style));
        Self { styles, ..Self::default() }
    }

    /// Draws odds for one run of a campaign: each run is extreme in another respect, so that together they
    /// reach corners that average odds never reach (swarm testing).
    pub fn swarm(rng: &mut impl Rng) -> Self {
        const LEVELS: [u32; 5] = [3, 20, 50, 80, 97];
        let mut level = || Odds::percent(LEVELS[rng.random_range(0..LEVELS.len())]);
        let mut odds = Self {
            write_survives: level(),
            header_survives: Some(level()),
            tail_survives: Some(level()),
            growth_survives: level(),
            truncation_survives: level(),
            entry_survives: level(),
            ..Self::default()
        };
        odds.header_survives = odds.header_survives.filter(|_| rng.random_bool(0.5));
        odds.tail_survives = odds.tail_survives.filter(|_| rng.random_bool(0.5));
        odds.torn = Odds::percent([0, 15, 60][rng.random_range(0..3)]);
        odds.by_pages = Odds::percent([0, 25, 100][rng.random_range(0..3)]);
        for weight in &mut odds.styles {
            *weight = rng.random_range(0..=3);
        }
        odds.styles[CrashStyle::Prefix as usize] += 1;
        // Old records come back only where old content does.
        odds.fills = [[3, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]][rng.random_range(0..4)];
        if rng.random_ratio(1, 3) {
            odds.hollow();
        }
        odds
    }

    /// Returns odds by which files have grown and show what other files had there before.
    pub fn stale() -> Self {
        let mut odds = Self { fills: [0, 0, 1], ..Self::default() };
        odds.hollow();
        odds
    }

    /// Makes files grow without their data, as on file systems that write lengths to the medium first: the
    /// rest shows what was there before.
    fn hollow(&mut self) {
        self.growth_survives = Odds::percent(97);
        self.write_survives = self.write_survives.min(Odds::percent(20));
        self.tail_survives = None;
        self.styles[CrashStyle::LoseAll as usize] = 0;
        self.styles[CrashStyle::KeepAll as usize] = 0;
        self.styles[CrashStyle::Writes as usize] += 2;
    }
}

/// What a power cut did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CrashReport {
    /// The life that it ended.
    pub life: u64,
    /// The number of the last operation before it.
    pub after_operation: u64,
    /// The pattern.
    pub style: CrashStyle,
    /// Pieces of data that were not synced and survived.
    pub pieces_kept: u64,
    /// Pieces of data that were lost.
    pub pieces_lost: u64,
    /// Pieces of which a part survived.
    pub pieces_torn: u64,
    /// Growths that were lost.
    pub growths_lost: u64,
    /// Truncations that were lost.
    pub truncations_lost: u64,
    /// Files that grew without all of their data: the rest shows zeros, noise or old content.
    pub hollow_tails: u64,
    /// Those of them that show noise or old content.
    pub dirty_tails: u64,
    /// Creations, renames and removals that survived without a directory sync.
    pub entries_kept: u64,
    /// Creations, renames and removals that were lost.
    pub entries_lost: u64,
    /// Changes that took effect in another order than they were made.
    pub reordered: bool,
    /// Files that lost or tore data, sorted.
    pub files_torn: Vec<String>,
}

impl CrashReport {
    fn new(style: CrashStyle) -> Self {
        Self {
            life: 0,
            after_operation: 0,
            style,
            pieces_kept: 0,
            pieces_lost: 0,
            pieces_torn: 0,
            growths_lost: 0,
            truncations_lost: 0,
            hollow_tails: 0,
            dirty_tails: 0,
            entries_kept: 0,
            entries_lost: 0,
            reordered: false,
            files_torn: Vec::new(),
        }
    }
}
