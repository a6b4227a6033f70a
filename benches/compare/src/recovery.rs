//! W6: opening a database after many commits, and the space that they take.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::SideBySide;
use crate::contestant::{Contestant, Field};
use crate::engine::Setting;
use crate::limits;
use crate::outcome::Result;
use crate::report::{Heading, Kind, Results, Row};
use crate::work::{Figure, Work};

/// Fills every database that has the setting, and opens copies of it.
pub(crate) fn run(
    work: Work,
    options: &SideBySide,
    contestants: &[(Contestant, Kind)],
    field: &Field,
) -> Result<Results> {
    let setting = work.setting();
    let mut rows = Vec::new();
    let mut filled = Vec::new();
    for (contestant, kind) in contestants.iter().filter(|(contestant, _)| takes_part(contestant, setting)) {
        let dir = field.directory()?;
        eprintln!("{work:?}: filling {}", contestant.name);
        (contestant.fill)(dir.path(), setting, options.commits)
            .map_err(|error| format!("{}: {error}", contestant.name))?;
        let bytes = space(dir.path())? as f64 / options.commits as f64;
        let promise = (contestant.promise)(setting).unwrap_or_default().to_owned();
        let cells = vec![Vec::new(), vec![Figure::less_is_better(bytes)]];
        rows.push(Row { name: contestant.name.into(), promise, kind: *kind, cells });
        filled.push((*contestant, dir));
    }
    for round in 0..options.rounds {
        for (row, (contestant, dir)) in rows.iter_mut().zip(&filled) {
            eprintln!("{work:?}, round {}: {}", round + 1, contestant.name);
            // Opening may change the files, so each round opens a copy.
            let copy = field.directory()?;
            copy_all(dir.path(), copy.path())?;
            let opened = (contestant.reopen)(copy.path(), setting, options.commits)
                .map_err(|error| format!("{}: {error}", contestant.name))?;
            row.cells[0].push(Figure::less_is_better(opened.elapsed.as_secs_f64()));
        }
    }
    if let Some((_, dir)) = filled.iter().find(|(contestant, _)| contestant.name == "stormproof") {
        let figures = (0..options.rounds).map(|_| limits::read_and_checksum(dir.path()));
        let cells = vec![figures.collect::<Result<_>>()?, Vec::new()];
        let name = "read Stormproof's files and checksum them".to_owned();
        rows.push(Row { name, promise: "a limit".into(), kind: Kind::Limit, cells });
    }
    let heading = |title: &str, aim| Heading { title: title.into(), sketch: None, aim };
    Ok(Results {
        title: format!("{}; {} commits in random order of keys", work.title(), options.commits),
        columns: vec![heading("seconds", None), heading("bytes per commit", None)],
        rows,
    })
}

/// Who keeps something; and of those whose files are the same, one.
fn takes_part(contestant: &Contestant, setting: Setting) -> bool {
    let apart = ["skipdb", "memory", "concurrent"];
    (contestant.promise)(setting).is_some() && !apart.iter().any(|part| contestant.name.contains(part))
}

/// What the files in a directory take of the disk.
fn space(dir: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { space(&entry.path())? } else { metadata.blocks() * 512 };
    }
    Ok(bytes)
}

fn copy_all(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.metadata()?.is_dir() {
            fs::create_dir(&target)?;
            copy_all(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
