//! The simulating runtime: every lock, atomic, wait and spawn is a scheduling point of a seeded scheduler.
//!
//! It has exactly the interface of the production runtime (`engine/rt`), and takes its place when the engine
//! is compiled for simulations. On top of that it has what a simulator needs: [`life::run`] runs one *life*
//! of a program under a [`strategy`], and [`mutants`] is the table of deliberate bugs.
//!
//! How a scheduling point goes: the task says what it is about to do (an [`op::Op`]: kind, label, object),
//! the life counts and hashes it, and asks the strategy which task runs next. If that is the same task, it
//! goes on at once; only a real switch goes through shuttle, which provides the stacks and nothing else: it
//! sees all tasks as runnable, always. Which task is blocked on what, what time it is and which task is woken
//! is known here.
//!
//! Not its job: disks and wall time (`faults`), what is run and what must hold (`sim`).
//!
//! Invariants:
//! * INV-RT-1: the same settings, strategy and body give the identical execution: decisions depend on labels,
//!   counts and seeds, never on addresses, time or randomly seeded maps.
//! * INV-RT-2: a kill runs no code of the program: no destructor, no panic, no closure of a task that never
//!   ran. Unless that is asked for, to get the memory back: then it runs when the world has been closed
//!   (`life::Remains`).
//! * INV-RT-3: what this crate cannot find: mistakes that only a weak memory model shows. All atomics are
//!   sequentially consistent here, whatever ordering they are given.
//!
//! Outside of a life all of it behaves as the production runtime does.

pub mod life;
pub mod lockfree;
pub mod mutants;
pub mod op;
pub mod probe;
pub mod strategy;
pub mod sync;
pub mod thread;
pub mod time;

mod check;

pub use check::{CHECKS, check};
