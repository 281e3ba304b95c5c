//! What is to go wrong on purpose: the rules of `--faults`.

use std::path::Path;

use hothouse::faults::Faults;

use super::UsageError;

/// Reads rules: those in a file if there is one of that name, else the text itself.
pub(super) fn read(given: &str) -> Result<Faults, UsageError> {
    let path = Path::new(given);
    let is_path = !given.contains('=') && given.contains(['/', '.']);
    if !is_path && !path.is_file() {
        return parse("--faults", given);
    }
    let text = std::fs::read_to_string(path)
        .map_err(|error| UsageError(format!("the faults {given} can't be read: {error}")))?;
    parse(given, &text)
}

fn parse(name: &str, text: &str) -> Result<Faults, UsageError> {
    text.parse::<Faults>().map_err(|error| {
        let line = text.lines().nth(error.line - 1).unwrap_or_default();
        let mark = " ".repeat(error.column - 1);
        let (row, column, message) = (error.line, error.column, error.message);
        UsageError(format!("{name}:{row}:{column}: {message}\n  {line}\n  {mark}^"))
    })
}
