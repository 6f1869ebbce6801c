//! A task of one's own from its definition to a report: `cargo run --release -p algolens-own-tasks --example own_task`.

use algolens::{
    Error, HookedTransformer, Result, files,
    interpret::{Material, StudyOptions, Subject, study},
    random::{Twister, below},
    task::{Options, Registry, Task, TaskKind, TaskSpec, Token},
    train::{Architecture, Recipe, Run},
};
use std::{ops::ControlFlow, path::Path};

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
    fn targets(&self, example: &[Token]) -> Vec<Token> { vec![u32::from(example[..9].iter().sum::<u32>() > 4)] }
    fn generate(&self, rng: &mut Twister, example: &mut [Token]) {
        example.fill_with(|| below(rng, 2));
        example[9] = 2;
    }
    fn validate(&self, example: &[Token]) -> Result<()> {
        let right = example.len() == 10 && example[..9].iter().all(|bit| *bit < 2) && example[9] == 2;
        if right { Ok(()) } else { Err(Error::invalid("example", "nine bits and =", format!("{example:?}"))) }
    }
    fn complete(&self, input: &[Token]) -> Result<Vec<Token>> {
        let example = [input, &[2]].concat();
        self.validate(&example).map(|()| example)
    }
}

impl TaskKind for Majority {
    const NAME: &'static str = "majority";
    fn from_options(_: &mut Options) -> Result<Self> {
        Ok(Self)
    }
}

/// Trains a model, evaluates it, studies it, and writes the report; the model's accuracy.
pub fn make(report: &Path) -> Result<f64> {
    let registry = Registry::default().with::<Majority>();
    let model = Architecture { d_model: 16, d_head: 8, ..Architecture::default() };
    let sizes = Recipe { train_size: 8000, validation_size: 500, batch_size: 100, epochs: 8, ..Recipe::default() };
    let mut run = Run::new(Recipe { task: Majority.spec(), model, ..sizes }, &registry)?;
    let untrained = HookedTransformer::new(run.best());
    run.train(untrained.engine(), &mut |_: algolens::train::Event| ControlFlow::Continue(()))?;
    let trained = HookedTransformer::new(run.best());
    let (subject, options) = (Subject::from(&trained), StudyOptions { title: "majority".into(), ..Default::default() });
    let (found, arrays) =
        study(subject, Material::Task(&**run.task()), None, &options, &[], &mut |_| ControlFlow::Continue(()))?;
    let page = algolens_report::page(&algolens_report::Report { study: &found, arrays: &arrays, proof: None });
    files::write_whole(report, page.map_err(|error| Error::invalid("report", "a whole study", error))?.as_bytes())?;
    Ok(found.evaluation.token_accuracy)
}

fn main() -> Result<()> {
    println!("{:.2} % right; see majority.html", 100.0 * make(Path::new("majority.html"))?);
    Ok(())
}
