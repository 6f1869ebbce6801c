//! What can go wrong, said in one line a user can act on.

use std::fmt::Display;

/// The library's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something was refused or failed. Every message is one line that names the thing, what was expected and what was
/// found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A value, shape, token, list or option that does not fit.
    #[error("{what}: expected {expected}, found {found}")]
    Invalid {
        /// The thing, as the user knows it (`list 2`, `blocks.0.attn.W_Q`, `d_head`).
        what: String,
        /// What would have been right.
        expected: String,
        /// What was there.
        found: String,
    },
    /// What would take more memory than it may.
    #[error("{what}: expected {most}, found {found}")]
    TooLarge {
        /// The thing, as the user knows it.
        what: &'static str,
        /// The most there may be.
        most: String,
        /// How much there would be.
        found: u128,
    },
    /// A name that is not one of those there are.
    #[error("no {kind} is called {name:?}{}", suggestion(.near))]
    UnknownName {
        /// What kind of name (`hook point`, `activation`).
        kind: &'static str,
        /// The name that was asked for.
        name: String,
        /// The nearest names there are, best first; may be empty.
        near: Vec<String>,
    },
    /// A checkpoint does not determine a part of its config, or its task, and no hint does.
    #[error("{what} cannot be read off the checkpoint: {key} may be {}", choices.join(", "))]
    NotDetermined {
        /// The part, as the user knows it.
        what: &'static str,
        /// Its key.
        key: &'static str,
        /// The values that it may have.
        choices: Vec<&'static str>,
    },
    /// A checkpoint holds several state dicts, and no key says which is meant.
    #[error("the checkpoint holds several state dicts, {}: say which with key", choices.join(", "))]
    SeveralStateDicts {
        /// Their keys, each with the number of its tensors.
        choices: Vec<String>,
    },
    /// A state dict of no known layout.
    #[error("no known layout has these tensors; of the nearest, {nearest}, {miss}")]
    NoLayout {
        /// The layout that has the most of their names.
        nearest: String,
        /// What of it they miss.
        miss: Box<Error>,
    },
    /// A state dict that several layouts have.
    #[error("the layout cannot be read off the tensors: it may be {}", choices.join(", "))]
    SeveralLayouts {
        /// Their names.
        choices: Vec<String>,
    },
    /// A checkpoint that cannot be read.
    #[error("not a readable checkpoint: {0}")]
    Checkpoint(String),
    /// A weight-processing step that would change what the model computes.
    #[error("{step} would change this model's log-probabilities: {why}")]
    Refused {
        /// The step, by its name.
        step: &'static str,
        /// Why it is not valid here.
        why: &'static str,
    },
    /// A hook returned an error; the run ended there.
    #[error("the hook at {point} failed: {source}")]
    Hook {
        /// The hook point's name.
        point: String,
        /// What the hook said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The observer asked to stop.
    #[error("cancelled")]
    Cancelled,
    /// A file could not be read or written.
    #[cfg(feature = "files")]
    #[error("{}: {source}", one_line(path.display()))]
    File {
        /// The file.
        path: std::path::PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// What a file holds is wrong.
    #[cfg(feature = "files")]
    #[error("{}: {error}", one_line(path.display()))]
    InFile {
        /// The file.
        path: std::path::PathBuf,
        /// What is wrong.
        error: Box<Error>,
    },
}

impl Error {
    /// An [`Error::Invalid`]. Each part may quote input: it is made one line of moderate length.
    pub fn invalid(what: impl Into<String>, expected: impl Into<String>, found: impl ToString) -> Self {
        Self::Invalid {
            what: one_line(what.into()),
            expected: one_line(expected.into()),
            found: one_line(found.to_string()),
        }
    }

    /// An [`Error::Checkpoint`], made one line of moderate length.
    pub fn checkpoint(why: impl Display) -> Self {
        Self::Checkpoint(one_line(why))
    }

    /// An [`Error::SeveralStateDicts`] of these keys and numbers of tensors, the first of them.
    pub(crate) fn several_state_dicts(found: impl ExactSizeIterator<Item = (String, usize)>) -> Self {
        const SHOWN: usize = 8;
        let more = found.len().saturating_sub(SHOWN);
        let shown = found.take(SHOWN).map(|(key, tensors)| {
            let key = if key.is_empty() { "(the top)".to_owned() } else { one_line(key) };
            format!("{key} ({tensors} tensors)")
        });
        let choices = shown.chain((more > 0).then(|| format!("and {more} more"))).collect();
        Self::SeveralStateDicts { choices }
    }

    /// An [`Error::UnknownName`] that lists the names nearest to `name`.
    pub fn unknown(kind: &'static str, name: &str, there_are: impl IntoIterator<Item = String>) -> Self {
        const SHOWN: usize = 3;
        const ALIKE: f64 = 0.6;
        let mut near: Vec<(f64, String)> = there_are
            .into_iter()
            .map(|other| (strsim::normalized_damerau_levenshtein(name, &other).max(tail_match(name, &other)), other))
            .filter(|(alike, _)| *alike >= ALIKE)
            .collect();
        near.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        Self::UnknownName { kind, name: one_line(name), near: near.into_iter().take(SHOWN).map(|(_, n)| n).collect() }
    }
}

/// Likeness of `name` to the last part of `other`: `hook_pattern` is near `blocks.0.attn.hook_pattern`.
fn tail_match(name: &str, other: &str) -> f64 {
    let last = |path: &str| path.rsplit('.').next().unwrap_or_default().to_owned();
    // Slightly below a whole match, so that full names that are alike come first.
    0.95 * strsim::normalized_damerau_levenshtein(&last(name), &last(other))
}

/// What text quotes, as one line that a terminal can show: blanks for line ends, escapes for other control characters, and
/// no more than fits on a few lines.
pub(crate) fn one_line(text: impl Display) -> String {
    const MOST: usize = 300;
    let text = text.to_string();
    let mut line = String::with_capacity(text.len().min(MOST));
    for (at, c) in text.trim().chars().enumerate() {
        match c {
            _ if at == MOST => {
                line.push('…');
                break;
            }
            '\n' | '\r' | '\t' => line.push(' '),
            // Also what reorders or hides text.
            c if c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}') => {
                line.extend(c.escape_unicode())
            }
            c => line.push(c),
        }
    }
    line
}

fn suggestion(near: &[String]) -> String {
    if near.is_empty() { String::new() } else { format!("; near it: {}", near.join(", ")) }
}
