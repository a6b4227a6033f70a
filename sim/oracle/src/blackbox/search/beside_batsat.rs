//! The search beside a SAT solver from outside, `batsat`, with the same theory of acyclicity.
//!
//! Both get the same graph, with all that follows without a choice. `batsat` gets a variable for every two
//! writers of a key between which there is no path, the edges of both of their orders, and the order of
//! [`super::order`] as its theory: a cycle is a conflict. Both are asked for serializability and snapshot
//! isolation, and must agree. Histories are made here, or are those of the folder that the variable
//! `POLYGRAPHS` names. The program of the table in `README.md`:
//!
//! `cargo test --release -p stormproof-oracle --lib beside_batsat -- --ignored --nocapture`

#[path = "../../../examples/speed/cost.rs"]
#[expect(dead_code, reason = "memory is one of the whole process")]
mod cost;
#[path = "../../../examples/corpus/polygraphs.rs"]
mod polygraphs;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use batsat::theory::{Theory, TheoryArg};
use batsat::{Callbacks, Lit, Solver, SolverInterface as _, Var, lbool};

use super::clauses::Clauses;
use super::encoding::Encoding;
use super::literal::Literal;
use super::order::Order;
use super::{Found, search};
use crate::blackbox::events::Events;
use crate::blackbox::orders::{Orders, undecided_keys};
use crate::blackbox::problem::{ByKey, Problem};
use crate::blackbox::resolve::resolve;
use crate::blackbox::rule::Rule;
use crate::blackbox::saturate::saturate;
use crate::blackbox::schedule::by_urgency;
use crate::blackbox::terms::{Limits, Terms};
use crate::formats::read_file;
use crate::graph::{Graph, Kinds, components};
use crate::level::Level;
use crate::view::{KeyId, View};
use cost::cpu_seconds;

type Failure = Box<dyn std::error::Error>;

/// Seconds of processor time that `batsat` may take for one history.
const SECONDS_MAX: f64 = 10.0;

/// Edges that literals add to an order, as a theory.
struct Acyclic<'g> {
    order: Order<'g>,
    /// By literal.
    edges: Vec<Vec<(u32, u32)>>,
    /// By variable.
    variables: Vec<Var>,
    /// The number of literals of the model that have been added.
    added: usize,
    /// By level: edges and literals before it.
    levels: Vec<(usize, usize)>,
}

impl Theory for Acyclic<'_> {
    fn partial_check(&mut self, arguments: &mut TheoryArg<'_>) {
        while let Some(&literal) = arguments.model().get(self.added) {
            self.added += 1;
            let own = Literal::of(literal.var().idx(), literal.sign());
            for &(from, to) in self.edges.get(own.index()).into_iter().flatten() {
                if let Err(cycle) = self.order.add(from, to, own) {
                    let their = |one: Literal| Lit::new(self.variables[one.variable()], one.is_positive());
                    let clause: Vec<Lit> = cycle.into_iter().map(|one| their(one.negated())).collect();
                    arguments.raise_conflict(&clause, true);
                    return;
                }
            }
            self.order.moved.clear();
        }
    }

    fn final_check(&mut self, arguments: &mut TheoryArg<'_>) {
        self.partial_check(arguments);
    }

    fn create_level(&mut self) {
        self.levels.push((self.order.length(), self.added));
    }

    fn pop_levels(&mut self, count: usize) {
        let level = self.levels.len() - count;
        let (edges, added) = self.levels[level];
        self.levels.truncate(level);
        self.order.undo_to(edges);
        self.added = added;
    }

    fn n_levels(&self) -> usize {
        self.levels.len()
    }

    fn explain_propagation(&mut self, _: Lit) -> &[Lit] {
        unreachable!("the theory propagates nothing")
    }
}

/// Stops the solver when its time is over.
struct Deadline(f64);

impl Callbacks for Deadline {
    fn stop(&self) -> bool {
        cpu_seconds() > self.0
    }
}

/// By event: which events it leads to, one bit for each.
fn reach(graph: &Graph, sorted: &[u32]) -> Vec<Vec<u64>> {
    let mut rows = vec![Vec::new(); sorted.len()];
    for &node in sorted.iter().rev() {
        let mut row = vec![0_u64; sorted.len().div_ceil(64)];
        for edge in graph.from(node) {
            row[edge.to as usize / 64] |= 1 << (edge.to % 64);
            for (word, more) in row.iter_mut().zip(&rows[edge.to as usize]) {
                *word |= more;
            }
        }
        rows[node as usize] = row;
    }
    rows
}

/// Returns the number of variables, and whether `batsat` finds an order; none if its time was over. `hinted`
/// says whether variables are decided as the order by urgency has them.
fn theirs(
    problem: &Problem<'_, '_>,
    events: &Events,
    by_key: &ByKey,
    open: &[KeyId],
    sorted: &[u32],
    hinted: bool,
) -> (usize, Option<bool>) {
    let deadline = cpu_seconds() + SECONDS_MAX;
    let mut encoding = Encoding::new(problem, events, by_key, open);
    let (mut clauses, rows) = (Clauses::default(), reach(&events.graph, sorted));
    let leads = |from: u32, to: u32| rows[from as usize][to as usize / 64] >> (to % 64) & 1 == 1;
    let (mut edges, mut hints) = (Vec::new(), Vec::new());
    let mut place = vec![0; sorted.len()];
    for (at, &node) in sorted.iter().enumerate() {
        place[node as usize] = at;
    }
    for (slot, &key) in (0..).zip(open) {
        let writers = by_key.writers(key);
        for (at, &first) in writers.iter().enumerate() {
            for &second in &writers[at + 1..] {
                let (one, other) = (events.commit(first), events.commit(second));
                if leads(one, other) || leads(other, one) {
                    continue;
                }
                let is_later = place[one as usize] > place[other as usize];
                let literal = encoding.before(slot, first, second, &mut clauses);
                hints.push(if is_later { literal.negated() } else { literal }.is_positive());
                for literal in [literal, literal.negated()] {
                    edges.resize(edges.len().max(literal.index() + 1), Vec::new());
                    encoding.edges(literal, &mut edges[literal.index()]);
                }
            }
        }
        if cpu_seconds() > deadline {
            return (edges.len() / 2, None);
        }
    }
    let mut solver = Solver::new(batsat::SolverOpts::default(), Deadline(deadline));
    let variable = |hint: bool| match hinted {
        true => solver.new_var(if hint { lbool::TRUE } else { lbool::FALSE }, true),
        false => solver.new_var_default(),
    };
    let variables = hints.into_iter().map(variable).collect();
    let count = edges.len() / 2;
    let mut theory =
        Acyclic { order: Order::new(&events.graph, sorted), edges, variables, added: 0, levels: Vec::new() };
    let found = solver.solve_limited_th(&mut theory, &[]);
    (
        count,
        [(lbool::TRUE, true), (lbool::FALSE, false)].into_iter().find(|one| one.0 == found).map(|one| one.1),
    )
}

/// What one of the two needed in all.
#[derive(Debug, Default)]
struct Cost {
    seconds: f64,
    slowest: f64,
    undecided: usize,
}

impl Cost {
    fn add(&mut self, seconds: f64, decided: bool) {
        self.seconds += seconds;
        self.slowest = self.slowest.max(seconds);
        self.undecided += usize::from(!decided);
    }

    fn merge(&mut self, other: &Self) {
        self.seconds += other.seconds;
        self.slowest = self.slowest.max(other.slowest);
        self.undecided += other.undecided;
    }
}

/// Judges one history by all: the search here, `batsat`, and `batsat` with hints; returns none if proofs
/// decide it, or if reads are ambiguous.
fn compare(problem: &Problem<'_, '_>, level: Level, terms: &Terms, name: &str) -> Option<[Cost; 3]> {
    let (rule, known) = (Rule::of(level), problem.without_choices());
    let by_key = ByKey::new(problem, &known);
    let events = Events::build(problem, &known, &by_key, Orders::Known, rule, &[]);
    if !problem.choices.is_empty() || !components(&events.graph, Kinds::ALL).is_empty() {
        return None;
    }
    let open = undecided_keys(problem, rule, &by_key);
    let forced = saturate(problem, &events, &by_key, &open, terms.memory_max);
    let events = Events::build(problem, &known, &by_key, Orders::Known, rule, &forced);
    let sorted = by_urgency(problem, &events, &events.graph)?;
    let mut costs = <[Cost; 3]>::default();
    let start = cpu_seconds();
    let found = search(problem, &events, &by_key, &open, None, &mut Limits::of(terms));
    let own = match found {
        Found::Order { .. } => Some(true),
        Found::None => Some(false),
        Found::Limit(_) => None,
    };
    costs[0].add(cpu_seconds() - start, own.is_some());
    print!("{name:<44} {:<20} {:>7.2} {own:?}", level.name(), costs[0].seconds);
    for (cost, hinted) in costs[1..].iter_mut().zip([false, true]) {
        let start = cpu_seconds();
        let (variables, found) = theirs(problem, &events, &by_key, &open, &sorted, hinted);
        cost.add(cpu_seconds() - start, found.is_some());
        print!(" | {:>7.2} {found:?} of {variables}", cost.seconds);
        assert!(own.is_none() || found.is_none() || own == found, "{name}, {level}: {own:?} and {found:?}");
    }
    println!();
    Some(costs)
}

fn gather(folder: &Path, ending: &str, files: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).expect("a folder").flatten();
    for path in entries.map(|entry| entry.path()) {
        if path.is_dir() {
            gather(&path, ending, files);
        } else if path.to_string_lossy().ends_with(ending) {
            files.push(path);
        }
    }
    files.sort();
}

#[test]
#[ignore = "a measurement of minutes"]
fn beside_batsat() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut files = Vec::new();
    match std::env::var_os("POLYGRAPHS") {
        Some(other) => gather(Path::new(&other), "", &mut files),
        None => {
            polygraphs::write(folder.path(), &[300, 1_000, 3_000]).expect("written");
            gather(folder.path(), "-32-1000.txt", &mut files);
        }
    }
    let terms = Terms::plain(100_000_000);
    let mut sums: BTreeMap<(String, &str), (usize, [Cost; 3])> = BTreeMap::new();
    for file in files {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let input = read_file(&file, None).expect("reads");
        let view = View::new(&input.history);
        let problem = Problem::new(&view, resolve(&view, &terms.hints), &terms);
        for level in [Level::Serializable, Level::SnapshotIsolation] {
            let Some(costs) = compare(&problem, level, &terms, &name) else { continue };
            let kind = match file.starts_with(folder.path()) {
                true => name.split("-s").next().unwrap_or("").to_owned(),
                false => "of others".to_owned(),
            };
            let cost = sums.entry((kind, level.name())).or_default();
            cost.0 += 1;
            for (sum, cost) in cost.1.iter_mut().zip(&costs) {
                sum.merge(cost);
            }
        }
    }
    for ((kind, level), (count, costs)) in sums {
        println!("{kind}, {level}: {count} histories, here, batsat, batsat with hints: {costs:?}");
    }
}
