//! Runs a campaign: hands out batches, reads results, renews workers, and stops.
//!
//! Uses real threads and real time, from the production runtime: nothing in here is simulated.

use std::io::{self, BufRead, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use stormproof_reports::SpeedPoint;
use stormproof_rt::sync::atomic::{AtomicBool, Ordering};
use stormproof_rt::sync::{Arc, Mutex};
use stormproof_rt::{thread, time};

use super::expected::Expected;
use super::message::{EndLine, Ended, FailedLine, Message};
use super::result::CampaignResult;
use super::results::ResultsWriter;
use super::seeds::SeedSource;

/// How long a batch should take: long enough that messages cost little, short enough to stop quickly.
const BATCH_TARGET: Duration = Duration::from_millis(60);
const BATCH_MAX: usize = 256;

/// How long workers may go on with their batches when a signal ends the campaign: seeds that take longer are
/// not run.
const INTERRUPT_GRACE: Duration = Duration::from_secs(2);

/// A campaign to run.
#[derive(Debug)]
pub struct Sweep {
    /// Starts a worker: program and arguments.
    pub worker: Vec<String>,
    /// Which seeds.
    pub seeds: SeedSource,
    /// Stops handing out seeds after this time.
    pub time_limit: Option<Duration>,
    /// Workers at a time.
    pub jobs: usize,
    /// Stops at the first violation.
    pub fail_fast: bool,
    /// Renews a worker after this number of seeds …
    pub renew_after: u64,
    /// … or when it takes so much memory.
    pub rss_kib_max: u64,
    /// A worker that reports no seed for this long is stuck, and killed.
    pub silence_max: Duration,
    /// Set from outside to end it early.
    pub interrupt: Arc<AtomicBool>,
    /// Digests of an earlier sweep: a seed whose digest has changed has failed.
    pub against: Expected,
}

/// A campaign that has run.
#[derive(Debug)]
pub struct Swept {
    /// Its result, without its end.
    pub result: CampaignResult,
    /// How it ended: to be written last, once examples are.
    pub end: EndLine,
}

/// Runs the campaign. `watch` is called some fifty times a second; `out` gets a line for every message.
///
/// # Errors
/// When no worker could be started. An `out` that can't be written ends the campaign, and keeps the reason.
pub fn sweep(
    sweep: Sweep,
    out: &ResultsWriter,
    mut watch: impl FnMut(&CampaignResult, Duration),
) -> io::Result<Swept> {
    let start = time::now();
    let jobs = sweep.jobs.max(1);
    let ledger = Ledger {
        seeds: sweep.seeds.clone(),
        result: CampaignResult::default(),
        out: out.clone(),
        error: None,
        rss_kib_max: 0,
    };
    let coordinator = Arc::new(Coordinator {
        ledger: Mutex::new("sweep.ledger", ledger),
        workers: (0..jobs).map(|_| Mutex::new("sweep.worker", Watched::default())).collect(),
        stop: AtomicBool::new("sweep.stop", false),
        sweep,
    });
    let threads = (0..jobs)
        .map(|index| {
            let coordinator = Arc::clone(&coordinator);
            thread::spawn("worker", move || {
                if let Err(error) = coordinator.serve_worker(index) {
                    coordinator.ledger.lock().error.get_or_insert(error);
                    coordinator.stop.store(true, Ordering::SeqCst);
                }
            })
        })
        .collect::<io::Result<Vec<_>>>()?;
    let mut progress = Progress::default();
    let mut interrupted = None;
    let mut late = false;
    while !threads.iter().all(thread::JoinHandle::is_finished) {
        time::sleep(Duration::from_millis(20));
        let elapsed = time::now().saturating_since(start);
        late |= coordinator.sweep.time_limit.is_some_and(|limit| elapsed >= limit);
        if coordinator.sweep.interrupt.load(Ordering::SeqCst) {
            let since = *interrupted.get_or_insert(elapsed);
            if elapsed.saturating_sub(since) > INTERRUPT_GRACE {
                coordinator.kill_all();
            }
        }
        if late || interrupted.is_some() {
            coordinator.stop.store(true, Ordering::SeqCst);
        }
        coordinator.kill_stuck();
        let ledger = coordinator.ledger.lock();
        progress.note(elapsed, &ledger.result);
        watch(&ledger.result, elapsed);
    }
    let seconds = time::now().saturating_since(start).as_secs_f64();
    let mut ledger = coordinator.ledger.lock();
    if let Some(error) = ledger.error.take() {
        return Err(error);
    }
    let result = std::mem::take(&mut ledger.result);
    let ended = match () {
        () if ledger.seeds.total() == Some(0) => Ended::Done,
        () if interrupted.is_some() || out.error().is_some() => Ended::Interrupted,
        () if coordinator.sweep.fail_fast && result.failing > 0 => Ended::FirstViolation,
        () => Ended::TimeLimit,
    };
    progress.points.push(point(seconds, &result));
    let (rss_kib_max, progress) = (ledger.rss_kib_max, progress.points);
    let end = EndLine { seconds, jobs: jobs as u64, seeds: result.seeds, rss_kib_max, ended, progress };
    Ok(Swept { result, end })
}

/// Progress of a sweep, thinned so that a curve of any duration keeps a bounded number of points.
#[derive(Default)]
struct Progress {
    points: Vec<SpeedPoint>,
    pause: Duration,
    next: Duration,
}

impl Progress {
    const POINTS_MAX: usize = 200;

    fn note(&mut self, elapsed: Duration, result: &CampaignResult) {
        if elapsed < self.next {
            return;
        }
        if self.points.len() == Self::POINTS_MAX {
            let mut number = 0;
            self.points.retain(|_| {
                number += 1;
                number % 2 == 1
            });
            self.pause = (self.pause * 2).max(Duration::from_millis(100));
        }
        self.points.push(point(elapsed.as_secs_f64(), result));
        self.next = elapsed + self.pause;
    }
}

fn point(second: f64, result: &CampaignResult) -> SpeedPoint {
    SpeedPoint { second, seeds: result.seeds, interleavings: result.interleavings() }
}

/// State that the coordinator's threads share.
struct Coordinator {
    sweep: Sweep,
    stop: AtomicBool,
    ledger: Mutex<Ledger>,
    workers: Vec<Mutex<Watched>>,
}

struct Ledger {
    seeds: SeedSource,
    result: CampaignResult,
    out: ResultsWriter,
    error: Option<io::Error>,
    rss_kib_max: u64,
}

impl Ledger {
    fn record(&mut self, mut message: Message, against: &Expected) {
        if let Message::Seed(line) = &mut message {
            against.judge(line);
        }
        self.out.write(&message);
        if let Message::Batch(batch) = &message {
            self.rss_kib_max = self.rss_kib_max.max(batch.rss_kib);
        }
        self.result.add(message);
    }
}

/// A worker as the watchdog sees it.
#[derive(Default)]
struct Watched {
    child: Option<Child>,
    /// When it last reported a seed, while it owes an answer.
    waiting_since: Option<time::Instant>,
    killed: bool,
}

/// A worker as its own thread sees it.
struct Worker {
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    seeds: u64,
}

/// The worker is gone, or has written something unreadable.
struct WorkerLost;

impl Coordinator {
    /// Keeps one worker busy until no seed is left.
    fn serve_worker(&self, index: usize) -> io::Result<()> {
        let mut worker = None;
        let mut batch_size = 1;
        while let Some(batch) = self.next_batch(batch_size) {
            let mut current = match worker.take() {
                Some(worker) => worker,
                None => self.start(index)?,
            };
            let begun = time::now();
            let mut answered = 0;
            match self.run_batch(index, &mut current, &batch, &mut answered) {
                Ok(rss_kib) => {
                    let took = time::now().saturating_since(begun);
                    batch_size = next_size(batch.len(), took);
                    current.seeds += batch.len() as u64;
                    if current.seeds < self.sweep.renew_after && rss_kib < self.sweep.rss_kib_max {
                        worker = Some(current);
                    } else {
                        self.dismiss(index, current)?;
                    }
                }
                Err(WorkerLost) => {
                    let why = self.reap(index)?;
                    let mut ledger = self.ledger.lock();
                    let mut left = batch.get(answered..).unwrap_or_default();
                    // A worker that was killed after a signal proves nothing about the seed that it was
                    // running.
                    if let Some((&seed, others)) = left.split_first()
                        && !self.sweep.interrupt.load(Ordering::SeqCst)
                    {
                        ledger.record(Message::Failed(FailedLine { seed, why }), &self.sweep.against);
                        left = others;
                    }
                    ledger.seeds.give_back(left);
                    batch_size = 1;
                }
            }
        }
        if let Some(worker) = worker {
            self.dismiss(index, worker)?;
        }
        Ok(())
    }

    fn next_batch(&self, size: usize) -> Option<Vec<u64>> {
        if self.stop.load(Ordering::SeqCst) || self.sweep.interrupt.load(Ordering::SeqCst) {
            return None;
        }
        let batch = self.ledger.lock().seeds.take(size);
        (!batch.is_empty()).then_some(batch)
    }

    fn start(&self, index: usize) -> io::Result<Worker> {
        let mut command = Command::new(&self.sweep.worker[0]);
        command
            .args(&self.sweep.worker[1..])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        // Ctrl-C is for the coordinator, which lets workers finish their batches.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn()?;
        let taken = child.stdin.take().zip(child.stdout.take());
        let (input, output) = taken.ok_or_else(|| io::Error::other("a worker has no pipes"))?;
        *self.workers[index].lock() = Watched { child: Some(child), ..Watched::default() };
        Ok(Worker { input, output: BufReader::new(output), seeds: 0 })
    }

    fn run_batch(
        &self,
        index: usize,
        worker: &mut Worker,
        batch: &[u64],
        answered: &mut usize,
    ) -> Result<u64, WorkerLost> {
        let mut line: String = batch.iter().map(|seed| format!("{seed} ")).collect();
        line.push('\n');
        self.workers[index].lock().waiting_since = Some(time::now());
        if worker.input.write_all(line.as_bytes()).and_then(|()| worker.input.flush()).is_err() {
            return Err(WorkerLost);
        }
        loop {
            line.clear();
            if worker.output.read_line(&mut line).unwrap_or(0) == 0 {
                return Err(WorkerLost);
            }
            let Ok(message) = serde_json::from_str(&line) else { return Err(WorkerLost) };
            self.workers[index].lock().waiting_since = Some(time::now());
            let mut rss_kib = None;
            let mut violation = false;
            match &message {
                Message::Seed(seed) => {
                    *answered += 1;
                    violation = !seed.findings.is_empty();
                }
                Message::Batch(batch) => rss_kib = Some(batch.rss_kib),
                _ => return Err(WorkerLost),
            }
            let is_written = {
                let mut ledger = self.ledger.lock();
                ledger.record(message, &self.sweep.against);
                ledger.out.error().is_none()
            };
            if !is_written || violation && self.sweep.fail_fast {
                self.stop.store(true, Ordering::SeqCst);
            }
            if let Some(rss_kib) = rss_kib {
                self.workers[index].lock().waiting_since = None;
                return Ok(rss_kib);
            }
        }
    }

    /// Ends a worker: it exits when its input is closed.
    fn dismiss(&self, index: usize, worker: Worker) -> io::Result<()> {
        drop(worker);
        let child = self.workers[index].lock().child.take();
        child.map_or(Ok(()), |mut child| child.wait().map(|_| ()))
    }

    /// Reaps a worker; returns its exit reason.
    fn reap(&self, index: usize) -> io::Result<String> {
        let (child, killed) = {
            let mut watched = self.workers[index].lock();
            watched.waiting_since = None;
            (watched.child.take(), watched.killed)
        };
        let Some(mut child) = child else { return Ok("the worker is gone".into()) };
        // A worker that wrote something unreadable is still alive.
        let _ = child.kill();
        let status = child.wait()?;
        Ok(if killed {
            format!("no answer within {:?}: a loop without a scheduling point?", self.sweep.silence_max)
        } else {
            format!("the worker process died ({status})")
        })
    }

    fn kill_stuck(&self) {
        let silence_max = self.sweep.silence_max;
        for watched in &self.workers {
            let mut watched = watched.lock();
            let is_stuck =
                watched.waiting_since.is_some_and(|since| time::now().saturating_since(since) > silence_max);
            if is_stuck && let Some(child) = &mut watched.child {
                watched.killed = child.kill().is_ok();
                watched.waiting_since = None;
            }
        }
    }

    fn kill_all(&self) {
        for watched in &self.workers {
            if let Some(child) = &mut watched.lock().child {
                let _ = child.kill();
            }
        }
    }
}

/// Returns the number of seeds with which the next batch takes about [`BATCH_TARGET`].
fn next_size(size: usize, took: Duration) -> usize {
    let each = (took.as_micros() / size.max(1) as u128).max(1);
    usize::try_from(BATCH_TARGET.as_micros() / each).unwrap_or(BATCH_MAX).clamp(1, BATCH_MAX)
}
