//! Scheduling strategies as data: those that are drawn, and those that follow a trace.

use serde::{Deserialize, Serialize};
use stormproof_rt_shuttle::life::{Decisions, ForcedSwitch};
use stormproof_rt_shuttle::strategy::{Directed, Kind, Replay, Reseeded, Strategy};

use crate::seed::Stream;

/// A scheduling strategy with its parameters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StrategyPlan {
    /// One that decides by itself.
    Drawn(Kind),
    /// One that decides by itself, and as if it had been given another seed from some step on.
    Reseeded {
        /// The strategy.
        kind: Kind,
        /// The first step of the other seed.
        after: u64,
        /// That seed.
        seed: u64,
    },
    /// Only the switches that are listed, by name: what shrunk traces hold. Survives changes of the code.
    Directed {
        /// The switches.
        #[serde(alias = "forces")]
        forced_switches: Vec<ForcedSwitch>,
    },
    /// Decision by decision, for exact replay on the same code.
    Replay {
        /// The decisions.
        decisions: Decisions,
    },
}

/// About how many scheduling points a life has, for strategies that spread their switches over it.
const STEPS: u64 = 4_000;

impl StrategyPlan {
    /// Returns the strategies that seeds draw, by the name that users type, each with its weight.
    pub fn weights() -> Vec<(u32, &'static str)> {
        Kind::DEFAULT_WEIGHTS.into_iter().zip(Kind::NAMES).collect()
    }

    /// Draws one of those that `only` names, or of all if that is empty.
    pub fn draw(only: &[String], stream: &mut Stream) -> Self {
        let mut weights = Kind::DEFAULT_WEIGHTS;
        for (weight, name) in weights.iter_mut().zip(Kind::NAMES) {
            if !only.is_empty() {
                *weight = u32::from(only.iter().any(|only| only == name));
            }
        }
        Self::Drawn(Kind::draw(&weights, STEPS, stream.generator()))
    }

    /// Creates one that switches after `quantum` scheduling points.
    pub const fn round_robin(quantum: u32) -> Self {
        Self::Drawn(Kind::RoundRobin { quantum })
    }

    /// Draws one of several strategies that differ much: for searching a schedule that fails.
    pub fn for_search(attempt: u64) -> Self {
        Self::Drawn(match attempt % 6 {
            0 => Kind::Windows { labels: Vec::new() },
            1 => Kind::Pct { depth: 3, steps: 400 },
            2 => Kind::Uniform,
            3 => Kind::Sticky { burst_mean: 8 },
            4 => Kind::PartialOrder,
            _ => Kind::RoundRobin { quantum: 1 + u32::try_from(attempt % 32).unwrap_or(1) },
        })
    }

    /// Draws one of several strategies that seldom switch.
    pub(crate) fn with_few_switches(attempt: u64) -> Self {
        Self::Drawn(match attempt % 6 {
            0 => Kind::Pct { depth: 2, steps: 200 },
            1 => Kind::Pct { depth: 4, steps: 1_000 },
            2 => Kind::Sticky { burst_mean: 64 },
            3 => Kind::Sticky { burst_mean: 256 },
            4 => Kind::Sticky { burst_mean: 1_024 },
            _ => Kind::Pct { depth: 3, steps: 4_000 },
        })
    }

    /// Builds the strategy itself.
    pub fn build(&self) -> Box<dyn Strategy> {
        match self {
            Self::Drawn(kind) => kind.build(),
            Self::Reseeded { kind, after, seed } => Box::new(Reseeded::new(kind.build(), *after, *seed)),
            Self::Directed { forced_switches } => Box::new(Directed::new(forced_switches.clone())),
            Self::Replay { decisions } => Box::new(Replay::new(decisions.clone())),
        }
    }

    /// Returns its name.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Drawn(kind) | Self::Reseeded { kind, .. } => kind.name(),
            Self::Directed { .. } => "directed",
            Self::Replay { .. } => "replay",
        }
    }

    /// Returns the switches that it forces, by name; none if it does not know them by name.
    pub fn forced_switches(&self) -> &[ForcedSwitch] {
        match self {
            Self::Directed { forced_switches } => forced_switches,
            Self::Drawn(_) | Self::Reseeded { .. } | Self::Replay { .. } => &[],
        }
    }

    /// Returns how many switches it forces; 0 for one that draws them.
    pub fn preemptions(&self) -> usize {
        match self {
            Self::Drawn(_) | Self::Reseeded { .. } => 0,
            Self::Directed { forced_switches } => forced_switches.len(),
            Self::Replay { decisions } => decisions.0.len(),
        }
    }
}
