//! The workloads that a binary knows: those of the catalogue, and those that its author adds.

use std::fmt;

use stormproof_rt::sync::Arc;
use stormproof_workloads::{Workload, catalogue};

/// The workloads that a binary knows.
#[derive(Clone, Default)]
pub struct Registry {
    own: Vec<Arc<dyn Workload>>,
}

impl Registry {
    /// The catalogue and `own`; one of `own` replaces one of the catalogue with the same name.
    pub fn new(own: Vec<Arc<dyn Workload>>) -> Self {
        Self { own }
    }

    /// All of them, sorted by name.
    pub fn all(&self) -> Vec<Arc<dyn Workload>> {
        let mut all = self.own.clone();
        for workload in catalogue::all() {
            if !all.iter().any(|own| own.name() == workload.name()) {
                all.push(workload.into());
            }
        }
        all.sort_by(|a, b| a.name().cmp(b.name()));
        all
    }

    /// The one that a plan names, with the plan's parameters.
    pub fn find(&self, name: &str, parameters: &serde_json::Value) -> Option<Arc<dyn Workload>> {
        let own = self.own.iter().find(|own| own.name() == name).cloned();
        own.or_else(|| catalogue::by_name(name, parameters.clone()).map(Arc::from))
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.all().iter().map(|workload| workload.name().to_owned()).collect::<Vec<_>>();
        f.debug_struct("Registry").field("workloads", &names).finish()
    }
}
