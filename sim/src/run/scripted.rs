//! Runs whose power cuts, and what they leave, are given and not drawn, for enumerations.

use stormproof_faults::{DiskRecording, DiskSnapshot, FaultPlan};

use super::execution::Execution;
use super::{Role, Run, RunError, SimWorld};
use crate::plan::{LifePlan, Plan};
use crate::registry::Registry;

/// A life of such a run.
#[derive(Clone, Debug)]
pub(crate) struct ScriptedLife {
    pub(crate) plan: LifePlan,
    pub(crate) role: Role,
    /// Where the power goes out; if it is not given, where the plan says.
    pub(crate) cut: Option<Cut>,
}

/// A power cut.
#[derive(Clone, Debug)]
pub(crate) struct Cut {
    /// When the operation with this number, counted over all lives, has taken effect; before the first if it
    /// is 0.
    pub(crate) after_operation: u64,
    /// What it leaves.
    pub(crate) left: DiskSnapshot,
}

/// Runs lives one after the other and judges them. Of the last one, all that it does to the disk is recorded.
///
/// # Errors
/// When there is no verdict; see [`RunError`].
pub(crate) fn run_scripted(
    plan: &Plan,
    lives: &[ScriptedLife],
    registry: &Registry,
) -> Result<(Run, Option<DiskRecording>), RunError> {
    let mut execution = Execution::new(plan, registry, SimWorld::new(plan))?;
    for (number, life) in lives.iter().enumerate() {
        if life.role != Role::Storm {
            execution.world.disk.set_faults(FaultPlan::none());
        }
        if number + 1 == lives.len() {
            execution.world.disk.start_recording();
        }
        if !execution.run_life_until(&life.plan, life.role, life.cut.as_ref())? {
            break;
        }
    }
    let recording = execution.recorded.take();
    Ok((execution.judge()?, recording))
}
