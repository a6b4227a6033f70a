//! One of several clients that work at the same time.

use stormproof::{Database, RunId, RunOptions};
use stormproof_rt_shuttle::probe;
use stormproof_sim::digest::DigestValue;

use crate::world::{Random, World, task_of};

/// A client: what an application's user, request or agent is.
#[derive(Debug)]
pub struct Client {
    world: World,
    session: u32,
    name: String,
}

impl Client {
    pub(crate) fn new(world: World, session: u32) -> Self {
        Self { world, session, name: task_of(session) }
    }

    /// Returns its name, the same in every life: that of its thread in traces and pages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Begins a run of this client in a database.
    ///
    /// # Errors
    /// As [`Database::begin_run`].
    pub fn run(&self, database: &Database) -> stormproof::Result<RunId> {
        database.begin_run_with(RunOptions::new().tag("client", self.name()))
    }

    /// Notes what the application has promised to the outside: that a seat is sold, a mail is on its way. It
    /// outlives power cuts, so that a later life can compare [`World::promised`] with what the database has.
    /// Power cuts aim at the moment right after it.
    pub fn promise(&self, text: impl Into<String>) {
        let (text, world) = (text.into(), &self.world.program().world);
        probe::draw("promise", DigestValue::of_text(&text).0);
        world.application.promise(text);
        world.recorder.promise();
    }

    /// Hands out a list of `items`, each until it is done: an item is done when the next one is asked for,
    /// and after a power cut the list goes on with the one that was cut.
    pub fn todo(&self, items: u32) -> Todo<'_> {
        Todo { client: self, items, begun: None }
    }

    /// Returns the random numbers of this client in this life.
    pub fn random(&self) -> Random {
        self.world.random(&self.name)
    }

    /// Returns the world that it lives in.
    pub fn world(&self) -> &World {
        &self.world
    }
}

/// What a client has yet to do; see [`Client::todo`].
#[derive(Debug)]
pub struct Todo<'a> {
    client: &'a Client,
    items: u32,
    begun: Option<u32>,
}

impl Iterator for Todo<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let (life, session) = (self.client.world.program(), self.client.session);
        if let Some(done) = self.begun.take() {
            life.world.application.finish(session, done + 1);
        }
        self.begun = life.next_item(session, self.items);
        self.begun
    }
}

/// A client failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{client}: {message}")]
pub struct ClientError {
    /// Its name.
    pub client: String,
    /// What it returned, in words.
    pub message: String,
}
