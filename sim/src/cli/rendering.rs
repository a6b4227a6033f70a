//! `--report FILE`: what a command did, as a document in any format.

use std::path::{Path, PathBuf};

use stormproof_reports::{Document, Format, RenderError};

use super::Failure;
use super::output::{check_file, write_file};

#[derive(clap::Args, Debug, Default)]
pub(super) struct Rendering {
    /// Write a report to this file: a page for browsers if it ends in .html
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// html, json, junit, markdown, text; of single runs also trace (perfetto), dot, svg [default: by the
    /// ending of FILE]
    #[arg(long, value_name = "FORMAT", requires = "report")]
    format: Option<Format>,
}

impl Rendering {
    pub(super) fn is_wanted(&self) -> bool {
        self.report.is_some()
    }

    /// Returns the format that was asked for; `None` if no report was. Refuses what can't be written, before
    /// there is a report.
    pub(super) fn check(&self) -> Result<Option<Format>, Failure> {
        let format = self.format()?;
        if let Some(path) = &self.report {
            check_file(path)?;
        }
        Ok(format)
    }

    /// Does the same for campaigns, and refuses formats that need a timeline or an anomaly to draw.
    pub(super) fn check_campaign(&self) -> Result<Option<Format>, Failure> {
        let format = self.check()?;
        match format {
            Some(format) if !format.is_of_campaigns() => {
                Err(Failure::usage(RenderError::NotApplicable { format }))
            }
            format => Ok(format),
        }
    }

    /// Returns the format that was asked for; `None` if no report was.
    fn format(&self) -> Result<Option<Format>, Failure> {
        self.report.as_deref().map(|path| format_of(path, self.format)).transpose()
    }

    /// Writes the report, if one was asked for.
    pub(super) fn write(&self, document: &Document, format: Option<Format>) -> Result<(), Failure> {
        match (&self.report, format) {
            (Some(path), Some(format)) => write_file(path, &render(document, format)?),
            _ => Ok(()),
        }
    }
}

/// Returns the format that was named, or the one that the file's ending says.
pub(super) fn format_of(path: &Path, named: Option<Format>) -> Result<Format, Failure> {
    named.map_or_else(|| Format::of_file(&path.to_string_lossy()).map_err(Failure::usage), Ok)
}

/// Renders a document.
pub(super) fn render(document: &Document, format: Format) -> Result<String, Failure> {
    document.render(format).map_err(|error| match error {
        RenderError::NotApplicable { .. } | RenderError::NotOfTrends { .. } => Failure::usage(error),
        other => Failure::own(other),
    })
}

/// Writes the page of a run beside its trace file.
pub(super) fn page_beside(trace: &Path, document: &Document) -> Result<PathBuf, Failure> {
    let path = trace.with_extension("html");
    write_file(&path, &render(document, Format::Html)?)?;
    Ok(path)
}
