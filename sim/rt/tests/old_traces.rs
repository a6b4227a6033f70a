//! A trace by names still reproduces after the code around it has changed; a list of raw decisions does not.

use rt::life::{InjectedEvents, LifeEnd, LifeOutcome, Settings, run};
use rt::strategy::{Directed, Kind, Replay, stream};
use rt::sync::atomic::{AtomicU64, Ordering};
use rt::sync::{Arc, Mutex};
use stormproof_rt_shuttle as rt;

/// Which release of the program this is.
#[derive(Clone, Copy, PartialEq)]
enum Release {
    Old,
    /// With one more lock and one more thread.
    New,
}

/// Three clients move money with a read and a write that are not one step.
fn program(release: Release) {
    let balance = Arc::new(AtomicU64::new("balance", 100));
    let log = Arc::new(Mutex::new("log", Vec::new()));
    let audit = Arc::new(Mutex::new("audit", 0));
    if release == Release::New {
        let log = Arc::clone(&log);
        rt::thread::spawn("janitor", move || (0..3).for_each(|_| log.lock().clear())).expect("starts");
    }
    let clients: Vec<_> = (0..3)
        .map(|_| {
            let (balance, log, audit) = (Arc::clone(&balance), Arc::clone(&log), Arc::clone(&audit));
            let client = move || {
                for _ in 0..3 {
                    if release == Release::New {
                        *audit.lock() += 1;
                    }
                    let old = balance.load(Ordering::SeqCst);
                    balance.store(old - 10, Ordering::SeqCst);
                    log.lock().push("has paid");
                }
            };
            rt::thread::spawn("client", client).expect("starts")
        })
        .collect();
    clients.into_iter().for_each(|client| client.join().expect("does not panic"));
    assert_eq!(balance.load(Ordering::SeqCst), 10, "money came from nowhere");
}

fn is_found(life: &LifeOutcome) -> bool {
    matches!(&life.end, LifeEnd::Panicked(panic) if panic.message.contains("money came from nowhere"))
}

/// Failures of the old release under PCT, which preempts little.
fn failures() -> impl Iterator<Item = LifeOutcome> {
    let lives = (0..400).map(|seed| {
        let kind = Kind::Pct { depth: 1 + seed as u32 % 3, steps: 60 };
        let quiet = Settings { seed, early_timeouts_per_mille: 0, ..Settings::default() };
        run(quiet, kind.build(), || program(Release::Old))
    });
    lives.filter(is_found)
}

#[test]
fn a_trace_of_the_old_release_reproduces_on_the_new_one() {
    let (mut by_name, mut raw, mut all) = (0, 0, 0);
    for failure in failures().take(20) {
        all += 1;
        let listed = Settings {
            injected_events: InjectedEvents::Only(failure.schedule.injected_events()),
            ..Settings::default()
        };
        let directed = Directed::new(failure.schedule.forced_switches());
        by_name += u32::from(is_found(&run(listed.clone(), Box::new(directed), || program(Release::New))));
        let replay = Replay::new(failure.schedule.decisions.clone());
        raw += u32::from(is_found(&run(listed, Box::new(replay), || program(Release::New))));
    }
    assert_eq!(all, 20);
    assert!(by_name >= 18, "{by_name} of {all} by name");
    assert!(by_name > raw, "{by_name} of {all} by name, {raw} as raw decisions");
}

#[test]
fn kinds_are_drawn_with_their_parameters_and_come_back_from_text() {
    let mut rng = stream(1, "kinds");
    let kinds: Vec<_> = (0..500).map(|_| Kind::draw(&Kind::DEFAULT_WEIGHTS, 100, &mut rng)).collect();
    for name in Kind::NAMES {
        assert!(kinds.iter().any(|kind| kind.name() == name), "{name} is never drawn");
    }
}
