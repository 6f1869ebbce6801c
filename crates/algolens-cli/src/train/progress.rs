//! A training run as a person sees it.

use crate::terminal::Terminal;
use algolens::train::{self, Run};
use indicatif::{MultiProgress, ProgressBar, ProgressState, ProgressStyle};
use std::fmt::Write;

/// A bar over all examples of all epochs, and a line for each epoch that is done. On standard error; a bar is drawn on
/// terminals only.
pub struct Progress<'a> {
    bar: ProgressBar,
    examples_per_epoch: u64,
    terminal: &'a Terminal,
    /// Whether it is one of several: its bar says whose it is, and epochs have no lines.
    among: bool,
}

impl<'a> Progress<'a> {
    /// The progress of a run, from where it stands.
    pub fn new(run: &Run, terminal: &'a Terminal, among: Option<&MultiProgress>) -> Self {
        let examples_per_epoch = run.recipe().examples_per_epoch();
        let examples = examples_per_epoch * run.recipe().epochs as u64;
        let bar = if terminal.quiet { ProgressBar::hidden() } else { ProgressBar::new(examples) };
        let bar = match among {
            Some(bars) => bars.add(bar).with_prefix(format!("seed {} · ", run.recipe().seed)),
            None => bar,
        };
        let bar = bar.with_style(style()).with_position(examples_per_epoch * run.history().len() as u64);
        bar.reset_eta();
        Self { bar, examples_per_epoch, terminal, among: among.is_some() }
    }

    /// Shows a step that was taken.
    pub fn step(&self, step: &train::Progress) {
        let (loss, accuracy) = (step.score.loss(), step.score.accuracy());
        self.bar.set_message(format!("epoch {} · loss {loss:.4} · accuracy {accuracy:.4}", step.epoch));
        self.bar.set_position(self.examples_per_epoch * (step.epoch as u64 - 1) + step.examples as u64);
    }

    /// Shows an epoch that is done.
    pub fn epoch(&self, run: &Run) {
        let Some(last) = run.history().last().filter(|_| !self.among) else { return };
        let line = format!(
            "epoch {:>3}/{} · loss {:.4} · accuracy {:.4} · validation loss {:.4} · accuracy {:.4}{}",
            last.epoch,
            run.recipe().epochs,
            last.train_loss,
            last.train_accuracy,
            last.validation_loss,
            last.validation_accuracy,
            if last.best { " · best" } else { "" },
        );
        self.bar.suspend(|| self.terminal.say(line));
    }

    /// Takes the bar away.
    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{bar:24} {percent:>3}% · {prefix}{msg} · {rate} · {eta} left")
        .expect("a constant template is well-formed")
        .with_key("rate", |state: &ProgressState, text: &mut dyn Write| {
            // Writing to a line of text does not fail.
            let _ = write!(text, "{:.0} examples/s", state.per_sec());
        })
}
