//! What a reader finds wrong on its way, gathered so that one reading tells all of it.

use std::ops::Range;
use std::sync::Arc;

use crate::{Diagnostic, Diagnostics, Place, Source, Workload};

/// The errors and warnings of one reading.
pub(crate) struct Report {
    source: Arc<Source>,
    errors: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
}

impl Report {
    pub(crate) fn new(source: &Arc<Source>) -> Report {
        Report { source: source.clone(), errors: Vec::new(), warnings: Vec::new() }
    }

    /// These bytes of the text, to be told of later.
    pub(crate) fn place(&self, span: &Range<usize>) -> Place {
        Place::new(&self.source, span.clone())
    }

    pub(crate) fn error(
        &mut self,
        span: &Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.errors.push(Diagnostic::new(&self.source, span.clone(), message).help(help));
    }

    pub(crate) fn warning(
        &mut self,
        span: &Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.warnings.push(Diagnostic::new(&self.source, span.clone(), message).help(help));
    }

    /// A name that stands for nothing, with the nearest that stands for something.
    pub(crate) fn unknown<'a>(
        &mut self,
        span: &Range<usize>,
        kind: &str,
        name: &str,
        known: impl IntoIterator<Item = &'a str>,
    ) {
        let known: Vec<&str> = known.into_iter().collect();
        let help = match nearest(name, &known) {
            Some(nearest) => format!("did you mean \"{nearest}\"?"),
            None if known.is_empty() => "there is none".to_string(),
            None => format!("known: {}", known.join(", ")),
        };
        self.error(span, format!("unknown {kind} \"{name}\""), help);
    }

    /// The workload, unless there was an error.
    pub(crate) fn finish(mut self, workload: Workload) -> Result<Workload, Diagnostics> {
        if self.errors.is_empty() {
            self.warnings.sort_by_key(|warning| warning.span.start);
            return Ok(Workload { warnings: self.warnings, ..workload });
        }
        self.errors.sort_by_key(|error| error.span.start);
        Err(Diagnostics(self.errors))
    }
}

/// The known name that is most alike, if it is alike at all; the first of several.
pub(crate) fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let name = name.to_lowercase();
    let mut best = None;
    let mut least = name.chars().count().max(3) / 3 + 1;
    for &candidate in known {
        let distance = strsim::damerau_levenshtein(&name, &candidate.to_lowercase());
        if distance < least {
            least = distance;
            best = Some(candidate);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_is_near_and_another_word_is_not() {
        let known = ["loop", "lock", "policy"];
        assert_eq!(nearest("polcy", &known), Some("policy"));
        assert_eq!(nearest("LOPO", &known), Some("loop"));
        assert_eq!(nearest("elephant", &known), None);
    }
}
