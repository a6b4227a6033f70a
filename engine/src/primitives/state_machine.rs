//! State machines: states that change only by declared transitions (contract R3).

use std::collections::BTreeMap;
use std::marker::PhantomData;

use crate::error::{Error, Result};
use crate::key::{Key, Namespace, TypeTag};
use crate::txn::Transaction;
use crate::types::Version;

/// The states of a machine, usually an enum. What is stored is the name.
pub trait State: Sized + Clone {
    /// Returns the name of the state.
    fn name(&self) -> &str;

    /// Returns the state of that name; `None` if there is none.
    fn from_name(name: &str) -> Option<Self>;
}

/// Any text is a state.
impl State for String {
    fn name(&self) -> &str {
        self
    }

    fn from_name(name: &str) -> Option<Self> {
        Some(name.to_owned())
    }
}

/// Machines of one kind: any number of instances, each in one of the declared states.
///
/// A transition is a compare-and-set: of several that start from one state, one commits.
///
/// ```
/// use stormproof::{Database, Error, StateMachine};
///
/// # fn main() -> Result<(), stormproof::Error> {
/// let jobs = StateMachine::<String>::builder("job")
///     .initial("queued".to_owned())
///     .transition("queued".to_owned(), "running".to_owned())
///     .transition("running".to_owned(), "done".to_owned())
///     .build()?;
/// let db = Database::open_in_memory()?;
/// let run = db.begin_run()?;
/// db.transaction(run, |txn| {
///     jobs.create(txn, "job-1")?;
///     jobs.transition(txn, "job-1", &"queued".to_owned(), &"running".to_owned())
/// })?;
/// let skipped = db.transaction(run, |txn| {
///     jobs.transition(txn, "job-1", &"queued".to_owned(), &"done".to_owned())
/// });
/// assert!(matches!(skipped, Err(Error::InvalidTransition { allowed, .. }) if allowed == ["done"]));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct StateMachine<S> {
    kind: String,
    prefix: Key,
    initial: String,
    transitions: BTreeMap<String, Vec<String>>,
    states: PhantomData<fn() -> S>,
}

/// Declares the states and transitions of a [`StateMachine`].
#[derive(Clone, Debug)]
#[must_use = "declarations do nothing before `build`"]
pub struct StateMachineBuilder<S> {
    kind: String,
    namespace: Namespace,
    initial: Option<String>,
    transitions: BTreeMap<String, Vec<String>>,
    states: PhantomData<fn() -> S>,
}

impl<S: State> StateMachine<S> {
    /// Returns a builder for machines of that kind.
    pub fn builder(kind: &str) -> StateMachineBuilder<S> {
        StateMachineBuilder {
            kind: kind.to_owned(),
            namespace: Namespace::shared(),
            initial: None,
            transitions: BTreeMap::new(),
            states: PhantomData,
        }
    }

    /// Creates an instance in the initial state.
    ///
    /// # Errors
    /// [`Error::Conflict`] when it exists already; otherwise as [`Transaction::insert`].
    pub fn create(&self, txn: &mut Transaction, instance: &str) -> Result<()> {
        txn.create_state(self.key(instance), &self.initial)
    }

    /// Returns the state of an instance; `None` if there is no such instance.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the stored name is none of the states; otherwise as [`Transaction::get`].
    pub fn state(&self, txn: &mut Transaction, instance: &str) -> Result<Option<S>> {
        Ok(self.state_versioned(txn, instance)?.0)
    }

    /// Like [`state`](Self::state), with the version at which it was entered, as
    /// [`Transaction::get_versioned`] returns it.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// use stormproof::{Namespace, StateMachine};
    ///
    /// let jobs = StateMachine::<String>::builder("job")
    ///     .namespace(Namespace::of_run(run))
    ///     .initial("queued".to_owned())
    ///     .transition("queued".to_owned(), "done".to_owned())
    ///     .build()?;
    /// let mut txn = db.begin_transaction(run)?;
    /// jobs.create(&mut txn, "1")?;
    /// assert_eq!(jobs.state(&mut txn, "1")?.as_deref(), Some("queued"));
    /// txn.commit()?.wait_durable()?;
    /// let mut txn = db.begin_transaction(run)?;
    /// let (state, version) = jobs.state_versioned(&mut txn, "1")?;
    /// assert_eq!((state.as_deref(), version), (Some("queued"), Some(db.version())));
    /// assert_eq!(jobs.allowed("queued"), ["done"]);
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`state`](Self::state).
    pub fn state_versioned(
        &self,
        txn: &mut Transaction,
        instance: &str,
    ) -> Result<(Option<S>, Option<Version>)> {
        let found = txn.get_versioned(self.key(instance))?;
        let Some(value) = found.value else { return Ok((None, found.version)) };
        let name = String::try_from(value)?;
        match S::from_name(&name) {
            Some(state) => Ok((Some(state), found.version)),
            None => Err(Error::Invalid(format!(
                "{} {instance:?} is in state {name:?}, which the program does not know: declare it",
                self.kind
            ))),
        }
    }

    /// Moves an instance from one state to another.
    ///
    /// # Errors
    /// [`Error::InvalidTransition`] when the transition is not declared or the instance is in another state:
    /// it names the state that it is in and those that it may go to. [`Error::Invalid`] when there is no such
    /// instance. Otherwise as [`Transaction::compare_and_set`].
    pub fn transition(&self, txn: &mut Transaction, instance: &str, from: &S, to: &S) -> Result<()> {
        let key = self.key(instance);
        let found = txn.get_versioned(&key)?;
        let current = match found.value {
            Some(value) => String::try_from(value)?,
            None => {
                return Err(Error::Invalid(format!(
                    "there is no {} {instance:?}: create it first",
                    self.kind
                )));
            }
        };
        let allowed = self.allowed(&current);
        if current != from.name() || !allowed.iter().any(|name| name == to.name()) {
            return Err(Error::InvalidTransition {
                machine: format!("{} {instance:?}", self.kind),
                from: current,
                to: to.name().to_owned(),
                allowed: allowed.to_vec(),
            });
        }
        txn.change_state(key, from.name(), to.name())
    }

    /// Returns the names of the states to which a machine may go from the named one.
    pub fn allowed(&self, from: &str) -> &[String] {
        self.transitions.get(from).map_or(&[], Vec::as_slice)
    }

    fn key(&self, instance: &str) -> Key {
        self.prefix.clone().with_component(instance.as_bytes())
    }
}

impl<S: State> StateMachineBuilder<S> {
    /// Sets the namespace in which instances live. Default: the shared one.
    pub fn namespace(mut self, namespace: Namespace) -> Self {
        self.namespace = namespace;
        self
    }

    /// Sets the state of a new instance.
    pub fn initial(mut self, state: S) -> Self {
        self.initial = Some(state.name().to_owned());
        self
    }

    /// Declares a transition.
    pub fn transition(mut self, from: S, to: S) -> Self {
        let targets = self.transitions.entry(from.name().to_owned()).or_default();
        if !targets.iter().any(|name| name == to.name()) {
            targets.push(to.name().to_owned());
        }
        self
    }

    /// Builds the machine.
    ///
    /// # Errors
    /// [`Error::Invalid`] when no initial state was declared.
    pub fn build(self) -> Result<StateMachine<S>> {
        let Some(initial) = self.initial else {
            return Err(Error::Invalid(format!(
                "the state machine {:?} has no initial state: declare one",
                self.kind
            )));
        };
        let prefix = self.namespace.tagged(TypeTag::State, &[]).with_component(self.kind.as_bytes());
        Ok(StateMachine {
            kind: self.kind,
            prefix,
            initial,
            transitions: self.transitions,
            states: PhantomData,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{State, StateMachine};
    use crate::database::Database;
    use crate::error::Error;
    use crate::key::Namespace;

    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Light {
        Red,
        Green,
    }

    impl State for Light {
        fn name(&self) -> &str {
            match self {
                Self::Red => "red",
                Self::Green => "green",
            }
        }

        fn from_name(name: &str) -> Option<Self> {
            [Self::Red, Self::Green].into_iter().find(|state| state.name() == name)
        }
    }

    #[test]
    fn what_was_not_declared_or_created_is_refused_in_words() {
        rt::check(|| {
            let undeclared = StateMachine::<Light>::builder("light").build().map(drop).unwrap_err();
            assert!(undeclared.to_string().contains("no initial state: declare one"), "{undeclared}");

            let namespace = Namespace { tenant: "north".to_owned(), ..Namespace::default() };
            let lights = StateMachine::builder("light")
                .namespace(namespace)
                .initial(Light::Red)
                .transition(Light::Red, Light::Green)
                .transition(Light::Red, Light::Green)
                .build()
                .unwrap();
            assert_eq!(lights.allowed("red"), ["green"]);
            let db = Database::open_in_memory().unwrap();
            let run = db.begin_run().unwrap();
            let mut txn = db.begin_transaction(run).unwrap();
            let missing = lights.transition(&mut txn, "a", &Light::Red, &Light::Green).unwrap_err();
            assert!(missing.to_string().contains("there is no light \"a\": create it first"), "{missing}");
            assert_eq!(lights.state(&mut txn, "a").unwrap(), None);
            lights.create(&mut txn, "a").unwrap();
            assert_eq!(lights.state(&mut txn, "a").unwrap(), Some(Light::Red));
            let back = lights.transition(&mut txn, "a", &Light::Green, &Light::Red).unwrap_err();
            let Error::InvalidTransition { from, to, allowed, .. } = &back else { panic!("{back}") };
            assert_eq!(
                (from.as_str(), to.as_str(), allowed.as_slice()),
                ("red", "red", &["green".to_owned()][..])
            );

            // An earlier release of the application declared another state.
            let earlier =
                StateMachine::<String>::builder("light").initial("amber".to_owned()).build().unwrap();
            earlier.create(&mut txn, "b").unwrap();
            let same_place = StateMachine::<Light>::builder("light").initial(Light::Red).build().unwrap();
            let unknown = same_place.state(&mut txn, "b").unwrap_err();
            assert!(unknown.to_string().contains("\"amber\", which the program does not know"), "{unknown}");
            // The namespaces keep their instances apart.
            assert_eq!(lights.state(&mut txn, "b").unwrap(), None);
        });
    }
}
