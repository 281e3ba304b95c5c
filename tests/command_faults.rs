//! The command with faults on purpose.

use crate::command::{command, lua_file};

/// A server that answers, and a client, pid 1, that asks thrice.
const CLIENT: &str = "local ipc, process = require 'system.ipc', require 'system.process'
local server = process.fork(function()
  while true do
    ipc.receiveEvent()
    ipc.sendEvent(ipc.sender(), 'reply')
  end
end, 'server')
for i = 1, 3 do
  ipc.sendEvent(server, 'ask')
  print(i, ipc.receiveEvent(server, 'reply', 1) or 'nothing')
end
";

/// What the client prints, with these faults.
fn answers(faults: &str) -> (Vec<String>, String) {
    let (_folder, path) = lua_file(CLIENT);
    let ran = command(&["run", "--check", "--faults", faults, &path]);
    assert_eq!(ran.code, Some(0), "{faults}: {}", ran.err);
    let text = |line: &str| line.rsplit(['\t', ' ']).next().unwrap_or_default().to_owned();
    (ran.out.lines().map(text).collect(), ran.err)
}

#[test]
fn rules_are_text_or_a_file() {
    let (lines, told) = answers("drop:event=ask,nth=2");
    assert_eq!(lines, ["reply", "nothing", "reply"]);
    assert!(told.contains("injected  1 faults on purpose"), "{told}");
    assert!(told.contains("--faults drop:event=ask,nth=2"), "the command repeats it: {told}");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("some.faults");
    std::fs::write(&file, "# all\ndrop: to=main\n").expect("it can be written");
    let (lines, _) = answers(file.to_str().expect("text"));
    assert_eq!(lines, ["nothing"; 3]);
}

#[test]
fn faults_are_records_of_the_trace() {
    let folder = tempfile::tempdir().expect("a folder");
    let trace = folder.path().join("trace");
    let trace = trace.to_str().expect("text");
    let (_program, path) = lua_file(CLIENT);
    command(&["run", "--faults", "kill:process=server,at=1", "--trace", trace, &path]);
    let text = std::fs::read_to_string(trace).expect("it was written");
    let record = text.lines().find(|line| line.contains("injected")).expect("it is there");
    for part in ["\"pid\":2", "\"fault\":\"kill\"", "\"rule\":1"] {
        assert!(record.contains(part), "{record}");
    }
}

#[test]
fn bad_rules_are_refused_with_their_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("bad.faults");
    std::fs::write(&file, "drop\nkil:process=a\n").expect("it can be written");
    let file = file.to_str().expect("text").to_owned();
    let place = format!("{file}:2:1: no fault \"kil\"; did you mean \"kill\"?");
    for (faults, parts) in [
        ("dorp:p=1", &["--faults:1:1: no fault \"dorp\"; did you mean \"drop\"?", "^"][..]),
        ("drop:form=a", &["--faults:1:6: no key of drop \"form\"", "There are: from, to, event"]),
        ("", &["there is no fault"]),
        ("missing.faults", &["missing.faults can't be read"]),
        (&file, &[&place]),
    ] {
        let (_program, path) = lua_file(CLIENT);
        let ran = command(&["run", "--faults", faults, &path]);
        assert_eq!((ran.code, &ran.out[..]), (Some(2), ""), "{faults}: {}", ran.err);
        parts.iter().for_each(|part| assert!(ran.err.contains(part), "{faults}: {}", ran.err));
    }
}

/// Every example workload, with everything that can go wrong going wrong.
#[test]
fn simulations_with_faults_end_and_repeat() {
    const STORM: &str = "drop:p=0.05; delay:p=0.1,by=1us..3ms; duplicate:p=0.05; reorder:p=0.1; \
        stop:process=*,p=0.001,for=5ms; kill:process=*,p=0.0001,max=3; fail:p=0.001,errno=EINTR; \
        skew:process=*,by=+1ms";
    for workload in ["convoy", "gaming", "overload", "pathfinder", "starvation", "web"] {
        let args =
            ["sim", workload, "--duration", "500ms", "--check", "--quiet", "--format", "json"];
        let ran = command(&[&args[..], &["--faults", STORM]].concat());
        assert!(matches!(ran.code, Some(0 | 1 | 4)), "{workload}: {:?} {}", ran.code, ran.err);
        assert!(!ran.err.contains("panicked at"), "{workload}: {}", ran.err);
        assert!(ran.out.contains("--faults"), "{workload}: the command repeats it");
    }
    let bad = command(&["sim", "web", "--faults", "drop:form=a"]);
    assert_eq!((bad.code, &bad.out[..]), (Some(2), ""), "{}", bad.err);
}
