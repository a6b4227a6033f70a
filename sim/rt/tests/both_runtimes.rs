//! The same tests on the simulating and on the production runtime: what holds on one holds on the other.

macro_rules! on {
    ($module:ident, $runtime:ident) => {
        mod $module {
            use std::time::Duration;

            use $runtime::sync::atomic::{AtomicBool, AtomicU64, Ordering};
            use $runtime::sync::{Arc, Condvar, Mutex, RwLock};
            use $runtime::{check, lockfree, probe, thread, time};

            #[test]
            fn increments_under_a_lock_are_not_lost() {
                check(|| {
                    let counter = Arc::new(Mutex::new("counter", 0));
                    let threads: Vec<_> = (0..3)
                        .map(|_| {
                            let counter = Arc::clone(&counter);
                            thread::spawn("adder", move || (0..4).for_each(|_| *counter.lock() += 1)).unwrap()
                        })
                        .collect();
                    threads.into_iter().for_each(|thread| thread.join().unwrap());
                    assert_eq!(*counter.lock(), 12);
                    assert_eq!(Arc::into_inner(counter).unwrap().into_inner(), 12);
                });
            }

            #[test]
            fn a_table_finds_what_was_put_in_and_not_taken_out() {
                check(|| {
                    let hasher = foldhash::fast::FixedState::with_seed(1);
                    let table = Arc::new(lockfree::Table::new("table", hasher, 0));
                    let theirs = Arc::clone(&table);
                    let writer = thread::spawn("writer", move || {
                        for number in 0..100_u32 {
                            assert!(theirs.insert(number));
                        }
                        assert!(!theirs.insert(7));
                        assert!(theirs.remove(&7));
                        assert!(!theirs.remove(&7));
                    })
                    .unwrap();
                    if table.with(&99, |_| ()).is_some() {
                        assert_eq!(table.with(&5, |number| *number), Some(5));
                    }
                    writer.join().unwrap();
                    assert_eq!(table.with(&7, |number| *number), None);
                    assert_eq!(table.with(&8, |number| *number), Some(8));
                });
            }

            #[test]
            fn a_reference_refers_to_one_value_or_another_and_what_was_loaded_stays_whole() {
                check(|| {
                    let cell = Arc::new(lockfree::AtomicRef::new("cell", vec![1_u32; 8]));
                    let theirs = Arc::clone(&cell);
                    let writer = thread::spawn("writer", move || {
                        for number in 2..20 {
                            let value = lockfree::Published::new(vec![number; 8]);
                            let before = theirs.swap(Some(value)).unwrap();
                            assert_eq!(before[7], number - 1);
                        }
                        assert_eq!(theirs.swap(None).unwrap().len(), 8);
                        assert!(theirs.swap(None).is_none());
                    })
                    .unwrap();
                    let mut last = 0;
                    while let Some(seen) = lockfree::pinned(|| cell.with(|value| value.cloned())) {
                        assert!(seen.iter().all(|number| *number == seen[0]) && seen[0] >= last);
                        last = seen[0];
                        {
                            let pin = lockfree::pin();
                            let Some(loaded) = cell.load(&pin) else { continue };
                            assert!(loaded[0] >= last && loaded[7] == loaded[0]);
                            assert!(
                                cell.load(&pin).is_none_or(|again| again[0] > last || again.is_same(&loaded))
                            );
                        }
                        thread::yield_now();
                    }
                    writer.join().unwrap();
                });
            }

            #[test]
            fn accesses_of_one_step_are_seen_all_or_none_once_their_last_is() {
                check(|| {
                    let shared = Arc::new((lockfree::WriteOnce::new(), AtomicU64::new("written", 0)));
                    assert!(lockfree::AtomicRef::<u64>::empty("nothing").load(&lockfree::pin()).is_none());
                    let theirs = Arc::clone(&shared);
                    let writer = thread::spawn("writer", move || {
                        lockfree::write_step("pair", &*theirs, || {
                            theirs.0.set(7_u64).unwrap();
                            theirs.1.store(1, Ordering::Release);
                        });
                        assert_eq!(theirs.0.set(8), Err(8));
                    })
                    .unwrap();
                    let seen = lockfree::read_step("pair", &*shared, || {
                        (shared.1.load(Ordering::Acquire) == 1).then(|| *shared.0.get().unwrap())
                    });
                    assert!(seen.is_none_or(|seen| seen == 7));
                    writer.join().unwrap();
                    assert_eq!(shared.0.get(), Some(&7));
                });
            }

            #[test]
            fn a_waiter_sees_what_was_set_before_the_notification() {
                check(|| {
                    let shared = Arc::new((Mutex::new("value", None), Condvar::new("set")));
                    let theirs = Arc::clone(&shared);
                    let setter = thread::spawn("setter", move || {
                        probe::at("before set");
                        *theirs.0.lock() = Some(7);
                        theirs.1.notify_one();
                    })
                    .unwrap();
                    let mut value = shared.0.lock();
                    while value.is_none() {
                        shared.1.wait(&mut value);
                    }
                    assert_eq!(*value, Some(7));
                    drop(value);
                    setter.join().unwrap();
                });
            }

            #[test]
            fn time_passes_in_sleeps_and_timed_waits() {
                check(|| {
                    let start = time::now();
                    time::sleep(Duration::from_millis(2));
                    let (lock, never) = (Mutex::new("lock", ()), Condvar::new("never"));
                    let mut guard = lock.lock();
                    while !never.wait_for(&mut guard, Duration::from_millis(2)) {}
                    assert!(time::now().saturating_since(start) >= Duration::from_millis(4));
                    assert!(never.wait_until(&mut guard, start));
                });
            }

            #[test]
            fn readers_share_and_writers_do_not() {
                check(|| {
                    let lock = Arc::new(RwLock::new("pair", (0, 0)));
                    let theirs = Arc::clone(&lock);
                    let writer = thread::spawn("writer", move || {
                        for _ in 0..5 {
                            let mut pair = theirs.write();
                            pair.0 += 1;
                            thread::yield_now();
                            pair.1 += 1;
                        }
                    })
                    .unwrap();
                    for _ in 0..5 {
                        let pair = lock.read();
                        assert_eq!(pair.0, pair.1);
                    }
                    writer.join().unwrap();
                    assert_eq!(*lock.read(), (5, 5));
                });
            }

            #[test]
            fn atomics_count_and_threads_report_their_end() {
                check(|| {
                    let shared = Arc::new((AtomicU64::new("count", 0), AtomicBool::new("stop", false)));
                    let theirs = Arc::clone(&shared);
                    let thread = thread::spawn("counter", move || {
                        while !theirs.1.load(Ordering::Acquire) {
                            theirs.0.fetch_add(1, Ordering::AcqRel);
                            thread::yield_now();
                        }
                        "done"
                    })
                    .unwrap();
                    while shared.0.load(Ordering::Acquire) < 3 {
                        thread::yield_now();
                    }
                    assert!(!thread.is_finished());
                    shared.1.store(true, Ordering::Release);
                    assert_eq!(thread.join().unwrap(), "done");
                    assert_eq!(
                        shared.0.compare_exchange(0, 1, Ordering::AcqRel, Ordering::Acquire).ok(),
                        None
                    );
                });
            }

            #[test]
            fn a_held_lock_is_not_taken_by_a_try() {
                check(|| {
                    let lock = Mutex::new("lock", 1);
                    let guard = lock.lock();
                    assert!(lock.try_lock().is_none());
                    drop(guard);
                    assert_eq!(lock.try_lock().map(|guard| *guard), Some(1));
                });
            }

            #[test]
            fn marks_and_mutants_compile_and_are_off() {
                check(|| {
                    $runtime::reached!("a mark");
                    assert!(!$runtime::mutant!(AckBeforeSync));
                });
            }
        }
    };
}

on!(simulating, stormproof_rt_shuttle);
on!(production, stormproof_rt);

#[test]
fn a_panic_is_given_to_whoever_joins() {
    let joined = || {
        let thread = stormproof_rt_shuttle::thread::spawn("unlucky", || {
            std::panic::resume_unwind(Box::new("a payload"));
        });
        let payload = thread.unwrap().join().unwrap_err();
        assert_eq!(payload.downcast_ref(), Some(&"a payload"));
    };
    stormproof_rt_shuttle::check(joined);
    // Outside of a life, threads are those of the operating system.
    joined();
}
