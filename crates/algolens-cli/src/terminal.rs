//! The terminal: what is said on standard error, and interrupts from there.

use indicatif::{ProgressBar, ProgressStyle};
use std::{
    fmt::Display,
    io::Write,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// The exit code of an interrupt.
pub const INTERRUPTED: u8 = 130;

/// The terminal that a command runs in, or a pipe in its place.
pub struct Terminal {
    /// Whether to print results and errors only.
    pub quiet: bool,
    /// Whether the standard output shows colours.
    pub colour: bool,
    /// Whether Ctrl-C was pressed, or the process asked to end.
    pub interrupted: Arc<AtomicBool>,
}

impl Terminal {
    /// The terminal of this process. Listens for Ctrl-C, SIGTERM and SIGHUP. The first asks the command to stop where it can be taken up again; the
    /// second ends the process at once.
    pub fn new(quiet: bool, no_color: bool) -> Self {
        let interrupted = Arc::new(AtomicBool::new(false));
        let flag = interrupted.clone();
        let handler = move || {
            if flag.swap(true, Ordering::Relaxed) {
                std::process::exit(INTERRUPTED.into());
            }
        };
        // Where no handler can be had an interrupt ends the process at once, which loses no more than a kill does.
        let _ = ctrlc::set_handler(handler);
        let colour = !no_color && anstream::AutoStream::choice(&std::io::stdout()) != anstream::ColorChoice::Never;
        Self { quiet, colour, interrupted }
    }

    /// Whether the command should stop.
    pub fn interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    /// A spinner: shows that work goes on whose length is not known.
    pub fn spinner(&self) -> ProgressBar {
        let bar = if self.quiet { ProgressBar::hidden() } else { ProgressBar::no_length() };
        let style = ProgressStyle::with_template("{spinner} {msg}");
        bar.with_style(style.expect("a constant template is well-formed"))
    }

    /// Writes a line about how things go on standard error, unless it is to be quiet.
    pub fn say(&self, line: impl Display) {
        if !self.quiet {
            warn(line);
        }
    }
}

/// Writes a line on standard error, even where it is to be quiet.
pub fn warn(line: impl Display) {
    // Nobody may be listening any more.
    let _ = writeln!(std::io::stderr(), "{line}");
}
