//! Programs in Lua, made by a grammar from the bytes: they call everything there is, with values of
//! every kind, in coroutines, handlers, metamethods and forks.

use hothouse::lua::{LuaHost, LuaSettings};
use hothouse::{Captured, Held, Kernel, Limits, Until};

use super::draw::Draw;
use super::grammar::program;

/// Runs a program made from the bytes twice, and compares the traces.
///
/// # Panics
///
/// If the runs differ though nothing said that they may, or something is left when all processes
/// have ended, or an invariant breaks.
pub fn check(bytes: &[u8]) {
    let source = program(&Draw::new(bytes));
    let (first, second) = (run(&source), run(&source));
    assert_eq!(first, second, "two runs of one program differ:\n{source}");
}

/// The program that [`check`] makes of the bytes.
pub fn source(bytes: &[u8]) -> String {
    program(&Draw::new(bytes))
}

/// Runs a program; the hash of its trace and its lines.
fn run(source: &str) -> (Option<u64>, Vec<String>) {
    let host = LuaHost::new(LuaSettings {
        memory_per_state: 8 << 20,
        instruction_budget: Some(20_000),
        ..LuaSettings::default()
    });
    let main = host.load_source("fuzz.lua", source.as_bytes(), None, vec![]);
    let main = main.unwrap_or_else(|error| panic!("the grammar makes bad Lua: {error}\n{source}"));
    let limits = Limits {
        processes: 30,
        mailbox_events: 20,
        mailbox_bytes: 1 << 16,
        steps_at_one_instant: 5_000,
        steps: 20_000,
        ..Limits::default()
    };
    let captured = Captured::default();
    let builder = Kernel::builder().limits(limits).console(captured.clone()).hash(true);
    let mut kernel = builder.build().expect("the settings are good");
    kernel.spawn("fuzz", main).expect("there is room");
    let _ = kernel.run_until(Until::Idle);
    let hash = kernel.report().hash;
    kernel.kill_all();
    assert_eq!(kernel.held(), Held::default(), "something is left");
    drop(kernel);
    assert_eq!(host.states(), 0, "a Lua state is left");
    (hash, captured.lines())
}
