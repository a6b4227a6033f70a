//! Reports of simulations: text, JSON, JUnit, Markdown, HTML, trace-viewer files.
