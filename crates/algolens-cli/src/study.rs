//! `algolens study`: the main job, everything about one model.

use crate::{
    attack,
    backend_flags::BackendFlags,
    certify,
    hint_flags::{Said, WhichArgs},
    load::Opened,
    output, pattern, proof,
    recipe_flags::RecipeFlags,
    sections,
    studied::{Source, Studied, StudyFlags},
    terminal::Terminal,
    train,
};
use algolens::{
    Error, Result,
    files::write_all_whole,
    interpret::{Casebooks, RANDOM},
    provenance::Provenance,
    task::{Registry, SortedList, TaskKind, labels_of},
};
use algolens_report::Proof;
use ndarray::{ArrayView3, Axis, Ix4};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// Take a model apart: evaluation, ablation, circuits, attention, attribution (without MODEL, train one first)
///
/// Prints a summary; DIR gets results.json, arrays.npz and report.html. Without MODEL the model is trained by the post's
/// recipe, or another one that flags say, into DIR/model.safetensors.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  algolens study\n  algolens study models/sorted_list.safetensors\n  \
                        algolens study sorted_list_model.pt --out study-of-the-post\n  \
                        algolens study --seed 7 --resume")]
pub struct Args {
    /// The model: safetensors, PyTorch (.pt, .pth, .pkl), .npz or JSON [default: train one]
    #[arg(value_name = "MODEL")]
    model: Option<PathBuf>,
    /// The folder for results
    #[arg(long, value_name = "DIR", default_value = "algolens-study")]
    out: PathBuf,
    /// Go on with an interrupted training (with another --backend or --vectors to other bits)
    #[arg(long, conflicts_with = "model")]
    resume: bool,
    /// Prove what share of all lists is sorted right, for so long [default: 2m]; DIR gets certificate.json
    #[arg(long, value_name = "TIME", num_args = 0..=1, default_missing_value = "2m",
          value_parser = humantime::parse_duration, conflicts_with_all = ["proof", "data"])]
    certify: Option<Duration>,
    /// Show so many of the worst lists that an attack finds (of models that proofs are about)
    #[arg(long, value_name = "N", default_value_t = 3)]
    worst: usize,
    #[command(flatten)]
    study: StudyFlags,
    #[command(flatten)]
    recipe: RecipeFlags,
    #[command(flatten)]
    which: WhichArgs,
    #[command(flatten)]
    backend: BackendFlags,
}

/// Trains if there is no model, studies, writes, and prints a summary.
pub fn run(
    args: &Args,
    registry: &Registry,
    casebooks: &Casebooks,
    command: &str,
    terminal: &Terminal,
) -> Result<String> {
    let (path, opened, engine, source, mut options, proof, trained) = match &args.model {
        Some(model) => {
            args.recipe.check_for_hints_only()?;
            let mut said = args.recipe.said();
            args.which.say(&mut said)?;
            let opened = Opened::read(model, &said, registry)?;
            let engine = args.backend.engine(opened.model.config())?;
            let source = args.study.source(&opened, casebooks)?;
            let options = args.study.options(model, &source, opened.model.config(), &*engine, registry)?;
            args.study.check_others(&opened, &options)?;
            if args.certify.is_some() {
                certify::check(&opened.model, &*opened.task()?)?;
            }
            let proof = args.study.proof(&opened)?;
            output::make_folder(&args.out)?;
            (model.clone(), opened, engine, source, options, proof, String::new())
        }
        None => {
            if let Some(flag) = args.which.given() {
                return Err(Error::invalid("flags", "MODEL beside what a file does not say", flag));
            }
            let run = args.recipe.run(args.recipe.recipe(registry)?, None, registry)?;
            let engine = args.backend.engine(run.model().config())?;
            let source = Source::task(registry.task(run.recipe().task_spec()?)?, casebooks)?;
            if args.certify.is_some() {
                certify::check(run.model(), &*registry.task(run.recipe().task_spec()?)?)?;
            }
            let model = args.out.join("model.safetensors");
            let options = args.study.options(&model, &source, run.model().config(), &*engine, registry)?;
            output::make_folder(&args.out)?;
            let trained = train::run_into(&model, args.resume, run, registry, &*engine, terminal, None)?;
            let opened = Opened::read(&model, &Said::default(), registry)?;
            (model, opened, engine, source, options, None, trained)
        }
    };
    let provenance = args.study.provenance(&opened, &*engine, args.backend.vectors()?, command);
    let proof = match args.certify {
        Some(budget) => Some(certify_into(&args.out, &opened, budget, &provenance, terminal)?),
        None => proof,
    };
    options.proved = proof.as_ref().map(proof::bounds);
    options.provenance = Some(provenance);
    // Lists are shown that proofs are about.
    let worst = match source.spec().map(|spec| SortedList::of(&spec)) {
        Some(Ok(task)) if !task.bos() => attack::worst_lists(&opened, &task, args.worst, terminal)?,
        _ => Vec::new(),
    };
    let mut studied = args.study.study(&path, opened, &source, &options, None, &*engine, terminal)?;
    studied.proof = proof;
    studied.worst = worst;
    write(&studied, &args.out)?;
    Ok(trained + &summary(&studied, &args.out, terminal))
}

fn certify_into(
    out: &Path,
    opened: &Opened,
    budget: Duration,
    provenance: &Provenance,
    terminal: &Terminal,
) -> Result<Proof> {
    let certificate = certify::certificate(opened, &*opened.task()?, budget, provenance, terminal)?;
    certify::write(&out.join("certificate.json"), &certificate)?;
    proof::on_page(certificate, opened)
}

fn write(studied: &Studied, out: &Path) -> Result<()> {
    let npz = output::npz(studied.arrays.iter().map(|(name, array)| (name.as_str(), array.view())))?;
    write_all_whole(&[
        (out.join("results.json"), output::json(&studied.study)?.as_bytes()),
        (out.join("arrays.npz"), &npz),
        (out.join("report.html"), studied.page()?.as_bytes()),
    ])
}

/// The study in short, for the terminal.
fn summary(studied: &Studied, out: &Path, terminal: &Terminal) -> String {
    let mut text = sections::text(&studied.study.sections, Some(&studied.study), &studied.arrays);
    if !studied.worst.is_empty() {
        text += &format!("\n{}", attack::worst_table(&studied.worst));
    }
    if let (Some(proof), Some(classes)) = (&studied.proof, studied.classes()) {
        text += &format!("\n{}", certify::summary(&proof.certificate, &classes));
    }
    if let Some((tokens, patterns)) = first_example(studied) {
        text += &format!(
            "\n{}",
            pattern::draw(&tokens, patterns, &studied.study.config, &studied.study.positions, terminal.colour)
        );
    }
    text + &format!(
        "\nresults.json and arrays.npz are in {}; the report is\n{}\n",
        out.display(),
        out.join("report.html").display()
    )
}

/// The labels of the first of the evaluation data, and the patterns of the first block's heads on it, `[head, query, key]`.
fn first_example(studied: &Studied) -> Option<(Vec<String>, ArrayView3<'_, f32>)> {
    let study = &studied.study;
    let pattern = studied.arrays.get("pattern_first_10")?.view().into_dimensionality::<Ix4>().ok()?;
    let first = study.examples.iter().find(|example| example.group == RANDOM)?;
    let tokens = labels_of(&study.labels.tokens, &first.prediction.tokens);
    Some((tokens, pattern.index_axis_move(Axis(0), 0)))
}
