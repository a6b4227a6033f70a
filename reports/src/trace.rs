//! Runs for trace viewers: the Chrome trace-event format, which Perfetto and `chrome://tracing` open.
//!
//! Format: "Trace Event Format", Google, the JSON object form. A position in the order of events is shown as
//! one microsecond. A lane is a thread; transactions of one lane that overlap go to further threads of the
//! same name, since viewers want complete events of a thread to nest.

use serde_json::{Value, json};

use crate::{LaneId, LaneKind, LifeEnd, Report, TxnId, words};

/// The process under which viewers show lives, faults and counters.
const STORE_PID: u32 = 1;

/// Renders one run.
pub(crate) fn run(report: &Report) -> Result<String, serde_json::Error> {
    let mut events = Vec::new();
    name_processes(&mut events);
    lives(&mut events, report);
    let threads = name_threads(&mut events, report);
    transactions(&mut events, report, &threads);
    for fault in &report.faults {
        events.push(json!({
            "name": fault.kind, "cat": "fault", "ph": "i", "s": "g", "ts": fault.at,
            "pid": STORE_PID, "tid": 0, "args": { "detail": fault.detail },
        }));
    }
    for point in &report.frontier {
        events.push(json!({
            "name": "versions", "ph": "C", "ts": point.at, "pid": STORE_PID, "tid": 0,
            "args": { "published": point.published, "durable": point.durable },
        }));
    }
    for (index, step) in report.steps.iter().enumerate() {
        events.push(json!({
            "name": step.label, "cat": if step.preempted { "preemption" } else { "step" }, "ph": "i", "s": "t",
            "ts": step.at, "pid": pid(report, step.lane), "tid": tid(step.lane, 0),
            "args": { "step": index, "preempted": step.preempted },
        }));
    }
    let other = json!({
        "title": report.title, "verdict": report.verdict.word(), "summary": report.summary,
        "reproduce": report.reproduce, "omitted": report.omitted,
    });
    let trace = json!({ "traceEvents": events, "displayTimeUnit": "ns", "otherData": other });
    serde_json::to_string(&trace)
}

fn name_processes(events: &mut Vec<Value>) {
    for (pid, name) in [(STORE_PID, "store"), (2, "clients"), (3, "engine"), (4, "world")] {
        events.push(json!({ "name": "process_name", "ph": "M", "pid": pid, "args": { "name": name } }));
        events.push(
            json!({ "name": "process_sort_index", "ph": "M", "pid": pid, "args": { "sort_index": pid } }),
        );
    }
    events.push(json!({
        "name": "thread_name", "ph": "M", "pid": STORE_PID, "tid": 0, "args": { "name": "lives" },
    }));
}

fn lives(events: &mut Vec<Value>, report: &Report) {
    let last = report.txns.iter().map(|txn| txn.ended).max().unwrap_or(0);
    for (index, life) in report.lives.iter().enumerate() {
        let ended = life.ended.unwrap_or_else(|| last.max(life.begun));
        events.push(json!({
            "name": format!("life {index}"), "cat": "life", "ph": "X", "ts": life.begun,
            "dur": ended.saturating_sub(life.begun), "pid": STORE_PID, "tid": 0,
            "args": {
                "opened": life.opened, "end": life.end.word(), "recovered_version": life.recovered_version,
                "recovery": life.recovery,
            },
        }));
        if life.end == LifeEnd::Crashed {
            events.push(json!({
                "name": "crash", "cat": "life", "ph": "i", "s": "g", "ts": ended, "pid": STORE_PID, "tid": 0,
            }));
        }
    }
}

/// Gives every lane its threads; returns the thread of every transaction.
fn name_threads(events: &mut Vec<Value>, report: &Report) -> Vec<u64> {
    let mut free: Vec<Vec<u64>> = vec![Vec::new(); report.lanes.len()];
    let mut threads = Vec::with_capacity(report.txns.len());
    for txn in &report.txns {
        let Some(rows) = free.get_mut(txn.lane as usize) else {
            threads.push(tid(txn.lane, 0));
            continue;
        };
        let row = rows.iter().position(|&ended| ended <= txn.begun).unwrap_or(rows.len());
        if row == rows.len() {
            rows.push(0);
        }
        rows[row] = txn.ended.max(txn.begun + 1);
        threads.push(tid(txn.lane, row));
    }
    for (id, lane) in report.lanes.iter().enumerate() {
        for row in 0..free[id].len().max(1) {
            let lane_id = u32::try_from(id).unwrap_or(u32::MAX);
            events.push(json!({
                "name": "thread_name", "ph": "M", "pid": pid(report, lane_id), "tid": tid(lane_id, row),
                "args": { "name": lane.name },
            }));
        }
    }
    threads
}

fn transactions(events: &mut Vec<Value>, report: &Report, threads: &[u64]) {
    let place = |id: TxnId| report.txns.iter().zip(threads).find(|(txn, _)| txn.id == id);
    let mut flow = 0u64;
    for (txn, thread) in report.txns.iter().zip(threads) {
        let pid = pid(report, txn.lane);
        let accesses: Vec<_> = txn.accesses.iter().map(words::access).collect();
        events.push(json!({
            "name": format!("T{} {}", txn.id, txn.outcome.word()), "cat": "transaction", "ph": "X", "ts": txn.begun,
            "dur": txn.ended.saturating_sub(txn.begun), "pid": pid, "tid": thread,
            "args": {
                "life": txn.life, "start_version": txn.start_version, "commit_version": txn.commit_version,
                "isolation": txn.isolation, "operations": accesses, "end": words::ending(txn),
                "commit_called": txn.commit_called, "durable": txn.durable,
            },
        }));
        for access in &txn.accesses {
            events.push(json!({
                "name": words::access(access), "cat": "operation", "ph": "i", "s": "t", "ts": access.at, "pid": pid,
                "tid": thread, "args": { "transaction": txn.id },
            }));
        }
        for conflict in &txn.conflicts {
            let Some((winner, winner_thread)) = conflict.winner.and_then(place) else { continue };
            flow += 1;
            let name = words::conflict(conflict);
            events.push(json!({
                "name": name, "cat": "conflict", "ph": "s", "id": flow, "ts": winner.ended, "pid": self::pid(report, winner.lane),
                "tid": winner_thread,
            }));
            events.push(json!({
                "name": name, "cat": "conflict", "ph": "f", "bp": "e", "id": flow, "ts": txn.ended, "pid": pid, "tid": thread,
            }));
        }
    }
}

fn pid(report: &Report, lane: LaneId) -> u32 {
    match report.lanes.get(lane as usize).map(|lane| lane.kind) {
        Some(LaneKind::Client) | None => 2,
        Some(LaneKind::Engine) => 3,
        Some(LaneKind::World) => 4,
    }
}

/// Thread 0 belongs to the store.
fn tid(lane: LaneId, row: usize) -> u64 {
    (u64::from(lane) + 1) * 1000 + row as u64
}
