//! Renders the stored example documents, `examples/run.json` and `examples/campaign.json`, into every other
//! format.
//!
//! `cargo run -p stormproof-reports --example render` renders the files of this folder anew; with arguments,
//! `-- DOCUMENT.json FOLDER`, it renders another document into another folder.

use std::path::{Path, PathBuf};
use std::{env, fs};

use stormproof_reports::{Document, Format, RenderError};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    match arguments.as_slice() {
        [] => {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
            render(&folder.join("run.json"), &folder)?;
            render(&folder.join("campaign.json"), &folder)
        }
        [document, folder] => render(document, folder),
        _ => Err("usage: render [DOCUMENT.json FOLDER]".into()),
    }
}

fn render(stored: &Path, folder: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let document = Document::from_json(&fs::read_to_string(stored)?)?;
    let name = stored.file_stem().ok_or("the document has no name")?.to_string_lossy().into_owned();
    fs::create_dir_all(folder)?;
    for format in Format::ALL.into_iter().filter(|&format| format != Format::Json) {
        match document.render(format) {
            Ok(rendered) => {
                let path = folder.join(format!("{name}.{}", format.extension()));
                fs::write(&path, rendered)?;
                println!("{}", path.display());
            }
            Err(RenderError::NotApplicable { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
