//! Supervises the processes of a store's lives: starts one after the other, reads their lines, kills them.
//!
//! Job: build the history from what a life reported before it was killed; the next life goes on from there.
//!
//! INV-SUPERVISOR-1: a commit counts as acked exactly if its process reported so before it died. Clients
//! report a commit before they call it, and its answer before they go on.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use stormproof_rt as rt;
use stormproof_workloads::history::{Event, Life, LifeEnd, Outcome, Session, Time};
use stormproof_workloads::notebook::{Note, Page, Progress};

use super::message::{Line, Report, Role, Start};
use super::power::Power;
use super::round::{Host, Kill, LIFE, Played, Round, close_failed, open_failed, store_in, unfinished};
use crate::finding::Finding;
use crate::inspector::Names;
use crate::invariants;

/// The supervisor of one round's processes.
pub(super) struct ProcessSupervisor<'a> {
    round: &'a Round,
    folder: &'a Path,
    host: &'a Host,
    power: Option<&'a Power>,
    began: rt::time::Instant,
    life: Life,
    events: Vec<Event>,
    notes: Vec<Note>,
    progress: BTreeMap<Session, Progress>,
    /// The session of each transaction, by its index.
    sessions: Vec<Session>,
    last: Time,
    trouble: Vec<Finding>,
    kills: u64,
}

/// How a life ended: decides whether another one follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    /// The store was closed in order: all is done.
    Closed,
    /// It was killed.
    Killed,
    /// It broke; a further life would prove nothing.
    Broken,
}

/// What is known of the current life.
#[derive(Default)]
struct Now {
    acks: u64,
    opened: bool,
    closed: bool,
    /// Why it ended, as it reported.
    trouble: Option<Finding>,
}

impl<'a> ProcessSupervisor<'a> {
    pub(super) fn new(round: &'a Round, folder: &'a Path, host: &'a Host, power: Option<&'a Power>) -> Self {
        Self {
            round,
            folder,
            host,
            power,
            began: rt::time::now(),
            life: 0,
            events: Vec::new(),
            notes: Vec::new(),
            progress: BTreeMap::new(),
            sessions: Vec::new(),
            last: 0,
            trouble: Vec::new(),
            kills: 0,
        }
    }

    /// Runs lives until all work is done or something breaks; then one more life in which only the inspector
    /// reads.
    pub(super) fn play(mut self) -> io::Result<Played> {
        let kills = self.round.kills.iter().copied().map(Some).chain([None]);
        for kill in kills {
            match self.live(kill, Role::Work)? {
                After::Killed => {}
                After::Broken => return Ok(self.played()),
                After::Closed => break,
            }
        }
        self.live(None, Role::Look)?;
        Ok(self.played())
    }

    fn played(self) -> Played {
        let Self { events, notes, trouble, kills, .. } = self;
        Played { events, notes, trouble, kills, took: Duration::ZERO }
    }

    fn live(&mut self, kill: Option<Kill>, role: Role) -> io::Result<After> {
        let stderr = self.folder.join(format!("life-{}.stderr", self.life));
        let mut child = Command::new(&self.host.program)
            .arg(LIFE)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&stderr)?)
            .spawn()?;
        self.send_start(&mut child, role)?;
        let lines =
            child.stdout.take().map(listen).transpose()?.ok_or_else(|| io::Error::other("no pipe"))?;
        let mut now = Now::default();
        let killed = self.watch(&mut child, &lines, kill, &mut now)?;
        let status = child.wait()?;
        if now.opened && !now.closed {
            let at = self.tick();
            self.events.push(Event::Ended { life: self.life, at, how: LifeEnd::Crashed });
        }
        let died = !killed && !status.success();
        if died {
            let words = std::fs::read_to_string(&stderr).unwrap_or_default();
            let message = format!("life {}: the process ended with {status}: {}", self.life, words.trim());
            self.trouble.push(Finding::of_world(invariants::NO_PANIC, "process-died", message));
        }
        let broken = died || now.trouble.is_some() || !(killed || now.closed);
        self.trouble.extend(now.trouble);
        if killed && let Some(power) = self.power {
            power.cut(self.life);
        }
        self.life += 1;
        Ok(match (broken, now.closed) {
            (true, _) => After::Broken,
            (false, true) => After::Closed,
            (false, false) => After::Killed,
        })
    }

    fn send_start(&mut self, child: &mut Child, role: Role) -> io::Result<()> {
        let micros = |duration: Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let start = Start {
            round: self.round.clone(),
            folder: store_in(self.folder),
            life: self.life,
            role,
            last: self.tick(),
            txns: u32::try_from(self.sessions.len()).unwrap_or(u32::MAX),
            progress: self.progress.clone().into_iter().collect(),
            names: Names::of(&self.events),
            before_micros: micros(rt::time::now().saturating_since(self.began)),
            silence_max_micros: micros(self.host.silence_max),
        };
        let mut line = serde_json::to_vec(&start)?;
        line.push(b'\n');
        let mut stdin = child.stdin.take().ok_or_else(|| io::Error::other("no pipe"))?;
        // A process that dies at once is judged by how it ended.
        let _ = stdin.write_all(&line);
        Ok(())
    }

    /// Listens until the process is dead, and kills it when its time has come. Returns whether it was killed
    /// for that.
    fn watch(
        &mut self,
        child: &mut Child,
        lines: &Receiver<Vec<u8>>,
        kill: Option<Kill>,
        now: &mut Now,
    ) -> io::Result<bool> {
        let mut killed = false;
        loop {
            let text = match lines.recv_timeout(self.host.silence_max) {
                Ok(text) => text,
                Err(RecvTimeoutError::Disconnected) => return Ok(killed),
                Err(RecvTimeoutError::Timeout) => {
                    let message = format!("life {}: the process reports nothing any more", self.life);
                    now.trouble = Some(Finding::of_world(invariants::LIVENESS, "stuck", message));
                    child.kill()?;
                    return Ok(true);
                }
            };
            let line = Line::parse(&text)?;
            let opening = line == Line::Report(Report::Opening);
            self.absorb(line, now);
            let due = match kill {
                _ if killed || now.closed => false,
                Some(Kill::Acks(acks)) => now.acks >= acks,
                Some(Kill::Opening { micros }) if opening => {
                    rt::time::sleep(Duration::from_micros(micros));
                    true
                }
                Some(Kill::Opening { .. }) | None => false,
            };
            if due {
                child.kill()?;
                killed = true;
                self.kills += 1;
            }
        }
    }

    fn absorb(&mut self, line: Line, now: &mut Now) {
        match line {
            Line::Event(event) => self.happened(event, now),
            Line::Page(Page::Note { note }) => {
                self.last = self.last.max(note.at);
                self.notes.push(note);
            }
            Line::Page(Page::Progress { session, progress }) => {
                self.progress.insert(session, progress);
            }
            Line::Report(Report::Opening) => {}
            Line::Report(Report::Closed) => now.closed = true,
            Line::Report(Report::OpenFailed { error }) => now.trouble = Some(open_failed(self.life, &error)),
            Line::Report(Report::CloseFailed { error }) => {
                now.trouble = Some(close_failed(self.life, &error))
            }
            Line::Report(Report::Worked { work }) => now.trouble = unfinished(self.life, &work),
        }
    }

    fn happened(&mut self, event: Event, now: &mut Now) {
        let durable = match &event {
            Event::Outcome { outcome: Outcome::Committed { durable, .. }, .. } => *durable,
            _ => None,
        };
        self.last = self.last.max(event.at().max(durable).unwrap_or(0));
        match &event {
            Event::Opened { .. } => now.opened = true,
            Event::Ended { .. } => now.closed = true,
            Event::Begin { session, .. } => self.sessions.push(*session),
            Event::Outcome { txn, outcome } => self.answered(*txn, outcome, now),
            Event::Op { .. } | Event::Commit { .. } | Event::Durable { .. } => {}
        }
        self.events.push(event);
    }

    /// Moves a client on that was answered: it may be killed before it notes that itself, and must not do its
    /// action again.
    fn answered(&mut self, txn: u32, outcome: &Outcome, now: &mut Now) {
        let progress = self.sessions.get(txn as usize).and_then(|session| self.progress.get_mut(session));
        let (acked, done) = match outcome {
            Outcome::Committed { .. } => (1, 1),
            Outcome::Aborted { .. } => (0, 0),
            Outcome::Running | Outcome::Unknown { .. } => return,
        };
        now.acks += acked;
        if let Some(progress) = progress.filter(|progress| progress.committing) {
            progress.committing = false;
            progress.next += done;
        }
    }

    fn tick(&mut self) -> Time {
        self.last += 1;
        self.last
    }
}

/// Returns the lines of a process, as they come; a torn last one is left out.
fn listen(stdout: ChildStdout) -> io::Result<Receiver<Vec<u8>>> {
    let (sender, receiver) = channel();
    rt::thread::spawn("listener", move || {
        let mut stdout = BufReader::new(stdout);
        loop {
            let mut line = Vec::new();
            match stdout.read_until(b'\n', &mut line) {
                Ok(_) if line.ends_with(b"\n") => {}
                _ => return,
            }
            if sender.send(line).is_err() {
                return;
            }
        }
    })?;
    Ok(receiver)
}
