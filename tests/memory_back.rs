//! Memory goes back to the host when a machine that was great becomes small, and the machine goes
//! on as if nothing had been.

use hothouse::{Errno, Filter, Pid, Sys};
use hothouse_tests::{ms, solo};

use crate::command::command;

#[test]
fn what_is_left_is_the_start_and_the_reserve() {
    for (row, count) in [("live", "20000"), ("lua-live", "20000")] {
        let ran = command(&["bench", row, "--count", count, "--format", "json"]);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
        let json: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
        let memory = &json["rows"][0]["memory"];
        assert!(memory["parked"]["resident"].as_u64() > Some(20_000_000), "{memory}");
        assert_eq!(memory["went_back"], true, "{memory}");
    }
}

const MANY: u64 = 10_000;

/// A child that sleeps until it is told to end, and then sends its pid.
fn waits(parent: Pid) -> impl Fn(&Sys) -> Result<(), Errno> {
    move |sys: &Sys| {
        sys.receive_event(Filter::name("stop"), Some(ms(3_600_000)))?;
        sys.send_event(parent, "ended", sys.getpid())
    }
}

#[test]
fn processes_and_timers_that_stay_are_not_moved() {
    solo(|sys: &Sys| {
        let me = sys.getpid();
        let timer = sys.timer(ms(1_000))?;
        for wave in 0..3 {
            let children: Vec<Pid> =
                (0..MANY).map(|_| sys.spawn("child", waits(me))).collect::<Result<_, _>>()?;
            sys.sleep(ms(1))?;
            // The first, the last or one in the middle outlives the others by far.
            let stays = children[[0, MANY - 1, MANY / 2][wave] as usize];
            let end = |pid: Pid| -> Result<(), Errno> {
                sys.send_event(pid, "stop", ())?;
                let ended = sys.receive_event(Filter::name("ended"), None)?;
                assert_eq!(ended.data.as_pid(), Some(pid));
                sys.wait(pid, None).map(drop)
            };
            for &pid in children.iter().filter(|&&pid| pid != stays) {
                end(pid)?;
            }
            sys.sleep(ms(1))?;
            // Again some, in the places that are left or new.
            for _ in 0..100 {
                let pid = sys.spawn("late", waits(me))?;
                end(pid)?;
            }
            assert_eq!(sys.getplist(), [me, stays]);
            end(stays)?;
        }
        assert_eq!(sys.cancel(timer), Ok(ms(1_000 - 6)));
        Ok::<(), Errno>(())
    });
}
