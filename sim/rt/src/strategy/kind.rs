//! Strategies as plain data, for plans and traces.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;
use serde::{Deserialize, Serialize};

use super::{PartialOrder, Pct, RoundRobin, Sticky, Strategy, Uniform, Walk, Windows};
use crate::life::below;

/// A strategy with its parameters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// [`Uniform`].
    Uniform,
    /// [`Sticky`].
    Sticky {
        /// Mean length of a burst in scheduling points.
        burst_mean: u32,
    },
    /// [`Pct`].
    Pct {
        /// How many ordering constraints the bug needs.
        depth: u32,
        /// About how many scheduling points the life has.
        steps: u64,
    },
    /// [`Walk`].
    Walk,
    /// [`PartialOrder`].
    PartialOrder,
    /// [`RoundRobin`].
    RoundRobin {
        /// Scheduling points per turn.
        quantum: u32,
    },
    /// [`Windows`].
    Windows {
        /// Labels that count; all if empty.
        labels: Vec<String>,
    },
}

impl Kind {
    /// The names of all kinds, in the order of the weights of [`Kind::draw`].
    pub const NAMES: [&'static str; 7] =
        ["uniform", "sticky", "pct", "walk", "partial-order", "round-robin", "windows"];

    /// Weights with which kinds are drawn if nothing else is known.
    pub const DEFAULT_WEIGHTS: [u32; 7] = [2, 3, 3, 1, 3, 1, 5];

    /// Draws a kind by weight, and its parameters; `steps` is about how many scheduling points a life has.
    pub fn draw(weights: &[u32; 7], steps: u64, rng: &mut ChaCha8Rng) -> Self {
        let total: u32 = weights.iter().sum();
        let mut at = below(rng, u64::from(total.max(1))) as u32;
        // Both are drawn whatever the kind, so that another weight leaves the draws after them as they are.
        let (size, small) = (rng.next_u32(), rng.next_u32());
        for (index, weight) in weights.iter().enumerate() {
            if at < *weight {
                return match index {
                    1 => Self::Sticky { burst_mean: 2 << (size % 7) },
                    // Few switches in a short life are lost if they are spread over a long one, and the other
                    // way round.
                    2 => Self::Pct { depth: 1 + small % 5, steps: ((steps * 4) >> (size % 8)).max(1) },
                    3 => Self::Walk,
                    4 => Self::PartialOrder,
                    5 => Self::RoundRobin { quantum: 1 << (small % 6) },
                    6 => Self::Windows { labels: Vec::new() },
                    _ => Self::Uniform,
                };
            }
            at -= weight;
        }
        Self::Uniform
    }

    /// Returns its name.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Sticky { .. } => "sticky",
            Self::Pct { .. } => "pct",
            Self::Walk => "walk",
            Self::PartialOrder => "partial-order",
            Self::RoundRobin { .. } => "round-robin",
            Self::Windows { .. } => "windows",
        }
    }

    /// Returns the strategy.
    pub fn build(&self) -> Box<dyn Strategy> {
        match self {
            Self::Uniform => Box::new(Uniform),
            Self::Sticky { burst_mean } => Box::new(Sticky::new(*burst_mean)),
            Self::Pct { depth, steps } => Box::new(Pct::new(*depth, *steps)),
            Self::Walk => Box::new(Walk::new()),
            Self::PartialOrder => Box::new(PartialOrder::new()),
            Self::RoundRobin { quantum } => Box::new(RoundRobin::new(*quantum)),
            Self::Windows { labels } => Box::new(Windows::new(labels.clone())),
        }
    }
}
