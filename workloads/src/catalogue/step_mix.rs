//! Step mix: a grammar of steps. Everything beside everything, on few keys, by callers that are not
//! well-behaved.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{clients, parameters_of, scan_prefix};
use crate::act::{Act, RangeRead, Span, Wanted};
use crate::evidence::Evidence;
use crate::manner::{LoopBy, Manner, TicketBy, ViewBy};
use crate::plan::{Action, End, Plan, Retry, Step, Transaction};
use crate::store::{Capabilities, Chore};
use crate::workload::{About, Finding, Scale, Workload};

pub(super) const NAME: &str = "step-mix";

const KEYS: &str = "key/";

/// Beside the others: what is written in the middle of a transaction would be in conflict with it.
const BESIDE: &str = "beside/";

/// Clients do every act beside every other on few keys, often several on one key in one transaction: values
/// come back (ABA), conditions are wrong, ranges end at keys, bodies give up, panic, call the store beside
/// themselves and pass their limits, snapshots are held for long, backups are taken and read, tickets are
/// dropped, polled and waited for with a timeout.
///
/// Stresses: every function of the store that reads or writes. Invariant: none of its own; histories tell all
/// (the oracle), and limits are judged by clients.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StepMix {
    /// How many keys.
    pub keys: u32,
    /// Acts of a transaction, at most.
    pub steps_max: u32,
    /// How many values there are that come back.
    pub values: i64,
    /// One plan in this many lets the keys of all other acts expire; 0 for none.
    pub ttl_every: u32,
    /// Of 100 transactions, how many read few keys over and over.
    pub rereads: u32,
    /// One view in this many is of a backup; 0 for none.
    pub backup_every: u32,
}

impl Default for StepMix {
    fn default() -> Self {
        Self { keys: 4, steps_max: 6, values: 3, ttl_every: 4, rereads: 6, backup_every: 3 }
    }
}

impl Workload for StepMix {
    fn name(&self) -> &str {
        NAME
    }

    fn about(&self) -> About {
        About {
            stresses: "every act beside every other on one key, values that return, callers that misbehave",
            invariant: "limits hold exactly; all else is for the oracle",
        }
    }

    fn parameters(&self) -> serde_json::Value {
        parameters_of(self)
    }

    fn runs_on(&self, capabilities: &Capabilities) -> bool {
        capabilities.versions
    }

    fn plan(&self, scale: &Scale, rng: &mut ChaCha8Rng) -> Plan {
        let mut plan = Plan::new(NAME, self.parameters());
        let grammar = Grammar::draw(self, rng);
        clients(&mut plan, scale, rng, |client, number, rng| match number {
            0 => Action::BeginRun { slot: 0, parent: None },
            _ => grammar.action(u64::from(client) << 20 | u64::from(number) << 6, rng),
        });
        plan.audit.actions.push(Transaction::reading([scan_prefix(KEYS), scan_prefix(BESIDE)]).into());
        plan
    }

    fn check(&self, _evidence: &Evidence<'_>) -> Vec<Finding> {
        Vec::new()
    }
}

/// What one plan draws from: some acts often, some seldom, some never (swarm testing).
struct Grammar {
    keys: u32,
    steps_max: u32,
    values: i64,
    /// By place in [`Grammar::act`].
    weights: [u32; ACTS],
    /// Of 100 transactions, how many do all acts to one key.
    on_one_key: u32,
    /// Of 100 values, how many come back.
    come_back: u32,
    /// Of 100 transactions, how many misbehave.
    misbehave: u32,
    rereads: u32,
    backup_every: u32,
    /// Whether there are a stream and a machine. Histories know them by keys, which a scan without an end
    /// would not show: there are no such scans beside them.
    primitives: bool,
}

const ACTS: usize = 28;

impl Grammar {
    fn draw(of: &StepMix, rng: &mut ChaCha8Rng) -> Self {
        let mut weights = std::array::from_fn(|_| [0, 1, 1, 2, 4][rng.random_range(0..5)]);
        let ttl = of.ttl_every > 0 && rng.random_ratio(1, of.ttl_every);
        weights[PUT_TTL] = if ttl { 3 } else { 0 };
        // Something is read and something written in every plan.
        weights[0] = weights[0].max(1);
        weights[5] = weights[5].max(1);
        Self {
            keys: of.keys.max(1),
            steps_max: of.steps_max.max(1),
            values: of.values.max(1),
            weights,
            on_one_key: rng.random_range(20..90),
            come_back: rng.random_range(30..=100),
            misbehave: rng.random_range(5..60),
            rereads: of.rereads,
            backup_every: of.backup_every,
            primitives: rng.random_ratio(1, 3),
        }
    }

    fn action(&self, mark: u64, rng: &mut ChaCha8Rng) -> Action {
        match rng.random_range(0..100) {
            0..=9 => self.single(mark, rng),
            10..=11 => Action::Pause { micros: rng.random_range(0..2_000) },
            12..=13 => Action::Flush,
            14..=15 => Action::Chore { chore: Chore::ALL[rng.random_range(0..Chore::ALL.len())] },
            16..=20 => self.guarded(mark, rng).into(),
            _ if rng.random_range(0..100) < self.rereads => self.reread(rng).into(),
            _ => self.transaction(mark, rng).into(),
        }
    }

    fn single(&self, mark: u64, rng: &mut ChaCha8Rng) -> Action {
        if rng.random_ratio(1, 12) {
            let (key, ttl_ms) = (format!("lease/{}", mark >> 20), [0, 1, 5, 60_000][rng.random_range(0..4)]);
            return Action::Single { key, act: Act::PutTtl { value: unique(mark), ttl_ms }, run: 0 };
        }
        let mut act = self.act(mark, rng);
        while !act.is_single() {
            act = self.act(mark, rng);
        }
        // By its value it is known again, where the store does not tell its version.
        if let Act::Put { value }
        | Act::PutMany { value, .. }
        | Act::GetOrInsert { value }
        | Act::PutTtl { value, .. } = &mut act
        {
            *value = unique(mark);
        }
        Action::Single { key: self.key(rng), act, run: 0 }
    }

    /// Asks the same over and over, and takes its time.
    fn reread(&self, rng: &mut ChaCha8Rng) -> Transaction {
        let (first, second) = (self.key(rng), self.key(rng));
        let step = |rng: &mut ChaCha8Rng| match rng.random_range(0..6) {
            0 => Step::Think { micros: [1, 100, 2_000][rng.random_range(0..3)] },
            1 => Step::Act { key: second.clone(), act: Act::GetVersioned },
            2 => Step::Act { key: KEYS.into(), act: Act::Range { span: Span::Prefix, by: RangeRead::Scan } },
            _ => Step::Act { key: first.clone(), act: Act::GetVersioned },
        };
        let steps: Vec<Step> = (0..rng.random_range(2..8)).map(|_| step(rng)).collect();
        Transaction { read_only: rng.random_bool(0.5), ..Transaction::of(steps) }
    }

    /// Reads one key, by any function that reads, and writes another: what the write stands on must not
    /// change.
    fn guarded(&self, mark: u64, rng: &mut ChaCha8Rng) -> Transaction {
        let mut read = READS[rng.random_range(0..READS.len())].clone();
        if let Act::GetMany { other } = &mut read {
            *other = self.key(rng);
        }
        let write = match rng.random_range(0..3) {
            0 => Act::Delete,
            _ => Act::Put { value: self.value(mark, rng) },
        };
        let think = Step::Think { micros: rng.random_range(0..20) };
        let steps = [
            Step::Act { key: self.key(rng), act: read },
            think,
            Step::Act { key: self.key(rng), act: write },
        ];
        Transaction { retry: Retry { attempts_max: 2, ..Retry::default() }, ..Transaction::of(steps) }
    }

    fn transaction(&self, mark: u64, rng: &mut ChaCha8Rng) -> Transaction {
        let one = (rng.random_range(0..100) < self.on_one_key).then(|| self.key(rng));
        let mut steps: Vec<Step> = (0..rng.random_range(1..=self.steps_max))
            .map(|number| {
                let key = one.clone().unwrap_or_else(|| self.key(rng));
                Step::Act { key, act: self.act(mark | u64::from(number), rng) }
            })
            .collect();
        if self.primitives && rng.random_ratio(1, 5) {
            let at = rng.random_range(0..=steps.len());
            steps.insert(at, self.primitive(rng));
        }
        // A condition that does not hold now does not hold soon either.
        let attempts_max = rng.random_range(1..=3);
        let mut transaction = Transaction {
            by_store: rng.random_bool(0.4),
            run: rng.random_bool(0.3).then_some(0),
            retry: Retry { attempts_max, ..Retry::default() },
            ..Transaction::default()
        };
        transaction.manner = self.manner(rng);
        if rng.random_range(0..100) < self.misbehave {
            self.misbehave(mark, &mut transaction, &mut steps, rng);
        }
        if rng.random_ratio(1, 16) {
            transaction.manner = Manner::default();
            transaction.manner.view = Some(self.view(mark));
            transaction.by_store = false;
        }
        if transaction.manner.view.is_some() {
            // Streams and machines are read through transactions.
            let is_plain = |step: &Step| {
                matches!(step, Step::Act { .. } | Step::Think { .. } | Step::GiveUp | Step::Nested { .. })
            };
            steps.retain(is_plain);
        }
        if transaction.manner.view.is_some() || rng.random_ratio(1, 20) {
            steps.retain(|step| match step {
                Step::Act { act, .. } => !act.writes(),
                Step::AppendEvent { .. }
                | Step::CreateMachine { .. }
                | Step::CreateMachineUnseen { .. }
                | Step::TransitionUnseen { .. }
                | Step::Advance { .. } => false,
                _ => true,
            });
            transaction.read_only = true;
        }
        // One that is in conflict with what it does beside itself would be for ten thousand attempts.
        transaction.manner.retries_as_usual &= !steps.iter().any(|step| matches!(step, Step::Nested { .. }));
        transaction.steps = steps;
        transaction
    }

    fn view(&self, mark: u64) -> ViewBy {
        let is_backup = (mark >> 6).checked_rem(self.backup_every.into()) == Some(0);
        if is_backup { ViewBy::Backup } else { ViewBy::Snapshot }
    }

    /// A step of a stream or of a machine: one of each is enough beside keys.
    fn primitive(&self, rng: &mut ChaCha8Rng) -> Step {
        let (stream, machine) = ("mix".to_owned(), "mix".to_owned());
        let state = |number: u64| format!("state {}", number % 3);
        match rng.random_range(0..9) {
            0..=1 => Step::AppendEvent { stream, len: 0 },
            2 => Step::ReadParts { stream, from: rng.random_range(0..4) },
            3 => Step::ReadEvents { stream, verify: true },
            4 => Step::CreateMachine { machine, state: state(0) },
            5 => Step::ReadMachineTwice { machine },
            // Most often there is one, and it is in another state.
            6 => Step::CreateMachineUnseen { machine, state: state(0) },
            7 => {
                let from = rng.random_range(0..3);
                Step::TransitionUnseen { machine, from: state(from), to: state(from + 1) }
            }
            _ => {
                let table = (0..3).map(|from| (state(from), state(from + 1))).collect();
                Step::Advance { machine, table, choice: rng.random() }
            }
        }
    }

    fn manner(&self, rng: &mut ChaCha8Rng) -> Manner {
        let ticket = match rng.random_range(0..16) {
            0 => Some(TicketBy::Drop),
            1 => Some(TicketBy::Wait),
            2 => Some(TicketBy::WaitTimeout { micros: [0, 50, 2_000, 100_000][rng.random_range(0..4)] }),
            3 => Some(TicketBy::Poll),
            4 => Some(TicketBy::PollOnce),
            5 => Some(TicketBy::WaitForVersion),
            _ => None,
        };
        let loop_by = match rng.random_range(0..8) {
            0 => LoopBy::Try,
            1 => LoopBy::WithCommit,
            2 => LoopBy::With,
            3 => LoopBy::Plain,
            _ => LoopBy::TryWithCommit,
        };
        Manner { ticket, loop_by, retries_as_usual: rng.random_ratio(1, 8), ..Manner::default() }
    }

    /// What callers should not do, and do.
    fn misbehave(
        &self,
        mark: u64,
        transaction: &mut Transaction,
        steps: &mut Vec<Step>,
        rng: &mut ChaCha8Rng,
    ) {
        let at = rng.random_range(0..=steps.len());
        match rng.random_range(0..10) {
            0 => steps.insert(at, Step::GiveUp),
            1 => {
                transaction.by_store = true;
                steps.insert(at, Step::Panic);
            }
            2 => {
                let (act, key) =
                    (Act::Put { value: unique(mark | 63) }, format!("{BESIDE}{}", rng.random_range(0..2)));
                steps.insert(at, Step::Nested { key, act });
            }
            3 => steps.insert(at, Step::Nested { key: self.key(rng), act: Act::Get }),
            4 => {
                let limit = [1, 40, 400, 4_000][rng.random_range(0..4)];
                transaction.manner.timeout_micros = Some(limit);
                // About as long as it may take.
                steps.insert(at, Step::Think { micros: rng.random_range(0..=limit) });
            }
            5 => transaction.manner.writes_max = Some(rng.random_range(1..4)),
            6 => transaction.manner.bytes_max = Some([12, 24, 60][rng.random_range(0..3)]),
            // A write that must be refused.
            7 => transaction.read_only = true,
            8 => transaction.end = if rng.random_bool(0.5) { End::Abort } else { End::Drop },
            _ => steps.insert(at, Step::Think { micros: [5, 200, 5_000][rng.random_range(0..3)] }),
        }
    }

    fn act(&self, mark: u64, rng: &mut ChaCha8Rng) -> Act {
        let total: u32 = self.weights.iter().sum();
        let mut at = rng.random_range(0..total);
        let place = self.weights.iter().position(|weight| match at.checked_sub(*weight) {
            None => true,
            Some(left) => {
                at = left;
                false
            }
        });
        let value = self.value(mark, rng);
        let by = rng.random_range(-1..=2);
        match place.unwrap_or(0) {
            0 => Act::Get,
            1 => Act::GetWith,
            2 => Act::GetVersioned,
            3 => Act::Exists,
            4 => Act::GetMany { other: self.key(rng) },
            5 => Act::Put { value },
            6 => Act::PutMany { other: self.key(rng), value },
            7 => Act::Update { by },
            8 => Act::FetchUpdate { by, most: self.values },
            9 => Act::Increment { by },
            10 => Act::GetOrInsert { value },
            11 => Act::Take,
            12 => Act::Delete,
            13 => Act::DeleteIf { wanted: wanted(rng) },
            14 => Act::Insert { value },
            15 => Act::Cas { wanted: wanted(rng), value },
            16 => Act::CompareAndSet { expected: self.back(rng), value },
            PUT_TTL => Act::PutTtl { value, ttl_ms: [0, 1, 5, 60_000][rng.random_range(0..4)] },
            24 => Act::KvGet,
            25 => Act::KvPut { value },
            26 => Act::KvDelete,
            27 => Act::KvList,
            place => {
                let by = match place {
                    18 => RangeRead::Scan,
                    19 => RangeRead::ScanReverse,
                    20 => {
                        RangeRead::ScanWith { limit: rng.random_range(0..4), reverse: rng.random_bool(0.5) }
                    }
                    21 => RangeRead::Visit { most: rng.random_range(1..4), reverse: rng.random_bool(0.5) },
                    22 => RangeRead::Len,
                    _ => RangeRead::List,
                };
                Act::Range { span: self.span(&by, rng), by }
            }
        }
    }

    /// A range that begins or ends at a key. Keys alone are listed by prefix only.
    fn span(&self, by: &RangeRead, rng: &mut ChaCha8Rng) -> Span {
        if *by == RangeRead::List {
            return Span::Prefix;
        }
        match rng.random_range(0..8) {
            0..=1 => Span::Until { end: self.key(rng) },
            2..=3 => Span::UpTo { last: self.key(rng) },
            4 => Span::To,
            5 if !self.primitives => Span::From,
            6 if !self.primitives => Span::Full,
            _ => Span::Prefix,
        }
    }

    fn key(&self, rng: &mut ChaCha8Rng) -> String {
        format!("{KEYS}{}", rng.random_range(0..self.keys))
    }

    /// A value: one that comes back, or one that no other act writes.
    fn value(&self, mark: u64, rng: &mut ChaCha8Rng) -> i64 {
        if rng.random_range(0..100) < self.come_back { self.back(rng) } else { unique(mark) }
    }

    fn back(&self, rng: &mut ChaCha8Rng) -> i64 {
        rng.random_range(0..self.values)
    }
}

/// Functions that read one key or what begins with it.
const READS: [Act; 12] = [
    Act::Get,
    Act::GetWith,
    Act::GetVersioned,
    Act::Exists,
    Act::Exists,
    Act::GetMany { other: String::new() },
    Act::KvGet,
    Act::KvList,
    Act::Range { span: Span::Prefix, by: RangeRead::Scan },
    Act::Range { span: Span::Prefix, by: RangeRead::Len },
    Act::Range { span: Span::Prefix, by: RangeRead::List },
    Act::Range { span: Span::Prefix, by: RangeRead::Visit { most: 2, reverse: false } },
];

/// The place of [`Act::PutTtl`] among all acts.
const PUT_TTL: usize = 17;

/// A value that no other act writes.
fn unique(mark: u64) -> i64 {
    i64::try_from(mark).unwrap_or(0) + 1_000
}

fn wanted(rng: &mut ChaCha8Rng) -> Wanted {
    match rng.random_range(0..10) {
        0 => Wanted::Version(rng.random_range(0..40)),
        1 => Wanted::Version(0),
        _ => Wanted::Current,
    }
}
