//! Switches only where a trace says so, by names that survive changes of the code.

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use rand_chacha::ChaCha8Rng;

use super::{Choice, Report, Strategy, path_hash, point_hash_of};
use crate::life::{ForcedSwitch, TaskId};

/// Takes the decisions of a trace at the points that they name; preempts no task anywhere else.
#[derive(Clone, Debug)]
pub struct Directed {
    forced_switches: Vec<ForcedSwitch>,
    /// Indices into `forced_switches` by the hash of their points; several if a point is forced more than
    /// once.
    by_point: HashMap<u64, Vec<usize>, FixedState>,
    met: Vec<bool>,
    diverged: Option<String>,
}

impl Directed {
    /// Takes these decisions (see [`Schedule::forced_switches`](crate::life::Schedule::forced_switches)), and
    /// no other.
    pub fn new(forced_switches: Vec<ForcedSwitch>) -> Self {
        let mut by_point: HashMap<u64, Vec<usize>, FixedState> = HashMap::default();
        for (index, force) in forced_switches.iter().enumerate() {
            by_point.entry(point_hash_of(&force.at)).or_default().push(index);
        }
        Self { met: vec![false; forced_switches.len()], forced_switches, by_point, diverged: None }
    }
}

impl Strategy for Directed {
    fn begin(&mut self, _rng: &mut ChaCha8Rng) {
        self.met.fill(false);
        self.diverged = None;
    }

    fn choose(&mut self, choice: &Choice<'_>, _rng: &mut ChaCha8Rng) -> TaskId {
        let here = self.by_point.get(&choice.point_hash());
        let Some(index) = here.and_then(|here| here.iter().copied().find(|index| !self.met[*index])) else {
            return choice.default();
        };
        self.met[index] = true;
        let to = &self.forced_switches[index].to;
        choice.runnable_by_hash(path_hash(to)).unwrap_or_else(|| {
            let diverged =
                || format!("step {}, {}: {to} was to go on, which can't run", choice.step, choice.point());
            self.diverged.get_or_insert_with(diverged);
            choice.default()
        })
    }

    fn report(&self) -> Report {
        let unmet = self.forced_switches.iter().zip(&self.met).filter(|(_, met)| !**met);
        Report { diverged: self.diverged.clone(), unmet: unmet.map(|(force, _)| force.at.clone()).collect() }
    }
}
