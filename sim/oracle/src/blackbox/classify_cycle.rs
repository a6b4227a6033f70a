//! Classifies a cycle and explains each of its edges.

use stormproof_workloads::history::{Outcome, TxnIndex};

use super::cycle_edge::{CycleEdge, Dependency};
use super::events::Events;
use super::table::Anomaly;
use crate::graph::{Graph, Kind, Kinds, Step, shortest_cycle};
use crate::level::Level;
use crate::verdict::AnomalyClass;
use crate::view::{How, KeyId, View};

/// An edge between two transactions, with hubs and start-to-commit edges contracted.
#[derive(Clone, Copy, Debug)]
struct Link {
    from: TxnIndex,
    to: TxnIndex,
    key: KeyId,
    kind: Kind,
}

/// Returns the simplest cycle in a component: fewest anti-dependencies first, then fewest edges.
pub(super) fn simplest(graph: &Graph, component: &[u32]) -> Option<Vec<Step>> {
    let halves = Kinds::PASS.and(Kinds(Kind::Within as u16));
    let order = Kinds(Kind::Session as u16 | Kind::Time as u16 | Kind::Forced as u16 | Kind::KeyOrder as u16);
    let written = Kinds::WW.and(halves);
    let read = written.and(Kinds::WR);
    [written, read, read.and(order)]
        .into_iter()
        .find_map(|kinds| shortest_cycle(graph, component, kinds, None))
        .or_else(|| shortest_cycle(graph, component, read, Some(Kind::Rw)))
        .or_else(|| shortest_cycle(graph, component, read.and(order), Some(Kind::Rw)))
        .or_else(|| shortest_cycle(graph, component, read.and(Kinds::RW), None))
        .or_else(|| shortest_cycle(graph, component, Kinds::ALL, None))
}

/// Returns the cycle as an anomaly at `level`.
pub(super) fn anomaly(view: &View<'_>, events: &Events, steps: &[Step], level: Level) -> Anomaly {
    let links = links(events, steps);
    let cycle: Vec<CycleEdge> = links.iter().map(|link| explain(view, link)).collect();
    let mut keys: Vec<Vec<u8>> = cycle.iter().filter_map(|edge| edge.key.clone()).collect();
    keys.sort_unstable();
    keys.dedup();
    let class = class(view, &links, level);
    let name = name(view, &links);
    let txns: Vec<TxnIndex> = links.iter().map(|link| link.from).collect();
    let message = cycle.iter().map(|edge| edge.sentence.as_str()).collect::<Vec<_>>().join("; ");
    Anomaly { class, name, level, txns, keys, message: format!("{message}: a cycle"), cycle }
}

/// Returns the cycle from transaction to transaction.
fn links(events: &Events, steps: &[Step]) -> Vec<Link> {
    let Some(first) = steps.iter().position(|step| events.txn(step.from).is_some()) else {
        return Vec::new();
    };
    let mut links: Vec<Link> = Vec::new();
    let mut open: Option<Link> = None;
    for step in steps[first..].iter().chain(&steps[..first]) {
        if step.edge.kind == Kind::Within {
            continue;
        }
        let from = events.txn(step.from);
        let link = match (from, open) {
            (Some(from), _) => Link { from, to: from, key: step.edge.key, kind: step.edge.kind },
            (None, Some(open)) => open,
            (None, None) => continue,
        };
        match events.txn(step.edge.to) {
            Some(to) => {
                links.push(Link { to, ..link });
                open = None;
            }
            None => open = Some(link),
        }
    }
    links
}

fn class(view: &View<'_>, links: &[Link], level: Level) -> AnomalyClass {
    let anti: Vec<&Link> = links.iter().filter(|link| link.kind == Kind::Rw).collect();
    let ordered = links.iter().any(|link| matches!(link.kind, Kind::Session | Kind::Time));
    let forced = links.iter().any(|link| link.kind == Kind::Forced);
    let same_key = links.windows(2).all(|pair| pair[0].key == pair[1].key);
    let predicate = anti.iter().any(|link| is_predicate(view, link));
    match (level, anti.len()) {
        (Level::ReadAtomic, _) => AnomalyClass::FracturedRead,
        (Level::Causal, _) => AnomalyClass::CausalViolation,
        _ if forced => AnomalyClass::CausalViolation,
        (_, 0) if links.iter().all(|link| matches!(link.kind, Kind::Ww | Kind::KeyOrder)) => AnomalyClass::G0,
        (_, 0) => AnomalyClass::G1c,
        (_, 1) if ordered && links.len() == 2 => AnomalyClass::StaleRead,
        (_, 1) if ordered => AnomalyClass::CausalReverse,
        (_, 1 | 2) if same_key && links.len() == 2 && links.iter().all(|link| link.kind != Kind::Wr) => {
            AnomalyClass::LostUpdate
        }
        (_, 1) if links.len() == 2 => AnomalyClass::FracturedRead,
        (_, 1) => AnomalyClass::GSingle,
        (_, 2) if is_long_fork(links) => AnomalyClass::LongFork,
        _ if !has_adjacent_anti(links) => AnomalyClass::GNonadjacent,
        _ if predicate => AnomalyClass::G2,
        (_, 2) if links.len() == 2 => AnomalyClass::WriteSkew,
        _ => AnomalyClass::G2Item,
    }
}

/// Returns Elle's name of a cycle.
fn name(view: &View<'_>, links: &[Link]) -> String {
    let anti: Vec<&Link> = links.iter().filter(|link| link.kind == Kind::Rw).collect();
    let has = |kind: Kind| links.iter().any(|link| link.kind == kind);
    let base = match anti.len() {
        0 if has(Kind::Wr) || has(Kind::Forced) => "G1c",
        0 => "G0",
        1 => "G-single",
        _ if !has_adjacent_anti(links) => "G-nonadjacent",
        _ if anti.iter().any(|link| is_predicate(view, link)) => "G2",
        _ => "G2-item",
    };
    let order = match (has(Kind::Time), has(Kind::Session)) {
        (true, _) => "-realtime",
        (_, true) => "-process",
        _ => "",
    };
    format!("{base}{order}")
}

fn has_adjacent_anti(links: &[Link]) -> bool {
    let next = links.iter().cycle().skip(1);
    links.iter().zip(next).any(|(one, other)| one.kind == Kind::Rw && other.kind == Kind::Rw)
}

fn is_long_fork(links: &[Link]) -> bool {
    links.len() == 4
        && links.iter().filter(|link| link.kind == Kind::Wr).count() == 2
        && !has_adjacent_anti(links)
}

/// Returns whether the reader of an anti-dependency saw the key by scans only (a predicate anti-dependency).
fn is_predicate(view: &View<'_>, link: &Link) -> bool {
    let mut reads = view.reads(link.from).iter().filter(|read| read.key == link.key);
    reads.all(|read| read.how == How::Scan)
}

fn explain(view: &View<'_>, link: &Link) -> CycleEdge {
    let (from, to) = (link.from, link.to);
    let has_key = (link.key as usize) < view.keys.len();
    let name = if has_key { view.key_name(link.key) } else { String::new() };
    let saw = |reader: TxnIndex| {
        let read = view.reads(reader).iter().find(|read| read.key == link.key);
        read.map_or_else(|| "it".to_owned(), |read| view.show_seen(read.seen))
    };
    let (why, sentence) = match link.kind {
        Kind::Ww => {
            let wrote = wrote(view, to, link.key);
            (Dependency::WriteWrite, format!("T{to} {wrote} {name} after T{from} had written it"))
        }
        Kind::Wr => {
            let seen = saw(to);
            (Dependency::WriteRead, format!("T{to} read {name} as {seen}, which T{from} had left"))
        }
        Kind::Session => {
            let session = view.txn(from).session;
            (Dependency::Session, format!("T{to} came after T{from} in session {session}"))
        }
        Kind::Time => {
            let acked = match view.txn(from).outcome {
                Outcome::Committed { acked, .. } => acked,
                _ => 0,
            };
            let begun = view.txn(to).begun;
            (Dependency::RealTime, format!("T{from} was acked at {acked}, before T{to} began at {begun}"))
        }
        Kind::KeyOrder => (
            Dependency::KeyOrder,
            format!("the order of {name} puts what T{from} wrote before what T{to} saw or wrote"),
        ),
        Kind::Forced => (
            Dependency::Inferred,
            format!("a reader saw T{from} but read {name} from T{to}, so T{to} is the later one"),
        ),
        _ => {
            let how = if is_predicate(view, link) { "scanned" } else { "read" };
            let (seen, wrote) = (saw(from), wrote(view, to, link.key));
            (Dependency::ReadWrite, format!("T{from} {how} {name} as {seen}, before T{to} {wrote} it"))
        }
    };
    let key = has_key.then(|| view.keys[link.key as usize].to_vec());
    CycleEdge { from, to, why, key, sentence }
}

fn wrote(view: &View<'_>, txn: TxnIndex, key: KeyId) -> String {
    use crate::view::Content;
    let write = view.writes(txn).iter().find(|write| write.key == key);
    match write.map(|write| write.content) {
        Some(Content::Value(value) | Content::Expiring(value)) => {
            format!("wrote {} to", view.show_value(value))
        }
        Some(Content::Absent) => "deleted".to_owned(),
        Some(content @ Content::Appended { .. }) => {
            let elements: Vec<_> = view.appended(content).iter().map(|element| view.show(element)).collect();
            format!("appended {} to", elements.join(" "))
        }
        None => "wrote".to_owned(),
    }
}
