//! The pattern functions against Lua's own, over patterns and subjects made by a grammar.

use mlua::{Lua, MultiValue, Table, Value};

use super::{Budget, install};

/// A small generator with a fixed sequence.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((self.0 >> 33) as usize) % sides
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.roll(from.len())]
    }
}

fn set(dice: &mut Dice) -> String {
    let mut set = String::from(dice.pick(&["[", "[^", "[]", "[^]", "[-"]));
    for _ in 0..=dice.roll(3) {
        set += dice.pick(&["a", "b-d", "%a", "%]", "x-", "%d", "^", ".", "c-a", "%-", "%w-z"]);
    }
    set + dice.pick(&["]", "]", "]", "]", "]", "]", "]", ""])
}

fn pattern(dice: &mut Dice, depth: usize) -> String {
    let mut text = String::new();
    for _ in 0..dice.roll(5) {
        let item = match dice.roll(24) {
            0..=5 => dice.pick(&["a", "b", "c", "(a", "b)", "1", " "]).to_string(),
            6..=8 => dice.pick(&[".", "%a", "%S", "%d", "%w", "%p", "%x", "%u", "%C"]).to_string(),
            9..=11 => set(dice),
            12..=14 if depth > 0 => format!("({})", pattern(dice, depth - 1)),
            15 => "()".into(),
            16 => dice.pick(&["%1", "%2", "%0", "%9"]).into(),
            17 => dice.pick(&["%b()", "%bab", "%b", "%ba"]).into(),
            18 => format!("%f{}", set(dice)),
            19 => dice.pick(&["%", "(", ")", "[", "]", "%f", "-", "*"]).into(),
            20 => dice.pick(&["$", "^", "%$", "%.", "\0", "\u{e9}"]).into(),
            _ => "a".into(),
        };
        text += &item;
        text += dice.pick(&["", "", "", "*", "+", "-", "?"]);
    }
    text
}

fn subject(dice: &mut Dice) -> String {
    let parts =
        ["a", "a", "b", "c", "aa", "abc", "(", ")", "1", " ", "A", ".", "%", "\0", "\u{e9}"];
    (0..dice.roll(10)).map(|_| dice.pick(&parts)).collect()
}

fn show(values: &MultiValue) -> Vec<String> {
    let text = |value: &Value| match value {
        Value::String(text) => {
            // A library function called in a tail call doesn't know the program's line.
            let text = text.as_bytes().escape_ascii().to_string();
            text.strip_prefix("t:1: ").unwrap_or(&text).to_owned()
        }
        other => format!("{other:?}"),
    };
    values.iter().map(text).collect()
}

/// Calls each function as `f(s, p, repl, init)` and gives its results, or `false` and the text of
/// its error without a position.
const CALLS: &str = r#"
local lib, pcall, concat = ...

local calls = {
  function(s, p, r, i) return lib.find(s, p, i) end,
  function(s, p, r, i) return lib.find(s, p, i, true) end,
  function(s, p, r, i) return lib.match(s, p, i) end,
  function(s, p, r, i) return lib.gsub(s, p, r) end,
  function(s, p, r, i) return lib.gsub(s, p, r, i) end,
  function(s, p, r, i) return lib.gsub(s, p, {a = "<a>", b = false, [1] = 7}) end,
  function(s, p, r, i) return lib.gsub(s, p, function(x, y) return y end) end,
  function(s, p, r, i)
    local all = {}
    for x, y in lib.gmatch(s, p, i) do all[#all + 1] = x .. ";" .. (y or "") end
    return concat(all, "|")
  end,
}
return function(number, ...) return pcall(calls[number], ...) end
"#;

#[test]
fn results_and_errors_are_those_of_lua() {
    let (plain, ours) = (Lua::new(), Lua::new());
    // Room for every search here: what runs out is tested elsewhere.
    let budget = Budget::new(u64::MAX);
    install(&ours, &ours.globals(), &budget, || Ok(())).unwrap();
    let caller = |lua: &Lua| -> mlua::Function {
        let globals = lua.globals();
        let get = |name: &str| globals.get::<Value>(name).unwrap();
        let table: Table = globals.get("table").unwrap();
        let args = (get("string"), get("pcall"), table.get::<Value>("concat").unwrap());
        lua.load(CALLS.replace('\n', " ")).set_name("=t").call(args).unwrap()
    };
    let (theirs, mine) = (caller(&plain), caller(&ours));
    let mut dice = Dice(7);
    let (mut errors, mut hits) = (0, 0);
    for _ in 0..6000 {
        let anchor = dice.pick(&["", "", "", "^"]);
        let (p, s) = (anchor.to_string() + &pattern(&mut dice, 3), subject(&mut dice));
        let r = dice.pick(&["", "x", "<%0>", "%1", "%2", "%%", "%", "%y", "[%1%1]"]);
        let init = dice.roll(12) as i64 - 6;
        for call in 1..=8 {
            let args = (call, s.as_str(), p.as_str(), r, init);
            let expected: MultiValue = theirs.call(args).unwrap();
            let got: MultiValue = mine.call(args).unwrap();
            assert_eq!(show(&got), show(&expected), "call {call} of {s:?} {p:?} {r:?} {init}");
            match expected.front() {
                Some(Value::Boolean(false)) => errors += 1,
                _ if expected.get(1).is_some_and(|v| !v.is_nil()) => hits += 1,
                _ => {}
            }
        }
    }
    // The grammar must reach both, or the comparison shows nothing.
    assert!(errors > 3000 && hits > 10000, "{errors} errors, {hits} hits");
}

#[test]
fn limits_are_those_of_lua() {
    let (plain, ours) = (Lua::new(), Lua::new());
    install(&ours, &ours.globals(), &Budget::new(u64::MAX), || Ok(())).unwrap();
    for source in [
        r#"local s = ("a"):rep(300) return s:find(("a?"):rep(199))"#,
        r#"local s = ("a"):rep(300) return s:find(("a?"):rep(200))"#,
        r#"local s = ("a"):rep(300) return s:find(("a?"):rep(201))"#,
        r#"return ("a"):find(("()"):rep(32))"#,
        r#"return ("a"):find(("()"):rep(33))"#,
        r#"return ("aaaa"):find("(a)(a)(a)%3")"#,
        r#"return ("x"):find("", 2)"#,
        r#"return ("x"):find("", 3)"#,
        r#"return ("x"):gsub("", "-")"#,
        r#"return ("hello world"):gsub("o", "0", 1)"#,
        r#"return ("abc"):gsub("%w", "%0%0", -1)"#,
        r#"return (5):rep(2), ("x"):rep(3, ","), (12):find(2)"#,
        r#"return ("%5.1f|%q|%-5s|%i|%c|%x"):format(3.14159, "a\nb", "x", 42, 65, 255)"#,
        r#"return ("%s %s %s %s"):format(nil, true, 1.0, 1)"#,
        r#"return ("%q"):format(1/3), ("%s"):format("a\0b"), ("%%"):format()"#,
        r#"return ("xyz"):byte(1, -1), ("abc"):byte(10), ("abc"):byte()"#,
        r#"return string.pack("<i4z", 7, "hi"), string.unpack("<i4", "\1\0\0\0")"#,
        r#"return string.packsize("i4i8"), ("AbC"):upper(), ("AbC"):lower(), ("abc"):reverse()"#,
        r#"return utf8.len("\u{e9}x"), utf8.codepoint("\u{e9}x", 1, -1), utf8.offset("\u{e9}x", 2)"#,
        r#"return utf8.len("\xff"), "10" + 5, -"2", #"abc""#,
        r#"return pcall(function() local x = string.format("%d", 1.5) end)"#,
        r#"return pcall(function() local x = string.format("%s") end)"#,
        r#"return pcall(function() local x = string.format("%q", {}) end)"#,
        r#"return pcall(function() local x = string.pack("i17", 1) end)"#,
    ] {
        let expected = plain.load(format!("return pcall(load([=[{source}]=], '=t'))"));
        let got = ours.load(format!("return pcall(load([=[{source}]=], '=t'))"));
        let (expected, got): (MultiValue, MultiValue) =
            (expected.call(()).unwrap(), got.call(()).unwrap());
        assert_eq!(show(&got), show(&expected), "{source}");
    }
}
