//! The files of a simulation: the workload that is read, and the result that is written.

use std::io::Write;
use std::path::{Path, PathBuf};

use hothouse::sim::{Diagnostic, Source, Workload, examples, read};

use super::output::print_quietly;
use super::{Exit, UsageError};

/// Reads a workload: a file, or an example. An example's name is
/// one only where there is no such file.
pub(super) fn workload(path: &Path) -> Result<Workload, UsageError> {
    let name = path.display().to_string();
    if !name.contains(['/', '.']) && !path.exists() {
        return example(&name);
    }
    if path.is_dir() {
        return Err(UsageError(format!("{name} is a folder; name a workload file in it")));
    }
    let bytes = std::fs::read(path).map_err(|error| {
        UsageError(format!("{name} can't be read: {error}; name a workload file that exists"))
    })?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let shown = Source::new(&name, String::from_utf8_lossy(error.as_bytes()));
        let wrong = Diagnostic::new(&shown, at..at + 1, "this is no UTF-8 text");
        UsageError::new(wrong.help("save the file as UTF-8"))
    })?;
    read(&name, &text).map_err(|errors| UsageError(format!("{name} can't be used\n{errors}")))
}

fn example(name: &str) -> Result<Workload, UsageError> {
    if let Some(example) = examples().iter().find(|example| example.name == name) {
        return Ok(example.workload());
    }
    let distance = |known: &str| strsim::damerau_levenshtein(name, known);
    let near = examples().iter().map(|it| (distance(it.name), it.name)).min();
    let hint = near.filter(|(distance, _)| *distance <= 3);
    let hint = hint.map_or_else(String::new, |(_, near)| format!(" Did you mean \"{near}\"?"));
    Err(UsageError(format!(
        "there is no workload \"{name}\": no file and no example has that name.{hint} \
         `hothouse workload list` lists the examples"
    )))
}

/// Where a result goes.
#[derive(Clone, Debug)]
pub(super) struct Output(Option<PathBuf>);

impl Output {
    /// To a file, or to standard output. That the file can be written is seen to before the work
    /// begins; the file itself changes only when the result is complete.
    pub(super) fn to(path: Option<&Path>) -> Result<Output, UsageError> {
        let Some(path) = path else { return Ok(Output(None)) };
        let folder = folder(path);
        let problem = if path.is_dir() {
            Some("it is a folder".to_owned())
        } else {
            tempfile::tempfile_in(folder).err().map(|error| error.to_string())
        };
        match problem {
            Some(problem) => {
                let path = path.display();
                Err(UsageError(format!("{path} can't be written: {problem}; name another file")))
            }
            None => Ok(Output(Some(path.to_owned()))),
        }
    }

    /// Writes the result.
    pub(super) fn write(&self, text: &str) -> Result<Exit, UsageError> {
        let Some(path) = &self.0 else { return Ok(print_quietly(text)) };
        let write = || {
            let mut file = tempfile::NamedTempFile::new_in(folder(path))?;
            file.write_all(text.as_bytes())?;
            file.persist(path).map_err(|error| error.error)
        };
        let written = write();
        written
            .map_err(|error| UsageError(format!("{} can't be written: {error}", path.display())))?;
        Ok(Exit::Ok)
    }
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
