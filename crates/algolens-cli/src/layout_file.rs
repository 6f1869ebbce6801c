//! Layout files: TOML that says how a program names and shapes the weights of a model.

use algolens::{
    Error, Result, files,
    model::checkpoint::{Draft, Layout},
};
use std::{fmt::Write, path::Path};

/// The known layout of this name, or the one in the file of this path.
///
/// # Errors
/// A name that no layout has; a file that cannot be read, or that declares no layout.
pub fn named_or_read(name: &str) -> Result<Layout> {
    let path = Path::new(name);
    let is_file = path.extension().is_some_and(|extension| extension == "toml") || path.is_file();
    if is_file { read(path) } else { Layout::named(name) }
}

fn read(path: &Path) -> Result<Layout> {
    let in_file = |error| Error::InFile { path: path.into(), error: Box::new(error) };
    let bytes = files::read(path)?;
    let text = std::str::from_utf8(&bytes).map_err(|error| in_file(Error::invalid("layout", "UTF-8", error)))?;
    let layout: Layout = toml::from_str(text).map_err(|error| {
        let before = &bytes[..error.span().map_or(0, |span| span.start.min(bytes.len()))];
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        let said: Vec<&str> = error.message().split_whitespace().collect();
        in_file(Error::invalid(format!("layout, line {line}"), "a layout as TOML", said.join(" ")))
    })?;
    layout.check().map_err(in_file)?;
    Ok(layout)
}

/// The text of a layout file to be finished by hand.
pub fn template(draft: &Draft) -> String {
    let mut text = String::from(HEAD);
    if let Some(nearest) = &draft.nearest {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "# Rules that are filled in are those of the known layout {nearest}.");
    }
    text += "\nname = \"mine\"\n\n# What every model of this layout has, in HookedTransformerConfig's words.\n[config]\n\
             # n_heads = 4\n# act_fn = \"relu\"\n# normalization_type = \"none\"\n# attention_dir = \"causal\"\n";
    for (rule, example) in &draft.rules {
        let more = if example.of > 1 { format!(" and {} more", example.of - 1) } else { String::new() };
        let quoted = |text: &str| toml::Value::from(text).to_string();
        let to: Vec<String> = rule.to.iter().map(|to| quoted(to)).collect();
        let _ = write!(
            text,
            "\n# {} {:?}{more}\n[[weight]]\nfrom = {}\naxes = {}\nto = [{}]\n",
            one_line(&example.name),
            example.shape,
            quoted(&rule.from),
            quoted(&rule.axes),
            to.join(", ")
        );
        if rule.optional {
            text += "optional = true\n";
        }
    }
    text += "\n# The weights that there are, and their axes:\n";
    for (name, axes) in Draft::weights() {
        let _ = writeln!(text, "#   {name:<32} {axes}");
    }
    text
}

/// A name as part of a comment.
fn one_line(name: &str) -> String {
    name.escape_debug().to_string()
}

const HEAD: &str = "\
# A layout: how a program names and shapes the weights of a model. Read it with --layout FILE.toml.
#
# from      the names of tensors; {layer} and {head} stand for numbers from 0 on
# axes      what the dimensions run over, as einops writes it: \"d_vocab d_model\", or \"d_model (head d_head)\" for a
#           dimension that runs over the dimensions of one head after another. nn.Linear stores [outputs, inputs].
# to        the weight that such a tensor is; three where one axis is qkv: \"(qkv head d_head) d_model\"
# optional  whether a model may be without
#
# Tensors that are no weights: delete their rule, and add their names to a list, buffer = [\"…\"], before [config].
";
