//! What `stormproof shrink --emit-test` prints is a test that compiles, passes when the bug is gone and fails
//! while it is there. The first test is its output to the letter, which a test of the simulator compares.

#[test]
fn no_serializable_write_skew() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/regressions/SkipReadValidation.trace");
    let mut trace = stormproof_sim::trace::Trace::read(path.as_ref()).unwrap();
    // Found with a deliberate bug of the engine. Without this line the test has to fail.
    trace.plan.mutants.clear();
    let replayed = trace.replay(&stormproof_sim::registry::Registry::default()).unwrap();
    assert!(!replayed.same_failure, "{:#?}", replayed.run.findings());
}

/// The same without the line that switches the bug off.
#[test]
#[should_panic(expected = "write-skew")]
fn it_fails_while_the_bug_is_there() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/regressions/SkipReadValidation.trace");
    let trace = stormproof_sim::trace::Trace::read(path.as_ref()).unwrap();
    let replayed = trace.reproduce(&stormproof_sim::registry::Registry::default(), 400).unwrap();
    assert!(!replayed.same_failure, "{:#?}", replayed.run.findings());
}
