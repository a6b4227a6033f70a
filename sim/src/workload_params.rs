//! Parameters of workloads that are set on the command line.
//!
//! `counters=4` sets the parameter of this name of every chosen workload that has one; `sizes.bytes_max=100`
//! sets a field inside of one. A value is JSON, or else text.

use serde_json::Value;
use stormproof_rt::sync::Arc;
use stormproof_workloads::{Workload, catalogue};

use crate::suggest::use_one_of;

/// A parameter that can't be set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParamError {
    /// It has no `=`.
    #[error("`{0}` sets no parameter: write a parameter, `=` and its value, as in counters=4")]
    Form(String),
    /// No workload has it.
    #[error("no chosen workload has a parameter `{name}`: {}", use_one_of(name, known))]
    Unknown {
        /// Its name.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// The workload does not take the value.
    #[error("{workload} does not take the parameters {parameters}: set others")]
    Refused {
        /// Which workload.
        workload: String,
        /// What it was to have.
        parameters: String,
    },
}

/// Returns the same workloads, with other parameters.
///
/// # Errors
/// When a setting is malformed, fits no workload, or is refused by one.
pub fn apply(
    workloads: Vec<Arc<dyn Workload>>,
    settings: &[String],
) -> Result<Vec<Arc<dyn Workload>>, ParamError> {
    let mut parameters: Vec<Value> = workloads.iter().map(|workload| workload.parameters()).collect();
    for setting in settings {
        let (name, value) = setting.split_once('=').ok_or_else(|| ParamError::Form(setting.clone()))?;
        let pointer = format!("/{}", name.replace('.', "/"));
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
        let places: Vec<&mut Value> =
            parameters.iter_mut().filter_map(|all| all.pointer_mut(&pointer)).collect();
        if places.is_empty() {
            let mut known = parameters.iter().flat_map(|all| names("", all)).collect::<Vec<_>>();
            known.sort();
            known.dedup();
            return Err(ParamError::Unknown { name: name.to_owned(), known });
        }
        places.into_iter().for_each(|place| *place = value.clone());
    }
    let set = |(workload, parameters): (Arc<dyn Workload>, Value)| {
        if workload.parameters() == parameters {
            return Ok(workload);
        }
        let refused = || ParamError::Refused {
            workload: workload.name().to_owned(),
            parameters: parameters.to_string(),
        };
        let other = catalogue::by_name(workload.name(), parameters.clone()).ok_or_else(refused)?;
        if other.parameters() == parameters { Ok(Arc::from(other)) } else { Err(refused()) }
    };
    workloads.into_iter().zip(parameters).map(set).collect()
}

/// Returns the names of all parameters, with dots for those inside of others.
pub fn names(before: &str, parameters: &Value) -> Vec<String> {
    let Value::Object(fields) = parameters else { return Vec::new() };
    let named = |(name, value): (&String, &Value)| {
        let name = format!("{before}{name}");
        if value.is_object() { names(&format!("{name}."), value) } else { vec![name] }
    };
    fields.iter().flat_map(named).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use stormproof_rt::sync::Arc;
    use stormproof_workloads::{Workload, catalogue};

    use super::{ParamError, apply};

    fn tuned(name: &str, settings: &[&str]) -> Result<serde_json::Value, ParamError> {
        let workload: Arc<dyn Workload> = Arc::from(catalogue::by_name(name, json!(null)).expect("known"));
        let settings: Vec<String> = settings.iter().map(|setting| (*setting).to_owned()).collect();
        Ok(apply(vec![workload], &settings)?[0].parameters())
    }

    #[test]
    fn parameters_are_set_by_name_also_inside_of_others() {
        let set = tuned("register-mix", &["keys=3", "sizes.bytes_max=1048576"]).expect("both are there");
        assert_eq!((&set["keys"], &set["sizes"]["bytes_max"]), (&json!(3), &json!(1_048_576)));
    }

    #[test]
    fn what_can_not_be_set_is_said() {
        let unknown = tuned("hotspot", &["colour=red"]).expect_err("there is none");
        assert_eq!(
            unknown.to_string(),
            "no chosen workload has a parameter `colour`: use one of counters, think_micros_max"
        );
        assert!(matches!(tuned("hotspot", &["counters=many"]), Err(ParamError::Refused { .. })));
        assert!(matches!(tuned("hotspot", &["counters"]), Err(ParamError::Form(_))));
    }
}
