//! Each model on a history that holds and on one for each way to break it.

use stormproof_oracle::Conclusion;
use stormproof_oracle::formats::Format;
use stormproof_oracle::models::{Model, ModelReport, check_model_bytes};

/// Operations as `process kind f value`, one a line.
fn judged(model: Model, lines: &str) -> ModelReport {
    let operations = lines.lines().map(str::trim).filter(|line| !line.is_empty()).map(|line| {
        let mut words = line.splitn(4, ' ');
        let mut word = || words.next().unwrap_or("nil");
        let (process, kind, function, value) = (word(), word(), word(), word());
        format!("{{:process {process}, :type :{kind}, :f :{function}, :value {value}}}\n")
    });
    let text: String = operations.collect();
    check_model_bytes(text.as_bytes(), Format::Edn, model, 1_000_000)
        .unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn holds(model: Model, lines: &str) {
    let report = judged(model, lines);
    assert_eq!(report.conclusion(), Conclusion::Holds, "{lines}\n{}", report.text());
}

fn violated(model: Model, lines: &str, kind: &str) {
    let report = judged(model, lines);
    assert_eq!(report.conclusion(), Conclusion::Violated, "{lines}\n{}", report.text());
    assert!(report.problems.iter().any(|problem| problem.kind == kind), "{kind}: {}", report.text());
}

#[test]
fn a_bank_keeps_its_total() {
    holds(
        Model::Bank,
        "0 ok read {0 5, 1 5}\n0 ok transfer {:from 0, :to 1, :amount 2}\n1 ok read {0 3, 1 7}",
    );
    violated(Model::Bank, "0 ok read {0 5, 1 5}\n1 ok read {0 3, 1 5}", "wrong total");
    violated(Model::Bank, "0 ok read {0 -1, 1 11}", "negative balance");
    violated(Model::Bank, "0 ok read {0 nil, 1 11}", "nil balance");
}

#[test]
fn a_set_has_what_was_acknowledged_and_nothing_else() {
    holds(Model::Set, "0 ok add 1\n0 info add 2\n1 ok read #{1 2}");
    violated(Model::Set, "0 ok add 1\n0 ok add 2\n1 ok read #{2}", "lost");
    violated(Model::Set, "0 ok add 1\n1 ok read [1 3]", "unexpected");
    violated(Model::Set, "0 ok add 1\n1 ok read [1 1]", "duplicated");
    let report = judged(Model::Set, "0 ok add 1");
    assert!(matches!(report.conclusion(), Conclusion::Undecided(_)));
}

#[test]
fn an_element_that_was_read_stays() {
    holds(Model::SetFull, "0 invoke add 1\n1 ok read #{}\n0 ok add 1\n1 ok read #{1}");
    violated(Model::SetFull, "0 ok add 1\n1 ok read #{}\n1 ok read #{1}", "stale");
    violated(Model::SetFull, "0 invoke add 1\n1 ok read #{1}\n1 ok read #{}", "lost");
}

#[test]
fn a_counter_lies_within_its_bounds() {
    holds(Model::Counter, "0 invoke add 1\n1 invoke read nil\n0 ok add 1\n1 ok read 0\n1 ok read 1");
    holds(Model::Counter, "0 ok add 5\n0 info add -2\n1 ok read 3");
    violated(Model::Counter, "0 ok add 1\n1 ok read 0", "out of bounds");
    violated(Model::Counter, "0 ok add 1\n0 fail add 1\n1 ok read 2", "out of bounds");
}

#[test]
fn two_readers_agree_on_the_order_of_two_writes() {
    let writes = "0 ok write [[:w 1 1]]\n1 ok write [[:w 2 1]]\n";
    holds(
        Model::LongFork,
        &format!("{writes}2 ok read [[:r 1 1] [:r 2 nil]]\n3 ok read [[:r 1 1] [:r 2 1]]"),
    );
    violated(
        Model::LongFork,
        &format!("{writes}2 ok read [[:r 1 1] [:r 2 nil]]\n3 ok read [[:r 1 nil] [:r 2 1]]"),
        "long fork",
    );
}

#[test]
fn an_effect_is_seen_with_its_causes() {
    holds(Model::CausalReverse, "0 ok write 1\n0 ok write 2\n1 ok read [1]\n1 ok read [1 2]");
    holds(Model::CausalReverse, "0 invoke write 1\n1 ok write 2\n2 ok read [2]\n0 ok write 1");
    violated(Model::CausalReverse, "0 ok write 1\n0 ok write 2\n1 ok read [2]", "causal reverse");
    holds(Model::Sequential, "0 ok read [7 [nil nil 1 1]]");
    violated(Model::Sequential, "0 ok read [7 [nil 1 nil 1]]", "trailing nil");
}

#[test]
fn registers_are_linearizable_key_by_key() {
    holds(Model::CasRegister, "0 ok read nil\n0 ok write 1\n1 ok cas [1 2]\n0 ok read 2");
    holds(Model::CasRegister, "0 invoke write 1\n1 ok read 1\n1 ok read 1\n0 info write 1");
    holds(Model::CasRegister, "0 fail cas [1 2]\n0 ok read nil");
    violated(Model::CasRegister, "0 ok write 1\n1 ok read nil", "not linearizable");
    violated(Model::CasRegister, "0 invoke write 1\n1 ok read 1\n1 ok read nil", "not linearizable");
    violated(Model::CasRegister, "0 ok write 1\n0 ok cas [2 3]", "not linearizable");
    holds(
        Model::CasRegister,
        "0 ok write [a 1]\n0 ok write [b 2]\n1 ok read [a 1]\n1 ok cas [b [2 3]]\n1 ok read [b 3]",
    );
    violated(Model::CasRegister, "0 ok write [a 1]\n0 ok write [b 2]\n1 ok read [a 2]", "not linearizable");
}

#[test]
fn a_lock_has_one_holder() {
    holds(Model::Mutex, "0 ok acquire\n0 ok release\n1 ok acquire");
    holds(Model::Mutex, "0 ok acquire\n1 invoke acquire\n0 ok release\n1 ok acquire");
    violated(Model::Mutex, "0 ok acquire\n1 ok acquire", "not linearizable");
    violated(Model::Mutex, "0 ok release", "not linearizable");
}

#[test]
fn a_queue_gives_everything_once() {
    holds(Model::Queue, "0 ok enqueue 1\n0 info enqueue 2\n1 ok dequeue 1\n1 ok drain [2]");
    violated(Model::Queue, "0 ok enqueue 1\n1 ok drain []", "lost");
    violated(Model::Queue, "0 ok enqueue 1\n1 ok dequeue 1\n1 ok dequeue 1\n1 ok drain []", "duplicated");
    violated(Model::Queue, "1 ok dequeue 1", "unexpected");
    let open = judged(Model::Queue, "0 ok enqueue 1");
    assert!(matches!(open.conclusion(), Conclusion::Undecided(_)));
    holds(
        Model::FifoQueue,
        "0 ok enqueue 1\n0 ok enqueue 2\n1 ok dequeue 1\n1 ok dequeue 2\n1 ok dequeue nil",
    );
    violated(Model::FifoQueue, "0 ok enqueue 1\n0 ok enqueue 2\n1 ok dequeue 2", "not linearizable");
}

/// Against an order that is known: random calls that took effect at one moment within their interval are
/// linearizable, and a read of a value that was overwritten before it began is not.
#[test]
fn ten_thousand_calls_of_eight_clients_are_decided() {
    let mut lines = String::new();
    let (mut value, mut seed) = (0_u64, 7_u64);
    let mut running = [None; 8];
    for _ in 0..20_000 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let process = usize::try_from(seed >> 40).unwrap_or(0) % 8;
        match running[process].take() {
            None => {
                let writes = (seed >> 50) & 1 == 1;
                let before = value;
                value += u64::from(writes);
                let (function, shown) = if writes { ("write", value) } else { ("read", before) };
                lines += &format!(
                    "{process} invoke {function} {}\n",
                    if writes { shown.to_string() } else { "nil".to_owned() }
                );
                running[process] = Some((function, shown));
            }
            Some((function, shown)) => lines += &format!("{process} ok {function} {shown}\n"),
        }
    }
    let lines = format!("0 ok write 0\n{lines}");
    holds(Model::CasRegister, &lines);
    violated(Model::CasRegister, &format!("{lines}20 ok read 3"), "not linearizable");
}
