//! A task of one's own from its definition to a report: `cargo run --release -p algolens-own-tasks --example own_task`.

use algolens::{
    Error, HookedTransformer, Result, files,
    interpret::{Material, StudyOptions, study},
    random::{Twister, below},
    task::{Options, Registry, Targets, Task, TaskKind, TaskSpec, Token},
    train::{Architecture, Event, Recipe, Run},
};
use std::{ops::ControlFlow::Continue, path::Path};

/// Nine bits and `=`: whether most of the bits are 1.
#[derive(Debug)]
struct Majority;

#[rustfmt::skip]
impl Task for Majority {
    fn spec(&self) -> TaskSpec { TaskSpec::new(Self::NAME) }
    fn n_ctx(&self) -> usize { 10 }
    fn token_labels(&self) -> Vec<String> { ["0", "1", "="].map(String::from).to_vec() }
    fn output_labels(&self) -> Vec<String> { ["mostly 0", "mostly 1"].map(String::from).to_vec() }
    fn predicted_positions(&self) -> Vec<usize> { vec![9] }
    fn targets(&self, example: &[Token]) -> Targets { vec![u32::from(example[..9].iter().sum::<u32>() > 4)].into() }
    fn generate(&self, rng: &mut Twister, example: &mut [Token]) { example.fill_with(|| below(rng, 2)); example[9] = 2; }
    fn validate(&self, example: &[Token]) -> Result<()> {
        let right = example.len() == 10 && example[..9].iter().all(|bit| *bit < 2) && example[9] == 2;
        right.then_some(()).ok_or_else(|| Error::invalid("example", "nine bits and =", format!("{example:?}")))
    }
    fn complete(&self, input: &[Token]) -> Result<Vec<Token>> {
        let example = [input, &[2]].concat();
        self.validate(&example).map(|()| example)
    }
}

#[rustfmt::skip]
impl TaskKind for Majority {
    const NAME: &'static str = "majority";
    fn from_options(_: &mut Options) -> Result<Self> { Ok(Self) }
}

/// Trains a model, evaluates it, studies it, and writes the report; the model's accuracy.
pub fn make(report: &Path) -> Result<f64> {
    let model = Architecture { d_model: 16, d_head: 8, ..Architecture::default() };
    let sizes = Recipe { train_size: 8000, validation_size: 500, batch_size: 100, epochs: 8, ..Recipe::default() };
    let recipe = Recipe { task: Some(Majority.spec()), model, ..sizes };
    let mut run = Run::new(recipe, &Registry::default().with::<Majority>())?;
    run.train(HookedTransformer::new(run.best()).engine(), &mut |_: Event| Continue(()))?;
    let trained = HookedTransformer::new(run.best());
    let (options, on) = (StudyOptions { title: "majority".into(), ..Default::default() }, Material::Task(&Majority));
    let (study, arrays) = study((&trained).into(), on, None, &options, &[], &mut |_| Continue(()))?;
    let page = algolens_report::page(&algolens_report::Report { study: &study, arrays: &arrays, proof: None })?;
    files::write_whole(report, page.as_bytes())?;
    Ok(study.evaluation.token_accuracy)
}

fn main() -> Result<()> {
    make(Path::new("majority.html")).map(|right| println!("right: {right} (see majority.html)"))
}
