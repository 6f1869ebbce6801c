//! `algolens study`: the main job, everything about one model.

use crate::{
    attack, attention,
    backend_flags::BackendFlags,
    certify, eval,
    load::{Opened, Said},
    output, pattern, proof,
    recipe_flags::RecipeFlags,
    studied::{Studied, StudyFlags},
    terminal::Terminal,
    train,
};
use algolens::{
    Error, Result,
    files::write_all_whole,
    interpret::{StudyResults, Unit, Verdict},
    task::{Registry, SortedList, Task, TaskKind, labels_of},
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
    /// The model: safetensors, or a PyTorch state dict (.pt) [default: train one]
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
          value_parser = humantime::parse_duration, conflicts_with = "proof")]
    certify: Option<Duration>,
    /// Show so many of the worst lists that an attack finds (of models that proofs are about)
    #[arg(long, value_name = "N", default_value_t = 3)]
    worst: usize,
    #[command(flatten)]
    study: StudyFlags,
    #[command(flatten)]
    recipe: RecipeFlags,
    #[command(flatten)]
    backend: BackendFlags,
}

/// Trains if there is no model, studies, writes, and prints a summary.
pub fn run(args: &Args, registry: &Registry, terminal: &Terminal) -> Result<String> {
    let (path, opened, engine, options, proof, trained) = match &args.model {
        Some(model) => {
            args.recipe.check_for_hints_only()?;
            let opened = Opened::read(model, &args.recipe.said(), registry)?;
            let engine = args.backend.engine(opened.model.config())?;
            let options = args.study.options(&opened.sorted_list()?, &*engine, registry)?;
            let proof = args.study.proof(&opened)?;
            make_folder(&args.out)?;
            (model.clone(), opened, engine, options, proof, String::new())
        }
        None => {
            let run = args.recipe.run(registry)?;
            let engine = args.backend.engine(run.model().config())?;
            let options = args.study.options(&SortedList::of(run.recipe().task_spec()?)?, &*engine, registry)?;
            make_folder(&args.out)?;
            let model = args.out.join("model.safetensors");
            let trained = train::run_into(&model, args.resume, run, registry, &*engine, terminal)?;
            (model.clone(), Opened::read(&model, &Said::default(), registry)?, engine, options, None, trained)
        }
    };
    let proof = match args.certify {
        Some(budget) => Some(certify_into(&args.out, &opened, budget, terminal)?),
        None => proof,
    };
    let task = opened.sorted_list()?;
    let worst = attack::worst_lists(&opened, &task, args.worst, terminal)?;
    let mut studied = args.study.study(&path, opened, &options, None, &*engine, terminal)?;
    studied.proof = proof;
    studied.worst = worst;
    write(&studied, &args.out)?;
    Ok(trained + &summary(&studied, &task, &args.out, terminal))
}

fn certify_into(out: &Path, opened: &Opened, budget: Duration, terminal: &Terminal) -> Result<Proof> {
    let certificate = certify::certificate(opened, &opened.sorted_list()?, budget, terminal)?;
    certify::write(&out.join("certificate.json"), &certificate)?;
    proof::on_page(certificate, opened)
}

/// Makes the folder for results, so that a place that cannot be written is found before the work.
fn make_folder(out: &Path) -> Result<()> {
    std::fs::create_dir_all(out).map_err(|source| Error::File { path: out.into(), source })?;
    algolens::files::check_writable(out)
}

fn write(studied: &Studied, out: &Path) -> Result<()> {
    let npz = output::npz(studied.arrays.iter().map(|(name, array)| (name.as_str(), array.view())))?;
    write_all_whole(&[
        (out.join("results.json"), output::json(&studied.results)?.as_bytes()),
        (out.join("arrays.npz"), &npz),
        (out.join("report.html"), studied.page()?.as_bytes()),
    ])
}

/// The study in short, for the terminal.
fn summary(studied: &Studied, task: &dyn Task, out: &Path, terminal: &Terminal) -> String {
    let results = &studied.results;
    let mut text = eval::table(&results.evaluation);
    if let Some(share) = results.greedy_list_accuracy {
        text += &format!("lists sorted when the model writes the sorted half itself: {share:.4}\n");
    }
    text += &format!("run by the {} backend\n\n", results.engine);
    let rows = results.ablation.rows().into_iter().map(|(part, costs)| {
        [part].into_iter().chain([costs.mean, costs.zero, costs.resample].map(|cost| format!("{cost:.3}"))).collect()
    });
    text += &output::table(&["loss gained without", "mean", "zero", "resampled"], rows);
    text += &format!("\n{}\n{}", attention::table(&results.attention), attention::served(&results.copy_heads));
    if !results.triples.is_empty() {
        let rows = results.triples.iter().map(|triple| {
            let [y, z] = triple.dla.map(|row| format!("{:+.2} {:+.2}", row[0], row[1]));
            vec![format!("{} → {}, not {} (0.{})", triple.x, triple.y, triple.z, triple.head), y, z]
        });
        text += &format!("\n{}", output::table(&["DLA from y and z", "to y", "to z"], rows));
    }
    for prediction in &results.adversarial {
        let verdict = if prediction.correct { "right" } else { "WRONG" };
        let answers = output::prediction(prediction, &task.output_labels());
        text += &format!("\n{}  {verdict}\n{answers}", output::input(task, &prediction.tokens));
    }
    if !studied.worst.is_empty() {
        text += &format!("\n{}", attack::worst_table(&studied.worst));
    }
    if let Some(proof) = &studied.proof {
        let classes = studied.classes();
        text += &classes
            .map_or_else(String::new, |classes| format!("\n{}", certify::summary(&proof.certificate, &classes)));
    }
    text += &format!("\n{}", findings(results));
    if let Some((list, patterns)) = first_list(studied, task) {
        text += &format!("\n{}", pattern::draw(&list, patterns, &results.config, terminal.colour));
    }
    text + &format!(
        "\nresults.json and arrays.npz are in {}; the report is\n{}\n",
        out.display(),
        out.join("report.html").display()
    )
}

/// The post's claims with their verdicts, in a table.
fn findings(results: &StudyResults) -> String {
    let rows = results.findings.iter().map(|finding| {
        let verdict = match finding.verdict {
            Verdict::Holds => "✓ holds",
            Verdict::Partly => "~ partly",
            Verdict::Fails => "✗ fails",
            Verdict::NotAsked => "– not asked",
        };
        let number = |value: Option<f64>| match (value, finding.unit) {
            (None, _) => "–".into(),
            (Some(value), Unit::Share) => format!("{:.1} %", 100.0 * value),
            (Some(value), Unit::Logits) => format!("{value:+.3}"),
            (Some(value), _) => format!("{value:.2}"),
        };
        vec![finding.id.replace('_', " "), number(finding.value), number(finding.control), verdict.into()]
    });
    output::table(&["claim of the post", "here", "random weights", "verdict"], rows)
}

/// The labels of the first list, and the patterns of the first block's heads on it, `[head, query, key]`.
fn first_list<'a>(studied: &'a Studied, task: &dyn Task) -> Option<(Vec<String>, ArrayView3<'a, f32>)> {
    let results = &studied.results;
    let labels = task.token_labels();
    let pattern = studied.arrays.get("pattern_first_10")?.view().into_dimensionality::<Ix4>().ok()?;
    let tokens = labels_of(&labels, &results.lists.first()?.prediction.tokens);
    Some((tokens, pattern.index_axis_move(Axis(0), 0)))
}
