//! `algolens check`: a certificate verified by code of its own.

use crate::{
    backend_flags::BackendFlags,
    certify::{at_least, at_most, classes_table},
    hint_flags::HintArgs,
    load::Opened,
    output,
    terminal::Terminal,
};
use algolens::{
    Error, Result,
    check::{Checked, Progress, certificate::Certificate, check},
    files::read,
    model::processing::Step,
    task::Registry,
};
use indicatif::{ProgressBar, ProgressStyle};
use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
};

/// Verify a certificate of `algolens certify`
///
/// Replays the whole proof with code that shares nothing with the search, in arithmetic whose rounding is accounted for,
/// and says what is proved (over the real numbers, for these weights) and what is measured (of f32).
#[derive(clap::Args)]
#[command(after_help = "Example:\n  algolens check cert.json models/sorted_list.safetensors")]
pub struct Args {
    /// The certificate
    #[arg(value_name = "CERT")]
    certificate: PathBuf,
    /// The model: safetensors, PyTorch (.pt, .pth, .pkl), .npz or JSON
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    #[command(flatten)]
    hints: HintArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    backend: BackendFlags,
}

/// Checks the certificate, and shows what is proved and what is measured.
pub fn run(args: &Args, registry: &Registry, terminal: &Terminal) -> Result<String> {
    let certificate = read_certificate(&args.certificate)?;
    let opened = Opened::read(&args.model, &args.hints.said()?, registry)?;
    let opened = opened.processed(!certificate.model.processing.is_empty());
    let engine = args.backend.engine(opened.model.config())?;
    let bar = if terminal.quiet { ProgressBar::hidden() } else { ProgressBar::new(0) };
    bar.set_style(
        ProgressStyle::with_template("{bar:24} {pos} of {len} classes · {eta} left")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    let mut watch = |progress: Progress| {
        bar.set_length(progress.of as u64);
        bar.set_position(progress.done as u64);
        if terminal.interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let checked = check(&certificate, &opened.model, &*engine, &mut watch);
    bar.finish_and_clear();
    let in_file = |error| match error {
        Error::Cancelled => error,
        error => Error::InFile { path: args.certificate.clone(), error: Box::new(error) },
    };
    let checked = checked.map_err(in_file)?;
    if args.json { output::json(&checked) } else { Ok(text(&certificate, &checked)) }
}

/// The certificate of a file.
pub fn read_certificate(path: &Path) -> Result<Certificate> {
    let refused = |error| {
        let error = Box::new(Error::invalid("certificate", "what algolens certify writes", error));
        Error::InFile { path: path.into(), error }
    };
    serde_json::from_slice(&read(path)?).map_err(refused)
}

fn text(certificate: &Certificate, checked: &Checked) -> String {
    let Checked { proved, measured } = checked;
    let weights = match certificate.model.processing.as_slice() {
        [] => "the weights of the file".to_owned(),
        steps => {
            format!("the processed weights ({} steps)", steps.iter().map(step_name).collect::<Vec<_>>().join(", "))
        }
    };
    let row = |name: &str, lower: f64, upper: f64| vec![name.to_owned(), at_least(lower), at_most(upper)];
    let bounds = output::table(
        &["proved over all lists", "at least", "at most"],
        [
            row("token accuracy", proved.token_accuracy.lower, proved.token_accuracy.upper),
            row("list accuracy", proved.list_accuracy.lower, proved.list_accuracy.upper),
        ],
    );
    let names = ["right on every list", "wrong on some list", "neither"];
    let classes = classes_table("proved of classes", names, proved.classes, proved.mass);
    format!(
        "{bounds}\n{classes}\nproved: for {weights} (SHA-256 {}), over the real numbers,\n  with every answer ahead by more than {} \
         logits; rounding is accounted for\nmeasured: on {} lists, f32 logits differ from these by at most {:.1e}\n",
        certificate.model.sha256, certificate.slack, measured.lists, measured.largest_difference
    )
}

fn step_name(step: &Step) -> String {
    let quoted = serde_json::to_string(step).unwrap_or_default();
    quoted.trim_matches('"').to_owned()
}
