//! The simulated world, as a test sees it in one life.

use std::fmt;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;
use stormproof::{Database, DatabaseBuilder};
use stormproof_env::{Clock, Disk, Entropy, UnixMillis};
use stormproof_rt_shuttle::sync::Arc;
use stormproof_rt_shuttle::{thread, time};
use stormproof_sim::run::{ProgramLife, Role};
use stormproof_sim::seed::Seed;
use stormproof_sim::store::real;
use stormproof_sim::task_names;

use crate::client::{Client, ClientError};
use crate::historian::Historian;
use crate::outcome::Outcome;

/// The simulated world in one life: disk, clock, entropy, clients. Clones are the same world.
#[derive(Clone)]
pub struct World {
    life: ProgramLife,
    /// The number of clients, whatever is asked for.
    clients: Option<u32>,
}

impl World {
    pub(crate) fn new(life: ProgramLife, clients: Option<u32>) -> Self {
        Self { life, clients }
    }

    /// Opens the database of the world; in the next life, the same one with what the crash left of it.
    ///
    /// # Errors
    /// As [`DatabaseBuilder::open`].
    pub fn open(&self) -> stormproof::Result<Database> {
        let database = self.builder().open()?;
        self.life.opened();
        Ok(database)
    }

    /// Returns a builder for the database of the world: disk, clock and entropy are the seed's, and so are
    /// segment sizes, checkpoints and the like, unless the test sets its own.
    pub fn builder(&self) -> DatabaseBuilder {
        let historian = Historian::new(self.life.clone());
        self.settings().disk(self.disk()).observe(Arc::new(historian))
    }

    /// As [`Self::open`], a database of its own in another directory.
    ///
    /// # Errors
    /// As [`DatabaseBuilder::open`].
    pub fn open_in(&self, directory: &str) -> stormproof::Result<Database> {
        let database = self.builder_in(directory).open()?;
        self.life.opened();
        Ok(database)
    }

    /// As [`Self::builder`], for a database of its own in another directory.
    pub fn builder_in(&self, directory: &str) -> DatabaseBuilder {
        self.settings().disk(self.disk_in(directory))
    }

    fn settings(&self) -> DatabaseBuilder {
        let world = &self.life.world;
        let entropy: Arc<dyn Entropy> = Arc::clone(&world.entropy) as _;
        real::builder(&self.life.plan.engine).clock(Arc::new(world.clock.clone())).entropy(entropy)
    }

    /// Returns the directory of the database, for files of the application's own beside it: crashes and
    /// faults meet them as they meet the store's.
    pub fn disk(&self) -> Arc<dyn Disk> {
        self.life.world.disk.mount()
    }

    /// Returns another directory.
    pub fn disk_in(&self, directory: &str) -> Arc<dyn Disk> {
        self.life.world.sibling(directory).mount()
    }

    /// Runs clients at the same time, each on a simulated thread, and waits for all of them.
    ///
    /// # Errors
    /// The first failure, by the order of the clients.
    pub fn clients<R: Outcome>(
        &self,
        count: u32,
        body: impl Fn(&Client) -> R + Sync,
    ) -> Result<(), ClientError> {
        self.life.opened();
        let count = self.clients.unwrap_or(count);
        let clients =
            (0..count).filter_map(|number| Some(Client::new(self.clone(), self.life.client(number)?)));
        let clients: Vec<Client> = clients.collect();
        let failures = thread::scope(|scope| {
            let run = |client: Client| {
                let (name, body) = (client.name().to_owned(), &body);
                let handle = scope.spawn(&name, move || body(&client).into_result().err());
                (name, handle)
            };
            let handles: Vec<_> = clients.into_iter().map(run).collect();
            type Handle<'scope> = thread::ScopedJoinHandle<'scope, Option<String>>;
            let join = |(client, handle): (String, std::io::Result<Handle<'_>>)| {
                // A panic has ended the life already.
                let failure = handle.ok()?.join().ok()?;
                failure.map(|message| ClientError { client, message })
            };
            handles.into_iter().map(join).collect::<Vec<_>>()
        });
        failures.into_iter().flatten().next().map_or(Ok(()), Err)
    }

    /// Returns all that clients have promised so far, in all lives, oldest first; see [`Client::promise`].
    pub fn promised(&self) -> Vec<String> {
        self.life.world.application.promises()
    }

    /// Returns random numbers of this seed and life, in a stream for each label.
    pub fn random(&self, label: &str) -> Random {
        let label = format!("application/{}/{label}", self.life.number);
        Random(Seed(self.life.plan.seed.0).generator(&label))
    }

    /// Returns the wall clock, since 1970: it may be wrong, and jump, as those of machines do.
    pub fn now(&self) -> Duration {
        let UnixMillis(millis) = self.life.world.clock.now();
        Duration::from_millis(millis)
    }

    /// Returns the clock itself, for an application that takes one.
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(self.life.world.clock.clone())
    }

    /// Waits, in simulated time.
    pub fn sleep(&self, duration: Duration) {
        time::sleep(duration);
    }

    /// Returns the number of this life, from 0: how often the power has gone out, or the function returned,
    /// before.
    pub fn life(&self) -> u32 {
        self.life.number
    }

    /// Returns whether this is the last life, in which nothing goes wrong: what was to happen has to happen
    /// now.
    pub fn is_calm(&self) -> bool {
        self.life.role == Role::Last
    }

    pub(crate) fn program(&self) -> &ProgramLife {
        &self.life
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World")
            .field("seed", &self.life.plan.seed)
            .field("life", &self.life.number)
            .finish_non_exhaustive()
    }
}

/// Random numbers that the seed decides.
#[derive(Clone, Debug)]
pub struct Random(ChaCha8Rng);

impl Random {
    /// Draws any number.
    pub fn number(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Draws a number below `bound`, which must not be 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0.next_u64() % bound
    }

    /// Draws true in `percent` of 100 cases.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// Returns the name of the task of a session.
pub(crate) fn task_of(session: u32) -> String {
    task_names::client(session)
}
