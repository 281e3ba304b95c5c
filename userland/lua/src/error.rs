use std::path::PathBuf;

/// Why a program was not loaded. Nothing of it ran.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LuaError {
    /// The file can't be read.
    #[error("cannot read {}: {reason}; give the path of a readable Lua file", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the host's system said.
        reason: String,
    },
    /// The file holds compiled Lua, which could break the sandbox.
    #[error("{chunk} is compiled Lua, which is not run; give its source text")]
    Bytecode {
        /// The chunk's name.
        chunk: String,
    },
    /// The text is not Lua. The message starts with file and line.
    #[error("{message}; correct that line and run again")]
    Syntax {
        /// What the compiler said.
        message: String,
    },
    /// No Lua state has room for it.
    #[error("not enough memory for another Lua program; raise the memory limit")]
    Memory,
    /// The name leads out of the program's folder.
    #[error("{name} leads out of the program's folder; name a file beside or below the program")]
    Outside {
        /// The name as it was given.
        name: String,
    },
}
