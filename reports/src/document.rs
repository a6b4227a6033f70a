//! What can be rendered, and into what.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Campaign, Report, Trend, graph, html, junit, markdown, text, trace};

/// A run or a campaign. In JSON its `kind` says which.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Document {
    /// One run.
    Run(Box<Report>),
    /// A sweep.
    Campaign(Box<Campaign>),
    /// Sweeps over time.
    Trend(Box<Trend>),
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

impl From<Trend> for Document {
    fn from(trend: Trend) -> Self {
        Self::Trend(Box::new(trend))
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

    /// Renders it; every form ends with a line end.
    ///
    /// # Errors
    /// [`RenderError::NotApplicable`] when this kind of document has no such form: only runs have a timeline
    /// or an anomaly.
    pub fn render(&self, format: Format) -> Result<String, RenderError> {
        let mut rendered = match (format, self) {
            (Format::Json, _) => serde_json::to_string_pretty(self)?,
            (Format::Text, Self::Run(report)) => text::run(report),
            (Format::Text, Self::Campaign(campaign)) => text::campaign(campaign),
            (Format::Junit, Self::Run(report)) => junit::run(report)?,
            (Format::Junit, Self::Campaign(campaign)) => junit::campaign(campaign)?,
            (Format::Markdown, Self::Run(report)) => markdown::run(report)?,
            (Format::Markdown, Self::Campaign(campaign)) => markdown::campaign(campaign)?,
            (Format::Trace, Self::Run(report)) => trace::run(report)?,
            (Format::Dot, Self::Run(report)) => graph::dot(report),
            (Format::Svg, Self::Run(report)) => graph::svg(report)?,
            (Format::Html, Self::Run(report)) => html::run(report)?,
            (Format::Html, Self::Campaign(campaign)) => html::campaign(campaign)?,
            (Format::Text, Self::Trend(trend)) => text::trend(trend),
            (Format::Markdown, Self::Trend(trend)) => markdown::trend(trend)?,
            (Format::Html, Self::Trend(trend)) => html::trend(trend)?,
            (Format::Junit | Format::Trace | Format::Dot | Format::Svg, Self::Trend(_)) => {
                return Err(RenderError::NotOfTrends { format });
            }
            (Format::Trace | Format::Dot | Format::Svg, Self::Campaign(_)) => {
                return Err(RenderError::NotApplicable { format });
            }
        };
        if !rendered.ends_with('\n') {
            rendered.push('\n');
        }
        Ok(rendered)
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

    /// Returns its name, as [`FromStr`] reads it.
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

    /// Returns whether campaigns have this form, and not only runs.
    pub const fn is_of_campaigns(self) -> bool {
        !matches!(self, Self::Trace | Self::Dot | Self::Svg)
    }

    /// Returns the format that a file of this name holds, by its ending.
    ///
    /// # Errors
    /// When the ending is that of none.
    pub fn of_file(name: &str) -> Result<Self, RenderError> {
        let lower = name.to_ascii_lowercase();
        let fits = |format: &Self| {
            let longer = *format == Self::Json && lower.ends_with(Self::Trace.extension());
            !longer && lower.ends_with(&format!(".{}", format.extension()))
        };
        Self::ALL.into_iter().find(fits).ok_or_else(|| RenderError::UnknownEnding { name: name.to_owned() })
    }

    /// Returns the ending of its files, without the dot.
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
            .find(|format| format.name() == name || (name == "perfetto" && *format == Self::Trace))
            .ok_or_else(|| RenderError::UnknownFormat { name: name.to_owned() })
    }
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RenderError {
    /// Ask for one of [`Format::ALL`].
    #[error(
        "no report format is called {name:?}: use text, json, junit, markdown, html, trace (or perfetto), dot or svg"
    )]
    UnknownFormat {
        /// What was asked for.
        name: String,
    },
    /// Ask for a format by name.
    #[error(
        "{name} names no report format: none has files that end so: end it in .txt, .json, .xml, .md, .html, .trace.json, \
         .dot or .svg, or name the format"
    )]
    UnknownEnding {
        /// The file's name.
        name: String,
    },
    /// Ask for another format.
    #[error("no {format} of a campaign: it has no timeline and no anomaly of its own: render a run")]
    NotApplicable {
        /// What was asked for.
        format: Format,
    },
    /// Ask for another format.
    #[error(
        "no {format} of a trend: it has no cases and no run of its own: use text, json, markdown or html"
    )]
    NotOfTrends {
        /// What was asked for.
        format: Format,
    },
    /// A template failed: a bug of this crate.
    #[error("a report template failed, please report this: {0}")]
    Template(#[from] askama::Error),
    /// The JSON is not a document of this version.
    #[error("not a report: {0}")]
    Json(#[from] serde_json::Error),
}
