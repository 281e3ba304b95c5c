//! Where a program is: `file:line`, with the runtime's own frames left out.

use mlua::Lua;

use crate::library;
use crate::raw::Stack;

/// The name of every chunk of the runtime's own Lua code.
pub(crate) const PRELUDE: &str = "[hothouse]";

/// Whether a frame or a traceback's line belongs to the runtime's own Lua code.
fn is_own(text: &str) -> bool {
    text.contains(PRELUDE) || text.contains(&library::CHUNK_NAME[1..])
}

/// The innermost line of the program that runs now, such as `server.lua:12`.
pub(crate) fn current(stack: &Stack<'_>) -> Option<String> {
    // Looking at a level costs as many steps as it is deep.
    const DEEPEST: usize = 1_000;
    (0..DEEPEST)
        .map_while(|level| stack.line(level))
        .flatten()
        .find(|(file, _)| !is_own(file))
        .map(|(file, line)| format!("{file}:{line}"))
}

/// `text` behind the place of the caller, as Lua's own argument errors are.
pub(crate) fn prefix(stack: &Stack<'_>, text: &str) -> String {
    match current(stack) {
        Some(place) => format!("{place}: {text}"),
        None => text.to_owned(),
    }
}

/// The same in a callback.
pub(crate) fn prefix_in(lua: &Lua, text: &str) -> String {
    Stack::with(lua, |stack| prefix(stack, text))
}

/// The innermost line of the program in the text of a traceback.
pub(crate) fn of_traceback(trace: &str) -> Option<String> {
    let lines = trace.lines().filter(|line| line.starts_with('\t') && !is_own(line));
    lines
        .filter_map(|line| line.trim_start().split_once(": in "))
        .map(|(at, _)| at.to_owned())
        .find(|at| {
            at.rsplit_once(':').is_some_and(|(_, line)| line.bytes().all(|b| b.is_ascii_digit()))
        })
}

/// An error's text and traceback without the runtime's own frames.
pub(crate) fn without_prelude(text: &str) -> (String, String) {
    const HEAD: &str = "\nstack traceback:";
    let Some(at) = text.rfind(HEAD) else {
        return (text.to_owned(), String::new());
    };
    let (message, trace) = text.split_at(at);
    let mut lines: Vec<&str> =
        trace[HEAD.len()..].lines().filter(|line| !line.is_empty() && !is_own(line)).collect();
    // C frames below the program's outermost are the runtime's.
    while lines.last().is_some_and(|line| line.trim_start().starts_with("[C]")) {
        lines.pop();
    }
    let trace =
        if lines.is_empty() { String::new() } else { format!("{HEAD}\n{}", lines.join("\n")) };
    (message.to_owned(), trace)
}
