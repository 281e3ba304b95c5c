//! The grammar of the Lua programs: every word of it is drawn, and what comes out always parses.

use std::fmt::Write;

use super::draw::Draw;

const HEAD: &str = "local ipc, process, util = require 'system.ipc', require 'system.process', \
    require 'system.util'\nlocal t, x, y = {}, 1, 'text'\n";

/// How many statements a program has at most.
const STATEMENTS: usize = 40;

pub(super) fn program(draw: &Draw) -> String {
    let mut text = HEAD.to_owned();
    let mut left = STATEMENTS;
    while left > 0 && !draw.is_over() {
        left -= 1;
        text.push_str(&statement(draw, 3));
    }
    text
}

fn block(draw: &Draw, depth: usize) -> String {
    (0..1 + draw.below(3)).map(|_| statement(draw, depth)).collect()
}

fn statement(draw: &Draw, depth: usize) -> String {
    let mut text = String::new();
    let compound = depth > 0 && draw.one_in(2);
    let done = if compound {
        let inner = block(draw, depth - 1);
        match draw.below(11) {
            0 => write!(text, "if {} then\n{inner}end\n", expression(draw, 2)),
            1 => write!(text, "for i = 1, {} do\n{inner}end\n", draw.below(4)),
            2 => write!(text, "while x == {} do\n{inner}x = x + 1\nend\n", draw.below(3)),
            3 => write!(text, "pcall(function()\n{inner}end)\n"),
            4 => write!(
                text,
                "xpcall(function()\n{inner}end, function(e)\n{}return e end)\n",
                statement(draw, 0)
            ),
            5 => write!(text, "process.fork(function(...)\n{inner}end, {})\n", list(draw)),
            6 => write!(text, "ipc.sigaction({}, function(n)\n{inner}end)\n", signal(draw)),
            7 => write!(
                text,
                "coroutine.wrap(function(...)\n{inner}coroutine.yield({})\nend)({})\n",
                list(draw),
                list(draw)
            ),
            8 => write!(text, "process.atexit(function()\n{inner}end)\n"),
            9 => write!(
                text,
                "do local c <close> = setmetatable({{}}, {{__close = function()\n\
                {inner}end}})\n{}end\n",
                statement(draw, 0)
            ),
            _ => write!(
                text,
                "setmetatable(t, {{{} = function(...)\n{inner}return {}\nend}})\n",
                draw.pick(&[
                    "__index",
                    "__newindex",
                    "__tostring",
                    "__len",
                    "__call",
                    "__lt",
                    "__eq",
                    "__concat",
                    "__add",
                    "__name",
                    "__pairs",
                    "__metatable"
                ]),
                expression(draw, 1)
            ),
        }
    } else {
        match draw.below(6) {
            0 => writeln!(text, "x = {}", expression(draw, 3)),
            1 => writeln!(text, "t[{}] = {}", key(draw), expression(draw, 2)),
            2 => writeln!(text, "for k, v in {}(t) do x = k end", draw.pick(&["pairs", "ipairs"])),
            3 => writeln!(text, "error({})", list(draw)),
            _ => writeln!(text, "pcall({}, {})", call(draw), list(draw)),
        }
    };
    done.expect("a string takes any text");
    text
}

/// A function of the libraries.
fn call(draw: &Draw) -> &'static str {
    draw.pick(&[
        "ipc.kill",
        "ipc.sendEvent",
        "ipc.register",
        "ipc.lookup",
        "ipc.sendServiceEvent",
        "ipc.receiveEvent",
        "ipc.call",
        "ipc.reply",
        "ipc.sender",
        "ipc.unregister",
        "ipc.sigaction",
        "process.getpid",
        "process.getppid",
        "process.getuser",
        "process.setuser",
        "process.getname",
        "process.clock",
        "process.getplist",
        "process.getpinfo",
        "process.nice",
        "process.wait",
        "process.monitor",
        "process.compute",
        "process.yield",
        "process.exit",
        "process.run",
        "process.start",
        "util.timer",
        "util.alarm",
        "util.cancel",
        "util.sleep",
        "util.pullEvent",
        "util.filterEvent",
        "util.queueEvent",
        "util.peekEvent",
        "util.now",
        "print",
        "tostring",
        "tonumber",
        "type",
        "next",
        "select",
        "rawget",
        "rawset",
        "rawequal",
        "rawlen",
        "load",
        "require",
        "table.concat",
        "table.insert",
        "table.remove",
        "table.sort",
        "table.unpack",
        "table.move",
        "table.pack",
        "string.rep",
        "string.gsub",
        "string.find",
        "string.match",
        "string.format",
        "string.byte",
        "string.char",
        "string.sub",
        "string.pack",
        "string.unpack",
        "utf8.char",
        "utf8.codepoint",
        "utf8.len",
        "math.random",
        "math.floor",
        "math.tointeger",
        "os.time",
        "os.clock",
        "os.date",
        "coroutine.create",
        "coroutine.resume",
        "coroutine.yield",
        "coroutine.close",
        "coroutine.isyieldable",
        "setmetatable",
        "getmetatable",
    ])
}

fn signal(draw: &Draw) -> &'static str {
    draw.pick(&["2", "15", "10", "18", "19", "9", "23", "0", "99", "'x'"])
}

fn key(draw: &Draw) -> &'static str {
    draw.pick(&["1", "2", "'a'", "'b'", "true", "1.5", "-1", "#t + 1", "x"])
}

fn list(draw: &Draw) -> String {
    let items: Vec<_> = (0..1 + draw.below(3)).map(|_| expression(draw, 2)).collect();
    items.join(", ")
}

fn expression(draw: &Draw, depth: usize) -> String {
    if depth == 0 || draw.one_in(2) {
        return draw
            .pick(&[
                "nil",
                "true",
                "false",
                "0",
                "1",
                "2",
                "3",
                "-1",
                "1.5",
                "0/0",
                "1/0",
                "-1/0",
                "math.mininteger",
                "math.maxinteger",
                "''",
                "'a'",
                "'timer'",
                "'%s%d%q'",
                "'.-(b*)'",
                "('a'):rep(50)",
                "'\\0\\xff'",
                "x",
                "y",
                "t",
                "...",
                "process.getpid()",
                "print",
                "{1, 2, 3}",
                "{a = 1, b = {}}",
                "function() return x end",
            ])
            .replace("...", "(select('#', 1))");
    }
    let (left, right) = (expression(draw, depth - 1), expression(draw, depth - 1));
    match draw.below(6) {
        0 => format!("select(2, pcall({}, {left}, {right}))", call(draw)),
        1 => format!("{{{left}, k = {right}}}"),
        2 => format!("tostring({left})"),
        3 => format!("({left} and {right})"),
        4 => format!("({left} == {right})"),
        _ => format!(
            "select(2, pcall(function() return {left} {} {right} end))",
            draw.pick(&["+", "-", "*", "//", "%", "..", "<", "<=", "&", "<<", "^"])
        ),
    }
}
