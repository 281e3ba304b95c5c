use std::io::Write;

use hothouse_abi::{Pid, Program};
use hothouse_kernel::{End, Kernel, Limits, Until};
use hothouse_lua::{LuaHost, LuaSettings};
use hothouse_sys::{Filter, Name, program};
use serde::Serialize;

use super::{Bench, BenchError, check, finish};

const STOP: Name = Name::short("stop");
const OTHER: Name = Name::short("other");
/// The first pid of those that are parked.
const FIRST: u64 = 2;

/// What kind of programs are kept parked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Native ones, each on a stack of its own.
    Native,
    /// Lua ones, started from one file.
    Lua,
}

/// Memory of this process of the host, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Stage {
    /// Memory that is resident.
    pub resident: u64,
    /// Page tables, which are not counted as resident.
    pub page_tables: u64,
}

/// What parked processes take, and what is left when they have ended.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Live {
    /// What kind of processes.
    pub kind: Kind,
    /// How many.
    pub count: u64,
    /// Before there was a kernel.
    pub start: Stage,
    /// With all processes created and none run.
    pub spawned: Stage,
    /// With all processes waiting.
    pub parked: Stage,
    /// With one event queued in each mailbox, and all waiting for another.
    pub queued: Stage,
    /// With all processes ended, and the kernel still there.
    pub ended: Stage,
    /// What each takes.
    pub each: Parts,
    /// Bytes that the kernel may keep for later: its [`spare_stacks`](Limits::spare_stacks).
    pub reserve: u64,
    /// Whether memory went back: what is resident at the end is at most a tenth over the start, and
    /// the reserve.
    pub went_back: bool,
}

/// Bytes of a parked process.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Parts {
    /// Its record, with its name, its places in tables, its empty mailbox and its program.
    pub record: f64,
    /// Its stack, or what it has in its Lua state.
    pub body: f64,
    /// Page tables.
    pub page_tables: f64,
    /// All of these.
    pub all: f64,
    /// What the first event in its mailbox adds.
    pub mailbox: f64,
}

impl Parts {
    fn new(stages: [Stage; 4], count: u64) -> Parts {
        let [start, spawned, parked, queued] = stages;
        let each = |from: u64, to: u64| to.saturating_sub(from) as f64 / count as f64;
        let record = each(start.resident, spawned.resident);
        let body = each(spawned.resident, parked.resident);
        let page_tables = each(start.page_tables, parked.page_tables);
        let mailbox = each(parked.resident, queued.resident);
        Parts { record, body, page_tables, all: record + body + page_tables, mailbox }
    }
}

/// Rows 11 and 20: bytes of each of so many parked processes.
///
/// # Errors
///
/// If the host does not tell its memory, or the processes don't do as they should.
pub fn live(bench: &Bench, kind: Kind, count: u64) -> Result<Live, BenchError> {
    let mut source = tempfile::NamedTempFile::new().map_err(host)?;
    source.write_all(b"require('system.ipc').receiveEvent(nil, 'stop')").map_err(host)?;
    let lua = (kind == Kind::Lua).then(|| LuaHost::new(LuaSettings::default()));
    let make = || -> Result<Program, BenchError> {
        match &lua {
            None => Ok(program(|sys| sys.receive_event(Filter::name(STOP), None).map(drop))),
            Some(lua) => lua.load(source.path(), Vec::new()).map_err(host),
        }
    };
    // What the first process of a host thread makes ready stays: handlers of faults, a Lua state.
    let mut first = bench.kernel(1)?;
    let pid = first.spawn("first", make()?).expect("room");
    first.send(pid, STOP, ()).expect("it lives");
    finish(&mut first)?;
    drop(first);
    let start = Stage::now()?;
    let mut kernel = bench.kernel(count)?;
    // With pid 1 alive, the kernel would report a deadlock of all.
    kernel.spawn("init", program(|_| ())).expect("room");
    finish(&mut kernel)?;
    for _ in 0..count {
        kernel.spawn("parked", make()?).expect("room");
    }
    let spawned = Stage::now()?;
    park(&mut kernel, count)?;
    let parked = Stage::now()?;
    send_all(&mut kernel, count, &OTHER);
    park(&mut kernel, count)?;
    let queued = Stage::now()?;
    send_all(&mut kernel, count, &STOP);
    finish(&mut kernel)?;
    let ended = Stage::now()?;
    let each = Parts::new([start, spawned, parked, queued], count);
    let reserve = match kind {
        Kind::Native => (Limits::default().spare_stacks as f64 * each.body) as u64,
        Kind::Lua => 0,
    };
    let went_back = ended.resident <= start.resident * 11 / 10 + reserve;
    Ok(Live { kind, count, start, spawned, parked, queued, ended, each, reserve, went_back })
}

fn host(error: impl std::fmt::Display) -> BenchError {
    BenchError::Host(error.to_string())
}

fn send_all(kernel: &mut Kernel, count: u64, name: &Name) {
    for pid in 0..count {
        kernel.send(Pid::new(FIRST + pid), name.clone(), ()).expect("it waits");
    }
}

/// Runs until all wait.
fn park(kernel: &mut Kernel, count: u64) -> Result<(), BenchError> {
    match kernel.run_until(Until::Idle) {
        End::Idle => {
            check("the number of waiting processes", kernel.held().processes as u64, count)
        }
        end => Err(BenchError::End(end.to_string())),
    }
}

impl Stage {
    /// The memory of this process now.
    fn now() -> Result<Stage, BenchError> {
        let status = std::fs::read_to_string("/proc/self/status").map_err(host)?;
        let field = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name));
            let kibibytes = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
            let bytes = kibibytes.map(|kibibytes: u64| kibibytes * 1024);
            bytes.ok_or_else(|| BenchError::Host(format!("it does not tell {name}")))
        };
        Ok(Stage { resident: field("VmRSS:")?, page_tables: field("VmPTE:")? })
    }
}

/// Row 11.
pub(super) fn native_bytes(bench: &Bench, count: u64) -> Result<f64, BenchError> {
    live(bench, Kind::Native, count).map(|live| live.each.all)
}

/// Row 20: bytes of a Lua process.
pub(super) fn lua_bytes(bench: &Bench, count: u64) -> Result<f64, BenchError> {
    live(bench, Kind::Lua, count).map(|live| live.each.all)
}
