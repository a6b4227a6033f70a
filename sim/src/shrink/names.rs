//! Gives short names to what is left: clients from 2 on, keys a, b, c.
//!
//! Job: rename wherever the failure does not depend on the name. A workload's own invariant knows its keys by
//! their names and clients by their numbers; there the old ones stay. Names are changed in the text of the
//! plan, so that switches, which name tasks after their clients, are renamed too.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Search;
use crate::plan::Plan;
use crate::task_names::client;

/// Renames clients and keys, each as long as the plan still fails.
pub(super) fn rename(search: &mut Search<'_>) {
    attempt(search, clients_in_order);
    let keys = keys_of(search.plan());
    let all = |plan: &Plan| with_keys(plan, &keys, 0..keys.len());
    if attempt(search, all) {
        return;
    }
    for number in 0..keys.len() {
        attempt(search, |plan| with_keys(plan, &keys, number..number + 1));
    }
}

fn attempt(search: &mut Search<'_>, change: impl Fn(&Plan) -> Option<Plan>) -> bool {
    let Some(candidate) = change(search.plan()) else { return false };
    candidate != *search.plan() && search.try_exactly(&candidate)
}

/// The first of the plan's clients.
const FIRST: u32 = stormproof_workloads::plan::FIRST_CLIENT;

fn clients_in_order(plan: &Plan) -> Option<Plan> {
    let old: Vec<u32> = plan.workload.clients.iter().map(|client| client.session).collect();
    let names: Vec<(String, String)> =
        (FIRST..).zip(&old).map(|(new, old)| (client(*old), client(new))).collect();
    let mut renamed = rewritten(plan, |_, text| {
        let segments = text.split('/').map(|segment| {
            let found = names.iter().find(|(old, _)| old == segment);
            found.map_or(segment, |(_, new)| new.as_str())
        });
        Some(segments.collect::<Vec<_>>().join("/"))
    })?;
    // Programs are not task paths: what looks like a client there is something else.
    renamed.workload = plan.workload.clone();
    for (new, client) in (FIRST..).zip(&mut renamed.workload.clients) {
        client.session = new;
    }
    Some(renamed)
}

/// Fields of steps that hold a whole key, or the name of a list, stream or machine.
const KEY_FIELDS: &[&str] = &["key", "from", "to", "list", "stream", "machine", "accounts"];

/// Returns all names, in the order in which the programs use them.
fn keys_of(plan: &Plan) -> Vec<String> {
    let mut keys = Vec::new();
    let mut known = BTreeSet::new();
    let mut programs = plan.clone();
    programs.lives.clear();
    rewritten(&programs, |field, text| {
        if KEY_FIELDS.contains(&field) && known.insert(text.to_owned()) {
            keys.push(text.to_owned());
        }
        None
    });
    keys
}

fn with_keys(plan: &Plan, keys: &[String], which: std::ops::Range<usize>) -> Option<Plan> {
    let short =
        |number: usize| char::from_u32(u32::from('a') + u32::try_from(number).ok()?).map(String::from);
    if keys.len() > 26 {
        return None;
    }
    let mut renamed = rewritten(plan, |field, text| {
        let number = keys.iter().position(|key| key == text).filter(|number| which.contains(number))?;
        KEY_FIELDS.contains(&field).then(|| short(number))?
    })?;
    // Switches name no keys.
    renamed.lives.clone_from(&plan.lives);
    Some(renamed)
}

/// Returns the plan with every text that `change` replaces; it gets the field that holds the text, and the
/// text.
fn rewritten(plan: &Plan, mut change: impl FnMut(&str, &str) -> Option<String>) -> Option<Plan> {
    let mut value = serde_json::to_value(plan).ok()?;
    rewrite(&mut value, "", &mut change);
    serde_json::from_value(value).ok()
}

fn rewrite(value: &mut Value, field: &str, change: &mut dyn FnMut(&str, &str) -> Option<String>) {
    match value {
        Value::String(text) => {
            if let Some(new) = change(field, text) {
                *text = new;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rewrite(item, field, change)),
        Value::Object(fields) => {
            // In the order of the fields' names: JSON objects do not keep the order in which a step is
            // written.
            fields.iter_mut().for_each(|(name, item)| rewrite(item, name, change));
        }
        _ => {}
    }
}
