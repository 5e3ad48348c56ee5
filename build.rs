//! Puts the built-in library, every file under `tasks/` and `workflows/`, into the binary.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let root = env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?;
    let mut files = Vec::new();
    for folder in ["tasks", "workflows"] {
        println!("cargo::rerun-if-changed={folder}");
        collect(Path::new(&root), folder, &mut files)?;
    }
    files.sort();
    let mut code = String::from("&[\n");
    for file in files {
        // Writing to a String cannot fail.
        let _ = writeln!(code, "    ({file:?}, include_bytes!({:?})),", Path::new(&root).join(&file).to_string_lossy());
    }
    code.push_str("]\n");
    let out = env::var("OUT_DIR").map_err(io::Error::other)?;
    fs::write(Path::new(&out).join("library.rs"), code)
}

fn collect(root: &Path, folder: &str, files: &mut Vec<String>) -> io::Result<()> {
    let entries = match fs::read_dir(root.join(folder)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let name = format!("{folder}/{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            collect(root, &name, files)?;
        } else {
            files.push(name);
        }
    }
    Ok(())
}
