//! `algolens circuits` and `algolens qk`: what heads copy and attend to, by the weights.

use crate::{
    data,
    load::{ModelArgs, Opened},
    output,
    shown_flags::ShownFlags,
};
use algolens::{
    Error, Result,
    engine::Plain,
    interpret::{Circuits, Head, Shown, Subject, circuits, copy_heads, direct_path, effective_qk, full_qk, nested},
    task::{Registry, Token, labels_of},
};
use ndarray::{Array2, ArrayViewD, Axis, aview1, s};
use serde::Serialize;
use std::path::PathBuf;

/// Compute the OV, QK and positional circuits of a block and the direct path
///
/// Prints which head serves which tokens and how large each circuit is; --out writes the arrays, --json prints them. Of the
/// tokens and classes that --show-tokens and --show-classes name alone, it says them too (shown_tokens, shown_classes).
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  algolens circuits models/sorted_list.safetensors\n  \
                        algolens circuits models/sorted_list.safetensors --out circuits.npz")]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    /// The block
    #[arg(long, default_value_t = 0)]
    layer: usize,
    /// Write the arrays here, as NumPy's .npz
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Use the weights as they are
    #[arg(long)]
    raw: bool,
    /// Print all arrays as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    shown: ShownFlags,
}

#[derive(Serialize)]
struct All<'a> {
    /// The tokens and classes of the axes.
    shown: &'a Shown,
    #[serde(flatten)]
    circuits: &'a Circuits,
    #[serde(serialize_with = "nested")]
    direct_path: Array2<f32>,
}

impl All<'_> {
    fn arrays(&self) -> [(&'static str, ArrayViewD<'_, f32>); 5] {
        let Circuits { layer: _, W_OV_full, W_QK_full, W_QK_pos_query, W_QK_pos_key } = self.circuits;
        [
            ("W_OV_full", W_OV_full.view().into_dyn()),
            ("W_QK_full", W_QK_full.view().into_dyn()),
            ("W_QK_pos_query", W_QK_pos_query.view().into_dyn()),
            ("W_QK_pos_key", W_QK_pos_key.view().into_dyn()),
            ("direct_path", self.direct_path.view().into_dyn()),
        ]
    }
}

impl Args {
    /// The tokens and classes that are asked for; all of what no flag says.
    fn shown(&self, opened: &Opened) -> Result<Shown> {
        let config = opened.model.config();
        let all = Shown::all(config);
        if !self.shown.given() {
            return Ok(all);
        }
        let numbers = |all: &[Token]| all.iter().map(Token::to_string).collect();
        let (tokens, classes) = match opened.task() {
            Ok(task) => (task.token_labels(), task.output_labels()),
            Err(_) => (numbers(&all.tokens), numbers(&all.classes)),
        };
        Ok(self.shown.asked(&tokens, &classes)?.or(all, tokens == classes))
    }
}

/// Computes the circuits, writes them where asked, and shows their norms.
pub fn run(args: &Args, registry: &Registry) -> Result<String> {
    let opened = args.model.processed(!args.raw, registry)?;
    let shown = args.shown(&opened)?;
    let circuits = circuits(&opened.model, args.layer, &shown)?;
    let all = All { shown: &shown, circuits: &circuits, direct_path: direct_path(&opened.model, &shown)? };
    if let Some(path) = &args.out {
        let axes = [("shown_tokens", &shown.tokens), ("shown_classes", &shown.classes)];
        let axes = axes.map(|(name, numbers)| (name, aview1(numbers).into_dyn()));
        let axes = if args.shown.given() { &axes[..] } else { &[] };
        algolens::files::write_whole(path, &output::npz_with_tokens(all.arrays(), axes)?)?;
    }
    if args.json {
        return output::json(&all);
    }
    let mut text = String::new();
    if args.shown.given() {
        text +=
            &format!("of tokens {}\nof classes {}\n", output::spaced(&shown.tokens), output::spaced(&shown.classes));
    }
    for (name, array) in all.arrays() {
        let norm = |part: ArrayViewD<f32>| part.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
        let heads: Vec<String> = if array.ndim() == 3 {
            array
                .axis_iter(Axis(0))
                .enumerate()
                .map(|(head, a)| format!("{}.{head} {:.4}", args.layer, norm(a)))
                .collect()
        } else {
            vec![format!("{:.4}", norm(array.view()))]
        };
        text += &format!("{name:<15} {:<13} norm {}\n", format!("{:?}", array.shape()), heads.join("  "));
    }
    if let (Ok(task), true) = (opened.sorted_list(), shown.is_all(opened.model.config())) {
        let copy_heads = copy_heads(&circuits, task.max_value() as usize + 1)?;
        text += &format!("\n{}", crate::attention::served(&copy_heads));
    }
    Ok(text)
}

/// Show the tokens that a destination token's QK scores put first
///
/// As the post draws it (weights alone), and with --effective as the model really scores: with layer-norm scales, the
/// query bias and positions, averaged over random lists.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  algolens qk models/sorted_list.safetensors --dest 25\n  \
                        algolens qk models/sorted_list.safetensors --dest 40 --effective")]
pub struct QkArgs {
    #[command(flatten)]
    model: ModelArgs,
    /// The destination token: its number or its name (SEP)
    #[arg(long, value_name = "TOKEN")]
    dest: String,
    /// The block (effective scores are those of the first)
    #[arg(long, default_value_t = 0, conflicts_with = "effective")]
    layer: usize,
    /// The scores that the model really gives, averaged over data
    #[arg(long)]
    effective: bool,
    /// Random lists that effective scores are averaged over
    #[arg(long, default_value_t = 5000)]
    size: usize,
    /// Their dataset seed
    #[arg(long, default_value_t = 43)]
    seed: u32,
    /// Your own data instead, to average over: NumPy's .npz (see `algolens help eval`)
    #[arg(long, value_name = "FILE", requires = "effective", conflicts_with_all = ["size", "seed"])]
    data: Option<PathBuf>,
    /// Tokens shown for each head
    #[arg(long, default_value_t = 8)]
    top: usize,
    /// Use the weights as they are
    #[arg(long)]
    raw: bool,
    /// Print JSON: every score, by head
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct QkRow {
    head: Head,
    dest: Token,
    /// By source token; null where the pair does not occur.
    scores: Vec<f32>,
}

/// Ranks the source tokens of one destination token by QK score, head by head.
pub fn run_qk(args: &QkArgs, registry: &Registry) -> Result<String> {
    let opened = args.model.processed(!args.raw, registry)?;
    let d_vocab = opened.model.config().d_vocab;
    let sources = Shown::all(opened.model.config()).tokens;
    let read = args.data.as_ref().map(|path| data::read(path, &opened)).transpose()?;
    let numbers = || (0..d_vocab).map(|token| token.to_string()).collect();
    let labels = match &read {
        Some(data) => data.token_labels().to_vec(),
        None => opened.task().map_or_else(|_| numbers(), |task| task.token_labels()),
    };
    let named = labels.iter().position(|label| *label == args.dest);
    let number = || args.dest.parse().ok().filter(|token| *token < d_vocab);
    let unknown = || Error::invalid("--dest", format!("a token below {d_vocab}, or its name"), &args.dest);
    let dest = named.or_else(number).ok_or_else(unknown)?;
    let scores = if args.effective {
        let lists = match read {
            Some(data) => data,
            None => data::lists(&*opened.task()?, args.size, args.seed)?,
        };
        effective_qk(Subject { model: &opened.model, engine: &Plain::new() }, &lists, &[dest as Token], &sources)?
            .scores
    } else {
        full_qk(&opened.model, args.layer, &[dest as Token], &sources)?
    };
    let row = |head: usize| QkRow {
        head: Head { layer: args.layer, head },
        dest: dest as Token,
        scores: scores.slice(s![head, 0, ..]).to_vec(),
    };
    let rows: Vec<QkRow> = (0..scores.dim().0).map(row).collect();
    if args.json {
        return output::json(&rows);
    }
    let mut text = format!("{}\n", if args.effective { "as the model scores" } else { "as the weights alone rank" });
    for row in rows {
        let mut ranked: Vec<(Token, f32)> = (0..).zip(row.scores).filter(|(_, score)| !score.is_nan()).collect();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
        let shown = ranked.iter().take(args.top);
        let shown: Vec<String> =
            shown.map(|(token, score)| format!("{} ({score:+.4})", labels_of(&labels, &[*token]).concat())).collect();
        text += &format!("{}: {} attends to {}\n", row.head, labels[dest], shown.join(", "));
    }
    Ok(text)
}
