use std::path::Path;

use hothouse_abi::{Pid, Value};
use hothouse_kernel::Kernel;
use hothouse_lua::{LuaHost, LuaSettings};

use super::watch::time;
use super::{Bench, BenchError, finish};

/// Row 20: a trap that does not park. Like all programs in Lua it checks itself.
pub(super) fn trap(bench: &Bench, count: u64) -> Result<f64, BenchError> {
    let mut kernel = bench.kernel(1)?;
    let host = LuaHost::new(LuaSettings::default());
    let source = "local process = require 'system.process'
        local getpid, sum, count = process.getpid, 0, ...
        for i = 1, count do sum = sum + getpid() end
        assert(sum == count)";
    start(&mut kernel, &host, "traps", source, count)?;
    let (nanos, done) = time(|| finish(&mut kernel));
    done.map(|()| nanos / count as f64)
}

/// Row 20: ping-pong, one way.
pub(super) fn event(bench: &Bench, count: u64) -> Result<f64, BenchError> {
    let mut kernel = bench.kernel(2)?;
    let host = LuaHost::new(LuaSettings::default());
    let rounds = count.div_ceil(2);
    let echo = "local ipc = require 'system.ipc'
        for i = 1, (...) do
            local _, n = ipc.receiveEvent(nil, 'ping')
            ipc.sendEvent(2, 'ping', n)
        end";
    let ping = "local ipc = require 'system.ipc'
        local sum, rounds = 0, ...
        for i = 1, rounds do
            ipc.sendEvent(1, 'ping', i)
            local _, n = ipc.receiveEvent(nil, 'ping')
            sum = sum + n
        end
        assert(sum == rounds * (rounds + 1) // 2)";
    start(&mut kernel, &host, "echo", echo, rounds)?;
    start(&mut kernel, &host, "ping", ping, rounds)?;
    let (nanos, done) = time(|| finish(&mut kernel));
    done.map(|()| nanos / (2 * rounds) as f64)
}

fn start(
    kernel: &mut Kernel,
    host: &LuaHost,
    name: &str,
    source: &str,
    argument: u64,
) -> Result<Pid, BenchError> {
    let args = vec![Value::from(argument)];
    let main = host.load_source(name, source.as_bytes(), None::<&Path>, args);
    let main = main.map_err(|error| BenchError::Host(error.to_string()))?;
    Ok(kernel.spawn(name, main).expect("room"))
}
