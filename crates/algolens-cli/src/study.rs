//! `algolens study`: the main job, everything about one model.

use crate::{
    attention, data,
    engine_flags::EngineFlags,
    eval,
    load::Opened,
    output,
    recipe_flags::RecipeFlags,
    terminal::{Terminal, warn},
    train,
};
use algolens::{
    Error, Result,
    engine::Engine,
    files::write_all_whole,
    interpret::{Stage, StudyOptions, StudyResults, Subject, study},
    model::checkpoint::Hints,
};
use indicatif::{ProgressBar, ProgressStyle};
use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
};

/// Take a model apart: evaluation, ablation, circuits, attention, attribution (without MODEL, train one first)
///
/// Prints a summary; DIR gets results.json, arrays.npz and summary.html. Without MODEL the model is trained by the post's
/// recipe, or another one that flags say, into DIR/model.safetensors.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  algolens study\n  algolens study models/sorted_list.safetensors\n  \
                        algolens study sorted_list_model.pt --out study-of-the-post\n  \
                        algolens study --seed 7 --resume")]
pub struct Args {
    /// The model: safetensors, or a PyTorch state dict (.pt) [default: train one]
    #[arg(value_name = "MODEL")]
    model: Option<PathBuf>,
    /// The folder for results
    #[arg(long, value_name = "DIR", default_value = "algolens-study")]
    out: PathBuf,
    /// Lists of the evaluation
    #[arg(long, value_name = "N", default_value_t = StudyOptions::default().size)]
    study_size: usize,
    /// Dataset seed of the evaluation
    #[arg(long, value_name = "N", default_value_t = StudyOptions::default().seed)]
    study_seed: u32,
    /// Use the weights as they are
    #[arg(long)]
    raw: bool,
    /// Go on with an interrupted training (with another --engine or --vectors to other bits)
    #[arg(long, conflicts_with = "model")]
    resume: bool,
    #[command(flatten)]
    recipe: RecipeFlags,
    #[command(flatten)]
    engine: EngineFlags,
}

/// Trains if there is no model, studies, writes, and prints a summary.
pub fn run(args: &Args, terminal: &Terminal) -> Result<String> {
    let (model, opened, engine, trained) = match &args.model {
        Some(model) => {
            args.recipe.check_for_hints_only()?;
            let opened = Opened::read(model, &args.recipe.hints())?;
            let engine = args.engine.engine(opened.model.config())?;
            data::check(&opened.sorted_list()?, args.study_size)?;
            make_folder(&args.out)?;
            (model.clone(), opened, engine, String::new())
        }
        None => {
            let recipe = args.recipe.recipe()?;
            let engine = args.engine.engine(&recipe.config()?)?;
            data::check(&*recipe.task.build()?, args.study_size)?;
            make_folder(&args.out)?;
            let model = args.out.join("model.safetensors");
            let trained = train::run_into(&model, args.resume, recipe, &*engine, terminal)?;
            (model.clone(), Opened::read(&model, &Hints::default())?, engine, trained)
        }
    };
    let results = write_study(&opened.processed(!args.raw), &model, &*engine, args, terminal)?;
    Ok(trained + &summary(&results, &args.out))
}

/// Fails now rather than after the work.
fn make_folder(out: &Path) -> Result<()> {
    std::fs::create_dir_all(out).map_err(|source| Error::File { path: out.into(), source })?;
    algolens::files::check_writable(out)
}

fn write_study(
    opened: &Opened,
    model: &Path,
    engine: &dyn Engine,
    args: &Args,
    terminal: &Terminal,
) -> Result<StudyResults> {
    let task = opened.sorted_list()?;
    let bar = if terminal.quiet { ProgressBar::hidden() } else { ProgressBar::no_length() };
    bar.set_style(ProgressStyle::with_template("{spinner} {msg}").unwrap_or_else(|_| ProgressStyle::default_spinner()));
    let mut watch = |stage: Stage| {
        bar.set_message(format!("{} ({} of {})", stage.what, stage.done + 1, stage.of));
        bar.tick();
        if terminal.interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let options = StudyOptions { size: args.study_size, seed: args.study_seed };
    let subject = Subject { model: &opened.model, engine };
    let result = study(subject, &task, options, &opened.processing, &mut watch);
    bar.finish_and_clear();
    if let Err(Error::Cancelled) = result {
        warn("algolens: interrupted; nothing of the study was written");
    }
    let (results, arrays) = result?;
    let title = model.file_name().map_or_else(|| "model".into(), |name| name.to_string_lossy().into_owned());
    let page = algolens_report::page(&title, &results, &arrays)
        .map_err(|error| Error::invalid("summary.html", "results that it can show", error))?;
    let npz = output::npz(arrays.iter().map(|(name, array)| (name.as_str(), array.view())))?;
    let json = output::json(&results)?;
    write_all_whole(&[
        (args.out.join("results.json"), json.as_bytes()),
        (args.out.join("arrays.npz"), &npz),
        (args.out.join("summary.html"), page.as_bytes()),
    ])?;
    Ok(results)
}

/// What a person wants to know first.
fn summary(results: &StudyResults, out: &Path) -> String {
    let mut text = eval::table(&results.evaluation);
    if let Some(share) = results.greedy_list_accuracy {
        text += &format!("lists sorted when the model writes the sorted half itself: {share:.4}\n");
    }
    text += &format!("run by the {} engine\n\n", results.engine);
    let rows = results.ablation.rows().into_iter().map(|(part, costs)| {
        [part].into_iter().chain([costs.mean, costs.zero, costs.resample].map(|cost| format!("{cost:.3}"))).collect()
    });
    text += &output::table(&["loss gained without", "mean", "zero", "resampled"], rows);
    text += &format!("\n{}\n{}", attention::table(&results.attention), attention::served(&results.serving));
    if !results.triples.is_empty() {
        let rows = results.triples.iter().map(|triple| {
            let [y, z] = triple.dla.map(|row| format!("{:+.2} {:+.2}", row[0], row[1]));
            vec![format!("{} → {}, not {} (0.{})", triple.x, triple.y, triple.z, triple.head), y, z]
        });
        text += &format!("\n{}", output::table(&["DLA from y and z", "to y", "to z"], rows));
    }
    for prediction in &results.adversarial {
        let list = &prediction.tokens[..prediction.tokens.len() / 2];
        let verdict = if prediction.right { "right" } else { "WRONG" };
        text += &format!(
            "\n{}  {verdict}\n{}",
            output::spaced(list),
            output::prediction(prediction, &results.task.build().map_or(Vec::new(), |task| task.output_labels()))
        );
    }
    text + &format!("\nresults.json, arrays.npz and summary.html are in {}\n", out.display())
}
