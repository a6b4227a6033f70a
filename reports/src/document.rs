//! What can be rendered, and into what.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Campaign, Report};

/// A run or a campaign. As JSON its `kind` tells which.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Document {
    /// One run.
    Run(Box<Report>),
    /// A sweep.
    Campaign(Box<Campaign>),
}

impl From<Report> for Document {
    fn from(report: Report) -> Self {
        Self::Run(Box::new(report))
    }
}

impl From<Campaign> for Document {
    fn from(campaign: Campaign) -> Self {
        Self::Campaign(Box::new(campaign))
    }
}

impl Document {
    /// Reads a document from its JSON form.
    ///
    /// # Errors
    /// When `json` is not one.
    pub fn from_json(json: &str) -> Result<Self, RenderError> {
        Ok(serde_json::from_str(json)?)
    }

    /// Renders it.
    ///
    /// # Errors
    /// [`RenderError::NotApplicable`] when this kind of document has no such form: only runs have a timeline or an
    /// anomaly.
    pub fn render(&self, format: Format) -> Result<String, RenderError> {
        match (format, self) {
            (Format::Json, _) => Ok(serde_json::to_string_pretty(self)? + "\n"),
            _ => Err(RenderError::NotApplicable { format }),
        }
    }
}

/// The forms that a document can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For terminals, no colours.
    Text,
    /// For machines: the document itself.
    Json,
    /// For continuous integration: JUnit XML.
    Junit,
    /// For pull requests and issues: GitHub's Markdown.
    Markdown,
    /// For people: one page that loads nothing from anywhere.
    Html,
    /// For trace viewers: the Chrome trace-event format, which Perfetto reads too. Runs only.
    Trace,
    /// For Graphviz: the anomalies. Runs only.
    Dot,
    /// The anomalies as a picture. Runs only.
    Svg,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 8] =
        [Self::Text, Self::Json, Self::Junit, Self::Markdown, Self::Html, Self::Trace, Self::Dot, Self::Svg];

    /// Its name, as [`FromStr`] reads it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Junit => "junit",
            Self::Markdown => "markdown",
            Self::Html => "html",
            Self::Trace => "trace",
            Self::Dot => "dot",
            Self::Svg => "svg",
        }
    }

    /// The ending of its files, without the dot.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Text => "txt",
            Self::Json => "json",
            Self::Junit => "xml",
            Self::Markdown => "md",
            Self::Html => "html",
            Self::Trace => "trace.json",
            Self::Dot => "dot",
            Self::Svg => "svg",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = RenderError;

    fn from_str(name: &str) -> Result<Self, RenderError> {
        Self::ALL
            .into_iter()
            .find(|format| format.name() == name)
            .ok_or_else(|| RenderError::UnknownFormat { name: name.to_owned() })
    }
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RenderError {
    /// Ask for one of [`Format::ALL`].
    #[error("no report format is called {name:?}: use text, json, junit, markdown, html, trace, dot or svg")]
    UnknownFormat {
        /// What was asked for.
        name: String,
    },
    /// Ask for another format.
    #[error("a campaign has no {format} form: it has no timeline and no anomaly of its own; render a run")]
    NotApplicable {
        /// What was asked for.
        format: Format,
    },
    /// The JSON is not a document of this version.
    #[error("not a report: {0}")]
    Json(#[from] serde_json::Error),
}
