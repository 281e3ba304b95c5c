//! The program to run: a Lua file, or a built-in one.

use std::path::{Path, PathBuf};

use hothouse::lua::LuaHost;
use hothouse::{Program, Value, programs};

use super::UsageError;

/// What PROGRAM names.
#[derive(Clone, Debug)]
pub(super) enum Source {
    Builtin(&'static programs::Builtin),
    Lua(PathBuf),
}

impl Source {
    /// Finds out what `name` names. A file wins over a built-in only if it is written as a path.
    pub(super) fn find(name: &str) -> Result<Source, UsageError> {
        let is_path = name.contains('/') || Path::new(name).extension().is_some();
        if !is_path && let Some(builtin) = programs::programs().iter().find(|b| b.name == name) {
            return Ok(Source::Builtin(builtin));
        }
        let path = PathBuf::from(name);
        if path.is_file() {
            return Ok(Source::Lua(path));
        }
        Err(UsageError(missing(name, is_path, &path)))
    }

    /// The name of its process: that of the built-in, or of the file without its ending.
    pub(super) fn process_name(&self) -> String {
        match self {
            Source::Builtin(builtin) => builtin.name.to_owned(),
            Source::Lua(path) => {
                path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
            }
        }
    }

    /// Loads it. Nothing of it is run.
    pub(super) fn load(&self, lua: &LuaHost, args: &[String]) -> Result<Program, UsageError> {
        let args: Vec<Value> = args.iter().map(|arg| arg.as_str().into()).collect();
        match self {
            Source::Builtin(builtin) => Ok((builtin.start)(args)),
            Source::Lua(path) => lua.load(path, args).map_err(UsageError::new),
        }
    }
}

fn missing(name: &str, is_path: bool, path: &Path) -> String {
    if path.is_dir() {
        return format!("{name} is a folder; name a Lua file in it");
    }
    if is_path {
        return format!("there is no file {name}; name a Lua file that exists");
    }
    let near = programs::programs()
        .iter()
        .map(|builtin| (strsim::damerau_levenshtein(name, builtin.name), builtin.name))
        .filter(|(distance, _)| *distance <= 3)
        .min();
    let hint = near.map_or_else(String::new, |(_, near)| format!(" Did you mean \"{near}\"?"));
    format!(
        "there is no program \"{name}\": no built-in has that name and no file either.{hint} \
         `hothouse programs` lists the built-in ones"
    )
}
