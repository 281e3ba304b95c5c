use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Component, Path, PathBuf};
use std::rc::{Rc, Weak};

use hothouse_abi::{Program, Value};

use crate::error::LuaError;
use crate::process::{LuaProcess, Main, Start};
use crate::settings::LuaSettings;
use crate::state::{State, Tenant, chunk_name};

/// Loads Lua programs for one kernel. Clones share everything, and so do the processes: it lives
/// until the last of them has ended.
///
/// Programs share Lua states, as many to a state as the settings say; a state goes with its last
/// process. A file is read once and compiled once per state.
///
/// ```
/// use hothouse_lua::{LuaHost, LuaSettings};
/// let host = LuaHost::new(LuaSettings::default());
/// let program = host.load_source("hello", b"print('hello')", None, vec![]);
/// assert!(program.is_ok());
/// let error = host.load_source("wrong", b"if then", None, vec![]).unwrap_err();
/// assert!(error.to_string().starts_with("wrong:1: "));
/// ```
#[derive(Clone)]
pub struct LuaHost(Rc<Host>);

/// A file that was read.
#[derive(Clone)]
pub(crate) struct Source {
    pub(crate) text: Rc<[u8]>,
    /// The folder that it is in, one for all processes that it starts.
    folder: Option<Rc<PathBuf>>,
}

/// The states and the files read so far.
pub(crate) struct Host {
    settings: LuaSettings,
    states: RefCell<Vec<Weak<State>>>,
    sources: RefCell<BTreeMap<PathBuf, Source>>,
    me: Weak<Host>,
}

impl LuaHost {
    /// A host without programs.
    pub fn new(settings: LuaSettings) -> LuaHost {
        LuaHost(Rc::new_cyclic(|me| Host {
            settings,
            states: RefCell::default(),
            sources: RefCell::default(),
            me: me.clone(),
        }))
    }

    /// A program from a file. It finds its modules and the programs that it starts in the file's
    /// folder, and gets `args` as `...`.
    ///
    /// # Errors
    ///
    /// [`LuaError`] if the file can't be read or is no Lua text. Nothing of it ran.
    pub fn load(&self, path: &Path, args: Vec<Value>) -> Result<Program, LuaError> {
        self.0.load(path, args)
    }

    /// A program from text. `name` stands for the file in messages; `folder` is where it finds its
    /// modules and programs, if it has any.
    ///
    /// # Errors
    ///
    /// [`LuaError`] if it is no Lua text. Nothing of it ran.
    pub fn load_source(
        &self,
        name: &str,
        source: &[u8],
        folder: Option<&Path>,
        args: Vec<Value>,
    ) -> Result<Program, LuaError> {
        let folder = folder.map(|folder| Rc::new(folder.to_path_buf()));
        self.0.program(name, &source.into(), folder, args)
    }

    /// How many Lua states there are now.
    pub fn states(&self) -> usize {
        self.0.states.borrow().iter().filter(|state| state.strong_count() > 0).count()
    }

    /// The bytes that all Lua states use now.
    pub fn used_memory(&self) -> usize {
        let states = self.0.states.borrow();
        states.iter().filter_map(Weak::upgrade).map(|state| state.lua.used_memory()).sum()
    }
}

impl fmt::Debug for LuaHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LuaHost").field("states", &self.states()).finish_non_exhaustive()
    }
}

impl Host {
    pub(crate) fn load(&self, path: &Path, args: Vec<Value>) -> Result<Program, LuaError> {
        let source = self.source(path)?;
        self.program(&chunk_name(path), &source.text, source.folder, args)
    }

    /// A file, read once.
    pub(crate) fn source(&self, path: &Path) -> Result<Source, LuaError> {
        if let Some(source) = self.sources.borrow().get(path) {
            return Ok(source.clone());
        }
        let text = std::fs::read(path).map_err(|error| LuaError::Unreadable {
            path: path.to_path_buf(),
            reason: error.to_string(),
        })?;
        let folder = path.parent().map(|folder| Rc::new(folder.to_path_buf()));
        let source = Source { text: text.into(), folder };
        self.sources.borrow_mut().insert(path.to_path_buf(), source.clone());
        Ok(source)
    }

    fn program(
        &self,
        name: &str,
        source: &Rc<[u8]>,
        folder: Option<Rc<PathBuf>>,
        args: Vec<Value>,
    ) -> Result<Program, LuaError> {
        let tenant = self.tenant()?;
        let chunk = tenant.state().chunk(name, source)?;
        let start = Start { folder, main: Main::Chunk { chunk, args } };
        Ok(Program::stepped(LuaProcess::new(tenant, start)))
    }

    /// A place in a state that has room.
    pub(crate) fn tenant(&self) -> Result<Tenant, LuaError> {
        let me = self.me.upgrade().expect("the host of which this is a method");
        let mut states = self.states.borrow_mut();
        let sharers = self.settings.sharers();
        let roomy = states.iter().filter_map(Weak::upgrade).find(|state| state.live() < sharers);
        if let Some(state) = roomy {
            return Ok(state.tenant());
        }
        states.retain(|state| state.strong_count() > 0);
        let state = State::new(me, &self.settings).map_err(|_| LuaError::Memory)?;
        let state = Rc::new(state);
        states.push(Rc::downgrade(&state));
        Ok(state.tenant())
    }
}

/// The file of that name in `folder` or below it.
///
/// # Errors
///
/// [`LuaError::Outside`] if the name leads out of the folder.
pub(crate) fn inside(folder: &Path, name: &str) -> Result<PathBuf, LuaError> {
    let outside = || LuaError::Outside { name: name.to_owned() };
    let relative = Path::new(name);
    let plain = |part| matches!(part, Component::Normal(_) | Component::CurDir);
    if !relative.components().all(plain) || name.contains('\0') {
        return Err(outside());
    }
    let path = folder.join(relative);
    // A symbolic link must not lead out either. A file that is missing is found out on reading.
    match (path.canonicalize(), canonical(folder)) {
        (Ok(file), Ok(folder)) if !file.starts_with(&folder) => Err(outside()),
        _ => Ok(path),
    }
}

fn canonical(folder: &Path) -> std::io::Result<PathBuf> {
    if folder.as_os_str().is_empty() {
        Path::new(".").canonicalize()
    } else {
        folder.canonicalize()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_inside_the_folder() {
        let folder = Path::new("/programs");
        assert_eq!(inside(folder, "a/b.lua"), Ok(PathBuf::from("/programs/a/b.lua")));
        for name in ["../x.lua", "/etc/passwd", "a/../../x.lua", "a\0b"] {
            assert!(matches!(inside(folder, name), Err(LuaError::Outside { .. })), "{name}");
        }
    }

    #[test]
    fn a_link_out_of_the_folder_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/etc/hostname", dir.path().join("x.lua")).unwrap();
        assert!(matches!(inside(dir.path(), "x.lua"), Err(LuaError::Outside { .. })));
    }
}
