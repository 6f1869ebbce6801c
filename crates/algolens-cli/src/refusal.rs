//! The line that tells a user why a command was refused.

use algolens::Error;

/// An error in one line; where a flag says what is missing, the line names the flag.
pub fn line(error: &Error) -> String {
    let (text, inner) = (error.to_string(), innermost(error));
    let files = || text.strip_suffix(&inner.to_string()).unwrap_or_default().to_owned();
    match inner {
        Error::NotDetermined { what, key, choices } => {
            let said = format!("say it with {}{}", flag(key), choices.join("|"));
            format!("{}{what} cannot be read off the checkpoint: {said}", files())
        }
        Error::SeveralStateDicts { choices } => {
            let several = choices.join(", ");
            format!("{}the checkpoint holds several state dicts, {several}: say which with --key KEY", files())
        }
        Error::SeveralLayouts { choices } => {
            let choices = choices.join("|");
            format!("{}the layout cannot be read off the tensors: say it with --layout {choices}", files())
        }
        Error::NoLayout { .. } => {
            format!("{text} (`algolens inspect FILE --layout-template` writes the start of a layout for --layout)")
        }
        _ => text,
    }
}

/// The error behind the files in which it is.
fn innermost(error: &Error) -> &Error {
    match error {
        Error::InFile { error, .. } => innermost(error),
        error => error,
    }
}

/// The flag that says a part of a config, up to its value.
pub fn flag(key: &str) -> String {
    match key {
        "normalization_type" => "--normalization ".into(),
        "attention_dir" => "--attention ".into(),
        "positional_embedding_type" => "--positions ".into(),
        "act_fn" => "--act-fn ".into(),
        "eps" => "--eps ".into(),
        "attn_windows" => "--set use_local_attn=".into(),
        "task" => "--task ".into(),
        "layout" => "--layout ".into(),
        key => format!("--set {key}="),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_names_the_flag_that_the_library_does_not() {
        let missing = |key| Error::NotDetermined { what: "the norm", key, choices: vec!["LN", "none"] };
        for (key, flag) in [
            ("act_fn", "--act-fn "),
            ("normalization_type", "--normalization "),
            ("attention_dir", "--attention "),
            ("positional_embedding_type", "--positions "),
            ("n_ctx", "--set n_ctx="),
        ] {
            let error = Error::InFile { path: "a/m.pt".into(), error: Box::new(missing(key)) };
            assert!(!error.to_string().contains("--"), "{error}");
            let expected = format!("a/m.pt: the norm cannot be read off the checkpoint: say it with {flag}LN|none");
            assert_eq!(line(&error), expected);
        }
        let several =
            Error::SeveralStateDicts { choices: vec!["ema (18 tensors)".into(), "model (18 tensors)".into()] };
        let expected =
            "the checkpoint holds several state dicts, ema (18 tensors), model (18 tensors): say which with --key KEY";
        assert_eq!(line(&several), expected);
        let other = Error::invalid("list", "10 values", 3);
        assert_eq!(line(&other), other.to_string());
    }
}
