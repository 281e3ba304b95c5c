use std::fmt;

use hothouse_abi::{Name, Pid};

/// Which processes: a pid, or a name in which `*` stands for any text.
///
/// ```
/// use hothouse_abi::Pid;
/// use hothouse_kernel::faults::Pattern;
/// assert!(Pattern::new("node*").fits(Pid::new(3), &"node2".into()));
/// assert!(Pattern::new("3").fits(Pid::new(3), &"node2".into()));
/// assert!(!Pattern::new("node").fits(Pid::new(3), &"node2".into()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    pid: Option<Pid>,
}

impl Pattern {
    /// The processes for which this stands. A number is a pid.
    pub fn new(text: impl Into<String>) -> Pattern {
        let text = text.into();
        Pattern { pid: text.parse().ok().map(Pid::new), text }
    }

    /// Whether a process is one of them.
    pub fn fits(&self, pid: Pid, name: &Name) -> bool {
        self.pid.map_or_else(|| matches(self.text.as_bytes(), name), |wanted| wanted == pid)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Whether a name fits: the parts between the stars are in it, in order, and its ends are theirs.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let mut parts = pattern.split(|&byte| byte == b'*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else {
        return false;
    };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        let found = (0..=rest.len()).find(|&at| rest[at..].starts_with(part));
        let Some(at) = found else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_any_text() {
        for (pattern, fits, not) in [
            ("a", &["a"][..], &["", "ab", "b"][..]),
            ("*", &["", "a"], &[]),
            ("a*", &["a", "ab"], &["ba", ""]),
            ("*a", &["a", "ba", "aa"], &["ab"]),
            ("a*b*c", &["abc", "axbxc", "abbc"], &["ab", "acb", "ac"]),
            ("a*a", &["aa", "aba"], &["a"]),
            ("", &[""], &["a"]),
        ] {
            let pattern = Pattern::new(pattern);
            let fit = |name: &&str| pattern.fits(Pid::new(1), &Name::from(*name));
            assert!(fits.iter().all(fit), "{pattern} fits {fits:?}");
            assert!(!not.iter().any(fit), "{pattern} does not fit {not:?}");
        }
    }

    #[test]
    fn a_number_is_a_pid_and_no_name() {
        let pattern = Pattern::new("7");
        assert!(pattern.fits(Pid::new(7), &"x".into()));
        assert!(!pattern.fits(Pid::new(8), &"7".into()));
    }
}
