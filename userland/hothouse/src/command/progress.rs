//! A bar on the terminal for what takes longer than a second.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// How long nothing is shown.
const PATIENCE: Duration = Duration::from_secs(1);

/// Shows how far something is, if somebody looks at standard error.
pub(super) struct Progress {
    bar: ProgressBar,
    since: Instant,
    quiet: bool,
}

impl Progress {
    /// Of a work of so much; `None`: nobody knows how much.
    #[expect(clippy::disallowed_methods, reason = "a person waits by the host's clock")]
    pub(super) fn new(total: Option<u64>, quiet: bool) -> Progress {
        let bar = total.map_or_else(ProgressBar::no_length, ProgressBar::new);
        bar.set_draw_target(indicatif::ProgressDrawTarget::hidden());
        let style = match total {
            Some(_) => "{elapsed_precise} [{wide_bar}] {percent} %, {eta} left",
            None => "{elapsed_precise} {spinner} {msg}",
        };
        let style = ProgressStyle::with_template(style).expect("the template is right");
        bar.set_style(style.progress_chars("=> "));
        Progress { bar, since: Instant::now(), quiet }
    }

    /// It has come this far.
    pub(super) fn at(&self, done: u64, what: impl FnOnce() -> String) {
        if self.quiet || self.since.elapsed() < PATIENCE {
            return;
        }
        if self.bar.is_hidden() {
            self.bar.set_draw_target(indicatif::ProgressDrawTarget::stderr());
        }
        if self.bar.length().is_none() {
            self.bar.set_message(what());
        }
        self.bar.set_position(done);
    }

    /// It is over; nothing stays on the screen.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    /// How long it took.
    pub(super) fn elapsed(&self) -> Duration {
        self.since.elapsed()
    }
}
