//! Simulates a function: kept failures first, then seeds, until one fails or time is up.
#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "outside of the simulated world: real threads watch and run it, in real time"
)]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use stormproof_rt_shuttle::life::Watcher;
use stormproof_sim::determinism;
use stormproof_sim::finding::Finding;
use stormproof_sim::registry::Registry;
use stormproof_sim::run::{Keep, Program, ProgramLife, Run};
use stormproof_sim::runner::SeedRunner;
use stormproof_sim::seed::Seed;
use stormproof_workloads::store::Capabilities;
use stormproof_workloads::workload::{About, Scale};
use stormproof_workloads::{Evidence, Plan, Workload};

use crate::environment::Environment;
use crate::failure::{Failure, SHRINK_TIME};
use crate::options::Options;
use crate::outcome::Outcome;
use crate::regressions::Regressions;
use crate::watchdog::{Pulse, Watchdog};
use crate::world::World;

/// How long a test simulates that asks for no number of seeds.
const DEFAULT_TIME: Duration = Duration::from_secs(3);

/// How many seeds it simulates at least.
const DEFAULT_SEEDS_MIN: u64 = 50;

/// Of this many seeds one runs twice.
const CHECKED_EVERY: u64 = 50;

/// Simulates `body` under many seeds; see the [crate](crate) for what it may do.
///
/// # Panics
/// When it fails under a seed, does not do the same in two runs of one, or waits for something that is not
/// simulated; the message says what to do.
pub fn simulate<R: Outcome + 'static>(options: Options, body: impl Fn(World) -> R + Send + Sync + 'static) {
    let environment = Environment::read();
    let body: Arc<dyn Fn(World) -> Result<(), String> + Send + Sync> =
        Arc::new(move |world| body(world).into_result());
    let campaign = Arc::new(Campaign::new(options, &environment));
    let pulses: Vec<Arc<Pulse>> = (0..environment.jobs).map(|_| Arc::default()).collect();
    let (sender, results) = channel();
    for pulse in &pulses {
        let (campaign, sender) = (Arc::clone(&campaign), sender.clone());
        let (body, pulse) = (Arc::clone(&body), Arc::clone(pulse));
        let thread = std::thread::Builder::new().name(campaign.options.short_name().to_owned());
        let worker = move || {
            let worker = Worker::new(&campaign, body, Arc::clone(&pulse));
            let result = worker.work();
            pulse.set_active(false);
            // The receiver is gone when another worker has failed.
            let _ = sender.send(result);
        };
        thread.spawn(worker).expect("the operating system starts a thread");
    }
    drop(sender);
    let mut watchdog = Watchdog::new(campaign.options.hang, &pulses);
    if let Err(message) = wait(&results, &mut watchdog) {
        panic!("{message}");
    }
    if let Some(counted) = campaign.counted() {
        panic!("{counted}");
    }
    println!("{}", campaign.figures());
}

/// Waits for all workers, the first failure, or a hang. A thread that hangs is left behind: there is no way
/// to end it but with the process.
fn wait(results: &Receiver<Result<(), String>>, watchdog: &mut Watchdog) -> Result<(), String> {
    loop {
        match results.recv_timeout(Duration::from_millis(100)) {
            Ok(Ok(())) => {}
            Ok(Err(message)) => return Err(message),
            Err(RecvTimeoutError::Timeout) => {
                if let Some(message) = watchdog.look() {
                    return Err(message);
                }
            }
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
    }
}

/// The state that all workers share.
struct Campaign {
    options: Options,
    regressions: Regressions,
    seeds: Range<u64>,
    /// Seeds that run however long they take.
    seeds_min: u64,
    time: Option<Duration>,
    shrink_time: Duration,
    check: bool,
    /// Whether seeds that fail are counted, and nothing else is done about them.
    count: bool,
    begun: Instant,
    next: AtomicU64,
    replayed: AtomicBool,
    stopped: AtomicBool,
    totals: Mutex<Totals>,
}

#[derive(Default)]
struct Totals {
    seeds: u64,
    lives: u64,
    crashes: u64,
    steps: u64,
    /// Seeds that failed, by what broke.
    failed: BTreeMap<String, Vec<u64>>,
}

impl Campaign {
    fn new(options: Options, environment: &Environment) -> Self {
        let first = options.first;
        let asked = environment.seeds.clone();
        let time = environment.time.or_else(|| {
            let seconds = options.seconds.map(Duration::from_secs);
            let default = options.seeds.is_none().then_some(DEFAULT_TIME);
            if asked.is_some() { None } else { seconds.or(default) }
        });
        let seeds = match (&asked, time, options.seeds) {
            (Some(range), ..) => range.clone(),
            (None, Some(_), _) => first..u64::MAX,
            (None, None, seeds) => first..first + seeds.unwrap_or(DEFAULT_SEEDS_MIN),
        };
        Self {
            regressions: Regressions::new(&options),
            next: AtomicU64::new(seeds.start),
            seeds,
            seeds_min: if asked.is_none() && environment.time.is_none() { DEFAULT_SEEDS_MIN } else { 0 },
            time,
            shrink_time: environment.shrink_time.unwrap_or(SHRINK_TIME),
            check: environment.check || options.check,
            count: environment.count,
            begun: Instant::now(),
            // If a seed was asked for, only that one runs.
            replayed: AtomicBool::new(asked.is_some() || environment.count),
            stopped: AtomicBool::new(false),
            totals: Mutex::default(),
            options,
        }
    }

    fn next_seed(&self) -> Option<u64> {
        let seed = self.next.fetch_add(1, Ordering::Relaxed);
        let done = seed - self.seeds.start;
        let is_late = self.time.is_some_and(|time| self.begun.elapsed() >= time) && done >= self.seeds_min;
        let goes_on = seed < self.seeds.end && !is_late && !self.stopped.load(Ordering::Relaxed);
        goes_on.then_some(seed)
    }

    fn count(&self, run: &Run) {
        let mut totals = self.totals.lock().unwrap_or_else(PoisonError::into_inner);
        totals.seeds += 1;
        totals.lives += run.lives.len() as u64;
        totals.crashes += run.lives.iter().filter(|life| life.crashed()).count() as u64;
        totals.steps += run.lives.iter().map(|life| life.life.steps).sum::<u64>();
    }

    fn count_failure(&self, seed: u64, finding: &Finding) {
        let mut totals = self.totals.lock().unwrap_or_else(PoisonError::into_inner);
        totals.failed.entry(finding.class.clone()).or_default().push(seed);
    }

    /// Returns how many seeds failed, and which were the first, if any were counted.
    fn counted(&self) -> Option<String> {
        let totals = self.totals.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = totals.failed.values().map(Vec::len).sum();
        if all == 0 {
            return None;
        }
        let mut text = format!("{}: {all} of {} seeds fail\n", self.options.short_name(), totals.seeds);
        for (class, seeds) in &totals.failed {
            let first = seeds.iter().min().copied().unwrap_or_default();
            let _ = writeln!(text, "  {} from seed {first} on: {class}", seeds.len());
        }
        Some(text)
    }

    fn figures(&self) -> String {
        let totals = self.totals.lock().unwrap_or_else(PoisonError::into_inner);
        let seconds = self.begun.elapsed().as_secs_f64();
        format!(
            "{}: {} seeds held in {seconds:.1} s ({:.0}/s): {} lives, {} power cuts, {} steps",
            self.options.short_name(),
            totals.seeds,
            totals.seeds as f64 / seconds.max(0.001),
            totals.lives,
            totals.crashes,
            totals.steps
        )
    }
}

/// One thread that simulates.
struct Worker<'a> {
    campaign: &'a Campaign,
    runner: SeedRunner,
    pulse: Arc<Pulse>,
}

impl<'a> Worker<'a> {
    fn new(
        campaign: &'a Campaign,
        body: Arc<dyn Fn(World) -> Result<(), String> + Send + Sync>,
        pulse: Arc<Pulse>,
    ) -> Self {
        let options = &campaign.options;
        let workload: Arc<dyn Workload> = Arc::new(Application { name: options.name.clone() });
        let program: Arc<dyn Program> =
            Arc::new(Body { body, clients: options.clients, pulse: Arc::clone(&pulse) });
        let registry = Registry::new(vec![workload]).with_program(&options.name, program);
        let runner = SeedRunner::new(registry, options.for_plans()).unwrap_or_else(|error| panic!("{error}"));
        let runner = runner.changing(options.change());
        Self { campaign, runner, pulse }
    }

    fn work(&self) -> Result<(), String> {
        self.pulse.set_active(true);
        let outcome = self.replay_kept().and_then(|()| self.run_seeds());
        if outcome.is_err() {
            self.campaign.stopped.store(true, Ordering::Relaxed);
        }
        outcome
    }

    fn replay_kept(&self) -> Result<(), String> {
        if self.campaign.replayed.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        for (path, trace) in self.campaign.regressions.all() {
            let replayed = trace.replay(self.runner.registry()).map_err(|error| error.to_string())?;
            if !replayed.run.findings().is_empty() {
                let failure = Failure { kept: Some(&path), ..self.failure() };
                return Err(failure.report(&trace.plan, &replayed.run));
            }
            // The trace may no longer fit code that has changed: the seed is a second chance.
            self.run_seed(trace.plan.seed.0)?;
        }
        Ok(())
    }

    fn run_seeds(&self) -> Result<(), String> {
        while let Some(seed) = self.campaign.next_seed() {
            self.run_seed(seed)?;
        }
        Ok(())
    }

    fn run_seed(&self, seed: u64) -> Result<(), String> {
        let (plan, draws) = self.runner.plan(Seed(seed));
        let run = self.runner.run_keeping(&plan, Keep::Verdict).map_err(|error| error.to_string())?;
        self.campaign.count(&run);
        if let Some(finding) = run.findings().first() {
            if self.campaign.count {
                self.campaign.count_failure(seed, finding);
                return Ok(());
            }
            return Err(self.failure().report(&plan, &run));
        }
        if self.campaign.check || seed % CHECKED_EVERY == CHECKED_EVERY - 1 {
            let checked = determinism::compare(&self.runner, Seed(seed), &plan, &draws, &run);
            checked.map_err(|error| not_repeatable(self.campaign.options.short_name(), seed, &error.0))?;
        }
        Ok(())
    }

    fn failure(&self) -> Failure<'_> {
        Failure {
            options: &self.campaign.options,
            registry: self.runner.registry(),
            regressions: &self.campaign.regressions,
            pulse: &self.pulse,
            shrink_time: self.campaign.shrink_time,
            kept: None,
        }
    }
}

fn not_repeatable(name: &str, seed: u64, difference: &str) -> String {
    format!(
        "{name} does not do the same in two runs of seed {seed}: {difference}\n  \
         likely causes:\n  \
         - std::time::SystemTime or Instant: use World::now or World::clock, and \
         stormproof::runtime::time::Instant\n  \
         - a std HashMap or HashSet whose order decides something: use a BTreeMap, or a fixed hasher\n  \
         - random numbers or ids that are not the seed's: use World::random\n  \
         - ids of threads or processes, addresses, static counters that outlive a run\n\
         repeat: STORMPROOF_SEED={seed} STORMPROOF_CHECK=1 cargo test {name}"
    )
}

/// The function as the simulator sees it.
struct Body {
    body: Arc<dyn Fn(World) -> Result<(), String> + Send + Sync>,
    clients: Option<u32>,
    pulse: Arc<Pulse>,
}

impl Program for Body {
    fn live(&self, life: &ProgramLife) -> Result<(), String> {
        (self.body)(World::new(life.clone(), self.clients))
    }

    fn watcher(&self) -> Option<Arc<dyn Watcher>> {
        Some(Arc::clone(&self.pulse) as _)
    }
}

/// The application as a workload: its clients are its own code, so there is nothing to plan.
struct Application {
    name: String,
}

impl Workload for Application {
    fn name(&self) -> &str {
        &self.name
    }

    fn about(&self) -> About {
        About { stresses: "an application", invariant: "the application's own" }
    }

    fn runs_on(&self, _capabilities: &Capabilities) -> bool {
        true
    }

    fn plan(&self, _scale: &Scale, _rng: &mut rand_chacha::ChaCha8Rng) -> Plan {
        Plan::new(&self.name, serde_json::Value::Null)
    }

    fn check(&self, _evidence: &Evidence<'_>) -> Vec<stormproof_workloads::Finding> {
        Vec::new()
    }
}
