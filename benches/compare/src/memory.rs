//! W8: the memory that databases take, each in processes of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;

use crate::SideBySide;
use crate::contestant::{Contestant, Field, Stage};
use crate::engine::Setting;
use crate::outcome::Result;
use crate::report::{Heading, Kind, Results, Row};
use crate::side_by_side::contestants;
use crate::work::{Figure, Work};

/// Those that neither hold all of it in memory nor map it: they read from files through a cache of some size.
const CACHED: [&str; 4] = ["fjall", "redb", "sqlite", "surrealkv"];

/// What such a process is told.
#[derive(Debug, Args)]
pub(crate) struct Look {
    engine: String,
    dir: PathBuf,
    keys: u64,
    stage: Stage,
}

/// Prints by how many bytes this process has grown, a line for each time that it looked.
pub(crate) fn look(look: &Look) -> Result<bool> {
    let all = contestants(&[]);
    let known = all.iter().find(|(contestant, _)| contestant.name == look.engine);
    let (contestant, _) = known.ok_or_else(|| format!("no database is called {}", look.engine))?;
    for bytes in (contestant.resident)(&look.dir, look.keys, look.stage)? {
        println!("{bytes}");
    }
    Ok(true)
}

/// Measures every database.
pub(crate) fn run(
    work: Work,
    options: &SideBySide,
    contestants: &[(Contestant, Kind)],
    field: &Field,
) -> Result<Results> {
    let mut rows = Vec::new();
    for (contestant, kind) in contestants {
        let Some(promise) = (contestant.promise)(Setting::Later) else { continue };
        let is_cached = CACHED.contains(&contestant.name);
        let mut cells = vec![Vec::new(); 4];
        for round in 0..options.rounds {
            eprintln!("{work:?}, round {}: {}", round + 1, contestant.name);
            let dir = field.directory()?;
            let look = |stage| grown(contestant.name, dir.path(), options.commits, stage);
            let mut figures = look("fill")?;
            // What is in memory only is not there in another process.
            if !["stormproof (memory)", "skipdb"].contains(&contestant.name) {
                figures.extend(look("open")?);
            }
            for (cell, bytes) in cells.iter_mut().zip(figures) {
                cell.push(Figure::less_is_better(bytes as f64 / options.commits as f64));
            }
        }
        let promise = if is_cached { "a cache of some size before files".into() } else { promise.into() };
        let kind = if is_cached { Kind::Beside } else { *kind };
        rows.push(Row { name: contestant.name.into(), promise, kind, cells });
    }
    let heading = |title: &str, aim| Heading { title: title.into(), sketch: None, aim };
    Ok(Results {
        title: format!("{}; {} keys in random order", work.title(), options.commits),
        columns: vec![
            heading("filled", None),
            heading("after random updates", None),
            heading("3 s later", None),
            heading("opened and read", None),
        ],
        rows,
    })
}

/// Starts a process that looks; returns what it saw.
fn grown(engine: &str, dir: &Path, keys: u64, stage: &str) -> Result<Vec<u64>> {
    let mut command = Command::new(std::env::current_exe()?);
    let output = command.args(["look", engine]).arg(dir).args([&keys.to_string(), stage]).output()?;
    if !output.status.success() {
        return Err(format!("{engine}: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(String::from_utf8(output.stdout)?.lines().map(str::parse).collect::<std::result::Result<_, _>>()?)
}
