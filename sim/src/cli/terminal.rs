//! Standard output and standard error: the one way for commands to print.
//!
//! INV-TERM-1: a reader that stops reading is no error: the command goes on quietly and ends as it would
//! have. Any other error of standard output is reported once, at the end, and never instead of a violation.

use std::io::{self, IsTerminal, Write};

use clap::{Args, ValueEnum};
use serde::Serialize;
use stormproof_rt::sync::Mutex;

use super::{Exit, Failure};

/// Prints formatted text on the standard output of a [`Terminal`].
macro_rules! out {
    ($terminal:expr, $($words:tt)*) => { $terminal.print(&format!($($words)*)) };
}

/// The same, and a line end.
macro_rules! outln {
    ($terminal:expr, $($words:tt)*) => { $terminal.print(&(format!($($words)*) + "\n")) };
}

pub(super) use {out, outln};

/// The width of lines where no terminal says how wide it is.
const WIDTH: usize = 110;

/// Lines that are wider are hard to read, however wide the terminal is.
const WIDTH_MAX: usize = 120;

/// Options that every command has.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct Output {
    /// Print violations and errors only
    #[arg(long, short, global = true, conflicts_with = "verbose", help_heading = HEADING)]
    quiet: bool,
    /// Print all that was counted
    #[arg(long, short, global = true, help_heading = HEADING)]
    verbose: bool,
    /// Colours: also by NO_COLOR, CLICOLOR and CLICOLOR_FORCE
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = Color::Auto, global = true, help_heading = HEADING)]
    color: Color,
    /// Write annotations and groups for the log of a GitHub workflow
    #[arg(long, global = true, help_heading = HEADING)]
    github: bool,
}

const HEADING: &str = "Output";

/// When to print colours.
#[derive(ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Color {
    /// If standard output is a terminal.
    #[default]
    Auto,
    /// In any case.
    Always,
    /// Never.
    Never,
}

/// What a word stands for, and so which colour it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paint {
    /// It held.
    Good,
    /// It was violated, or went wrong.
    Bad,
    /// It needs a second look.
    Doubtful,
    /// A name in front of a value.
    Name,
}

/// Where commands print.
#[derive(Debug)]
pub(super) struct Terminal {
    is_quiet: bool,
    is_verbose: bool,
    is_github: bool,
    has_colors: bool,
    width: usize,
    command: String,
    out: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    is_closed: bool,
    error: Option<String>,
}

impl Terminal {
    pub(super) fn new(output: &Output) -> Self {
        Self {
            is_quiet: output.quiet,
            is_verbose: output.verbose,
            is_github: output.github,
            has_colors: match output.color {
                Color::Always => true,
                Color::Never => false,
                Color::Auto => console::colors_enabled(),
            },
            width: width(),
            command: String::new(),
            out: Mutex::new("cli.terminal", State::default()),
        }
    }

    /// Sets the command of this process, with its options from wherever they came.
    pub(super) fn of_command(self, command: String) -> Self {
        Self { command, ..self }
    }

    /// Returns the command of this process, with its options from wherever they came.
    pub(super) fn command(&self) -> &str {
        &self.command
    }

    /// Returns the number of columns of a line.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// Returns whether only violations and errors are printed.
    pub(super) fn is_quiet(&self) -> bool {
        self.is_quiet
    }

    /// Returns whether all that was counted is printed.
    pub(super) fn is_verbose(&self) -> bool {
        self.is_verbose
    }

    /// Returns whether a progress bar can be drawn.
    pub(super) fn has_bar(&self) -> bool {
        !self.is_quiet && io::stderr().is_terminal()
    }

    /// Returns whether progress is printed line by line.
    pub(super) fn has_progress_lines(&self) -> bool {
        !self.is_quiet && !io::stderr().is_terminal()
    }

    /// Prints on standard output, even with `--quiet`: violations and documents.
    pub(super) fn print(&self, text: &str) {
        let mut state = self.out.lock();
        if state.is_closed || state.error.is_some() {
            return;
        }
        let mut out = io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => state.is_closed = true,
            Err(error) => state.error = Some(error.to_string()),
        }
    }

    /// Prints on standard output, unless `--quiet` is given.
    pub(super) fn tell(&self, text: &str) {
        if !self.is_quiet {
            self.print(text);
        }
    }

    /// Prints a line on standard error, unless `--quiet` is given.
    pub(super) fn note(&self, line: &str) {
        if !self.is_quiet {
            self.warn(line);
        }
    }

    /// Prints a line on standard error, even with `--quiet`. Best effort: there is no place left to report an
    /// error on.
    pub(super) fn warn(&self, line: &str) {
        let _ = writeln!(io::stderr().lock(), "{line}");
    }

    /// Prints one JSON document, even with `--quiet`.
    pub(super) fn document(&self, value: &impl Serialize) -> Result<(), Failure> {
        let mut text = serde_json::to_string_pretty(value).map_err(Failure::own)?;
        text.push('\n');
        self.print(&text);
        Ok(())
    }

    /// Returns the text in the colour of what it stands for, where colours are printed.
    pub(super) fn paint(&self, paint: Paint, text: &str) -> String {
        if !self.has_colors {
            return text.to_owned();
        }
        let style = match paint {
            Paint::Good => console::Style::new().green().bold(),
            Paint::Bad => console::Style::new().red().bold(),
            Paint::Doubtful => console::Style::new().yellow().bold(),
            Paint::Name => console::Style::new().bold(),
        };
        style.force_styling(true).apply_to(text).to_string()
    }

    /// Begins a group in the log of a GitHub workflow.
    pub(super) fn begin_group(&self, title: &str) {
        if self.is_github {
            self.tell(&format!("::group::{}\n", github(title)));
        }
    }

    /// Ends the group.
    pub(super) fn end_group(&self) {
        if self.is_github {
            self.tell("::endgroup::\n");
        }
    }

    /// Adds an error annotation to a GitHub workflow.
    pub(super) fn annotate(&self, title: &str, message: &str) {
        if self.is_github {
            let title = github(title).replace(':', "%3A").replace(',', "%2C");
            self.print(&format!("::error title={title}::{}\n", github(message)));
        }
    }

    /// Returns `exit` if standard output could be written, and reports the error if not.
    pub(super) fn finish(&self, exit: Exit) -> Exit {
        let Some(error) = self.out.lock().error.clone() else { return exit };
        self.warn(&format!(
            "error: standard output can't be written: {error}: make room, or write to a file elsewhere"
        ));
        if exit == Exit::Held { Exit::Failed } else { exit }
    }
}

/// Escapes what a workflow command must not contain.
fn github(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn width() -> usize {
    let named = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let seen = || console::Term::stdout().size_checked().map(|(_, columns)| usize::from(columns));
    named.or_else(seen).map_or(WIDTH, |width: usize| width.clamp(40, WIDTH_MAX))
}

/// A space at which lines don't break, printed as any other.
pub(super) const STICKY: char = '\u{a0}';

/// Returns `text` in lines of at most `width` columns, broken between words; lines after the first begin with
/// `indent` spaces. Words that are wider stay whole.
pub(super) fn wrap(text: &str, width: usize, indent: usize) -> String {
    let mut wrapped = String::new();
    let mut column = 0;
    for (number, word) in text.split(' ').enumerate() {
        let length = console::measure_text_width(word);
        if number > 0 && column + 1 + length > width {
            wrapped.push('\n');
            wrapped.push_str(&" ".repeat(indent));
            column = indent;
        } else if number > 0 {
            wrapped.push(' ');
            column += 1;
        }
        wrapped.push_str(word);
        column += length;
    }
    wrapped.replace(STICKY, " ")
}

/// Returns a name and its value, wrapped below itself: `name    value`.
pub(super) fn row(name: &str, value: &str, names: usize, width: usize) -> String {
    let mut text = wrap(&format!("{name:<names$} {value}"), width, names + 1);
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::{github, row, wrap};

    #[test]
    fn lines_break_between_words_and_stay_within_their_width() {
        let text = wrap("name  one two three four five", 16, 6);
        assert_eq!(text, "name  one two\n      three four\n      five");
        assert!(text.lines().all(|line| line.len() <= 16));
        assert_eq!(wrap("a word-that-is-far-too-long", 10, 2), "a\n  word-that-is-far-too-long");
        assert_eq!(row("seeds", "60", 8, 80), "seeds    60\n");
    }

    #[test]
    fn annotations_of_workflows_stay_on_one_line() {
        assert_eq!(github("100 %\nseed 8"), "100 %25%0Aseed 8");
    }
}
