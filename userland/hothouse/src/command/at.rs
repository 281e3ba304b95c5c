//! Events and signals from outside, at points in virtual time.

use std::path::Path;

use hothouse::sim::parse_duration;
use hothouse::{HostAction, Pid, Signal, SignalNumber, Span, Tick, Value, json};

use super::UsageError;

/// Something that happens from outside, at a time.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct At {
    time: Tick,
    what: What,
}

#[derive(Clone, Debug, PartialEq)]
enum What {
    Kill(Pid, SignalNumber),
    Send(Pid, String, Value),
}

const GRAMMAR: &str = "write `kill PID SIGNAL` or `send PID NAME [JSON]`";

impl At {
    pub(super) fn time(&self) -> Tick {
        self.time
    }

    /// The action, as the kernel takes it.
    pub(super) fn action(&self) -> HostAction {
        match self.what.clone() {
            What::Kill(pid, signal) => HostAction::Kill { pid, signal },
            What::Send(pid, name, data) => HostAction::Send { pid, name: name.into(), data },
        }
    }

    /// Reads one `--at TIME ACTION`.
    pub(super) fn parse(time: &str, action: &str) -> Result<At, UsageError> {
        let place = |message: String| UsageError(format!("--at {time} '{action}': {message}"));
        let span = parse_duration(time).map_err(place)?;
        At::new(span, action).map_err(place)
    }

    fn new(time: Span, action: &str) -> Result<At, String> {
        let (verb, rest) = split_word(action);
        let (pid, rest) = split_word(rest);
        let what = match verb {
            "kill" => What::Kill(parse_pid(pid)?, parse_signal(rest.trim())?),
            "send" => {
                let (name, data) = split_word(rest);
                if name.is_empty() {
                    return Err(format!("the event's name is missing; {GRAMMAR}"));
                }
                What::Send(parse_pid(pid)?, name.to_owned(), parse_json(data.trim())?)
            }
            "" => return Err(format!("there is no action; {GRAMMAR}")),
            other => return Err(format!("there is no action \"{other}\"; {GRAMMAR}")),
        };
        Ok(At { time: Tick::ZERO + time, what })
    }

    /// Reads a script: a line each, `TIME ACTION`; `#` starts a comment.
    pub(super) fn read_script(path: &Path) -> Result<Vec<At>, UsageError> {
        let name = path.display();
        let text = std::fs::read_to_string(path)
            .map_err(|error| UsageError(format!("the script {name} can't be read: {error}")))?;
        let lines = text.lines().enumerate();
        let lines =
            lines.filter(|(_, line)| !matches!(line.trim().bytes().next(), None | Some(b'#')));
        lines
            .map(|(number, line)| {
                let (time, action) = split_word(line);
                let parsed = parse_duration(time).map_err(|error| (time, error));
                let at = parsed.and_then(|span| {
                    At::new(span, action).map_err(|error| (action.trim_start(), error))
                });
                at.map_err(|(part, error)| {
                    let column = part.as_ptr() as usize - line.as_ptr() as usize;
                    UsageError(pointed_at(&name, number + 1, column, line, &error))
                })
            })
            .collect()
    }
}

/// A message with the place, the line and a mark under it.
fn pointed_at(
    file: &impl std::fmt::Display,
    line: usize,
    column: usize,
    text: &str,
    message: &str,
) -> String {
    let mark = " ".repeat(text[..column].chars().count());
    format!("{file}:{line}:{}: {message}\n  {text}\n  {mark}^", column + 1)
}

fn split_word(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    text.split_at(text.find(char::is_whitespace).unwrap_or(text.len()))
}

fn parse_pid(text: &str) -> Result<Pid, String> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(Pid::new(number)),
        _ => Err(format!("\"{text}\" is no pid, which is a number from 1 on; {GRAMMAR}")),
    }
}

fn parse_signal(text: &str) -> Result<SignalNumber, String> {
    match text.parse::<Signal>() {
        Ok(signal) => Ok(signal.into()),
        Err(_) if text == "0" => Ok(0.into()),
        Err(_) => Err(format!("\"{text}\" is no signal; write a name such as TERM or a number")),
    }
}

fn parse_json(text: &str) -> Result<Value, String> {
    if text.is_empty() {
        return Ok(Value::Nil);
    }
    let parsed = serde_json::from_str(text)
        .map_err(|error| format!("the event's data is no JSON: {error}"))?;
    json::from_json(parsed).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_read_and_bad_ones_explained() {
        let at = At::parse("5s", "kill 2 TERM").unwrap();
        assert_eq!(at.time(), Tick::from_nanos(5_000_000_000));
        assert_eq!(at.what, What::Kill(Pid::new(2), Signal::SIGTERM.into()));
        let at = At::parse("1ms", r#"send 3 job {"x": 1}"#).unwrap();
        assert_eq!(at.what, What::Send(Pid::new(3), "job".into(), Value::map([("x", 1)])));
        for (action, message) in [
            ("", "no action"),
            ("stop 2", "no action \"stop\""),
            ("kill x TERM", "no pid"),
            ("kill 0 TERM", "no pid"),
            ("kill 2 BANG", "no signal"),
            ("send 2", "name is missing"),
            ("send 2 a {", "no JSON"),
        ] {
            let error = At::parse("5s", action).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }
}
