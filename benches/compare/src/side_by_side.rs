//! All databases on the same work, in turn, round by round.

use std::time::Duration;

use crate::SideBySide;
use crate::contestant::{Contestant, Field, Opened};
use crate::engines::{self, stormproof::InMemory, stormproof::Stormproof};
use crate::limits;
use crate::memory;
use crate::outcome::Result;
use crate::pace::Pace;
use crate::recovery;
use crate::report::{Heading, Kind, Report, Results, Row};
use crate::work::{Figure, Work};

/// How many commits are in flight where one thread pipelines them.
const IN_FLIGHT: [usize; 3] = [32, 256, 4_096];

/// All that were compiled in, ours first.
pub(crate) fn contestants(engines: &[String]) -> Vec<(Contestant, Kind)> {
    let all = vec![
        (Contestant::of::<Stormproof>(), Kind::Ours),
        (Contestant::of::<InMemory>(), Kind::Beside),
        #[cfg(feature = "canopydb")]
        (Contestant::of::<engines::canopydb::Canopy<false>>(), Kind::Peer),
        #[cfg(feature = "canopydb")]
        (Contestant::of::<engines::canopydb::Canopy<true>>(), Kind::Peer),
        #[cfg(feature = "fjall")]
        (Contestant::of::<engines::fjall::Fjall>(), Kind::Peer),
        #[cfg(feature = "lmdb")]
        (Contestant::of::<engines::lmdb::Lmdb>(), Kind::Peer),
        #[cfg(feature = "redb")]
        (Contestant::of::<engines::redb::Redb>(), Kind::Peer),
        #[cfg(feature = "rocksdb")]
        (Contestant::of::<engines::rocksdb::Rocks>(), Kind::Peer),
        #[cfg(feature = "skipdb")]
        (Contestant::of::<engines::skipdb::Skip>(), Kind::Peer),
        #[cfg(feature = "sled")]
        (Contestant::of::<engines::sled::Sled>(), Kind::Peer),
        #[cfg(feature = "sqlite")]
        (Contestant::of::<engines::sqlite::Sqlite>(), Kind::Peer),
        #[cfg(feature = "surrealkv")]
        (Contestant::of::<engines::surrealkv::Surreal>(), Kind::Peer),
    ];
    let wanted = |name: &str| engines.is_empty() || engines.iter().any(|part| name.contains(part.as_str()));
    all.into_iter().filter(|(contestant, _)| wanted(contestant.name)).collect()
}

/// Runs what is asked for.
pub(crate) fn run(options: &SideBySide) -> Result<Report> {
    let mut report = Report {
        rounds: options.rounds,
        keys: options.keys,
        cores: std::thread::available_parallelism().map_or(0, usize::from),
        tables: Vec::new(),
    };
    let contestants = contestants(&options.engines);
    let field = Field::new(options.keys, &options.dir);
    for work in &options.only {
        report.tables.push(match work {
            Work::W6 | Work::W6Checkpoints => recovery::run(*work, options, &contestants, &field)?,
            Work::W8 => memory::run(*work, options, &contestants, &field)?,
            _ => table(*work, options, &contestants, &field)?,
        });
    }
    Ok(report)
}

fn table(
    work: Work,
    options: &SideBySide,
    contestants: &[(Contestant, Kind)],
    field: &Field,
) -> Result<Results> {
    let columns = work.columns();
    let setting = work.setting();
    let mut rows = Vec::new();
    let mut opened: Vec<(usize, Box<dyn Opened>)> = Vec::new();
    for (contestant, kind) in contestants {
        if let Some(promise) = (contestant.promise)(setting) {
            eprintln!("{work:?}: filling {}", contestant.name);
            opened.push((rows.len(), contestant.open(field, setting, work.filling())?));
            let cells = vec![Vec::new(); columns.len()];
            rows.push(Row { name: contestant.name.into(), promise: promise.into(), kind: *kind, cells });
        }
    }
    let pace = Pace { time: options.time(), step: 1 };
    for round in 0..options.rounds {
        for (at, column) in columns.iter().enumerate() {
            // Another one begins in every round, so that none always runs on a disk or a core that another
            // heated.
            opened.rotate_left(1);
            for (row, database) in &mut opened {
                let name = &rows[*row].name;
                eprintln!("{work:?}, round {}: {}: {name}", round + 1, column.title);
                let figure =
                    database.measure(column.measure, &pace).map_err(|error| format!("{name}: {error}"))?;
                rows[*row].cells[at].extend(figure);
            }
        }
        measure_limits(work, round, field, &pace, columns.len(), &mut rows)?;
        if work == Work::W2 {
            measure_pipelined(contestants, round, field, &pace, columns.len(), &mut rows)?;
        }
    }
    for (_, database) in opened {
        database.close()?;
    }
    let headings = columns.into_iter().map(|column| Heading {
        title: column.title,
        sketch: column.sketch,
        aim: column.aim.filter(|aim| *aim != 1.0),
    });
    Ok(Results { title: work.title().into(), columns: headings.collect(), rows })
}

/// What nothing can beat, as rows with one figure.
fn measure_limits(
    work: Work,
    round: usize,
    field: &Field,
    pace: &Pace,
    columns: usize,
    rows: &mut Vec<Row>,
) -> Result<()> {
    let mut limits: Vec<(&str, Figure)> = Vec::new();
    match work {
        Work::W2 => {
            let dir = field.directory()?;
            limits
                .push(("append 256 B and fdatasync, growing file", limits::growing_sync(dir.path(), pace)?));
            limits.push(("the same into written space", limits::prewritten_sync(dir.path(), pace)?));
        }
        Work::W4 => limits.push(("an atomic increment", limits::atomic_increment(pace)?)),
        _ => {}
    }
    for (name, figure) in limits {
        add(rows, name, "a limit", Kind::Limit, columns, round).cells[0].push(figure);
    }
    Ok(())
}

fn measure_pipelined(
    contestants: &[(Contestant, Kind)],
    round: usize,
    field: &Field,
    pace: &Pace,
    columns: usize,
    rows: &mut Vec<Row>,
) -> Result<()> {
    let pace = Pace { step: 16, time: pace.time.max(Duration::from_millis(20)) };
    for (contestant, _) in contestants {
        for in_flight in IN_FLIGHT {
            let dir = field.directory()?;
            if let Some(rate) = (contestant.pipelined)(dir.path(), in_flight, &pace)? {
                let name = format!("{}, one thread, {in_flight} in flight", contestant.name);
                let promise = "Pipelined: counted when it is durable; others may see it before";
                add(rows, &name, promise, Kind::Beside, columns, round).cells[0]
                    .push(Figure::per_second(&rate));
            }
        }
    }
    Ok(())
}

/// The row of this name, which the first round adds.
fn add<'a>(
    rows: &'a mut Vec<Row>,
    name: &str,
    promise: &str,
    kind: Kind,
    columns: usize,
    round: usize,
) -> &'a mut Row {
    let known = rows.iter().position(|row| row.name == name);
    debug_assert!(round == 0 || known.is_some(), "rows are added in the first round");
    let at = known.unwrap_or_else(|| {
        let cells = vec![Vec::new(); columns];
        rows.push(Row { name: name.into(), promise: promise.into(), kind, cells });
        rows.len() - 1
    });
    &mut rows[at]
}
