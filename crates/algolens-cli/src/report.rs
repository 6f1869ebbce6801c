//! `algolens report`: one interactive page about a model.

use crate::{
    backend_flags::BackendFlags, hint_flags::HintArgs, load::Opened, output, studied::StudyFlags, terminal::Terminal,
};
use algolens::{Error, Result, files, interpret::Casebooks, task::Registry};
use algolens_report::FigureFile;
use std::path::{Path, PathBuf};

/// Write one interactive page about a model: predictions, attention, circuits, adversarial lists, a verdict on every claim
///
/// The page is one file that needs no network. Beside MODEL.safetensors the log and the state of its training are looked for,
/// for the training curve.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  algolens report models/sorted_list.safetensors --out report.html\n  \
                        algolens report model.safetensors --list 0,40,41,42,43,44,45,46,47,48 --log model.log.jsonl\n  \
                        algolens report seed1.safetensors --others seed2.safetensors seed3.safetensors\n  \
                        algolens report model.safetensors --proof cert.json\n  \
                        algolens report model.safetensors --figures figures")]
pub struct Args {
    /// The model: safetensors, PyTorch (.pt, .pth, .pkl), .npz or JSON
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// The page
    #[arg(long, value_name = "FILE", default_value = "report.html")]
    out: PathBuf,
    /// Write every figure into this folder too, as it is when the page opens: DIR/FIGURE.svg, and its numbers as DIR/FIGURE.csv
    #[arg(long, value_name = "DIR", conflicts_with = "json")]
    figures: Option<PathBuf>,
    /// The log of its training [default: the one beside MODEL, if there is one]
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// Print the page's data as JSON, and write no page
    #[arg(long, conflicts_with = "out")]
    json: bool,
    #[command(flatten)]
    study: StudyFlags,
    #[command(flatten)]
    hints: HintArgs,
    #[command(flatten)]
    backend: BackendFlags,
}

/// Studies the model, and writes the page and the figures.
pub fn run(
    args: &Args,
    registry: &Registry,
    casebooks: &Casebooks,
    command: &str,
    terminal: &Terminal,
) -> Result<String> {
    if !args.json {
        check_out(&args.out, [Some(&args.model), args.log.as_ref()].into_iter().flatten().chain(args.study.others()))?;
    }
    let opened = Opened::read(&args.model, &args.hints.said()?, registry)?;
    let engine = args.backend.engine(opened.model.config())?;
    let source = args.study.source(&opened, casebooks)?;
    let mut options = args.study.options(&args.model, &source, opened.model.config(), &*engine, registry)?;
    args.study.check_others(&opened, &options)?;
    let proof = args.study.proof(&opened)?;
    options.proved = proof.as_ref().map(crate::proof::bounds);
    options.provenance = Some(args.study.provenance(&opened, &*engine, args.backend.vectors()?, command));
    if let Some(folder) = &args.figures {
        output::make_folder(folder)?;
    }
    let log = args.log.as_deref();
    let mut studied = args.study.study(&args.model, opened, &source, &options, log, &*engine, terminal)?;
    studied.proof = proof;
    if args.json {
        return studied.data();
    }
    let mut written = vec![(args.out.clone(), studied.page()?)];
    let mut said = format!("{}\n", args.out.display());
    if let Some(folder) = &args.figures {
        for FigureFile { name, svg, csv } in studied.figures()? {
            written.push((folder.join(format!("{name}.svg")), svg));
            written.push((folder.join(format!("{name}.csv")), csv));
        }
        said += &format!("{}\n", folder.display());
    }
    let bytes: Vec<(&PathBuf, &[u8])> = written.iter().map(|(path, text)| (path, text.as_bytes())).collect();
    files::write_all_whole(&bytes)?;
    Ok(said)
}

/// Whether the page can be written, so that a place where it cannot is found before the work.
fn check_out<'a>(out: &Path, mut inputs: impl Iterator<Item = &'a PathBuf>) -> Result<()> {
    let same = |input: &PathBuf| matches!((input.canonicalize(), out.canonicalize()), (Ok(a), Ok(b)) if a == b);
    if let Some(input) = inputs.find(|input| same(input)) {
        return Err(Error::invalid("--out", "a file of its own", input.display()));
    }
    match out.parent() {
        Some(_) if out.is_dir() => Err(Error::invalid("--out", "a file", out.display())),
        Some(folder) if folder != Path::new("") => files::check_writable(folder),
        Some(_) => files::check_writable(Path::new(".")),
        None => Err(Error::invalid("--out", "a file", out.display())),
    }
}
