//! Documents to render: a run that held, one that failed, a huge one, a hostile one, a campaign.
#![allow(dead_code, clippy::allow_attributes, reason = "every test file uses some of these")]

pub(crate) mod browser;

use std::collections::BTreeMap;

use stormproof_reports::{
    Access, AccessKind, Anomaly, Campaign, Check, CheckResult, Conflict, ConflictKind, ConflictTotal, Edge,
    EdgeKind, Failure, Fault, FaultTotal, FrontierPoint, InvariantTotal, Lane, LaneKind, Life, LifeEnd,
    MarkTotal, MutantTotal, Outcome, Report, SpeedPoint, Step, StrategyTotal, Txn, Verdict, Violation,
    WorkloadTotal,
};

/// What tries to take effect, in every language that a report is written in.
pub(crate) const HOSTILE: [&str; 9] = [
    "</script><script>document.title='owned'</script>",
    "<img src=x onerror=\"document.title='owned'\">",
    "\"onmouseover='x'`$(reboot)`",
    "]]>&entity;<!DOCTYPE x>",
    "a|b\n| c | d |\n\n# heading @everyone [x](javascript:x)",
    "\x1b[2J\x1b]0;owned\x07\u{9b}31m",
    "\u{202e}desrever\u{2066}\u{200b}\u{feff}",
    "\\\"];x->y[label=\"",
    "{{ 7 * 7 }} {% include 'x' %} ${7*7}",
];

fn read(at: u64, key: &str, value: &str, version: u64, from: Option<u32>) -> Access {
    Access {
        at,
        kind: AccessKind::Read,
        key: key.into(),
        value: Some(value.into()),
        version: Some(version),
        from,
        note: String::new(),
    }
}

fn write(at: u64, key: &str, value: &str) -> Access {
    Access { at, kind: AccessKind::Write, key: key.into(), value: Some(value.into()), ..Default::default() }
}

/// Write skew between two transactions, a conflict, a crash, and an acked commit that did not survive it.
pub(crate) fn failing() -> Report {
    let clients = ["client 0", "client 1", "client 2"];
    let mut lanes: Vec<Lane> =
        clients.map(|name| Lane { name: name.into(), kind: LaneKind::Client }).to_vec();
    lanes.push(Lane { name: "log sync".into(), kind: LaneKind::Engine });
    lanes.push(Lane { name: "main".into(), kind: LaneKind::World });
    let txn = |id, lane, begun, ended, start, commit: Option<u64>, outcome, accesses| Txn {
        id,
        lane,
        begun,
        commit_called: Some(ended - 3),
        ended,
        durable: commit.map(|_| ended),
        start_version: Some(start),
        commit_version: commit,
        isolation: "serializable".into(),
        outcome,
        accesses,
        ..Default::default()
    };
    let mut txns = vec![
        txn(
            0,
            0,
            4,
            12,
            0,
            Some(1),
            Outcome::Committed,
            vec![write(6, "on-call/ann", "1"), write(7, "on-call/bob", "1")],
        ),
        txn(
            1,
            1,
            14,
            30,
            1,
            Some(2),
            Outcome::Committed,
            vec![
                read(16, "on-call/ann", "1", 1, Some(0)),
                read(18, "on-call/bob", "1", 1, Some(0)),
                write(22, "on-call/ann", "0"),
            ],
        ),
        txn(
            2,
            2,
            15,
            34,
            1,
            Some(3),
            Outcome::Committed,
            vec![
                read(17, "on-call/ann", "1", 1, Some(0)),
                read(20, "on-call/bob", "1", 1, Some(0)),
                write(24, "on-call/bob", "0"),
            ],
        ),
        txn(3, 0, 16, 40, 1, None, Outcome::Aborted, vec![write(26, "on-call/bob", "2")]),
        txn(
            4,
            0,
            62,
            74,
            2,
            Some(4),
            Outcome::Committed,
            vec![
                read(64, "on-call/bob", "1", 1, Some(0)),
                Access {
                    at: 66,
                    kind: AccessKind::Scan,
                    key: "on-call/…".into(),
                    note: "2 keys".into(),
                    ..Default::default()
                },
            ],
        ),
        Txn {
            id: 5,
            lane: 1,
            life: 1,
            begun: 66,
            ended: 80,
            start_version: Some(2),
            accesses: vec![write(70, "log/1", "x")],
            ..Default::default()
        },
    ];
    txns[3].conflicts = vec![Conflict {
        kind: ConflictKind::Write,
        key: "on-call/bob".into(),
        winner_version: Some(3),
        winner: Some(2),
    }];
    txns[4].life = 1;
    let labels = [
        "lock commit-queue",
        "probe validated",
        "write wal",
        "sync wal",
        "probe installed",
        "store published",
    ];
    let steps = (0..160u64)
        .map(|i| Step {
            at: i / 2,
            lane: u32::try_from([0, 1, 2, 3, 1, 2, 0, 4][i as usize % 8]).expect("a lane"),
            label: labels[i as usize % labels.len()].into(),
            preempted: i % 11 == 3,
        })
        .collect();
    Report {
        title: "on-call rota, seed 7".into(),
        verdict: Verdict::Violated,
        summary: "Two transactions each saw the other on call and both left: nobody is on call.".into(),
        reproduce: "cargo run --release -- run --seed 7 --mutant SkipReadValidation".into(),
        seed: Some(7),
        about: "stresses pairs of keys; what must hold: one of each pair is on call".into(),
        workload: "write-skew".into(),
        subject: "stormproof 0.1.0".into(),
        trace_file: Some("failures/7.trace.json".into()),
        digest: Some("9f2c51aa07b3d4e8".into()),
        plan: vec![
            ("durability".into(), "strict".into()),
            ("clients".into(), "3".into()),
            ("strategy".into(), "pct, depth 3".into()),
        ],
        counts: BTreeMap::from([("transactions".into(), 6), ("crashes".into(), 1), ("steps".into(), 160)]),
        checks: vec![
            Check {
                name: "serializable".into(),
                contract: "§3".into(),
                says: "The committed transactions could have run one after the other.".into(),
                result: CheckResult::Violated,
                evaluated: 5,
            },
            Check {
                name: "acked-survives".into(),
                contract: "D1".into(),
                says: "What was acked is there after a crash.".into(),
                result: CheckResult::Held,
                evaluated: 3,
            },
            Check {
                name: "ttl-by-start".into(),
                contract: "V7".into(),
                says: "A key does not expire between two reads of one transaction.".into(),
                ..Default::default()
            },
        ],
        violations: vec![Violation {
            invariant: "serializable".into(),
            contract: "§3".into(),
            message: "T1 and T2 can't have run one after the other: each read what the other overwrote."
                .into(),
            explanation: vec![
                "T1 read on-call/bob at version 1, which T2 overwrote at version 3.".into(),
                "T2 read on-call/ann at version 1, which T1 overwrote at version 2.".into(),
                "Whichever ran first, the other would have seen its write.".into(),
            ],
            txns: vec![1, 2],
            keys: vec!["on-call/ann".into(), "on-call/bob".into()],
            at: Some(34),
        }],
        lanes,
        lives: vec![
            Life { begun: 0, opened: Some(3), ended: Some(50), end: LifeEnd::Crashed, ..Default::default() },
            Life {
                begun: 50,
                opened: Some(60),
                recovered_version: Some(3),
                recovery: vec!["replayed 3 commits".into(), "cut a torn tail of 117 bytes".into()],
                ..Default::default()
            },
        ],
        txns,
        faults: vec![
            Fault {
                at: 37,
                kind: "torn write".into(),
                detail: "wal-0.log at 4096: 117 of 512 bytes".into(),
                lane: Some(3),
                crash: false,
            },
            Fault {
                at: 50,
                kind: "crash".into(),
                detail: "power cut during sync".into(),
                lane: None,
                crash: true,
            },
        ],
        frontier: [(0, 0, 0), (12, 1, 1), (28, 1, 2), (30, 2, 2), (32, 2, 3), (34, 3, 3), (74, 4, 4)]
            .map(|(at, published, durable)| FrontierPoint { at, published, durable })
            .to_vec(),
        steps,
        anomalies: vec![Anomaly {
            class: "G2-item (write skew)".into(),
            message: "A cycle of two anti-dependencies.".into(),
            edges: vec![
                Edge {
                    from: 1,
                    to: 2,
                    kind: EdgeKind::ReadWrite,
                    key: "on-call/bob".into(),
                    explanation:
                        "T1 read on-call/bob at version 1; T2 wrote the next version, 3. So T1 comes first."
                            .into(),
                },
                Edge {
                    from: 2,
                    to: 1,
                    kind: EdgeKind::ReadWrite,
                    key: "on-call/ann".into(),
                    explanation:
                        "T2 read on-call/ann at version 1; T1 wrote the next version, 2. So T2 comes first."
                            .into(),
                },
            ],
        }],
        marks: BTreeMap::from([("group of two or more".into(), 2)]),
        omitted: vec!["steps after the violation: 412".into()],
    }
}

/// The same run, had it held.
pub(crate) fn passing() -> Report {
    let mut report = Report {
        verdict: Verdict::Held,
        summary: "Every promise held.".into(),
        violations: Vec::new(),
        anomalies: Vec::new(),
        ..failing()
    };
    report.checks[0].result = CheckResult::Held;
    report
}

/// Ten thousand transactions.
pub(crate) fn huge() -> Report {
    let transactions = 10_000u32;
    let lanes = 8;
    Report {
        title: "hotspot, 10 000 transactions".into(),
        summary: "Every promise held.".into(),
        reproduce: "cargo run --release -- run --seed 1".into(),
        lanes: (0..lanes).map(|n| Lane { name: format!("client {n}"), kind: LaneKind::Client }).collect(),
        lives: vec![Life { opened: Some(1), ..Default::default() }],
        txns: (0..transactions)
            .map(|id| {
                let begun = u64::from(id) * 4;
                Txn {
                    id,
                    lane: id % lanes,
                    begun,
                    commit_called: Some(begun + 20),
                    ended: begun + 28,
                    start_version: Some(u64::from(id)),
                    commit_version: (id % 5 != 0).then_some(u64::from(id) + 1),
                    outcome: if id % 5 == 0 { Outcome::Aborted } else { Outcome::Committed },
                    accesses: (0..4)
                        .map(|n| read(begun + n + 1, &format!("key/{:04}", id % 997), "v", 1, None))
                        .collect(),
                    conflicts: if id % 5 == 0 && id > 0 {
                        vec![Conflict { key: "key/0001".into(), winner: Some(id - 1), ..Default::default() }]
                    } else {
                        Vec::new()
                    },
                    ..Default::default()
                }
            })
            .collect(),
        steps: (0..100_000u64)
            .map(|i| Step {
                at: i * 2 / 5,
                lane: u32::try_from(i % 8).expect("a lane"),
                label: format!("lock {}", i % 7),
                preempted: i % 9 == 0,
            })
            .collect(),
        ..Report::default()
    }
}

/// A failing run in which every string tries to take effect.
pub(crate) fn hostile() -> Report {
    let all = HOSTILE.join(" ");
    let mut report = failing();
    report.title = all.clone();
    report.summary = all.clone();
    report.reproduce = all.clone();
    report.subject = all.clone();
    report.workload = all.clone();
    report.digest = Some(all.clone());
    report.trace_file = Some(all.clone());
    report.plan = vec![(all.clone(), all.clone())];
    report.counts = BTreeMap::from([(all.clone(), 1)]);
    report.marks = BTreeMap::from([(all.clone(), 1)]);
    report.omitted = vec![all.clone()];
    for (i, txn) in report.txns.iter_mut().enumerate() {
        txn.isolation = all.clone();
        for access in &mut txn.accesses {
            access.key = HOSTILE[i % HOSTILE.len()].into();
            access.value = Some(all.clone());
            access.note = all.clone();
        }
        for conflict in &mut txn.conflicts {
            conflict.key = all.clone();
        }
    }
    for lane in &mut report.lanes {
        lane.name = all.clone();
    }
    for life in &mut report.lives {
        life.recovery = vec![all.clone()];
    }
    for fault in &mut report.faults {
        fault.kind = all.clone();
        fault.detail = all.clone();
    }
    for step in &mut report.steps {
        step.label = all.clone();
    }
    for check in &mut report.checks {
        check.name = all.clone();
        check.contract = all.clone();
        check.says = all.clone();
    }
    for violation in &mut report.violations {
        violation.invariant = all.clone();
        violation.contract = all.clone();
        violation.message = all.clone();
        violation.explanation = vec![all.clone()];
        violation.keys = HOSTILE.map(String::from).to_vec();
    }
    for anomaly in &mut report.anomalies {
        anomaly.class = all.clone();
        anomaly.message = all.clone();
        for edge in &mut anomaly.edges {
            edge.key = HOSTILE[0].into();
            edge.explanation = all.clone();
        }
    }
    report
}

/// A sweep with two failures, and a small zoo.
pub(crate) fn campaign() -> Campaign {
    let invariant = |contract: &str, name: &str, says: &str, evaluated, seeds, violated| InvariantTotal {
        name: name.into(),
        contract: contract.into(),
        says: says.into(),
        evaluated,
        seeds,
        violated,
    };
    let mutant = |name: &str, says: &str, found_after: Vec<u64>| MutantTotal {
        name: name.into(),
        says: says.into(),
        trials: 8,
        budget: 20_000,
        found_seconds: found_after.iter().map(|&n| n as f64 / 2_000.0).collect(),
        found_after,
        caught_by: vec!["serializable".into()],
        reproduce: format!("cargo run --release -- zoo {name}"),
    };
    Campaign {
        title: "sweep of 20 000 seeds".into(),
        command: "cargo run --release -- sweep --seeds 0..20000 --jobs 2".into(),
        subject: "stormproof 0.1.0".into(),
        seconds: 10.2,
        jobs: 2,
        seeds: 20_000,
        interleavings: 19_214,
        counts: BTreeMap::from([("commits".into(), 812_345), ("crashes".into(), 31_002)]),
        invariants: vec![
            invariant(
                "V1",
                "snapshot-reads",
                "A transaction sees exactly what was committed at its start.",
                2_400_000,
                20_000,
                0,
            ),
            invariant(
                "§3",
                "serializable",
                "The committed transactions could have run one after the other.",
                20_000,
                20_000,
                2,
            ),
            invariant("D1", "acked-survives", "What was acked is there after a crash.", 31_002, 14_870, 0),
            invariant("V7", "ttl-by-start", "A key does not expire within a transaction.", 0, 0, 0),
        ],
        failures: [411, 9_120]
            .map(|seed| Failure {
                seed,
                workload: "write-skew".into(),
                invariant: "serializable".into(),
                contract: "§3".into(),
                message: "T1 and T2 can't have run one after the other.".into(),
                reproduce: format!("cargo run --release -- run --seed {seed}"),
                trace_file: Some(format!("failures/{seed}.trace.json")),
            })
            .to_vec(),
        marks: vec![
            MarkTotal { name: "group of two or more".into(), hits: 90_233, seeds: 17_240 },
            MarkTotal { name: "crash between rename and directory sync".into(), hits: 0, seeds: 0 },
        ],
        faults: vec![
            FaultTotal { name: "torn write".into(), fired: 21_400, seeds: 9_800 },
            FaultTotal { name: "failed sync".into(), fired: 3_100, seeds: 2_950 },
        ],
        conflicts: [
            (ConflictKind::Write, 41_000),
            (ConflictKind::Cas, 9_000),
            (ConflictKind::Read, 60_400),
            (ConflictKind::Range, 2_210),
        ]
        .map(|(kind, count)| ConflictTotal { kind, count })
        .to_vec(),
        workloads: vec![
            WorkloadTotal {
                name: "bank transfer".into(),
                seeds: 10_100,
                commits: 500_000,
                aborts: 71_000,
                violated: 0,
            },
            WorkloadTotal {
                name: "write-skew".into(),
                seeds: 9_900,
                commits: 312_345,
                aborts: 41_610,
                violated: 2,
            },
        ],
        strategies: vec![
            StrategyTotal { name: "uniform".into(), seeds: 10_000, interleavings: 9_990, violated: 1 },
            StrategyTotal { name: "pct".into(), seeds: 10_000, interleavings: 9_224, violated: 1 },
        ],
        speed: (0..=10)
            .map(|n| SpeedPoint { second: n as f64, seeds: n * 1_950 + n % 3 * 60, interleavings: n * 1_880 })
            .collect(),
        zoo: vec![
            mutant(
                "PublishBeforeInstall",
                "The version is published before its writes are installed.",
                vec![2, 5, 3, 9, 1, 4, 4, 12],
            ),
            mutant(
                "AckBeforeSync",
                "A commit is acked before its log is synced.",
                vec![40, 12, 77, 31, 8, 205, 16, 90],
            ),
            mutant(
                "CollectTooMuch",
                "Version collection drops the newest version that a snapshot needs.",
                vec![900, 4_100, 12_000],
            ),
        ],
        ..Campaign::default()
    }
}
