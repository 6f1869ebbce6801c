//! `algolens sweep`: many models of one plan.

use crate::{
    sections,
    terminal::{Terminal, warn},
};
use algolens::{Error, Result, files, interpret::Casebooks, task::Registry};
use algolens_sweep::{Folder, Plan, Program, Told, sheet, standouts, sweep};
use indicatif::{ProgressBar, ProgressStyle};
use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
};

/// Train and study many models of one plan
///
/// A plan says what all runs share and what differs: every combination of a grid's values, or draws of a sample, of any field of
/// a recipe. Each run is trained and studied by itself, one on each core at a time. DIR gets rows.parquet (a row a run: fields,
/// metrics, claims, exact accuracy where inputs can be counted), sweep.html (the page over all runs), reports/ of the runs that
/// stand out, and runs/ with every model. The same command goes on where it was interrupted, to the same bits; a run that failed
/// is done again where its row, rows/RUN.json, is deleted. Another plan has another folder.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The plan, in TOML
    #[arg(value_name = "PLAN")]
    plan: PathBuf,
    /// The folder for what the sweep comes to
    #[arg(long, value_name = "DIR", default_value = "algolens-sweep")]
    out: PathBuf,
}

const EXAMPLES: &str = "\
Examples:
  algolens sweep sweep.toml
  algolens sweep sweep.toml --out universality --threads 8

sweep.toml, of 32 runs:
  [recipe]                     # keys of recipe.toml (`algolens help train`); what is left out, as the task's own
  epochs = 10
  [recipe.task]
  name = \"sorted_list\"
  list_len = 5
  [grid]                       # every combination of these values is a run
  seed = \"0..8\"
  weight_decay = [0.0, 0.005]
  model.n_heads = [1, 2]

Instead of the grid, or with it:
  [sample]
  draws = 100
  seed = 0                     # of the draws; each trains with its own seed if `seed` is among the fields
  [sample.fields]
  seed = { from = 0, to = 1000000 }
  lr_start = { from = 1e-4, to = 1e-2, scale = \"log\" }
  task.list_len = { from = 5, to = 10 }
  optimizer = [\"adam\", \"adamw\"]

And at the top, before all tables:
  vectors = \"avx2\"             # the same bits on every machine that has them
  study = { size = 500, seed = 43 }";

/// Does the runs that are not done, writes what all come to, and says it.
pub fn run(args: &Args, registry: &Registry, casebooks: &Casebooks, terminal: &Terminal) -> Result<String> {
    let program = Program::Known(registry.clone(), casebooks.clone());
    let plan = read(&args.plan, &program)?;
    let folder = Folder::open(&args.out, plan)?;
    let plan = folder.plan();
    let bar = bar(plan.runs(), terminal);
    let tell = |told: Told| {
        bar.set_position(told.done as u64);
        bar.set_message(told.words());
        if terminal.interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let found = sweep(&folder, &program, &tell);
    let done = bar.position();
    bar.finish_and_clear();
    if let Err(Error::Cancelled) = found {
        warn(format_args!("algolens: interrupted, {done} of {} runs are done; the same command goes on", plan.runs()));
    }
    let rows = found?;
    let failed = rows.iter().filter(|row| row.error.is_some()).count();
    if failed > 0 {
        warn(format_args!("algolens: {failed} of {} runs failed; their rows say why", rows.len()));
    }
    let sheet = sheet(plan, &rows, &standouts(&rows));
    Ok(sections::text(&sheet.sections, None, &sheet.arrays)
        + &format!(
            "\nrows.parquet has a row a run, runs/ the models; the page is\n{}\n",
            args.out.join("sweep.html").display()
        ))
}

/// The plan in a file.
fn read(path: &Path, program: &Program) -> Result<Plan> {
    let in_file = |error| Error::InFile { path: path.into(), error: Box::new(error) };
    let bytes = files::read(path)?;
    let text = std::str::from_utf8(&bytes).map_err(|error| in_file(Error::invalid("sweep", "UTF-8", error)))?;
    let plan = Plan::from_toml(text).map_err(in_file)?;
    plan.check(program).map_err(in_file)
}

fn bar(runs: usize, terminal: &Terminal) -> ProgressBar {
    let bar = if terminal.quiet { ProgressBar::hidden() } else { ProgressBar::new(runs as u64) };
    let style = ProgressStyle::with_template("{pos} of {len} runs {bar:24} {elapsed} · {wide_msg}");
    bar.with_style(style.expect("a constant template is well-formed"))
}
